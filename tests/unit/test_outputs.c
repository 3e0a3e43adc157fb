/* What tasks wrote, from a source that is a fake: in order, as they end, with tags, as files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/map/follow.h"
#include "clients/map/task_totals.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define FAKE_MAX 8

/* A job whose tasks end in the order of `order`, one with each wait. */
struct fake {
    uint64_t total, order[FAKE_MAX], n_ended, n_told, waits;
    const char *out[FAKE_MAX + 1], *err[FAKE_MAX + 1]; /* by task */
    const char *input[FAKE_MAX + 1];
    enum task_view_state end[FAKE_MAX + 1];
    struct {
        const char *path, *bytes;
        bool executable;
    } files[4]; /* of task 1 */
    uint64_t n_files;
    bool rots; /* what is read is not what was hashed */
    uint64_t reads;
};

static bool has_ended(const struct fake *fake, uint64_t task)
{
    for (uint64_t i = 0; i < fake->n_ended; i++)
        if (fake->order[i] == task)
            return true;
    return false;
}

static const char *text_of(const struct fake *fake, uint64_t task, enum task_stream_kind kind)
{
    const char *text = kind == TASK_STDOUT ? fake->out[task] : fake->err[task];
    return text ? text : "";
}

static int fake_get(void *context, uint64_t task, struct task_view *out, struct text *why)
{
    struct fake *fake = context;
    (void)why;
    *out = (struct task_view){.task = task,
                              .exit = -1,
                              .state = VIEW_RUNNING,
                              .input = slice_of(fake->input[task] ? fake->input[task] : "in"),
                              .command = slice_of("cmd")};
    if (!has_ended(fake, task))
        return OK;
    out->state = fake->end[task] ? fake->end[task] : VIEW_DONE;
    out->exit = 0;
    out->node = out->attempt = 1;
    out->files = task == 1 ? fake->n_files : 0;
    for (int kind = 0; kind < TASK_STREAMS; kind++) {
        const char *text = text_of(fake, task, (enum task_stream_kind)kind);
        out->output[kind].bytes = out->output[kind].kept = strlen(text);
        hash_bytes(text, strlen(text), out->output[kind].sha256);
    }
    return OK;
}

static int fake_ended(void *context, struct task_view *out, struct text *why)
{
    struct fake *fake = context;
    if (fake->n_told == fake->n_ended)
        return ERR_NOT_FOUND;
    return fake_get(context, fake->order[fake->n_told++], out, why);
}

static int fake_wait(void *context, struct text *why)
{
    struct fake *fake = context;
    (void)why;
    fake->waits++;
    if (fake->n_ended == FAKE_MAX || !fake->order[fake->n_ended])
        return ERR_NOT_FOUND;
    fake->n_ended++;
    return OK;
}

static int fake_read(void *context, uint64_t task, enum task_stream_kind kind, uint64_t offset,
                     uint8_t *at, size_t len, struct text *why)
{
    struct fake *fake = context;
    (void)why;
    fake->reads++;
    memcpy(at, text_of(fake, task, kind) + offset, len);
    if (fake->rots)
        at[0] ^= 1;
    return OK;
}

static int fake_file(void *context, uint64_t task, uint64_t file, struct task_source_file *out,
                     struct text *why)
{
    struct fake *fake = context;
    (void)task;
    (void)why;
    *out = (struct task_source_file){.len = strlen(fake->files[file].bytes),
                                     .executable = fake->files[file].executable};
    text_format(out->path, sizeof out->path, "%s", fake->files[file].path);
    hash_bytes(fake->files[file].bytes, out->len, out->sha256);
    return OK;
}

static int fake_read_file(void *context, uint64_t task, uint64_t file, uint64_t offset, uint8_t *at,
                          size_t len, struct text *why)
{
    struct fake *fake = context;
    (void)task;
    (void)why;
    fake->reads++;
    memcpy(at, fake->files[file].bytes + offset, len);
    return OK;
}

static struct task_source source_of(struct fake *fake)
{
    return (struct task_source){fake,      fake->total, fake_get,  fake_ended,
                                fake_wait, fake_read,   fake_file, fake_read_file};
}

