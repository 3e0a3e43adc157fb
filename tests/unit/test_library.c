/* libconclave's lists, values and quotas, before a coordinator that is a thread of the test: what
 * is asked for, what is refused before anything is sent, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/library/conclave.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"
#include "shared/bus/bus.h"
#include "tests/harness/fake_broker.h"

enum { ROWS = 8, PAGE = 3, VALUE_BYTES = 1000 };

/* How its pages are wrong. */
enum lie { HONEST, REPEATS, FALLS, LEADS_NOWHERE, LIES };

static struct {
    enum lie lie;
    unsigned pages;   /* so many were asked for: one who never ends would fail, not hang */
    bool rots;        /* a byte of values is another one */
    size_t longer;    /* so many bytes too much come of them */
    unsigned forgets; /* so many requests; the next one is refused */
    uint64_t forgotten_at_once[8]; /* the jobs of each */
    const char *explanation;
} world;

static void *context;
static struct fake_broker broker;
static struct conclave *cluster;

/* --- the coordinator --- */

static uint64_t id_of(uint64_t number)
{
    return (uint64_t)1 << 40 | number;
}

/* The numbers of a page's rows, from 1 on; returns how many. */
static size_t page_of(uint64_t after, uint64_t rows[PAGE], bool *more)
{
    uint64_t from = world.lie == REPEATS ? 1 : after + 1;
    size_t n = 0;
    for (uint64_t i = from; i <= ROWS && n < PAGE; i++)
        rows[n++] = i;
    *more = (world.lie != HONEST || from + n <= ROWS) && ++world.pages < 1000;
    if (world.lie == LEADS_NOWHERE)
        return 0;
    if (world.lie == FALLS) {
        uint64_t first = rows[0];
        rows[0] = rows[1];
        rows[1] = first;
    }
    return n;
}

static struct message *list_jobs(const struct message *request)
{
    uint64_t rows[PAGE];
    struct message *message = message_new(MESSAGE_JOB_PAGE);
    struct wire_job_page *page = &message->as.job_page;
    uint64_t after = request->as.job_list.after;
    size_t n = page_of(after ? after - id_of(0) : 0, rows, &page->more);
    page->jobs.at = message_room(message, PAGE, sizeof *page->jobs.at);
    for (; page->jobs.n < n; page->jobs.n++)
        page->jobs.at[page->jobs.n] =
            (struct wire_job_row){.job = id_of(rows[page->jobs.n]),
                                  .key = slice_of("k"),
                                  .kind = slice_of("fact\x1borial"),
                                  .spec = slice_of("10"),
                                  .owner = slice_of("alice"),
                                  .state = slice_of(rows[page->jobs.n] % 2 ? "done" : "queued")};
    return message;
}

static void fill_value(uint8_t at[VALUE_BYTES])
{
    for (size_t i = 0; i < VALUE_BYTES; i++)
        at[i] = (uint8_t)i;
}

static struct message *list_values(const struct message *request)
{
    uint64_t rows[PAGE];
    uint8_t bytes[VALUE_BYTES], hash[HASH_BYTES];
    struct message *message = message_new(MESSAGE_VALUE_PAGE);
    struct wire_value_page *page = &message->as.value_page;
    uint64_t after = request->as.value_list.after;
    size_t n = page_of(after ? after - id_of(0) : 0, rows, &page->more);
    fill_value(bytes);
    hash_bytes(bytes, sizeof bytes, hash);
    page->values.at = message_room(message, PAGE, sizeof *page->values.at);
    for (; page->values.n < n; page->values.n++)
        page->values.at[page->values.n] =
            (struct wire_value_row){.value = id_of(rows[page->values.n]),
                                    .sha256 =
                                        message_copy(message, (struct slice){hash, HASH_BYTES}),
                                    .len = VALUE_BYTES,
                                    .bytes = VALUE_BYTES,
                                    .format = slice_of("bytes"),
                                    .name = slice_of("a\nb"),
                                    .whole = rows[page->values.n] < ROWS};
    return message;
}

static struct message *read_value(const struct message *request)
{
    uint8_t bytes[VALUE_BYTES];
    uint64_t offset = request->as.value_read.offset;
    struct message *message = message_new(MESSAGE_VALUE_BYTES);
    size_t len = VALUE_BYTES - offset < 400 ? VALUE_BYTES - (size_t)offset : 400;
    struct blob *part = blob_new(len + world.longer);
    fill_value(bytes);
    memset(part->at, 0, part->len);
    memcpy(part->at, bytes + offset, len);
    part->at[0] ^= world.rots;
    message->as.value_bytes.value = request->as.value_read.value;
    message->as.value_bytes.offset = offset;
    message->as.value_bytes.total = VALUE_BYTES;
    message_add_frame(message, part);
    blob_drop(&part);
    return message;
}

