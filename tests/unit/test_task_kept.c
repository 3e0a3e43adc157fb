/* What a client keeps of a job's tasks: rows and outputs, inputs and commands, states; and what it
 * sends for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/map/map_job.h"
#include "clients/map/request.h"
#include "clients/map/task_kept.h"
#include "clients/map/task_list.h"
#include "clients/map/task_states.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/spec.h"

static const bool both[TASK_STREAMS] = {true, true}, none[TASK_STREAMS];

/* --- rows --- */

struct segment {
    uint8_t at[1024 * 1024];
    size_t len;
};

static struct task_stream stream_of(const char *text, uint64_t bytes)
{
    struct task_stream stream = {.bytes = bytes, .at = slice_of(text)};
    hash_bytes(text, strlen(text), stream.hash);
    return stream;
}

static void put_row(struct segment *segment, uint64_t first, uint64_t count, uint64_t state,
                    const char *out, const char *err)
{
    struct task_row row = {.first = first,
                           .count = count,
                           .state = state,
                           .node = 2,
                           .attempts = 1,
                           .exit = state == 1 ? 0 : 3,
                           .wall_us = 5000 * count,
                           .out = stream_of(out, strlen(out)),
                           .err = stream_of(err, strlen(err))};
    segment->len += task_row_write(segment->at + segment->len, &row);
}

static int add(struct task_kept *kept, const struct segment *segment)
{
    struct text why = {0};
    int error = task_kept_add(kept, (struct slice){segment->at, segment->len}, &why);
    assert_int_equal(why.len > 0, error != OK);
    return error;
}

static char *read_stream(struct task_kept *kept, uint64_t task, enum task_stream_kind kind)
{
    struct text why = {0};
    struct task_view view = {0};
    assert_int_equal(task_kept_view(kept, task, &view, &why), OK);
    size_t len = (size_t)view.output[kind].kept;
    char *text = mem_new(len + 1, 1);
    assert_int_equal(task_kept_read(kept, task, kind, 0, (uint8_t *)text, len, &why), OK);
    return text;
}

static void rows_are_found_by_their_tasks_and_told_in_their_order(void **state)
{
    (void)state;
    struct segment *segment = mem_new(1, sizeof *segment);
    struct task_kept kept;
    struct task_view view = {0};
    struct text why = {0};
    task_kept_begin(&kept, 9000, both);
    put_row(segment, 8999, 1, 1, "last\n", "");
    put_row(segment, 10, 5000, 1, "", "");
    put_row(segment, 3, 1, 2, "out", "one\ntwo\n");
    assert_int_equal(add(&kept, segment), OK);
    assert_int_equal(kept.rows, 3);
    assert_int_equal(kept.ended, 5002);
    assert_int_equal(task_kept_view(&kept, 4, &view, &why), ERR_NOT_FOUND);
    assert_int_equal(task_kept_view(&kept, 9, &view, &why), ERR_NOT_FOUND);
    assert_int_equal(task_kept_view(&kept, 5010, &view, &why), ERR_NOT_FOUND);
    assert_int_equal(task_kept_view(&kept, 0, &view, &why), ERR_NOT_FOUND);
    assert_int_equal(task_kept_view(&kept, 9001, &view, &why), ERR_NOT_FOUND);
    assert_int_equal(task_kept_view(&kept, 5009, &view, &why), OK);
    assert_int_equal(view.task, 5009);
    assert_int_equal(view.wall_us, 5000);
    assert_int_equal(task_kept_view(&kept, 3, &view, &why), OK);
    assert_int_equal(view.state, VIEW_FAILED);
    assert_int_equal(view.exit, 3);
    assert_true(slice_equals(view.last_line, "two"));
    char *text = read_stream(&kept, 3, TASK_STDERR);
    assert_string_equal(text, "one\ntwo\n");
    free(text);
    assert_int_equal(task_kept_next(&kept, &view, &why), OK);
    assert_int_equal(view.task, 8999);
    for (uint64_t task = 10; task < 5010; task++) {
        assert_int_equal(task_kept_next(&kept, &view, &why), OK);
        assert_int_equal(view.task, task);
    }
    assert_int_equal(task_kept_next(&kept, &view, &why), OK);
    assert_int_equal(view.task, 3);
    assert_int_equal(task_kept_next(&kept, &view, &why), ERR_NOT_FOUND);
    segment->len = 0;
    put_row(segment, 1, 1, 1, "later\n", "");
    assert_int_equal(add(&kept, segment), OK);
    assert_int_equal(task_kept_next(&kept, &view, &why), OK);
    assert_int_equal(view.task, 1);
    task_kept_clear(&kept);
    free(segment);
}