static char *write_all(struct fake *fake, struct outputs *outputs, int expected)
{
    static const struct task_choice all;
    struct task_source source = source_of(fake);
    struct text why = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    outputs->source = &source;
    if (!outputs->choice)
        outputs->choice = &all;
    assert_int_equal(outputs_write(outputs, out, &why), expected);
    assert_int_equal(why.len > 0, expected != OK);
    fclose(out);
    return text;
}

static struct fake four_tasks(void)
{
    return (struct fake){.total = 4,
                         .order = {3, 1, 4, 2},
                         .out = {NULL, "one\n", "two\nmore", "three\n", ""},
                         .err = {NULL, "e1\n", NULL, NULL, "e4\n"},
                         .input = {NULL, "a", "b\nc", "d", "e"},
                         .end = {[4] = VIEW_FAILED}};
}

static void outputs_come_in_order_as_soon_as_they_can(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs outputs = {.streams = {true, false}, .wait = true};
    char *text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "one\ntwo\nmorethree\n");
    assert_int_equal(outputs.shown, 4);
    assert_int_equal(outputs.missing, 0);
    assert_int_equal(fake.waits, 4);
    free(text);
    fake = four_tasks();
    outputs = (struct outputs){.streams = {true, false}, .wait = true, .unordered = true};
    text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "three\none\ntwo\nmore");
    assert_int_equal(outputs.missing, 0);
    free(text);
}

static void what_is_not_there_is_counted(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs outputs = {.streams = {true, true}};
    fake.n_ended = 2; /* 3 and 1 */
    char *text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "one\ne1\nthree\n");
    assert_int_equal(outputs.shown, 2);
    assert_int_equal(outputs.missing, 2);
    assert_int_equal(fake.waits, 0);
    free(text);
    /* The job is finished, and two tasks never ended: waiting ends. */
    fake = four_tasks();
    fake.order[2] = fake.order[3] = 0;
    outputs = (struct outputs){.streams = {true, false}, .wait = true};
    text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "one\nthree\n");
    assert_int_equal(outputs.missing, 2);
    free(text);
}

static void lines_may_have_tags(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs outputs = {.streams = {true, true}, .tag = true};
    fake.n_ended = 4;
    char *text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "a\tone\na\te1\nb\\x0ac\ttwo\nb\\x0ac\tmore\nd\tthree\ne\te4\n");
    free(text);
}

static void some_tasks_may_be_chosen(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct task_choice choice;
    struct text why = {0};
    fake.n_ended = 4;
    assert_int_equal(task_choice_parse(NULL, NULL, true, &choice, &why), OK);
    struct outputs outputs = {.streams = {true, true}, .choice = &choice};
    char *text = write_all(&fake, &outputs, OK);
    assert_string_equal(text, "e4\n");
    free(text);
    assert_int_equal(task_choice_parse("2-3", NULL, false, &choice, &why), OK);
    choice.limit = 1;
    for (int unordered = 0; unordered < 2; unordered++) {
        fake.n_told = 0;
        outputs =
            (struct outputs){.streams = {true, false}, .choice = &choice, .unordered = unordered};
        text = write_all(&fake, &outputs, OK);
        assert_string_equal(text, unordered ? "three\n" : "two\nmore");
        free(text);
    }
}

static void a_wrong_output_is_noticed(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs outputs = {.streams = {true, false}};
    fake.n_ended = 4;
    fake.rots = true;
    free(write_all(&fake, &outputs, ERR_CORRUPT));
}

/* --- as files --- */

static char dir[] = "/tmp/conclave-test-outputs.XXXXXX";

static int go_to_a_directory(void **state)
{
    (void)state;
    return !mkdtemp(dir) || chdir(dir);
}

static int remove_the_directory(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    FILE *pipe = popen(command, "r");
    return chdir("/") || !pipe || pclose(pipe);
}

static void check_file(const char *path, const char *expected)
{
    char read[1024];
    FILE *file = fopen(path, "r");
    assert_int_equal(file != NULL, expected != NULL);
    if (!file)
        return;
    size_t len = fread(read, 1, sizeof read - 1, file);
    read[len] = '\0';
    fclose(file);
    assert_string_equal(read, expected);
}

