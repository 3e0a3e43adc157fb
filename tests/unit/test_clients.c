/* The pure parts of the client: what people type, what the feed tells, what is drawn. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/ask/account.h"
#include "clients/ask/address.h"
#include "clients/show/bar.h"
#include "clients/local/child.h"
#include "clients/cli.h"
#include "clients/show/feed.h"
#include "clients/ask/jobfile.h"
#include "clients/ask/latency.h"
#include "clients/ask/jobspec.h"
#include "clients/show/render.h"

/* --- jobs that people type --- */

static void a_job_is_a_kind_and_its_argument(void **state)
{
    (void)state;
    static const struct {
        const char *line, *spec; /* NULL: refused */
        const char *why;         /* what the refusal must mention */
    } cases[] = {
        {"factorial 10", "10", NULL},
        {"  factorial\t0010   # ten", "10", NULL},
        {"factorial 18446744073709551615", "18446744073709551615", NULL},
        {"factorial 18446744073709551616", NULL, "too large"},
        {"factorial 99999999999999999999", NULL, "too large"},
        {"factorial -1", NULL, "'-1'"},
        {"factorial x", NULL, "'x'"},
        {"factorial 1.5", NULL, "'1.5'"},
        {"factorial \x1b[31m", NULL, "\\x1b"},
        {"factorial 10 11", NULL, "2 words"},
        {"factorial", NULL, "one whole number"},
        {"fibonacci 3", NULL, "'fibonacci'"},
        {"FACTORIAL 3", NULL, "'FACTORIAL'"},
        {"primorial --first 10", "29", NULL},
        {"primorial --first=5*10", "229", NULL},
        {"primorial --first 0", NULL, "1 to 203280221"},
        {"primorial --first 203280222", NULL, "1 to 203280221"},
        {"primorial --first", NULL, "primorial --first 10"},
        {"primorial 5 --first 3", NULL, "primorial --first 10"},
        {"factorial --first 3", NULL, "for primorial"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jobspec spec;
        char why[TEXT_MAX] = "";
        int error = jobspec_parse_line(slice_of(cases[i].line), &spec, why);
        assert_int_equal(error, cases[i].spec ? OK : ERR_MALFORMED);
        if (cases[i].spec) {
            bool first = strstr(cases[i].line, "primorial");
            assert_string_equal(spec.kind, first ? "primorial" : "factorial");
            assert_string_equal(spec.spec, cases[i].spec);
        } else {
            assert_non_null(strstr(why, cases[i].why));
        }
    }
}

static void a_line_may_hold_no_job(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "   \t ", "# factorial 3", "  # nothing", "\r"};
    struct jobspec spec;
    char why[TEXT_MAX];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(jobspec_parse_line(slice_of(lines[i]), &spec, why), ERR_NOT_FOUND);
    assert_int_equal(jobspec_parse_line((struct slice){(const uint8_t *)"factorial\0 3", 12}, &spec,
                                        why),
                     ERR_MALFORMED);
    uint8_t endless[JOBS_FILE_LINE_MAX + 1];
    memset(endless, '1', sizeof endless);
    assert_int_equal(jobspec_parse_line((struct slice){endless, sizeof endless}, &spec, why),
                     ERR_MALFORMED);
}

/* --- accounts and amounts --- */

static void an_account_is_a_name_and_its_node(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name; /* NULL: refused */
        uint64_t node;
        const char *why; /* what the refusal must mention */
    } cases[] = {
        {"alice@1", "alice", 1, NULL},
        {"A.b-c_9@100", "A.b-c_9", 100, NULL},
        {"alice", NULL, 0, "looks like alice@1"},
        {"@1", NULL, 0, "'@1'"},
        {"", NULL, 0, "''"},
        {"al ice@1", NULL, 0, "al ice"},
        {"al/ice@1", NULL, 0, "al/ice"},
        {"\x1b[31m@1", NULL, 0, "\\x1b"},
        {"alice@", NULL, 0, "from 1 to"},
        {"alice@0", NULL, 0, "from 1 to"},
        {"alice@101", NULL, 0, "from 1 to"},
        {"alice@-1", NULL, 0, "from 1 to"},
        {"alice@1@2", NULL, 0, "from 1 to"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct account account;
        char why[TEXT_MAX] = "";
        int error = account_parse(cases[i].word, &account, why);
        assert_int_equal(error, cases[i].name ? OK : ERR_MALFORMED);
        if (cases[i].name) {
            assert_string_equal(account.name, cases[i].name);
            assert_int_equal(account.node, cases[i].node);
        } else {
            assert_non_null(strstr(why, cases[i].why));
        }
    }
    char longest[LEDGER_NAME_MAX + 4], why[TEXT_MAX];
    struct account account;
    memset(longest, 'x', sizeof longest);
    text_format(longest + LEDGER_NAME_MAX, 4, "@7");
    assert_int_equal(account_parse(longest, &account, why), OK);
    text_format(longest + LEDGER_NAME_MAX, 4, "x@7");
    assert_int_equal(account_parse(longest, &account, why), ERR_MALFORMED);
}