static struct message *list_operations(const struct message *request)
{
    uint64_t rows[PAGE];
    struct message *message = message_new(MESSAGE_TRACE_PAGE);
    struct wire_trace_page *page = &message->as.trace_page;
    size_t n = page_of(request->as.job_trace.after, rows, &page->more);
    page->ops.at = message_room(message, PAGE, sizeof *page->ops.at);
    for (; page->ops.n < n; page->ops.n++)
        page->ops.at[page->ops.n] = (struct wire_trace_row){.op = rows[page->ops.n],
                                                            .opcode = slice_of("multiply"),
                                                            .node = 2,
                                                            .attempt = 1};
    return message;
}

/* "a" to "h". */
static struct message *list_keys(const struct message *request)
{
    uint64_t rows[PAGE];
    struct message *message = message_new(MESSAGE_QUOTA_PAGE);
    struct wire_quota_page *page = &message->as.quota_page;
    struct slice after = request->as.quota_get.after;
    size_t n = page_of(after.len ? (uint64_t)(after.at[0] - 'a' + 1) : 0, rows, &page->more);
    page->jobs_max = 7;
    page->bytes_max = 1000;
    page->bounded = true;
    page->keys.at = message_room(message, PAGE, sizeof *page->keys.at);
    for (; page->keys.n < n; page->keys.n++) {
        char name[] = {(char)('a' + rows[page->keys.n] - 1), '\0'};
        page->keys.at[page->keys.n] =
            (struct wire_quota_row){.name = message_text(message, name), .open_jobs = 3};
    }
    return message;
}

static struct message *forget(const struct message *request)
{
    struct message *message;
    unsigned n = broker.asked[MESSAGE_JOB_FORGET];
    if (n > world.forgets)
        return fake_broker_refuse("invalid");
    world.forgotten_at_once[n - 1] = request->as.job_forget.jobs.n;
    message = message_new(MESSAGE_JOBS_FORGOTTEN);
    message->as.jobs_forgotten.kept_jobs = 1;
    return message;
}

static struct message *answer(void *test, const struct message *request)
{
    struct message *message;
    (void)test;
    switch (request->type) {
    case MESSAGE_JOB_LIST:
        return list_jobs(request);
    case MESSAGE_VALUE_LIST:
        return list_values(request);
    case MESSAGE_VALUE_READ:
        return read_value(request);
    case MESSAGE_JOB_TRACE:
        return list_operations(request);
    case MESSAGE_QUOTA_GET:
        return list_keys(request);
    case MESSAGE_JOB_FORGET:
        return forget(request);
    case MESSAGE_JOB_EXPLAIN:
        message = message_new(MESSAGE_EXPLANATION);
        message->as.explanation.text = message_text(message, world.explanation);
        return message;
    default:
        return fake_broker_refuse("not_found");
    }
}

static int begin(void **state)
{
    struct conclave_options options = {.size = sizeof options,
                                       .insecure = 1,
                                       .brokers = broker.address,
                                       .timeout_us = 10 * SECOND_US};
    (void)state;
    memset(&world, 0, sizeof world);
    context = zmq_ctx_new();
    broker = (struct fake_broker){.answer = answer};
    fake_broker_bind(&broker, context);
    fake_broker_start(&broker);
    cluster = conclave_open(&options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    conclave_close(&cluster);
    fake_broker_end(&broker);
    zmq_ctx_term(context);
    return 0;
}

static void expect(int code, int wanted, const char *reason)
{
    if (code != wanted || (code && !strstr(conclave_reason(cluster), reason)))
        print_error("%d: %s\n", code, conclave_reason(cluster));
    assert_int_equal(code, wanted);
    if (code)
        assert_non_null(strstr(conclave_reason(cluster), reason));
}

static unsigned asked_in_all(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < MESSAGE_TYPES; i++)
        n += broker.asked[i];
    return n;
}

/* --- lists of jobs --- */

struct seen {
    size_t n, most; /* 0: any number */
    char ids[200];
};

static int see_job(void *at, const struct conclave_job *job)
{
    struct seen *seen = at;
    assert_string_equal(job->kind, "fact\\x1borial");
    assert_string_equal(job->spec, "10");
    assert_string_equal(job->owner, "alice");
    strcat(seen->ids, job->id);
    strcat(seen->ids, " ");
    return ++seen->n == seen->most;
}