static int save_all(struct fake *fake, const char *to, struct outputs_saved *saved,
                    struct text *why)
{
    static const struct task_choice all;
    struct task_source source = source_of(fake);
    *why = (struct text){0};
    fake->reads = 0;
    return outputs_save(&source, &all, to, saved, why);
}

static void a_directory_has_all_and_is_completed(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs_saved saved;
    struct text why;
    struct stat about;
    fake.files[0].path = "result.csv";
    fake.files[0].bytes = "1,2\n";
    fake.files[1].path = "sub/dir/x.bin";
    fake.files[1].bytes = "";
    fake.files[1].executable = true;
    fake.n_files = 2;
    fake.n_ended = 2; /* 3 and 1 */
    assert_int_equal(save_all(&fake, "out", &saved, &why), OK);
    assert_int_equal(saved.written, 5);
    assert_int_equal(saved.missing, 2);
    check_file("out/1.out", "one\n");
    check_file("out/1.err", "e1\n");
    check_file("out/3.out", "three\n");
    check_file("out/3.err", NULL);
    check_file("out/2.out", NULL);
    check_file("out/1/result.csv", "1,2\n");
    check_file("out/1/sub/dir/x.bin", "");
    assert_int_equal(stat("out/1/sub/dir/x.bin", &about), 0);
    assert_true(about.st_mode & S_IXUSR);
    /* A second run takes what is missing, and what is wrong. */
    fake.n_ended = 4;
    FILE *file = fopen("out/3.out", "w");
    fputs("THREE\n", file);
    fclose(file);
    assert_int_equal(save_all(&fake, "out", &saved, &why), OK);
    assert_int_equal(saved.present, 4);
    assert_int_equal(saved.written, 4); /* 2.out, 3.out, 4.out, 4.err */
    assert_int_equal(saved.missing, 0);
    check_file("out/2.out", "two\nmore");
    check_file("out/3.out", "three\n");
    check_file("out/4.out", "");
    char log[1024];
    file = fopen("out/joblog.tsv", "r");
    assert_non_null(file);
    size_t lines = 0;
    while (fgets(log, sizeof log, file))
        lines++;
    fclose(file);
    assert_int_equal(lines, 5);
    assert_int_equal(save_all(&fake, "out", &saved, &why), OK);
    assert_int_equal(saved.written, 0);
    assert_int_equal(fake.reads, 0);
}

static void nothing_is_written_outside(void **state)
{
    (void)state;
    static const char *const paths[] = {"../evil",  "/evil",     "a/../../evil", "",
                                        "./evil",   "link/evil", "evil-link",    "1.out/",
                                        "../1.out", "a//b"};
    mkdir("elsewhere", 0777);
    mkdir("safe", 0777);
    mkdir("safe/1", 0777);
    assert_int_equal(symlink("../../elsewhere", "safe/1/link"), 0);
    assert_int_equal(symlink("../../elsewhere/evil", "safe/1/evil-link"), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct fake fake = four_tasks();
        struct outputs_saved saved;
        struct text why;
        fake.n_ended = 4;
        fake.n_files = 1;
        fake.files[0].path = paths[i];
        fake.files[0].bytes = "evil";
        assert_int_equal(save_all(&fake, "safe", &saved, &why), ERR_IO);
        assert_true(why.len > 0);
        check_file("elsewhere/evil", NULL);
        check_file("evil", NULL);
        check_file("safe/evil", NULL);
        check_file("/evil", NULL);
    }
}

static void what_came_wrong_is_not_written(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct outputs_saved saved;
    struct text why;
    fake.n_ended = 4;
    fake.rots = true;
    assert_int_equal(save_all(&fake, "rotten", &saved, &why), ERR_CORRUPT);
    check_file("rotten/1.out", NULL);
    check_file("rotten/joblog.tsv", NULL);
    assert_int_equal(rmdir("rotten"), 0); /* no temporary file is left */
}