static void an_amount_is_a_positive_whole_number(void **state)
{
    (void)state;
    static const char *const bad[] = {"0",
                                      "-5",
                                      "",
                                      "1.5",
                                      "1e",
                                      "1e16",
                                      "abc",
                                      "+1",
                                      " 1",
                                      "1000000000000001",
                                      "99999999999999999999999"};
    uint64_t amount;
    char why[TEXT_MAX];
    assert_int_equal(account_parse_amount("1", &amount, why), OK);
    assert_int_equal(account_parse_amount("1000000000000000", &amount, why), OK);
    assert_true(amount == MONEY_MAX);
    assert_int_equal(account_parse_amount("5*10^5", &amount, why), OK);
    assert_true(amount == 500000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(account_parse_amount(bad[i], &amount, why), ERR_MALFORMED);
        assert_non_null(strstr(why, "from 1 to 1000000000000000"));
    }
}

static void keys_are_uuids_that_differ(void **state)
{
    (void)state;
    char a[JOB_KEY_TEXT_MAX], b[JOB_KEY_TEXT_MAX];
    jobspec_new_key(a);
    jobspec_new_key(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
    assert_true(jobspec_key_is_valid(a));
    assert_false(jobspec_key_is_valid(""));
    assert_false(jobspec_key_is_valid("a b"));
    assert_false(jobspec_key_is_valid("\x1b"));
}

/* Writes the text to a pipe, whose reading end is stdin to the job file. */
static void open_pipe_as_file(struct jobfile *file, int ends[2], bool follow)
{
    assert_int_equal(pipe(ends), 0);
    *file = (struct jobfile){.fd = ends[0], .follow = follow};
}

static void a_followed_file_waits_for_the_rest_of_a_line(void **state)
{
    (void)state;
    struct jobfile file;
    struct jobspec spec;
    char why[TEXT_MAX];
    int ends[2];
    open_pipe_as_file(&file, ends, true);
    jobfile_fill(&file);
    assert_int_equal(jobfile_next(&file, &spec, why), ERR_NOT_FOUND);
    assert_int_equal(write(ends[1], "factorial 3\nfactor", 18), 18);
    jobfile_fill(&file);
    assert_int_equal(jobfile_next(&file, &spec, why), OK);
    assert_string_equal(spec.spec, "3");
    assert_int_equal(jobfile_next(&file, &spec, why), ERR_NOT_FOUND);
    assert_int_equal(write(ends[1], "ial 4\nx\nfactorial 5", 19), 19);
    close(ends[1]);
    jobfile_fill(&file);
    assert_int_equal(jobfile_next(&file, &spec, why), OK);
    assert_string_equal(spec.spec, "4");
    assert_int_equal(jobfile_next(&file, &spec, why), ERR_MALFORMED);
    assert_int_equal(file.line, 3);
    assert_int_equal(jobfile_next(&file, &spec, why), OK); /* the last line needs no end */
    assert_true(file.ended);
    assert_int_equal(jobfile_next(&file, &spec, why), ERR_NOT_FOUND);
    jobfile_close(&file);
}

/* --- addresses --- */

static void brokers_are_named_with_commas(void **state)
{
    (void)state;
    struct addresses brokers;
    char why[TEXT_MAX], at[ADDRESS_TEXT_MAX];
    assert_int_equal(addresses_parse("tcp://127.0.0.1:7000, broker.example:8000", &brokers, why),
                     OK);
    assert_int_equal(brokers.n, 2);
    assert_string_equal(address_text(&brokers.at[1], at), "tcp://broker.example:8000");
    /* A host alone is at the default port. */
    assert_int_equal(addresses_parse("::1,[::1]:8000,tcp://[fe80::2]", &brokers, why), OK);
    assert_int_equal(brokers.n, 3);
    assert_string_equal(address_text(&brokers.at[0], at), "tcp://[::1]:7000");
    assert_string_equal(address_text(&brokers.at[1], at), "tcp://[::1]:8000");
    assert_string_equal(address_text(&brokers.at[2], at), "tcp://[fe80::2]:7000");
    assert_int_equal(addresses_parse("localhost,tcp://10.0.0.1,a:8000", &brokers, why), OK);
    assert_int_equal(brokers.n, 3);
    assert_string_equal(address_text(&brokers.at[0], at), "tcp://localhost:7000");
    assert_string_equal(address_text(&brokers.at[1], at), "tcp://10.0.0.1:7000");
    static const char *const bad[] = {"",
                                      ",",
                                      "tcp://",
                                      "7000",
                                      "a:",
                                      "a:0",
                                      "a:65536",
                                      ":7000",
                                      "a:7000,",
                                      "a b:7000",
                                      "ipc:///tmp/x:1",
                                      "tcp://*:7000",
                                      "a:7000:x1",
                                      "a:-1",
                                      "a b",
                                      "*",
                                      "tcp://a/",
                                      "[::1",
                                      "[a]:7000",
                                      "::1]:7000",
                                      "[::1]7000",
                                      "http://a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(addresses_parse(bad[i], &brokers, why), ERR_MALFORMED);
        assert_null(strchr(why, '\n'));
    }
}

/* --- the feed --- */

static int feed_take(struct feed *feed, uint64_t node, incarnation_t incarnation, uint64_t seq,
                     uint64_t *missed)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat =
        (struct wire_heartbeat){.node = node, .incarnation = incarnation, .seq = seq};
    struct feed_origin origin;
    int error = feed_origin(message, &origin);
    message_drop(&message);
    return error ? error : feed_hear(feed, &origin, missed);
}