static void expect_jobs(const struct conclave_jobs *which, size_t most, const char *wanted)
{
    struct seen seen = {.most = most};
    expect(conclave_jobs_each(cluster, which, see_job, &seen), CONCLAVE_OK, "");
    assert_string_equal(seen.ids, wanted);
}

static void jobs_come_oldest_first_and_can_be_chosen(void **state)
{
    struct conclave_jobs which = {.size = sizeof which};
    (void)state;
    expect_jobs(NULL, 0, "1-1 1-2 1-3 1-4 1-5 1-6 1-7 1-8 ");
    assert_int_equal(broker.asked[MESSAGE_JOB_LIST], 3);
    expect_jobs(&which, 2, "1-1 1-2 ");
    assert_int_equal(broker.asked[MESSAGE_JOB_LIST], 4); /* the pages behind are not asked for */
    which.newest = 3;
    expect_jobs(&which, 0, "1-6 1-7 1-8 ");
    expect_jobs(&which, 1, "1-6 ");
    which.state = "done";
    expect_jobs(&which, 0, "1-3 1-5 1-7 ");
    which.newest = 0;
    expect_jobs(&which, 0, "1-1 1-3 1-5 1-7 ");
    which.size = 0; /* of a program that knows none of the fields */
    expect_jobs(&which, 0, "1-1 1-2 1-3 1-4 1-5 1-6 1-7 1-8 ");
}

/* --- explanations --- */

static int see_line(void *at, const char *line)
{
    strcat(at, line);
    strcat(at, "|");
    return strstr(line, "enough") != NULL;
}

static void an_explanation_is_lines_without_escapes(void **state)
{
    char seen[500] = "";
    (void)state;
    world.explanation = "job 1-1, factorial(10)\nslowest: \x1b[31mred\n\nlast";
    expect(conclave_job_explain(cluster, "1-1", see_line, seen), CONCLAVE_OK, "");
    assert_string_equal(seen, "job 1-1, factorial(10)|slowest: \\x1b[31mred||last|");
    world.explanation = "one\nenough\nthree";
    seen[0] = '\0';
    expect(conclave_job_explain(cluster, "1-1", see_line, seen), CONCLAVE_OK, "");
    assert_string_equal(seen, "one|enough|");
    /* A job of commands that this key may not see keeps the nodes' name for it. */
    world.explanation = "job 1-1, map(2 tasks)";
    seen[0] = '\0';
    expect(conclave_job_explain(cluster, "1-1", see_line, seen), CONCLAVE_OK, "");
    assert_string_equal(seen, "job 1-1, map(2 tasks)|");
}

/* --- pages that are not believed --- */

static int count_job(void *n, const struct conclave_job *job)
{
    (void)job;
    return ++*(unsigned *)n > 1000;
}

static int count_value(void *n, const struct conclave_value *value)
{
    (void)value;
    return ++*(unsigned *)n > 1000;
}

static int count_operation(void *n, const struct conclave_operation *operation)
{
    (void)operation;
    return ++*(unsigned *)n > 1000;
}

static int count_key(void *n, const struct conclave_quota_key *key)
{
    (void)key;
    return ++*(unsigned *)n > 1000;
}

static void lists_that_lead_nowhere_end_with_an_error(void **state)
{
    struct conclave_jobs newest = {.size = sizeof newest, .newest = 2};
    struct conclave_quota quota;
    unsigned n = 0;
    (void)state;
    for (world.lie = REPEATS; world.lie < LIES; world.lie++) {
        expect(conclave_jobs_each(cluster, NULL, count_job, &n), CONCLAVE_FAILED,
               "a page of jobs does not fit");
        expect(conclave_values_each(cluster, count_value, &n), CONCLAVE_FAILED,
               "a page of stored values does not fit");
        expect(conclave_job_operations_each(cluster, "1-1", count_operation, &n), CONCLAVE_FAILED,
               "a page of operations does not fit");
        expect(conclave_quota(cluster, &quota, count_key, &n), CONCLAVE_FAILED,
               "a page of keys does not fit");
    }
    assert_int_equal(n, 4 * PAGE); /* those of pages that repeat, before they did */
    world.lie = FALLS;
    expect(conclave_jobs_each(cluster, &newest, count_job, &n), CONCLAVE_FAILED,
           "a page of jobs does not fit");
    assert_int_equal(n, 4 * PAGE);
}

/* --- operations --- */

static int see_operation(void *at, const struct conclave_operation *operation)
{
    struct seen *seen = at;
    assert_string_equal(operation->text[0] == 'R' ? "R" : operation->text, "R");
    assert_true(operation->node == 2 && operation->attempt == 1);
    seen->n += operation->number == seen->n + 1;
    return seen->n == seen->most;
}