static void what_tasks_took_is_added_up(void **state)
{
    (void)state;
    struct fake fake = four_tasks();
    struct task_source source = source_of(&fake);
    struct task_totals totals = {0};
    struct text why = {0}, lines = {0};
    fake.n_ended = 4;
    assert_int_equal(task_totals_read(&source, &totals, &why), OK);
    assert_int_equal(totals.n, 4);
    static const uint64_t walls[] = {61 * SECOND_US, 500 * MS_US, 1500 * MS_US, 2 * MS_US};
    memcpy(totals.walls, walls, sizeof walls);
    totals.cpu_us = 7384 * SECOND_US;
    task_totals_text(&totals, 192000, &lines);
    assert_string_equal(lines.at, "time        3m 12s; a task: median 0.500s, p90 1m 01s, max 1m "
                                  "01s; CPU 2h 03m\n"
                                  "output      stdout 18 B, stderr 6 B\n");
    task_totals_clear(&totals);
    task_totals_text(&totals, 1, &lines);
    assert_non_null(strstr(lines.at, "6 B\n"));
}

/* One task ends with each wait; what the one before has left is written then. */
static void a_log_and_files_grow_as_tasks_end(void **state)
{
    (void)state;
    static const struct task_choice all;
    struct fake fake = four_tasks();
    struct task_source source = source_of(&fake);
    struct follow follow;
    struct text why = {0};
    char expected[4 * 100 + 80] = "", name[32];
    assert_int_equal(follow_begin(&follow, &source, &all, "growing", "grown"), OK);
    text_format(expected, sizeof expected,
                "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
    check_file("growing", expected);
    for (uint64_t i = 0; i < fake.total; i++) {
        assert_int_equal(follow.source.wait(&follow, &why), OK);
        if (i) {
            uint64_t task = fake.order[i - 1];
            size_t len = strlen(expected), bytes = strlen(text_of(&fake, task, TASK_STDOUT));
            text_format(expected + len, sizeof expected - len,
                        "%zu\tnode1\t     0.000\t     0.000\t0\t%zu\t0\t0\tcmd\n", (size_t)task,
                        bytes);
            text_format(name, sizeof name, "grown/%zu.out", (size_t)task);
            check_file(name, text_of(&fake, task, TASK_STDOUT));
        }
        check_file("growing", expected);
        check_file("grown/joblog.tsv", expected);
    }
    assert_int_equal(follow.source.wait(&follow, &why), ERR_NOT_FOUND);
    uint64_t reads = fake.reads;
    assert_int_equal(follow_rest(&follow, &why), OK);
    assert_int_equal(fake.reads, reads); /* all is written already */
    assert_int_equal(follow.told.count, fake.total);
    assert_int_equal(follow_end(&follow, 5), 5);
}

/* Their details are lost: how they stand is known in the end. */
static void what_was_not_told_as_it_ended_is_logged_at_the_end(void **state)
{
    (void)state;
    static const struct task_choice all;
    struct fake fake = four_tasks();
    struct task_source source = source_of(&fake);
    struct follow follow;
    struct text why = {0};
    assert_int_equal(follow_begin(&follow, &source, &all, "late", NULL), OK);
    while (!follow.source.wait(&follow, &why))
        fake.n_told = fake.n_ended;
    FILE *file = fopen("late", "r");
    size_t lines = 0;
    assert_int_equal(follow_rest(&follow, &why), OK);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    assert_int_equal(lines, 1 + fake.total);
    fclose(file);
    assert_int_equal(follow_end(&follow, OK), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tasks_took_is_added_up),
        cmocka_unit_test(outputs_come_in_order_as_soon_as_they_can),
        cmocka_unit_test(what_is_not_there_is_counted),
        cmocka_unit_test(lines_may_have_tags),
        cmocka_unit_test(some_tasks_may_be_chosen),
        cmocka_unit_test(a_wrong_output_is_noticed),
        cmocka_unit_test(a_directory_has_all_and_is_completed),
        cmocka_unit_test(nothing_is_written_outside),
        cmocka_unit_test(what_came_wrong_is_not_written),
        cmocka_unit_test(a_log_and_files_grow_as_tasks_end),
        cmocka_unit_test(what_was_not_told_as_it_ended_is_logged_at_the_end),
    };
    return cmocka_run_group_tests(tests, go_to_a_directory, remove_the_directory);
}
