/* Tasks as people and programs see them: rows, JSON, joblogs, the bar, the last line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/map/task_choice.h"
#include "clients/map/task_rows.h"
#include "clients/show/printable.h"
#include "clients/show/task_sum.h"
#include "clients/show/task_view.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

static struct task_view failed_task(void)
{
    return (struct task_view){.task = 17,
                              .input = slice_of("data/17.csv"),
                              .command = slice_of("./clean.sh data/17.csv"),
                              .state = VIEW_FAILED,
                              .node = 3,
                              .attempt = 3,
                              .exit = 1,
                              .started_ms = 1700000000123,
                              .finished_ms = 1700000000523,
                              .wall_us = 400000,
                              .cpu_us = 1000,
                              .max_rss = 4096,
                              .output = {{10, 10, {0xab}}, {2000, 1000, {0xcd}}},
                              .files = 2,
                              .last_line = slice_of("clean.sh: bad header")};
}

static char *row_of(const struct task_view *view, uint64_t total, bool wide)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    task_table_row(view, total, wide, out);
    fclose(out);
    return text;
}

static void rows_fit_80_columns(void **state)
{
    (void)state;
    struct task_view view = failed_task();
    char *row = row_of(&view, 200, false);
    assert_string_equal(
        row, "  17 failed    data/17.csv       3   3 exit 1       0.4s  clean.sh: bad header\n");
    free(row);
    view.input = slice_of("a/very/long/path/\xc3\xa4\xc3\xb6\n.csv");
    view.last_line = slice_of("x: \x1b[31ma line that is much longer than there is room for");
    view.time_limit = true;
    view.wall_us = 303 * SECOND_US;
    row = row_of(&view, 200, false);
    assert_string_equal(
        row, "  17 failed    a/very/long...    3   3 time limit  5m03s  x: \\x1b[31ma line t...\n");
    assert_true(strlen(row) <= 81);
    free(row);
    row = row_of(&view, 200, true);
    assert_non_null(strstr(row, "a/very/long/path/\xc3\xa4\xc3\xb6\\x0a.csv"));
    assert_non_null(strstr(row, "than there is room for"));
    free(row);
    view = (struct task_view){.task = 10000000,
                              .state = VIEW_QUEUED,
                              .exit = -1,
                              .input = slice_of("x")};
    row = row_of(&view, 10000000, false);
    assert_string_equal(row, "10000000 queued    x                 -   - -               -  -\n");
    free(row);
}

static void what_ended_a_task_is_said_in_words(void **state)
{
    (void)state;
    static const struct {
        struct task_view view;
        const char *text;
    } cases[] = {{{.state = VIEW_DONE, .exit = 0}, "exit 0"},
                 {{.state = VIEW_FAILED, .exit = -1, .signal = 9}, "signal 9"},
                 {{.state = VIEW_FAILED, .exit = -1, .signal = 9, .time_limit = true},
                  "time limit"},
                 {{.state = VIEW_LOST, .exit = -1}, "node died"},
                 {{.state = VIEW_CANCELLED, .exit = -1}, "-"},
                 {{.state = VIEW_RUNNING, .exit = -1}, "-"},
                 {{.state = VIEW_FAILED, .exit = -1, .reason = {(const uint8_t *)"disk\nfull", 9}},
                  "disk\\x0afull"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char at[TEXT_MAX];
        assert_string_equal(task_ended_by(&cases[i].view, at), cases[i].text);
    }
}

static void json_has_the_keys_that_are_documented(void **state)
{
    (void)state;
    static const char *const keys[] = {"task",    "input",  "state",   "node",    "attempt",
                                       "reason",  "exit",   "signal",  "started", "finished",
                                       "wall_us", "cpu_us", "max_rss", "stdout",  "stderr",
                                       "files",   "copy"};
    struct task_view view = failed_task();
    view.copy = COPY_STOPPED;
    json_t *object = task_view_json(&view);
    assert_string_equal(json_string_value(json_object_get(object, "copy")), "stopped");
    assert_int_equal(json_object_size(object), sizeof keys / sizeof *keys);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(object, keys[i]));
    assert_string_equal(json_string_value(json_object_get(object, "started")),
                        "2023-11-14T22:13:20.123Z");
    assert_string_equal(json_string_value(json_object_get(object, "reason")), "exit 1");
    assert_true(json_is_null(json_object_get(object, "signal")));
    json_t *err = json_object_get(object, "stderr");
    assert_int_equal(json_object_size(err), 3);
    assert_int_equal(json_integer_value(json_object_get(err, "bytes")), 2000);
    assert_true(json_is_true(json_object_get(err, "cut")));
    assert_true(json_is_false(json_object_get(json_object_get(object, "stdout"), "cut")));
    json_decref(object);
    view = (struct task_view){.task = 1, .state = VIEW_QUEUED, .exit = -1};
    object = task_view_json(&view);
    for (size_t i = 3; i < sizeof keys / sizeof *keys; i++)
        assert_true(json_is_null(json_object_get(object, keys[i])));
    json_decref(object);
}

static void a_joblog_is_as_gnu_parallel_writes_it(void **state)
{
    (void)state;
    struct task_view view = failed_task();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    joblog_head(out);
    joblog_line(&view, out);
    fclose(out);
    assert_string_equal(
        text, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
              "17\tnode3\t1700000000.123\t     0.400\t0\t10\t1\t0\t./clean.sh data/17.csv\n");
    free(text);
}

static void bytes_are_cut_to_columns(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t columns;
        const char *text;
        size_t used;
    } cases[] = {{"abcd", 4, "abcd", 4},
                 {"abcde", 4, "a...", 4},
                 {"", 4, "", 0},
                 {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 4, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 4},
                 {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 4, "\xc3\xa4...", 4},
                 {"\xff"
                  "b",
                  8, "\\xffb", 5},
                 {"\t", 4, "\\x09", 4},
                 {"ab\t", 5, "ab...", 5},
                 {"\xc2\x9b", 8, "\\xc2\\x9b", 8},
                 {"\\x", 4, "\\x", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char at[64];
        assert_int_equal(printable_text(slice_of(cases[i].bytes), at, sizeof at, cases[i].columns),
                         cases[i].used);
        assert_string_equal(at, cases[i].text);
    }
    char small[6];
    printable_text(slice_of("abcdefgh"), small, sizeof small, SIZE_MAX);
    assert_string_equal(small, "ab...");
    static const uint8_t any[] = {'a', 0, 0xff, 0xc3, 0xa4};
    json_t *text = printable_json((struct slice){any, sizeof any});
    assert_int_equal(json_string_length(text), 1 + 1 + 3 + 2);
    json_decref(text);
}

static void a_job_of_tasks_has_a_bar_a_last_line_and_a_code(void **state)
{
    (void)state;
    struct task_sum sum = {.total = 200, .running = 5, .done = 100, .failed = 2, .queued = 93};
    struct text bar = {0}, line = {0};
    task_sum_bar(&sum, 0, 53684210, &bar);
    assert_string_equal(bar.at, "[############............]  51%  102/200 tasks  2 failed  5 "
                                "running  1.9/s  ETA 52s");
    sum = (struct task_sum){.total = 200, .done = 198, .failed = 2};
    task_sum_line(&sum, "4-17", &line);
    assert_string_equal(line.at, "4-17: 198 of 200 done, 2 failed; `conclave job tasks 4-17 "
                                 "--failed`, `conclave job retry 4-17`");
    assert_int_equal(task_sum_code(&sum), EXIT_FAILED);
    sum = (struct task_sum){.total = 2, .done = 1, .lost = 1};
    assert_int_equal(task_sum_code(&sum), EXIT_FAILED);
    sum = (struct task_sum){.total = 2, .failed = 1, .cancelled = 1}; /* --max-fails 1 */
    assert_int_equal(task_sum_code(&sum), EXIT_FAILED);
    sum = (struct task_sum){.total = 2, .cancelled = 2};
    assert_int_equal(task_sum_code(&sum), EXIT_CANCELLED);
    sum = (struct task_sum){.total = 2, .done = 2};
    line = (struct text){0};
    task_sum_line(&sum, "4-17", &line);
    assert_string_equal(line.at, "4-17: 2 of 2 done");
    assert_int_equal(task_sum_code(&sum), EXIT_OK);
}