static void operations_come_in_order(void **state)
{
    struct seen seen = {0}, some = {.most = 4};
    (void)state;
    expect(conclave_job_operations_each(cluster, "1-1", see_operation, &seen), CONCLAVE_OK, "");
    assert_int_equal(seen.n, ROWS);
    expect(conclave_job_operations_each(cluster, "1-1", see_operation, &some), CONCLAVE_OK, "");
    assert_int_equal(some.n, 4);
    assert_int_equal(broker.asked[MESSAGE_JOB_TRACE], 3 + 2);
}

/* --- forgetting --- */

static void many_jobs_are_forgotten_in_parts(void **state)
{
    enum { JOBS = 2 * FORGET_JOBS_MAX + 5 };
    const char *ids[JOBS];
    uint64_t forgotten = 99;
    (void)state;
    for (size_t i = 0; i < JOBS; i++)
        ids[i] = "4-17";
    world.forgets = 3;
    expect(conclave_jobs_forget(cluster, ids, JOBS, &forgotten), CONCLAVE_OK, "");
    assert_int_equal(forgotten, JOBS);
    assert_int_equal(world.forgotten_at_once[1], FORGET_JOBS_MAX);
    assert_int_equal(world.forgotten_at_once[2], 5);
    world.forgets = 4;
    expect(conclave_jobs_forget(cluster, ids, JOBS, &forgotten), CONCLAVE_USAGE, "it is refused");
    assert_int_equal(forgotten, FORGET_JOBS_MAX);
    ids[JOBS - 1] = "x";
    expect(conclave_jobs_forget(cluster, ids, JOBS, &forgotten), CONCLAVE_USAGE,
           "'x' is not a job");
    assert_int_equal(forgotten, 0);
    assert_int_equal(broker.asked[MESSAGE_JOB_FORGET], 5);
    expect(conclave_jobs_forget(cluster, NULL, 0, NULL), CONCLAVE_OK, "");
}

/* --- values --- */

static int add(void *at, const void *bytes, size_t len)
{
    struct seen *seen = at;
    uint8_t all[VALUE_BYTES];
    fill_value(all);
    assert_true(seen->n + len <= VALUE_BYTES && !memcmp(bytes, all + seen->n, len));
    seen->n += len;
    return seen->most && seen->n >= seen->most;
}

static int ignore(void *at, const void *bytes, size_t len)
{
    (void)at, (void)bytes, (void)len;
    return 0;
}

static void values_are_read_and_checked(void **state)
{
    struct seen seen = {0}, some = {.most = 1};
    struct conclave_value value;
    char *bytes;
    size_t len;
    (void)state;
    expect(conclave_value_get(cluster, "1-4", &value), CONCLAVE_OK, "");
    assert_string_equal(value.id, "1-4");
    assert_string_equal(value.name, "a\\x0ab");
    assert_string_equal(value.format, "bytes");
    assert_memory_equal(value.value + strlen("value:"), value.sha256, 16);
    assert_true(value.bytes == VALUE_BYTES && value.whole);
    expect(conclave_value_read_each(cluster, "1-4", add, &seen), CONCLAVE_OK, "");
    assert_int_equal(seen.n, VALUE_BYTES);
    expect(conclave_value_read_each(cluster, "1-4", add, &some), CONCLAVE_OK, "");
    assert_int_equal(some.n, 400);
    expect(conclave_value_read(cluster, "1-4", &bytes, &len), CONCLAVE_OK, "");
    assert_true(len == VALUE_BYTES && !bytes[len] && (uint8_t)bytes[999] == 999 % 256);
    free(bytes);

    expect(conclave_value_read(cluster, value.value, &bytes, &len), CONCLAVE_USAGE,
           "may be 8 values");
    expect(conclave_value_read(cluster, "value:0000", &bytes, &len), CONCLAVE_NOT_FOUND,
           "no value");
    expect(conclave_value_read(cluster, "1-8", &bytes, &len), CONCLAVE_FAILED, "is not whole");
    world.rots = true;
    expect(conclave_value_read(cluster, "1-4", &bytes, &len), CONCLAVE_FAILED, "SHA-256");
    assert_null(bytes);
    expect(conclave_value_read_each(cluster, "1-4", ignore, NULL), CONCLAVE_FAILED, "SHA-256");
    world.rots = false;
    world.longer = VALUE_BYTES;
    expect(conclave_value_read(cluster, "1-4", &bytes, &len), CONCLAVE_FAILED, "does not fit");
    assert_true(!bytes && !len);
}

static int64_t bring(void *at, void *room, size_t size)
{
    (void)room;
    int64_t n = *(int64_t *)at;
    return n < 0 ? n : (int64_t)size + n;
}