static void gaps_and_doubles_of_the_feed_are_seen(void **state)
{
    (void)state;
    struct feed feed = {0};
    uint64_t missed;
    assert_int_equal(feed_take(&feed, 1, 7, 5, &missed), OK); /* we came late: no gap */
    assert_int_equal(missed, 0);
    assert_int_equal(feed_take(&feed, 1, 7, 6, &missed), OK);
    assert_int_equal(missed, 0);
    assert_int_equal(feed_take(&feed, 1, 7, 6, &missed), ERR_STALE); /* by the other broker */
    assert_int_equal(feed_take(&feed, 1, 7, 10, &missed), OK);
    assert_int_equal(missed, 3);
    assert_int_equal(feed_take(&feed, 2, 7, 1, &missed), OK); /* each node counts for itself */
    assert_int_equal(missed, 0);
    assert_int_equal(feed_take(&feed, 1, 8, 1, &missed), OK); /* and each of its lives */
    assert_int_equal(missed, 0);
    assert_int_equal(feed_take(&feed, 1, 7, 11, &missed), ERR_STALE);
    assert_int_equal(feed_take(&feed, 0, 7, 11, &missed), ERR_MALFORMED);
    assert_int_equal(feed_take(&feed, NODES_MAX + 1, 7, 11, &missed), ERR_MALFORMED);
}

static void strangers_bytes_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct message *event = message_new(MESSAGE_EVENT);
    event->as.event = (struct wire_event){.node = 1, .event = message_text(event, "x\x1b[2J")};
    event->as.event.text = message_text(event, "a\nb\a");
    struct text line = {0};
    feed_line(event, &line);
    assert_null(strpbrk(line.at, "\x1b\n\a"));
    json_t *json = feed_json(event);
    assert_string_equal(json_string_value(json_object_get(json, "event")), "x\\x1b[2J");
    assert_true(json_is_null(json_object_get(json, "job")));
    json_decref(json);
    message_drop(&event);
}

/* --- what is shown --- */

static void absent_values_are_null_in_json(void **state)
{
    (void)state;
    struct message *reply = message_new(MESSAGE_JOB);
    struct wire_job_row row = {.job = (job_id_t)3 << JOB_INDEX_BITS | 17,
                               .kind = message_text(reply, "factorial"),
                               .spec = message_text(reply, "10"),
                               .state = message_text(reply, "running"),
                               .submitted_ms = 1795305600123,
                               .done = 1,
                               .total = 4};
    json_t *job = render_job(&row);
    assert_string_equal(json_string_value(json_object_get(job, "id")), "3-17");
    assert_string_equal(json_string_value(json_object_get(job, "submitted")),
                        "2026-11-22T00:00:00.123Z");
    assert_true(json_is_null(json_object_get(job, "finished")));
    assert_true(json_is_null(json_object_get(job, "result")));
    assert_true(json_is_null(json_object_get(job, "error")));
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(job, "operations"), "total")),
                     4);
    json_decref(job);
    message_drop(&reply);
}

