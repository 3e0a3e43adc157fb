/* library_lists.c - stored values, jobs over them, lists of jobs, explanations, retries and quotas
 * of libconclave; run by test_library.py on a real cluster, in a directory with a file "data".
 * Prints one line for each thing that it looked at, and ends with 1 at the first surprise. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "library_expect.h"

/* --- values --- */

struct search {
    const char *id;
    unsigned found, calls;
};

static int look_for_value(void *context, const struct conclave_value *value)
{
    struct search *search = context;
    search->found += !strcmp(value->id, search->id);
    search->calls++;
    return 0;
}

static void keep_bytes(void)
{
    struct conclave_put put = {.size = sizeof put, .name = "greeting.txt"};
    struct conclave_value value, again;
    struct search search = {.id = value.id};
    char *bytes;
    size_t len;
    EXPECT(!conclave_value_put(cluster, "hello\n", 6, &put, &value));
    EXPECT(value.bytes == 6 && value.whole && value.uploaded == 6 && value.items == 1);
    EXPECT(!strcmp(value.value, "value:5891b5b522d5df08")); /* sha256sum */
    EXPECT(!strcmp(value.name, "greeting.txt") && !strcmp(value.format, "bytes"));
    EXPECT(!conclave_value_put(cluster, "hello\n", 6, NULL, &again) && !strcmp(value.id, again.id));
    EXPECT(!conclave_value_get(cluster, "5891b5b522", &again) && !strcmp(value.id, again.id));
    EXPECT(!conclave_value_get(cluster, value.id, &again) && !strcmp(value.sha256, again.sha256));
    EXPECT(!conclave_value_read(cluster, value.value, &bytes, &len));
    EXPECT(len == 6 && !strcmp(bytes, "hello\n"));
    free(bytes);
    EXPECT(!conclave_values_each(cluster, look_for_value, &search) && search.found == 1);
    EXPECT(!conclave_value_drop(cluster, value.value));
    EXPECT(conclave_value_drop(cluster, value.value) == CONCLAVE_NOT_FOUND);
    EXPECT(conclave_value_get(cluster, value.id, &again) == CONCLAVE_NOT_FOUND && !again.id[0]);
    EXPECT(!conclave_value_put(cluster, NULL, 0, NULL, &value) && value.bytes == 0);
    EXPECT(!conclave_value_read(cluster, value.value, &bytes, &len) && bytes && !len);
    free(bytes);
    EXPECT(!conclave_value_drop(cluster, value.value));
    printf("kept bytes\n");
}

static int64_t read_file(void *context, void *at, size_t size)
{
    return (int64_t)fread(at, 1, size < 1000 ? size : 1000, context);
}

static int compare(void *context, const void *bytes, size_t len)
{
    char *expected = malloc(len);
    EXPECT(fread(expected, 1, len, context) == len && !memcmp(expected, bytes, len));
    free(expected);
    return 0;
}

/* The same bytes are the same value, however they come. */
static void keep_a_file(void)
{
    struct conclave_value value, again;
    FILE *file = fopen("data", "rb");
    int fd = open("data", O_RDONLY);
    EXPECT(file && fd >= 0);
    EXPECT(!conclave_value_put_file(cluster, fd, NULL, &value) && value.bytes == 3000000);
    EXPECT(lseek(fd, 0, SEEK_CUR) == 3000000);
    EXPECT(!conclave_value_put_read(cluster, read_file, file, NULL, &again));
    EXPECT(!strcmp(value.id, again.id));
    rewind(file);
    EXPECT(!conclave_value_read_each(cluster, value.value, compare, file) && fgetc(file) == EOF);
    lseek(fd, 2999995, SEEK_SET); /* from where it stands */
    EXPECT(!conclave_value_put_file(cluster, fd, NULL, &again) && again.bytes == 5);
    close(fd);
    fclose(file);
    printf("kept a file\n");
}

/* --- jobs over values --- */

static void compute(const char *kind, const char *spec, const char *expected,
                    struct conclave_job *job)
{
    char *result;
    size_t len;
    EXPECT(!conclave_submit(cluster, kind, spec, NULL, job));
    EXPECT(!conclave_wait(cluster, job->id, CONCLAVE_FOR_EVER, job));
    EXPECT(!conclave_result(cluster, job->id, &result, &len) && !strcmp(result, expected));
    free(result);
}