static void tasks_are_chosen_by_number_and_state(void **state)
{
    (void)state;
    struct task_choice choice;
    struct text why = {0};
    char all[64] = "";
    size_t len = 0;
    assert_int_equal(task_choice_parse("70-72,17,71,3-3,73", NULL, true, &choice, &why), OK);
    for (uint64_t t = task_choice_from(&choice, 1, 72); t; t = task_choice_from(&choice, t + 1, 72))
        len += text_format(all + len, sizeof all - len, "%d ", (int)t);
    assert_string_equal(all, "3 17 70 71 72 ");
    assert_int_equal(choice.n, 3);
    assert_true(task_choice_has_state(&choice, VIEW_FAILED));
    assert_true(task_choice_has_state(&choice, VIEW_LOST));
    assert_false(task_choice_has_state(&choice, VIEW_DONE));
    assert_int_equal(task_choice_parse(NULL, "running", false, &choice, &why), OK);
    assert_int_equal(task_choice_from(&choice, 5, 5), 5);
    assert_int_equal(task_choice_from(&choice, 6, 5), 0);
    assert_true(task_choice_has_state(&choice, VIEW_RUNNING));
    assert_false(task_choice_has_state(&choice, VIEW_QUEUED));
    static const char *const bad[] = {"",    "0",  "x",  "1,",    ",1",
                                      "2-1", "1-", "-1", "1-2-3", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = (struct text){0};
        assert_int_equal(task_choice_parse(bad[i], NULL, false, &choice, &why), ERR_MALFORMED);
        assert_non_null(strstr(why.at, "--task"));
    }
    assert_int_equal(task_choice_parse(NULL, "odd", false, &choice, &why), ERR_MALFORMED);
    assert_int_equal(task_choice_parse(NULL, "done", true, &choice, &why), ERR_MALFORMED);
}