static void operations_read_as_in_the_seed(void **state)
{
    (void)state;
    struct wire_operand operands[] = {{.op = 1}, {.op = 2}, {.literal = 10}};
    struct wire_trace_row row = {.op = 4, .operands = {operands, 3}, .node = 2, .attempt = 1};
    struct text line = {0};
    render_operation_text(&row, &line);
    assert_string_equal(line.at, "R4=R1*R2*10");
    struct wire_operand range[] = {{.literal = 10}, {.literal = 1}, {.literal = 3}};
    struct wire_trace_row primes = {.op = 1, .operands = {range, 3}, .opcode = slice_of("primes")};
    line = (struct text){0};
    render_operation_text(&primes, &line);
    assert_string_equal(line.at, "R1=primes 10 1 3");
    json_t *json = render_operation(&row);
    json_t *list = json_object_get(json, "operands");
    assert_string_equal(json_string_value(json_array_get(list, 0)), "R1");
    assert_string_equal(json_string_value(json_array_get(list, 2)), "10");
    json_decref(json);
}

static void the_bar_tells_rate_and_eta(void **state)
{
    (void)state;
    struct text line = {0};
    bar_line(&line, 50, 100, 0, 10 * SECOND_US, "operations");
    assert_string_equal(line.at,
                        "[############............]  50%  50/100 operations  5.0/s  ETA 10s");
    line = (struct text){0};
    bar_line(&line, 0, 100, 0, 0, "jobs");
    assert_string_equal(line.at, "[........................]   0%  0/100 jobs");
    line = (struct text){0};
    bar_line(&line, 0, 0, 0, 0, "jobs");
    assert_non_null(strstr(line.at, "0/0 jobs"));
    line = (struct text){0};
    bar_line(&line, 100, 1000000, 0, SECOND_US, "operations");
    assert_non_null(strstr(line.at, "ETA 2h 46m"));
}

/* Of the operations all but a few are cheap: a bar that counted them stood at 99 % for most of the
 * time. Of 85, which are four levels of a tree, each level is an eighth of the job, and the text
 * its second half. */