static void an_outcome_does_not_change_T15(void **state)
{
    (void)state;
    struct segment *segment = mem_new(1, sizeof *segment);
    struct task_kept kept;
    task_kept_begin(&kept, 100, both);
    put_row(segment, 5, 1, 1, "first", "");
    put_row(segment, 20, 10, 1, "", "");
    assert_int_equal(add(&kept, segment), OK);
    segment->len = 0;
    put_row(segment, 5, 1, 2, "second", "");
    put_row(segment, 1, 10, 1, "", "");  /* 5 is known */
    put_row(segment, 15, 10, 1, "", ""); /* so are 20 to 24 */
    put_row(segment, 29, 1, 2, "", "");
    assert_int_equal(add(&kept, segment), OK);
    assert_int_equal(kept.rows, 2);
    char *text = read_stream(&kept, 5, TASK_STDOUT);
    assert_string_equal(text, "first");
    free(text);
    task_kept_clear(&kept);
    free(segment);
}

static void rows_of_other_jobs_and_torn_ones_are_refused(void **state)
{
    (void)state;
    struct segment *segment = mem_new(1, sizeof *segment);
    struct task_kept kept;
    static const struct {
        uint64_t first, count, state;
    } wrong[] = {{0, 1, 1}, {101, 1, 1}, {100, 2, 1}, {1, UINT64_MAX, 1}, {1, 0, 1}, {1, 1, 9}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        task_kept_begin(&kept, 100, both);
        segment->len = 0;
        put_row(segment, wrong[i].first, wrong[i].count, wrong[i].state, "", "");
        assert_int_equal(add(&kept, segment), ERR_CORRUPT);
        task_kept_clear(&kept);
    }
    task_kept_begin(&kept, 100, both);
    segment->len = 0;
    put_row(segment, 1, 1, 1, "x", "y");
    segment->len--;
    assert_int_equal(add(&kept, segment), ERR_CORRUPT);
    task_kept_clear(&kept);
    free(segment);
}

static void what_is_not_wanted_is_not_kept(void **state)
{
    (void)state;
    struct segment *segment = mem_new(1, sizeof *segment);
    char *large = mem_new(60001, 1);
    struct task_kept kept;
    struct task_view view = {0};
    struct text why = {0};
    uint8_t byte;
    memset(large, 'x', 60000);
    memcpy(large + 59990, "\nthe end\n", 9);
    large[59999] = '\n';
    task_kept_begin(&kept, 10, none);
    put_row(segment, 1, 1, 2, large, large);
    assert_int_equal(add(&kept, segment), OK);
    assert_true(kept.spool.len < 300);
    assert_int_equal(task_kept_view(&kept, 1, &view, &why), OK);
    assert_true(slice_equals(view.last_line, "the end"));
    assert_int_equal(view.output[TASK_STDOUT].kept, 60000); /* by the cluster: nothing is cut */
    assert_int_equal(view.output[TASK_STDOUT].bytes, 60000);
    assert_int_equal(task_kept_read(&kept, 1, TASK_STDOUT, 0, &byte, 1, &why), ERR_CORRUPT);
    task_kept_clear(&kept);
    free(large);
    free(segment);
}

static void many_outputs_are_in_a_file_and_the_same(void **state)
{
    (void)state;
    struct segment *segment = mem_new(1, sizeof *segment);
    struct task_kept kept;
    char *large = mem_new(60001, 1);
    memset(large, 'y', 60000);
    task_kept_begin(&kept, 400, both);
    for (uint64_t task = 400; task > 0; task--) {
        segment->len = 0;
        large[0] = (char)('a' + task % 26);
        put_row(segment, task, 1, 1, large, "");
        assert_int_equal(add(&kept, segment), OK);
    }
    assert_true(kept.spool.flushed > 8 * MIB_BYTES);
    for (uint64_t task = 1; task <= 400; task += 57) {
        char *text = read_stream(&kept, task, TASK_STDOUT);
        large[0] = (char)('a' + task % 26);
        assert_string_equal(text, large);
        free(text);
    }
    task_kept_clear(&kept);
    free(large);
    free(segment);
}

