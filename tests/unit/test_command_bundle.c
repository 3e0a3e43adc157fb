/* Commands: what is left of them beside short outputs, as one row of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/tasks/bundle.h"
#include "tests/harness/commands.h"

static void what_is_left_is_one_row_of_bytes(void **state)
{
    (void)state;
    commands_up();
    const char *const patterns[] = {"*.txt", "big", NULL};
    struct command *command =
        script_of("head -c 100000 /dev/zero; yes err | head -c 80000 >&2; echo last line >&2;"
                  "echo a > a.txt; chmod +x a.txt; head -c 9000000 /dev/zero > big",
                  1);
    command->collect = patterns;
    command->bundle = true;
    commands_run(the_commands, command);
    struct command_result *result = result_within(60);
    const struct command_bundle *bundle = &result->bundle;
    struct slice rest;
    struct bundle_file file;
    assert_ended(result, COMMAND_EXIT, 0);
    assert_true(!result->n_files && bundle->files == 2 && bundle->out_len == 100000);
    assert_int_equal(bundle->err_len, 80010);
    assert_string_equal(bundle->err_line, "last line");
    assert_int_equal(bundle->all.n_pieces, 2);
    assert_int_equal(bundle->all.pieces[0].len, BUNDLE_PIECE_BYTES);
    assert_int_equal(bundle->all.len, bundle->head_len + 100000 + 80010 + 2 + 9000000);
    char *all = mem_new(1, (size_t)bundle->all.len);
    for (size_t i = 0; i < 2; i++) {
        FILE *piece = fopen(bundle->all.pieces[i].path, "r");
        assert_int_equal(fread(all + i * BUNDLE_PIECE_BYTES, 1, bundle->all.pieces[i].len, piece),
                         bundle->all.pieces[i].len);
        fclose(piece);
    }
    rest = (struct slice){(const uint8_t *)all, (size_t)bundle->head_len};
    assert_true(bundle_file_take(&rest, &file) && slice_equals(file.path, "a.txt"));
    assert_true(file.executable && file.len == 2);
    assert_true(bundle_file_take(&rest, &file) && slice_equals(file.path, "big"));
    assert_true(!file.executable && file.len == 9000000 && !rest.len);
    assert_memory_equal(all + bundle->head_len + 180010, "a\n", 2);
    free(all);
    command_result_free(result);
    assert_int_equal(entries_of(own_path("outputs")), 0);
}

static void what_is_short_needs_no_bundle(void **state)
{
    (void)state;
    commands_up();
    struct command *command = script_of("echo x", 1);
    command->bundle = true;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    assert_int_equal(result->bundle.all.len, 0);
    command_result_free(result);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        COMMANDS_TEST(what_is_left_is_one_row_of_bytes),
        COMMANDS_TEST(what_is_short_needs_no_bundle),
    };
    return commands_main(argc, argv, "command_bundle", tests);
}