static void the_bar_of_a_job_tells_its_work_and_not_its_operations(void **state)
{
    (void)state;
    static const struct {
        uint64_t done;
        const char *line;
    } cases[] = {{0, "]   0%  0/85 operations"},
                 {64, "]  12%  64/85 operations"},
                 {80, "]  25%  80/85 operations"},
                 {84, "]  37%  84/85 operations"},
                 {85, "]  50%  85/85 operations  converting to text for 5s"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text line = {0};
        bar_line_operations(&line, cases[i].done, 85, cases[i].done, SECOND_US, 5 * SECOND_US);
        assert_string_equal(line.at + strlen("[........................"), cases[i].line);
    }
}

/* It ended after ten minutes, as what is asked of a cluster at once does. */
static void who_gives_no_timeout_waits_for_a_job_without_an_end(void **state)
{
    (void)state;
    struct cli cli = {.connection = {.timeout_us = 600 * SECOND_US}};
    uint64_t now_us = clock_now_us();
    assert_true(cli_wait_deadline_us(&cli) - now_us > TIME_LONGEST_US);
    assert_true(cli_deadline_us(&cli) - now_us < 700 * SECOND_US);
    cli.timeout_given = true;
    assert_true(cli_wait_deadline_us(&cli) - now_us < 700 * SECOND_US);
}

static void short_lives_make_long_pauses_T12(void **state)
{
    (void)state;
    struct child child = {.name = "node1"};

    for (int i = 0; i < 12; i++) {
        child.started_us = 1000;
        child_ended(&child, W_EXITCODE(EXIT_FAILED, 0), 2000);
        assert_string_equal(child.trouble, "node 1 ended with exit code 1");
        uint64_t pause_us = child.due_us - 2000;
        assert_in_range(pause_us, 50 * MS_US, 7500 * MS_US);
        if (i >= 7)
            assert_true(pause_us >= 2500 * MS_US);
    }

    child.started_us = 0;
    child_ended(&child, W_EXITCODE(0, SIGKILL), 60 * SECOND_US);
    assert_string_equal(child.trouble, "node 1 was killed by signal 9 (Killed)");
    assert_true(child.due_us - 60 * SECOND_US < 150 * MS_US);
    for (int i = 0; i < 5; i++) {
        child.started_us = 60 * SECOND_US;
        child_ended(&child, W_EXITCODE(EXIT_INJECTED, 0), 60 * SECOND_US);
        assert_string_equal(child.trouble, "");
        assert_in_range(child.due_us - 60 * SECOND_US, 50 * MS_US, 150 * MS_US);
    }
}

static void a_trouble_is_forgotten_after_a_life_that_lasts(void **state)
{
    (void)state;
    struct child child = {.name = "broker2", .started_us = SECOND_US};
    child_ended(&child, W_EXITCODE(EXIT_ENVIRONMENT, 0), SECOND_US + 1);
    assert_string_equal(child.trouble, "broker 2 cannot start");
    assert_int_equal(child_settle(&child, 2 * SECOND_US), UINT64_MAX); /* it does not run */
    child.pid = 1;
    child.started_us = 2 * SECOND_US;
    assert_int_equal(child_settle(&child, 3 * SECOND_US), CHILD_SETTLED_US - SECOND_US);
    assert_string_equal(child.trouble, "broker 2 cannot start");
    assert_int_equal(child_settle(&child, 2 * SECOND_US + CHILD_SETTLED_US), 0);
    assert_string_equal(child.trouble, "");
    assert_int_equal(child_settle(&child, 60 * SECOND_US), UINT64_MAX);
}

/* A large store, or a slow machine: what failed after some time is given twice as much. */
static void who_fails_slowly_is_not_taken_for_started(void **state)
{
    (void)state;
    struct child child = {.name = "node2"};
    for (int i = 0; i < 3; i++) {
        child.started_us = SECOND_US;
        child.pid = 1;
        assert_int_equal(child_settle(&child, 9 * SECOND_US), i ? 6 * SECOND_US : UINT64_MAX);
        child_ended(&child, W_EXITCODE(EXIT_ENVIRONMENT, 0), 8 * SECOND_US);
        assert_string_equal(child.trouble,
                            i ? "node 2 cannot start" : "node 2 ended with exit code 8");
    }
    assert_int_equal(child.tries, 3);
    /* After it has run for days, its disk fails: its next start takes as long as any. */
    child_ended(&child, W_EXITCODE(EXIT_ENVIRONMENT, 0), 90000 * SECOND_US);
    assert_string_equal(child.trouble, "node 2 ended with exit code 8");
    child.started_us = 90000 * SECOND_US;
    child.pid = 1;
    assert_int_equal(child_settle(&child, 90001 * SECOND_US), CHILD_SETTLED_US - SECOND_US);
}

static void a_percentile_is_never_below_and_hardly_above(void **state)
{
    (void)state;
    struct latency *latency = mem_new(1, sizeof *latency);
    assert_int_equal(latency_percentile(latency, 50), 0);
    for (uint64_t us = 1; us <= 100000; us++)
        latency_add(latency, us);
    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t exact = percent * 1000;
        assert_in_range(latency_percentile(latency, percent), exact, exact + exact / 32);
    }
    assert_int_equal(latency_percentile(latency, 100), 100000);
    latency_add(latency, UINT64_MAX);
    assert_int_equal(latency->max_us, UINT64_MAX);
    free(latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_a_kind_and_its_argument),
        cmocka_unit_test(a_line_may_hold_no_job),
        cmocka_unit_test(keys_are_uuids_that_differ),
        cmocka_unit_test(an_account_is_a_name_and_its_node),
        cmocka_unit_test(an_amount_is_a_positive_whole_number),
        cmocka_unit_test(a_followed_file_waits_for_the_rest_of_a_line),
        cmocka_unit_test(brokers_are_named_with_commas),
        cmocka_unit_test(gaps_and_doubles_of_the_feed_are_seen),
        cmocka_unit_test(strangers_bytes_do_not_reach_the_terminal),
        cmocka_unit_test(absent_values_are_null_in_json),
        cmocka_unit_test(operations_read_as_in_the_seed),
        cmocka_unit_test(the_bar_tells_rate_and_eta),
        cmocka_unit_test(the_bar_of_a_job_tells_its_work_and_not_its_operations),
        cmocka_unit_test(who_gives_no_timeout_waits_for_a_job_without_an_end),
        cmocka_unit_test(short_lives_make_long_pauses_T12),
        cmocka_unit_test(a_trouble_is_forgotten_after_a_life_that_lasts),
        cmocka_unit_test(who_fails_slowly_is_not_taken_for_started),
        cmocka_unit_test(a_percentile_is_never_below_and_hardly_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