/* --- inputs and commands --- */

static struct content content_of(struct map_request *request, char **words, size_t n,
                                 struct message **spec)
{
    struct text why = {0};
    struct inputs *inputs = NULL;
    struct content content;
    struct task_files files;
    request->slots = 1;
    assert_int_equal(map_words(request, n, words, &why), OK);
    assert_int_equal(inputs_open(&request->inputs, &inputs, &why), OK);
    assert_int_equal(map_spec(request, inputs, spec, &why), OK);
    task_files_begin(&files);
    assert_int_equal(map_job_content(*spec, inputs, &files, &content, &why), OK);
    task_files_clear(&files);
    inputs_destroy(&inputs);
    return content;
}

static void inputs_and_commands_are_read_at_any_task(void **state)
{
    (void)state;
    static char run[] = "run", it[] = "{}", number[] = "{#}";
    char *words[] = {run, it, number};
    struct map_request request = {.inputs.array = "1000-3000", .name = "three"};
    struct message *spec = NULL;
    struct content content = content_of(&request, words, 3, &spec);
    struct task_list list;
    struct text why = {0};
    struct slice input, command;
    static const uint64_t order[] = {1, 2, 2001, 256, 257, 255, 1999, 2000, 2001, 1};
    assert_string_equal(content.format, "tasks");
    assert_int_equal(content.items, 2002);
    assert_int_equal(task_list_open(&list, &content.spool, &why), OK);
    assert_int_equal(list.total, 2001);
    assert_true(slice_equals(list.spec->as.task_spec.over, "numbers 1000-3000"));
    assert_true(slice_equals(list.spec->as.task_spec.name, "three"));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        char expected[64];
        assert_int_equal(task_list_read(&list, order[i], &input, &command, &why), OK);
        snprintf(expected, sizeof expected, "%d", (int)(order[i] + 999));
        assert_true(slice_equals(input, expected));
        snprintf(expected, sizeof expected, "run %d %d", (int)(order[i] + 999), (int)order[i]);
        assert_true(slice_equals(command, expected));
    }
    assert_int_equal(task_list_read(&list, 2002, &input, NULL, &why), ERR_RANGE);
    assert_int_equal(task_list_read(&list, 0, &input, NULL, &why), ERR_RANGE);
    task_list_clear(&list);
    message_drop(&spec);
    content_clear(&content);
}

static void segments_hold_whole_tasks(void **state)
{
    (void)state;
    static char run[] = "run";
    char *words[] = {run};
    struct map_request request = {.inputs.array = "1-20000"};
    struct message *spec = NULL;
    struct content content = content_of(&request, words, 1, &spec);
    uint64_t items = 0;
    assert_true(content.n_segments > 3);
    for (size_t i = 0; i < content.n_segments; i++) {
        const struct content_segment *segment = &content.segments[i];
        uint8_t *at = mem_new((size_t)segment->len, 1);
        char why[TEXT_MAX];
        uint64_t count;
        assert_int_equal(spool_read(&content.spool, segment->offset, at, (size_t)segment->len, why),
                         OK);
        assert_true(task_records_count((struct slice){at, (size_t)segment->len}, &count));
        assert_int_equal(count, segment->items);
        items += count;
        free(at);
    }
    assert_int_equal(items, 20001);
    message_drop(&spec);
    content_clear(&content);
}