static void rows_of_details_become_views(void **state)
{
    (void)state;
    struct task_row row = {.first = 10,
                           .count = 4,
                           .state = 2,
                           .node = 3,
                           .attempts = 2,
                           .exit = 7,
                           .started_ms = 1000,
                           .wall_us = 8000000,
                           .cpu_us = 4,
                           .max_rss = 5,
                           .out = {.bytes = 9, .at = slice_of("abc")},
                           .err = {.bytes = 6, .at = slice_of("x\nlast\n\n"), .hash = {1}}};
    struct task_view view = {.input = slice_of("in")};
    assert_false(task_rows_view(&row, 9, &view));
    assert_false(task_rows_view(&row, 14, &view));
    assert_true(task_rows_view(&row, 13, &view));
    assert_true(slice_equals(view.input, "in") && slice_equals(view.last_line, "last"));
    assert_int_equal(view.task, 13);
    assert_int_equal(view.state, VIEW_FAILED);
    assert_int_equal(view.exit, 7);
    assert_int_equal(view.attempt, 2);
    assert_int_equal(view.wall_us, 2000000);
    assert_int_equal(view.finished_ms, 3000);
    assert_int_equal(view.output[TASK_STDOUT].bytes, 9);
    assert_int_equal(view.output[TASK_STDOUT].kept, 3);
    assert_int_equal(view.output[TASK_STDERR].sha256[0], 1);
    row.flags = TASK_ROW_LIMIT;
    row.signal = 15;
    assert_true(task_rows_view(&row, 10, &view));
    assert_int_equal(view.exit, -1);
    assert_true(view.time_limit);
    row.state = 3;
    row.flags = row.signal = 0;
    assert_true(task_rows_view(&row, 10, &view));
    assert_int_equal(view.state, VIEW_LOST);
    assert_int_equal(view.exit, -1);
    static const uint64_t no_states[] = {0, 5, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        row.state = no_states[i];
        assert_false(task_rows_view(&row, 10, &view));
    }
    assert_int_equal(task_rows_last_line(slice_of("")).len, 0);
    assert_true(slice_equals(task_rows_last_line(slice_of("one")), "one"));
    assert_true(slice_equals(task_rows_last_line(slice_of("a\r\nb\r\n")), "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_fit_80_columns),
        cmocka_unit_test(what_ended_a_task_is_said_in_words),
        cmocka_unit_test(json_has_the_keys_that_are_documented),
        cmocka_unit_test(a_joblog_is_as_gnu_parallel_writes_it),
        cmocka_unit_test(bytes_are_cut_to_columns),
        cmocka_unit_test(a_job_of_tasks_has_a_bar_a_last_line_and_a_code),
        cmocka_unit_test(tasks_are_chosen_by_number_and_state),
        cmocka_unit_test(rows_of_details_become_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