/* What is wrong with it is said before anything is sent. */
static void what_cannot_be_put_is_not_begun(void **state)
{
    struct conclave_put put = {.size = sizeof put, .integers = 1};
    struct conclave_value value;
    int64_t fails = -1, overflows = 1;
    (void)state;
    expect(conclave_value_put(cluster, "1\ntwo\n3\nfour\n", 13, &put, &value), CONCLAVE_USAGE,
           "line:2: 'two' is not an integer");
    put.base = 8;
    expect(conclave_value_put(cluster, "1", 1, &put, NULL), CONCLAVE_USAGE, "base is 10 or 16");
    put.integers = 0;
    put.base = 16;
    expect(conclave_value_put(cluster, "1", 1, &put, NULL), CONCLAVE_USAGE, "base is 10 or 16");
    expect(conclave_value_put_file(cluster, -1, NULL, NULL), CONCLAVE_USAGE,
           "cannot read descriptor -1: ");
    expect(conclave_value_put_read(cluster, bring, &fails, NULL, NULL), CONCLAVE_USAGE,
           "could not be read");
    expect(conclave_value_put_read(cluster, bring, &overflows, NULL, NULL), CONCLAVE_USAGE,
           "more than there is room");
    assert_int_equal(asked_in_all(), 0);
}

static void wrong_arguments_are_not_sent(void **state)
{
    struct conclave_jobs which = {.size = sizeof which, .state = "d\x1bone"};
    struct conclave_retry retry = {.size = sizeof retry, .tasks = "3-"};
    struct conclave_job job;
    struct conclave_value value;
    unsigned n = 0;
    (void)state;
    expect(conclave_jobs_each(cluster, &which, count_job, &n), CONCLAVE_USAGE,
           "'d\\x1bone' is not a state: queued,");
    expect(conclave_job_explain(cluster, "", see_line, NULL), CONCLAVE_USAGE, "is not a job id");
    expect(conclave_job_operations_each(cluster, "0", count_operation, &n), CONCLAVE_USAGE,
           "is not a job id");
    expect(conclave_job_retry(cluster, "1-1", &retry, &job), CONCLAVE_USAGE, "3-");
    retry = (struct conclave_retry){.size = sizeof retry, .time_limit_us = 1};
    expect(conclave_job_retry(cluster, "1-1", &retry, &job), CONCLAVE_USAGE, "time_limit_us");
    retry = (struct conclave_retry){.size = sizeof retry, .key = "a b"};
    expect(conclave_job_retry(cluster, "1-1", &retry, &job), CONCLAVE_USAGE, "a key has 1 to");
    expect(conclave_value_get(cluster, "value:xyz", &value), CONCLAVE_USAGE, "not a stored value");
    expect(conclave_value_drop(cluster, "value:12"), CONCLAVE_USAGE, "not a stored value");
    assert_int_equal(asked_in_all(), 0);
}

/* --- quotas --- */

static int see_key(void *at, const struct conclave_quota_key *key)
{
    struct seen *seen = at;
    assert_int_equal(key->open_jobs, 3);
    strcat(seen->ids, key->name);
    return ++seen->n == seen->most;
}

static void quotas_are_of_each_key(void **state)
{
    struct conclave_quota quota;
    struct seen seen = {0}, some = {.most = 2};
    (void)state;
    expect(conclave_quota(cluster, &quota, see_key, &seen), CONCLAVE_OK, "");
    assert_string_equal(seen.ids, "abcdefgh");
    assert_true(quota.jobs_max == 7 && quota.bytes_max == 1000 && quota.bounded);
    expect(conclave_quota(cluster, &quota, see_key, &some), CONCLAVE_OK, "");
    assert_string_equal(some.ids, "ab");
    assert_int_equal(broker.asked[MESSAGE_QUOTA_GET], 3 + 1);
    quota.jobs_max = 0;
    expect(conclave_quota(cluster, &quota, NULL, NULL), CONCLAVE_OK, "");
    assert_true(quota.jobs_max == 7);
    assert_int_equal(broker.asked[MESSAGE_QUOTA_GET], 3 + 1 + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_come_oldest_first_and_can_be_chosen),
        TEST(an_explanation_is_lines_without_escapes),
        TEST(lists_that_lead_nowhere_end_with_an_error),
        TEST(operations_come_in_order),
        TEST(many_jobs_are_forgotten_in_parts),
        TEST(values_are_read_and_checked),
        TEST(what_cannot_be_put_is_not_begun),
        TEST(wrong_arguments_are_not_sent),
        TEST(quotas_are_of_each_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
