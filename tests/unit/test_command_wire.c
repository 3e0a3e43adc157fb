/* Frames between a node and its spawners: what is packed comes back, and what is damaged is refused
 * (X6): cut short anywhere, with something left over, or with lengths and counts that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/command_wire.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

static struct slice body_of(const struct packed *packed)
{
    return (struct slice){packed->at + COMMAND_HEADER_BYTES, packed->len - COMMAND_HEADER_BYTES};
}

static const char *const argv[] = {"prog", "a b", "", NULL};
static const char *const env[] = {"A=1", NULL};
static const char *const collect[] = {"*.txt", "**/x", NULL};

static struct packed some_command(void)
{
    struct blob *blob = blob_copy("12345", 5);
    struct command_slice slices[] = {{"/p", 3, 4}, {"/q", 0, UINT64_MAX}};
    struct command_input inputs[] = {{.name = "one", .bytes.blob = blob, .executable = true},
                                     {.name = "two", .bytes = {NULL, slices, 2}}};
    struct command command = {.id = {7, 8, 9},
                              .argv = argv,
                              .env = env,
                              .input = "in",
                              .stdin_input = 2,
                              .inputs = inputs,
                              .n_inputs = 2,
                              .collect = collect,
                              .limits = {1, 2, 3, 4, 5},
                              .nice = 6};
    struct packed packed = {0};
    assert_int_equal(command_pack(&packed, &command), OK);
    blob_drop(&blob);
    return packed;
}

static struct packed some_result(void)
{
    struct command_file files[] = {{.name = mem_string("f"), .path = mem_string("/o/f"), .len = 3}};
    struct command_file pieces[] = {{.path = mem_string("/o/p"), .len = 70000}};
    struct command_result result = {.end = COMMAND_TIME_LIMIT,
                                    .exit = -1,
                                    .signal = 15,
                                    .error = "why",
                                    .started_ms = 1,
                                    .wall_us = 2,
                                    .cpu_us = 3,
                                    .max_rss_bytes = 4,
                                    .files = files,
                                    .n_files = 1,
                                    .survived = true};
    result.output[0] = (struct command_output){
        .pieces = pieces, .n_pieces = 1, .len = 70000, .total = 70001, .cut = true};
    result.output[1] = (struct command_output){.bytes = blob_copy("xyz", 3), .len = 3, .total = 3};
    struct packed packed = {0};
    command_result_pack(&packed, &result);
    blob_drop(&result.output[1].bytes);
    free(files[0].name);
    free(files[0].path);
    free(pieces[0].path);
    return packed;
}

static bool takes_command(struct slice frame)
{
    struct command_order order;
    bool sound = command_unpack(frame, &order);
    command_order_clear(&order);
    return sound;
}

/* Its files are none of this test's: their names are forgotten, not unlinked. */
static bool takes_result(struct slice frame)
{
    struct command_result *result = mem_new(1, sizeof *result);
    bool sound = command_result_unpack(frame, result);
    for (size_t i = 0; i < result->n_files; i++)
        if (result->files[i].path)
            result->files[i].path[0] = '\0';
    for (int stream = 0; stream < COMMAND_STREAMS; stream++)
        for (size_t i = 0; i < result->output[stream].n_pieces; i++)
            if (result->output[stream].pieces[i].path)
                result->output[stream].pieces[i].path[0] = '\0';
    command_result_free(result);
    return sound;
}

static bool takes_config(struct slice frame)
{
    struct spawner_config config;
    return spawner_config_unpack(frame, &config);
}

