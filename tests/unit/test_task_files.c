/* clients/map: the files that go with tasks, one after another in a stored value of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/map/map_job.h"
#include "clients/map/request.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/tasks/spec.h"

static char dir[] = "/tmp/task-files-XXXXXX";

static void put(const char *path, const char *bytes, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
    assert_int_equal(ftruncate(fileno(file), (off_t)len), 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_the_directory(void **state)
{
    (void)state;
    if (!mkdtemp(dir) || chdir(dir) || mkdir("data", 0777))
        return -1;
    put("data/empty", "", 0, 0644);
    put("data/large", "large", 9 * MIB_BYTES, 0644);
    put("data/run it's", "xyz", 3, 0755);
    put("clean.sh", "#!/bin/sh\n", 10, 0755);
    put("too long", "", TASK_INPUT_BYTES_MAX + 1, 0644);
    put("all", "", TASK_INPUT_BYTES_MAX, 0644);
    return symlink("clean.sh", "link");
}

static int remove_the_directory(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    FILE *pipe = popen(command, "r");
    return chdir("/") || !pipe || pclose(pipe);
}

struct job {
    struct content tasks, bytes;
    struct message *spec;
};

static int make(struct job *job, const char **uploads, size_t n, const char *pattern,
                struct text *why)
{
    char *argv[] = {(char[]){"x"}};
    struct map_request request = {.inputs.files = {&pattern, 1},
                                  .uploads = {uploads, n},
                                  .argv = argv,
                                  .n_argv = 1,
                                  .slots = 1};
    struct inputs *inputs = NULL;
    struct task_files files;
    *job = (struct job){.tasks.spool.fd = -1, .bytes.spool.fd = -1};
    task_files_begin(&files);
    int error = inputs_open(&request.inputs, &inputs, why);
    if (!error)
        error = map_spec(&request, inputs, &job->spec, why);
    if (!error)
        error = task_files_upload(&files, &request.uploads, job->spec, why);
    if (!error)
        error = map_job_content(job->spec, inputs, &files, &job->tasks, why);
    if (!error)
        error = task_files_content(&files, &job->bytes, why);
    task_files_clear(&files);
    inputs_destroy(&inputs);
    return error;
}

static void clear(struct job *job)
{
    content_clear(&job->tasks);
    content_clear(&job->bytes);
    message_drop(&job->spec);
}

static void assert_is(const struct job *job, uint64_t offset, uint64_t len, struct slice sha256,
                      const char *begins)
{
    char line[TEXT_MAX];
    uint8_t hash[HASH_BYTES], *at = mem_new(len + 1, 1);
    assert_int_equal(spool_read(&job->bytes.spool, offset, at, len, line), OK);
    assert_memory_equal(at, begins, strlen(begins));
    hash_bytes(at, len, hash);
    assert_true(slice_same(sha256, (struct slice){hash, HASH_BYTES}));
    free(at);
}

static void uploads_come_first_and_then_each_tasks_file(void **state)
{
    (void)state;
    const char *uploads[] = {"./clean.sh"};
    static const struct {
        const char *name, *begins;
        uint64_t offset, len;
        bool executable;
    } files[] = {{"data/empty", "", 10, 0, false},
                 {"data/large", "large", 10, 9 * MIB_BYTES, false},
                 {"data/run it's", "xyz", 10 + 9 * MIB_BYTES, 3, true}};
    struct text why = {0};
    struct job job;
    char line[TEXT_MAX];
    assert_int_equal(make(&job, uploads, 1, "data/*", &why), OK);
    struct slice rest = {mem_new(job.tasks.len, 1), job.tasks.len}, part;
    uint8_t *all = (uint8_t *)rest.at;
    assert_int_equal(spool_read(&job.tasks.spool, 0, all, rest.len, line), OK);
    message_drop(&job.spec);
    assert_true(bytes_take_part(&rest, &part) && !task_spec_load(part, &job.spec, &why));
    const struct wire_task_spec *spec = &job.spec->as.task_spec;
    assert_true(spec->files && spec->uploads.n == 1);
    assert_true(slice_equals(spec->uploads.at[0].path, "clean.sh"));
    assert_true(spec->uploads.at[0].executable && spec->uploads.at[0].offset == 0);
    assert_is(&job, 0, 10, spec->uploads.at[0].sha256, "#!/bin/sh\n");
    for (size_t i = 0; i < 3; i++) {
        struct task_record it;
        assert_int_equal(task_record_take(&rest, spec, &it, &why), OK);
        assert_true(slice_equals(it.inputs[0], files[i].name));
        assert_int_equal(it.file.offset, files[i].offset);
        assert_int_equal(it.file.len, files[i].len);
        assert_true(it.file.executable == files[i].executable);
        assert_is(&job, it.file.offset, it.file.len, (struct slice){it.file.sha256, HASH_BYTES},
                  files[i].begins);
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(job.bytes.len, 13 + 9 * MIB_BYTES);
    assert_string_equal(job.bytes.format, "bytes");
    assert_int_equal(job.bytes.n_segments, 2);
    assert_int_equal(job.bytes.segments[0].len, CONTENT_MOST_BYTES);
    assert_int_equal(job.bytes.segments[1].offset, CONTENT_MOST_BYTES);
    free(all);
    clear(&job);
    assert_int_equal(make(&job, NULL, 0, "data/e*", &why), OK); /* nothing is to be stored */
    assert_true(job.bytes.len == 0 && job.bytes.n_segments == 0 && job.tasks.items == 2);
    clear(&job);
}

static void what_goes_to_no_task_is_named(void **state)
{
    (void)state;
    char absolute[64];
    snprintf(absolute, sizeof absolute, "%s/clean.sh", dir);
    struct {
        const char *uploads[2], *pattern, *why;
    } cases[] = {{{"link"}, "all", "--upload: link is a symbolic link"},
                 {{"data"}, "all", "--upload: data is a directory"},
                 {{"none"}, "all", "--upload: none cannot be read: No such file"},
                 {{"too long"}, "all", "--upload: too long is too long"},
                 {{"clean.sh"}, "all", "--files: all is too long"},
                 {{".."}, "all", "--upload: .. is not the name of a file"},
                 {{"clean.sh", absolute}, "all", "has no place beside the upload clean.sh"},
                 {{"clean.sh", "./clean.sh"}, "all", "--upload: ./clean.sh has no place"},
                 {{"clean.sh"}, "clean.*", "--files: clean.sh has no place"},
                 {{"clean.sh"}, "link", "--files: link is a symbolic link"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text why = {0};
        struct job job;
        assert_int_not_equal(make(&job, cases[i].uploads, cases[i].uploads[1] ? 2 : 1,
                                  cases[i].pattern, &why),
                             OK);
        if (!strstr(why.at, cases[i].why))
            fail_msg("%s: %s", cases[i].why, why.at);
        clear(&job);
    }
    struct text why = {0};
    struct job job;
    assert_int_equal(make(&job, NULL, 0, "all", &why), OK); /* just so long */
    clear(&job);
    if (geteuid()) {
        put("secret", "x", 1, 0);
        assert_int_equal(make(&job, NULL, 0, "secret", &why), ERR_IO);
        assert_non_null(strstr(why.at, "--files: secret cannot be read: Permission denied"));
        clear(&job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uploads_come_first_and_then_each_tasks_file),
        cmocka_unit_test(what_goes_to_no_task_is_named),
    };
    return cmocka_run_group_tests(tests, make_the_directory, remove_the_directory);
}