static void a_damaged_list_is_an_error(void **state)
{
    (void)state;
    static char run[] = "run";
    char *words[] = {run};
    struct map_request request = {.inputs.array = "1-3"};
    struct message *spec = NULL;
    struct content content = content_of(&request, words, 1, &spec);
    char line[TEXT_MAX];
    uint8_t *all = mem_new((size_t)content.len, 1);
    assert_int_equal(spool_read(&content.spool, 0, all, (size_t)content.len, line), OK);
    for (size_t len = 0; len < content.len; len++) {
        struct spool spool;
        struct task_list list;
        struct text why = {0};
        spool_begin(&spool);
        assert_int_equal(spool_add(&spool, all, len, line), OK);
        int error = task_list_open(&list, &spool, &why);
        assert_true(error ? why.len > 0 : list.total < 3);
        task_list_clear(&list);
        spool_clear(&spool);
    }
    free(all);
    message_drop(&spec);
    content_clear(&content);
}

/* --- states --- */

static void states_are_those_of_ranges(void **state)
{
    (void)state;
    struct task_states states = {0};
    struct wire_task_exception rows[] = {
        {.first = 1, .count = 16, .state = slice_of("done")},
        {.first = 17, .count = 1, .state = slice_of("failed"), .attempts = 3, .exit = 1, .node = 2},
        {.first = 18,
         .count = 2,
         .state = slice_of("lost"),
         .attempts = 1,
         .reason = slice_of("died")},
        {.first = 20, .count = 1, .state = slice_of("of a later release")}};
    struct wire_task_page page = {.rows = {.at = rows, .n = 4}};
    struct task_view view = {.exit = -1};
    uint64_t after = 0;
    assert_true(task_states_add(&states, &page, &after));
    assert_int_equal(after, 20);
    assert_false(task_states_add(&states, &page, &after)); /* what was there already */
    assert_int_equal(task_states_of(&states, 16), VIEW_DONE);
    assert_int_equal(task_states_of(&states, 19), VIEW_LOST);
    assert_int_equal(task_states_of(&states, 20), VIEW_QUEUED);
    assert_int_equal(task_states_of(&states, 21), VIEW_QUEUED);
    task_states_view(&states, 17, &view);
    assert_int_equal(view.state, VIEW_FAILED);
    assert_int_equal(view.exit, 1);
    assert_int_equal(view.attempt, 3);
    view = (struct task_view){.exit = -1};
    task_states_view(&states, 18, &view);
    assert_int_equal(view.exit, -1);
    assert_true(slice_equals(view.reason, "died"));
    task_states_clear(&states);
}

/* --- what is sent --- */

static void options_are_those_of_the_specification(void **state)
{
    (void)state;
    struct wire_task_spec spec = {.retries = 2,
                                  .retry_delay_us = 1500,
                                  .time_limit_us = 5 * SECOND_US,
                                  .max_fails_ppm = 100000,
                                  .slots = 1};
    struct wire_task_options options = map_job_options(&spec);
    assert_int_equal(options.retries, 2);
    assert_int_equal(options.retry_delay_ms, 2); /* not shorter */
    assert_int_equal(options.time_limit_ms, 5000);
    assert_int_equal(options.max_fails, 0);
    assert_int_equal(options.max_fails_percent, 10);
    assert_false(options.at_most_once);
    assert_int_equal(options.slots, 0); /* one, as an earlier release has it */
    spec.slots = 3;
    assert_int_equal(map_job_options(&spec).slots, 3);
    assert_false(map_job_options(&spec).speculate);
    spec.speculate = true;
    assert_true(map_job_options(&spec).speculate);
    spec.max_output = MAP_ROW_BYTES;
    assert_false(map_job_options(&spec).bundles); /* which nodes of an earlier release do, too */
    spec.max_output++;
    assert_true(map_job_options(&spec).bundles);
    spec.max_output = 0;
    spec.collect.n = 1;
    assert_true(map_job_options(&spec).bundles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_their_tasks_and_told_in_their_order),
        cmocka_unit_test(an_outcome_does_not_change_T15),
        cmocka_unit_test(rows_of_other_jobs_and_torn_ones_are_refused),
        cmocka_unit_test(what_is_not_wanted_is_not_kept),
        cmocka_unit_test(many_outputs_are_in_a_file_and_the_same),
        cmocka_unit_test(inputs_and_commands_are_read_at_any_task),
        cmocka_unit_test(segments_hold_whole_tasks),
        cmocka_unit_test(a_damaged_list_is_an_error),
        cmocka_unit_test(states_are_those_of_ranges),
        cmocka_unit_test(options_are_those_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