static void what_is_packed_comes_back(void **state)
{
    (void)state;
    struct packed packed = some_command();
    struct command_order order;
    assert_true(command_unpack(body_of(&packed), &order));
    const struct command *is = &order.command;
    assert_true(is->id.job == 7 && is->id.task == 8 && is->id.attempt == 9 && is->nice == 6);
    for (size_t i = 0; i < 4; i++)
        assert_true(argv[i] ? !strcmp(is->argv[i], argv[i]) : !is->argv[i]);
    assert_string_equal(is->env[0], "A=1");
    assert_string_equal(is->input, "in");
    assert_int_equal(is->stdin_input, 2);
    assert_true(order.stdin_len == UINT64_MAX && is->n_inputs == 2);
    const struct command_bytes *one = &is->inputs[0].bytes, *two = &is->inputs[1].bytes;
    assert_true(order.input_lens[0] == 5 && !one->n_slices && is->inputs[0].executable);
    assert_true(order.input_lens[1] == UINT64_MAX && two->n_slices == 2);
    assert_string_equal(two->slices[0].path, "/p");
    assert_true(two->slices[0].offset == 3 && two->slices[0].len == 4);
    assert_string_equal(two->slices[1].path, "/q");
    assert_true(two->slices[1].offset == 0 && two->slices[1].len == UINT64_MAX);
    assert_string_equal(is->collect[1], "**/x");
    assert_true(is->limits.time_us == 1 && is->limits.processes == 5);
    command_order_clear(&order);
    free(packed.at);

    packed = some_result();
    struct command_result result = {0};
    assert_true(command_result_unpack(body_of(&packed), &result));
    assert_true(result.end == COMMAND_TIME_LIMIT && result.exit == -1 && result.signal == 15);
    assert_string_equal(result.error, "why");
    assert_true(!result.output[0].bytes && result.output[0].cut && result.output[0].n_pieces == 1);
    assert_memory_equal(result.output[1].bytes->at, "xyz", 3);
    assert_string_equal(result.files[0].name, "f");
    assert_true(takes_result(body_of(&packed)) && result.survived);
    free(result.files[0].name);
    free(result.files[0].path);
    free(result.files);
    free(result.output[0].pieces[0].path);
    free(result.output[0].pieces);
    free(result.output[1].pieces);
    blob_drop(&result.output[1].bytes);
    free(result.bundle.all.pieces);
    blob_drop(&result.bundle.all.bytes);
    free(packed.at);
}

static void what_cannot_be_run_is_not_packed(void **state)
{
    (void)state;
    struct packed packed = {0};
    static const char *const nothing[] = {NULL};
    assert_int_equal(command_pack(&packed, &(struct command){0}), ERR_MALFORMED);
    assert_int_equal(command_pack(&packed, &(struct command){.argv = nothing}), ERR_MALFORMED);
    assert_int_equal(command_pack(&packed, &(struct command){.argv = argv, .nice = -1}),
                     ERR_MALFORMED);
    free(packed.at);
}

static void refuses_damage(struct packed packed, bool (*takes)(struct slice frame))
{
    struct slice body = body_of(&packed);
    uint64_t random = 1;
    assert_true(takes(body));
    for (size_t len = 0; len < body.len; len++) {
        uint8_t *cut = mem_new(1, len + 1); /* so that a sanitizer sees a read beyond it */
        memcpy(cut, body.at, len);
        assert_false(takes((struct slice){cut, len}));
        free(cut);
    }
    uint8_t *more = mem_new(1, body.len + 1);
    memcpy(more, body.at, body.len);
    assert_false(takes((struct slice){more, body.len + 1}));
    for (int i = 0; i < 20000; i++) { /* sound or not: nothing bad happens */
        memcpy(more, body.at, body.len);
        for (uint64_t n = random_u64(&random) % 4 + 1; n--;)
            more[random_u64(&random) % body.len] = (uint8_t)random_u64(&random);
        takes((struct slice){more, body.len});
    }
    free(more);
    free(packed.at);
}

static void damaged_frames_are_refused_X6(void **state)
{
    (void)state;
    struct packed config = {0};
    spawner_config_pack(&config, &(struct spawner_config){.dir = "/d",
                                                          .scratch = "/s",
                                                          .outputs = "/o",
                                                          .record = "/r",
                                                          .node = 3});
    refuses_damage(config, takes_config);
    refuses_damage(some_command(), takes_command);
    refuses_damage(some_result(), takes_result);
}

static void only_headers_of_ours_are_taken(void **state)
{
    (void)state;
    uint8_t header[COMMAND_HEADER_BYTES];
    enum command_frame kind;
    uint64_t len;
    command_header(header, FRAME_RUN, 5);
    assert_true(command_header_read(header, &kind, &len) && kind == FRAME_RUN && len == 5);
    command_header(header, FRAME_RUN, COMMAND_FRAME_MAX_BYTES + 1);
    assert_false(command_header_read(header, &kind, &len));
    command_header(header, FRAME_BYTES, COMMAND_FRAME_MAX_BYTES + 1); /* which nobody buffers */
    assert_true(command_header_read(header, &kind, &len));
    command_header(header, FRAME_KINDS, 5);
    assert_false(command_header_read(header, &kind, &len));
    command_header(header, (enum command_frame)0, 5);
    assert_false(command_header_read(header, &kind, &len));
    command_header(header, FRAME_RUN, 5);
    header[0] ^= 1;
    assert_false(command_header_read(header, &kind, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(what_cannot_be_run_is_not_packed),
        cmocka_unit_test(damaged_frames_are_refused_X6),
        cmocka_unit_test(only_headers_of_ours_are_taken),
    };
    return cmocka_run_group_tests_name("command_wire", tests, NULL, NULL);
}