static void use_values(void)
{
    struct conclave_put put = {.size = sizeof put, .integers = 1};
    struct conclave_value value;
    struct conclave_job job;
    char spec[200];
    EXPECT(!conclave_value_put(cluster, "12 # dozen\n\n-5\n7", 16, &put, &value));
    EXPECT(value.items == 3 && !strcmp(value.format, "integers"));
    compute("product", value.value, "-420", &job);
    EXPECT(!strcmp(job.kind, "product"));
    EXPECT(conclave_value_drop(cluster, value.value) == CONCLAVE_FAILED); /* the job names it */
    EXPECT(!conclave_value_get(cluster, value.id, &value) && value.jobs == 1);
    snprintf(spec, sizeof spec, "  2 job:%s %s", job.id, value.value);
    compute("product", spec, "352800", &job);
    compute("product", "--base 16 ff 2", "510", &job);
    compute("batch-gcd", "6 35 --against 21", "1\tk1\t3\n2\tk1\t7\n", &job);
    put.base = 16;
    EXPECT(!conclave_value_put(cluster, "ff\n-a\n", 6, &put, &value) && value.items == 2);
    compute("product", value.value, "-2550", &job);

    EXPECT(conclave_submit(cluster, "product", "@data", NULL, &job) == CONCLAVE_USAGE);
    EXPECT(conclave_submit(cluster, "product", "3 4x", NULL, &job) == CONCLAVE_USAGE);
    EXPECT(strstr(conclave_reason(cluster), "'4x' is not an integer") && !job.id[0]);
    EXPECT(conclave_submit(cluster, "product", "", NULL, &job) == CONCLAVE_USAGE);
    EXPECT(conclave_submit(cluster, "product", "--against 3 4", NULL, &job) == CONCLAVE_USAGE);
    EXPECT(conclave_submit(cluster, "batch-gcd", "6 0", NULL, &job) == CONCLAVE_USAGE);
    EXPECT(conclave_submit(cluster, "product", "value:00000000", NULL, &job) == CONCLAVE_NOT_FOUND);
    EXPECT(conclave_submit(cluster, "product", "job:999-1", NULL, &job) == CONCLAVE_NOT_FOUND);
    printf("used values\n");
}

/* --- lists --- */

struct jobs {
    char last[CONCLAVE_ID_MAX];
    unsigned n;
};

static int see_job(void *context, const struct conclave_job *job)
{
    struct jobs *jobs = context;
    EXPECT(job->state[0] && job->kind[0] && job->owner[0]);
    strcpy(jobs->last, job->id);
    jobs->n++;
    return 0;
}

static int see_line(void *context, const char *line)
{
    *(unsigned *)context += strstr(line, "factorial 20, is done") != NULL;
    return 0;
}

static int see_operation(void *context, const struct conclave_operation *operation)
{
    EXPECT(operation->node >= 1 && operation->node <= 3 && operation->attempt);
    EXPECT(operation->number == ++*(unsigned *)context && operation->text[0] == 'R');
    return 0;
}

static void list_jobs(void)
{
    struct conclave_jobs which = {.size = sizeof which, .newest = 1};
    struct jobs all = {.n = 0}, newest = {.n = 0}, done = {.n = 0};
    struct conclave_job job;
    unsigned lines = 0, operations = 0;
    compute("factorial", "20", "2432902008176640000", &job);
    EXPECT(!strcmp(job.spec, "20"));
    EXPECT(!conclave_jobs_each(cluster, NULL, see_job, &all) && all.n >= 6);
    EXPECT(!strcmp(all.last, job.id));
    EXPECT(!conclave_jobs_each(cluster, &which, see_job, &newest) && newest.n == 1);
    EXPECT(!strcmp(newest.last, job.id));
    which = (struct conclave_jobs){.size = sizeof which, .state = "done"};
    EXPECT(!conclave_jobs_each(cluster, &which, see_job, &done) && done.n <= all.n && done.n >= 6);
    EXPECT(!conclave_job_explain(cluster, job.id, see_line, &lines) && lines == 1);
    EXPECT(conclave_job_explain(cluster, "999-1", see_line, &lines) == CONCLAVE_NOT_FOUND);
    EXPECT(!conclave_job_operations_each(cluster, job.id, see_operation, &operations));
    EXPECT(operations == job.total);
    printf("listed jobs\n");
}

/* --- tasks once more, and forgetting --- */

static void retry_tasks(void)
{
    static const char *const inputs[] = {"1", "2", "3"};
    char shell[1000], here[800];
    struct conclave_map map = {.size = sizeof map, .shell = shell, .inputs = inputs, .n_inputs = 3};
    struct conclave_retry retry = {.size = sizeof retry, .tasks = "3", .key = "again"};
    struct conclave_job job, next, same;
    unsigned lines = 0;
    EXPECT(getcwd(here, sizeof here));
    snprintf(shell, sizeof shell, "test {} = 1 || test -e '%s/flag'", here);
    EXPECT(!conclave_map_submit(cluster, &map, &job));
    EXPECT(conclave_job_retry(cluster, job.id, NULL, &next) == CONCLAVE_USAGE || job.finished_ms);
    EXPECT(conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job) == CONCLAVE_FAILED);
    EXPECT(job.tasks_done == 1 && job.tasks_failed == 2);
    retry.tasks = "4";
    EXPECT(conclave_job_retry(cluster, job.id, &retry, &next) == CONCLAVE_USAGE);
    EXPECT(strstr(conclave_reason(cluster), "has no task 4; its tasks are 1 to 3"));
    fclose(fopen("flag", "wb"));
    retry.tasks = "3";
    EXPECT(!conclave_job_retry(cluster, job.id, &retry, &next) && strcmp(job.id, next.id));
    EXPECT(!conclave_job_retry(cluster, job.id, &retry, &same) && !strcmp(same.id, next.id));
    EXPECT(conclave_wait(cluster, next.id, CONCLAVE_FOR_EVER, &next) == CONCLAVE_FAILED);
    EXPECT(next.tasks_done == 2 && next.tasks_failed == 1);
    EXPECT(!conclave_job_retry(cluster, next.id, NULL, &next));
    EXPECT(!conclave_wait(cluster, next.id, CONCLAVE_FOR_EVER, &next) && next.tasks_done == 3);
    EXPECT(conclave_job_retry(cluster, next.id, NULL, &same) == CONCLAVE_USAGE);
    EXPECT(!conclave_job_explain(cluster, next.id, see_line, &lines));
    printf("ran tasks again\n");
}

static void forget_jobs(void)
{
    static const char *const command[] = {"sleep", "600", NULL}, *const inputs[] = {"1"};
    const struct conclave_map map = {.size = sizeof map,
                                     .command = command,
                                     .inputs = inputs,
                                     .n_inputs = 1};
    struct conclave_job jobs[2], open;
    const char *ids[] = {jobs[0].id, jobs[1].id, open.id};
    uint64_t forgotten;
    compute("factorial", "5", "120", &jobs[0]);
    compute("factorial", "6", "720", &jobs[1]);
    EXPECT(!conclave_map_submit(cluster, &map, &open));
    EXPECT(conclave_jobs_forget(cluster, ids, 3, &forgotten) == CONCLAVE_USAGE && !forgotten);
    EXPECT(!conclave_job_get(cluster, jobs[0].id, &jobs[0]));
    EXPECT(!conclave_jobs_forget(cluster, ids, 2, &forgotten) && forgotten == 2);
    char id[CONCLAVE_ID_MAX];
    strcpy(id, jobs[0].id);
    EXPECT(conclave_job_get(cluster, id, &jobs[0]) == CONCLAVE_NOT_FOUND);
    ids[0] = id;
    EXPECT(!conclave_jobs_forget(cluster, ids, 1, NULL)); /* it is */
    EXPECT(!conclave_cancel(cluster, open.id));
    printf("forgot jobs\n");
}

/* --- quotas --- */

static int see_key(void *context, const struct conclave_quota_key *key)
{
    ++*(unsigned *)context;
    printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", key->name,
           key->open_jobs, key->kept_jobs, key->kept_bytes, key->values, key->value_bytes);
    return 0;
}

int main(void)
{
    struct conclave_quota quota;
    unsigned keys = 0;
    cluster = conclave_open(NULL);
    keep_bytes();
    keep_a_file();
    use_values();
    list_jobs();
    retry_tasks();
    forget_jobs();
    EXPECT(!conclave_quota(cluster, &quota, see_key, &keys) && keys >= 1 && !quota.bounded);
    conclave_close(&cluster);
    return 0;
}
