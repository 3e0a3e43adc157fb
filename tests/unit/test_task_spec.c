/* shared/tasks: the specification of tasks, their records, and the commands that they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/expand.h"
#include "shared/tasks/shell.h"
#include "shared/tasks/spec.h"
#include "shared/tasks/template.h"
#include "shared/wire/codec.h"
#include "tests/harness/samples.h"

#define WORDS_MAX 10

/* Words of a command, or of the inputs of a task, ended by NULL. */
typedef const char *words_t[WORDS_MAX];

static struct message *spec_of(const words_t argv, const char *shell, size_t inputs)
{
    struct message *message = message_new(MESSAGE_TASK_SPEC);
    struct wire_task_spec *spec = &message->as.task_spec;
    spec->inputs = inputs;
    spec->slots = 1;
    spec->argv.at = message_room(message, WORDS_MAX, sizeof *spec->argv.at);
    for (; argv && argv[spec->argv.n]; spec->argv.n++)
        spec->argv.at[spec->argv.n].text = message_text(message, argv[spec->argv.n]);
    if (shell)
        spec->shell = message_text(message, shell);
    return message;
}

static void name_inputs(struct message *message, const words_t names)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    spec->names.at = message_room(message, WORDS_MAX, sizeof *spec->names.at);
    for (; names[spec->names.n]; spec->names.n++)
        spec->names.at[spec->names.n].text = message_text(message, names[spec->names.n]);
}

static struct task_record record_of(const words_t inputs)
{
    struct task_record record = {0};
    for (; inputs[record.n_inputs]; record.n_inputs++)
        record.inputs[record.n_inputs] = slice_of(inputs[record.n_inputs]);
    return record;
}

static void check_words(const struct task_command *command, const words_t expected)
{
    size_t n = 0;
    for (; n < WORDS_MAX && expected[n]; n++) {
        assert_true(n < command->n);
        assert_string_equal(task_command_word(command, n), expected[n]);
    }
    assert_int_equal(command->n, n);
}

/* --- without a shell --- */

static void inputs_go_where_the_braces_are(void **state)
{
    (void)state;
    static const struct {
        words_t argv, inputs, expected;
    } cases[] = {
        {{"echo", "{}"}, {"a"}, {"echo", "a"}},
        {{"echo"}, {"a b"}, {"echo", "a b"}},
        {{"echo"}, {""}, {"echo", ""}},
        {{"rm", "{}"}, {"-rf"}, {"rm", "-rf"}},
        {{"echo", "x{}y{}"}, {"a"}, {"echo", "xaya"}},
        {{"{}", "-v"}, {"/bin/ls"}, {"/bin/ls", "-v"}},
        {{"echo", "{}"}, {"a", "b c"}, {"echo", "a", "b c"}},
        {{"echo", "-{}-"}, {"a", "b c"}, {"echo", "-a b c-"}},
        {{"echo"}, {"a", "b"}, {"echo", "a", "b"}},
        {{"echo", "{2}", "{1}{1}"}, {"a", "b"}, {"echo", "b", "aa"}},
        {{"echo", "{#}"}, {"a"}, {"echo", "7"}},
        {{"echo", "{.}", "{/}", "{//}", "{/.}"},
         {"d/e.f/x.tar.gz"},
         {"echo", "d/e.f/x.tar", "x.tar.gz", "d/e.f", "x.tar"}},
        {{"echo", "{1.}", "{2/}", "{2//}", "{2/.}"},
         {"a.b", "c/d.e"},
         {"echo", "a", "d.e", "c", "d"}},
        {{"echo", "{/.}"}, {"a/b.c", "d/e"}, {"echo", "b", "e"}},
        /* What means nothing stays. */
        {{"echo", "{3}", "{0}", "{01}", "{x}", "{", "}"},
         {"a", "b"},
         {"echo", "{3}", "{0}", "{01}", "{x}", "{", "}", "a", "b"}},
        {{"awk", "{print $1}{", "{}"}, {"f"}, {"awk", "{print $1}{", "f"}},
        {{"echo", "{{}}", "{ }"}, {"a"}, {"echo", "{a}", "{ }"}},
        {{"echo", "${}"}, {"a"}, {"echo", "$a"}},
        /* Bytes of an input are never read again. */
        {{"echo", "{1}", "{2}"}, {"{2}", "{#}"}, {"echo", "{2}", "{#}"}},
        {{"echo", "{}"}, {"a\nb\t'\"\\$`\xff\xc3\xa4"}, {"echo", "a\nb\t'\"\\$`\xff\xc3\xa4"}},
    };
    struct task_command command = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task_record record = record_of(cases[i].inputs);
        struct message *spec = spec_of(cases[i].argv, NULL, record.n_inputs);
        struct text why = {0};
        assert_int_equal(task_spec_check(&spec->as.task_spec, &why), OK);
        assert_int_equal(task_expand(&spec->as.task_spec, &record, 7, &command, &why), OK);
        check_words(&command, cases[i].expected);
        message_drop(&spec);
    }
    task_command_clear(&command);
}

static void columns_have_names(void **state)
{
    (void)state;
    static const words_t names = {"name", "rate", "1", "a.b"};
    static const words_t inputs = {"x.bin", "1,5", "third", "fourth"};
    static const words_t argv = {"run", "{name}", "{name.}", "{rate}", "{1}", "{2}", "{a.b}"};
    static const words_t expected = {"run", "x.bin", "x", "1,5", "third", "1,5", "fourth"};
    struct message *spec = spec_of(argv, NULL, 4);
    struct task_record record = record_of(inputs);
    struct task_command command = {0};
    struct text why = {0};
    name_inputs(spec, names);
    assert_int_equal(task_spec_check(&spec->as.task_spec, &why), OK);
    assert_int_equal(task_expand(&spec->as.task_spec, &record, 1, &command, &why), OK);
    check_words(&command, expected);
    task_command_clear(&command);
    message_drop(&spec);
}

static void an_input_may_be_the_stdin(void **state)
{
    (void)state;
    static const words_t argv = {"wc", "-l"}, inputs = {"a b", "c"};
    struct message *spec = spec_of(argv, NULL, 2);
    struct task_record record = record_of(inputs);
    struct task_command command = {0};
    struct text why = {0};
    spec->as.task_spec.on_stdin = true;
    assert_int_equal(task_expand(&spec->as.task_spec, &record, 1, &command, &why), OK);
    check_words(&command, argv);
    task_expand_stdin(&record, &command);
    assert_int_equal(command.len, 6);
    assert_memory_equal(command.at, "a b\nc\n", 6);
    task_command_clear(&command);
    message_drop(&spec);
}

static void paths_have_parts(void **state)
{
    (void)state;
    static const struct {
        const char *path, *stem, *base, *directory, *base_stem;
    } cases[] = {{"a", "a", "a", ".", "a"},
                 {"a.b", "a", "a.b", ".", "a"},
                 {"d.e/a", "d.e/a", "a", "d.e", "a"},
                 {"/a.b", "/a", "a.b", "/", "a"},
                 {"/", "/", "/", "/", "/"},
                 {"", "", "", ".", ""},
                 {".bashrc", ".bashrc", ".bashrc", ".", ".bashrc"},
                 {"d/.b.c", "d/.b", ".b.c", "d", ".b"},
                 {"d/e/", "d/e/", "e", "d", "e"},
                 {"//a//b.c//", "//a//b.c//", "b.c", "//a", "b"},
                 {"a.", "a", "a.", ".", "a"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice path = slice_of(cases[i].path);
        assert_true(slice_equals(template_form(path, FORM_WHOLE), cases[i].path));
        assert_true(slice_equals(template_form(path, FORM_STEM), cases[i].stem));
        assert_true(slice_equals(template_form(path, FORM_BASE), cases[i].base));
        assert_true(slice_equals(template_form(path, FORM_DIRECTORY), cases[i].directory));
        assert_true(slice_equals(template_form(path, FORM_BASE_STEM), cases[i].base_stem));
    }
}

/* --- through a shell --- */

static void a_shell_gets_inputs_in_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *shell;
        words_t inputs;
        const char *expected;
    } cases[] = {
        {"gzip {}", {"a.txt"}, "gzip a.txt"},
        {"gzip", {"a b"}, "gzip 'a b'"},
        {"gzip", {"a", "b c"}, "gzip a 'b c'"},
        {"x {} > {.}.out", {"it's.txt"}, "x 'it'\\''s.txt' > 'it'\\''s'.out"},
        {"x {}", {"$(rm -rf /)`x`;&|\n"}, "x '$(rm -rf /)`x`;&|\n'"},
        {"x {}", {""}, "x ''"},
        {"x {}", {"~root"}, "x '~root'"},
        {"x {}", {"#"}, "x '#'"},
        {"echo {#}: {}", {"a"}, "echo 7: a"},
        /* The shell's own braces. */
        {"x ${HOME} ${1} {}", {"a"}, "x ${HOME} ${1} a"},
        {"x \\{} '{' {}", {"a"}, "x \\{} '{' a"},
        {"awk '{print $2}' {}", {"a"}, "awk '{print $2}' a"},
        {"x \"$(basename {})\" # it's", {"a b"}, "x \"$(basename 'a b')\" # it's"},
        {"x 'a'\"b\"{}", {"c d"}, "x 'a'\"b\"'c d'"},
        {"(cd {//} && (x {/}))", {"d e/f"}, "(cd 'd e' && (x f))"},
        {"echo '#{#}' \"{#}\"", {"a"}, "echo '#7' \"7\""},
    };
    struct task_command command = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task_record record = record_of(cases[i].inputs);
        struct message *spec = spec_of(NULL, cases[i].shell, record.n_inputs);
        const words_t expected = {"/bin/sh", "-c", cases[i].expected};
        struct text why = {0};
        assert_int_equal(task_spec_check(&spec->as.task_spec, &why), OK);
        assert_int_equal(task_expand(&spec->as.task_spec, &record, 7, &command, &why), OK);
        check_words(&command, expected);
        message_drop(&spec);
    }
    task_command_clear(&command);
}

/* Where a quoted word would not be one: refused before anything runs. */
static void braces_in_quotes_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "x '{}'",
        "x \"{}\"",
        "x \"a $(b \"{}\") c\"",
        "x `y {}`",
        "x \"`y {}`\"",
        "x \"${a:-{}}\"",
        "cat <<E\n{}\nE",
        "cat <<-'E'\n{}\nE",
        "x $'a\\'{}",
        "x # {}",
        "x 'a\\'b' {}",
        "x \"a\\\"{}\"",
        /* Appended within something that is open. */
        "x 'a",
        "x \"a",
        "x \\",
        "x # comment",
        "cat <<E\n",
        "((((((((((((((((((((((((((((((((( {}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct message *spec = spec_of(NULL, lines[i], 1);
        struct text why = {0};
        assert_int_equal(task_spec_check(&spec->as.task_spec, &why), ERR_MALFORMED);
        assert_non_null(strstr(why.at, "--sh"));
        message_drop(&spec);
    }
}

/* A real shell reads every byte as it was: printf puts a zero byte after each argument. */
static void quoting_is_safe_for_every_byte(void **state)
{
    (void)state;
    char command[16 * 1024] = "printf '%s\\0'";
    char expected[16 * 1024], read[16 * 1024];
    size_t len = strlen(command), expected_len = 0;
    for (int byte = 1; byte < 256; byte++) {
        char words[][4] = {{(char)byte, '\0'},
                           {'a', (char)byte, 'b', '\0'},
                           {(char)byte, (char)byte, '\'', '\0'}};
        for (size_t i = 0; i < 3; i++) {
            command[len++] = ' ';
            len += shell_quote(command + len, slice_of(words[i]));
            memcpy(expected + expected_len, words[i], strlen(words[i]) + 1);
            expected_len += strlen(words[i]) + 1;
        }
    }
    command[len] = '\0';
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fread(read, 1, sizeof read, pipe), expected_len);
    assert_int_equal(pclose(pipe), 0);
    assert_memory_equal(read, expected, expected_len);
}

static void a_word_is_shown_as_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *word, *line;
    } cases[] = {{"a", "a"},
                 {"", "''"},
                 {"a b", "'a b'"},
                 {"it's", "'it'\\''s'"},
                 {"a\nb'\\\t\r", "$'a\\nb\\'\\\\\\t\\r'"},
                 {"\x01\x7f", "$'\\x01\\x7f'"},
                 {"\xff", "$'\\xff'"},
                 {"\xc3\xa4", "'\xc3\xa4'"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char at[64];
        at[shell_quote_line(at, slice_of(cases[i].word))] = '\0';
        assert_string_equal(at, cases[i].line);
        assert_true(strlen(at) <= shell_quoted_max(strlen(cases[i].word)));
    }
}

static void commands_have_their_limits(void **state)
{
    (void)state;
    static const words_t argv = {"x", "{}{}"}, twelve = {"x", "{}", "{}", "{}"};
    char *longest = mem_new(TASK_ARG_BYTES_MAX + 1, 1);
    struct task_record record = {.n_inputs = 1};
    struct task_command command = {0};
    struct text why = {0};
    memset(longest, 'a', TASK_ARG_BYTES_MAX);
    record.inputs[0] = slice_of(longest);
    assert_int_equal(task_record_check(&record, &why), OK);
    struct message *spec = spec_of(argv, NULL, 1);
    assert_int_equal(task_expand(&spec->as.task_spec, &record, 3, &command, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.at, "task 3: an argument"));
    message_drop(&spec);
    record.n_inputs = 4;
    for (size_t i = 0; i < 4; i++)
        record.inputs[i] = slice_of(longest);
    spec = spec_of(twelve, NULL, 4);
    why = (struct text){0};
    assert_int_equal(task_expand(&spec->as.task_spec, &record, 3, &command, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.at, "the command has more than 1 MiB"));
    message_drop(&spec);
    task_command_clear(&command);
    free(longest);
}

/* --- the specification --- */

static void a_specification_is_the_same_after_its_way_as_bytes(void **state)
{
    (void)state;
    static const words_t argv = {"run", "{a}", "\xff"}, names = {"a", "b"};
    struct message *spec = spec_of(argv, NULL, 2), *again;
    struct text why = {0};
    name_inputs(spec, names);
    spec->as.task_spec.retries = 3;
    spec->as.task_spec.time_limit_us = 5;
    struct blob *bytes = task_spec_pack(spec);
    assert_non_null(bytes);
    assert_int_equal(task_spec_load((struct slice){bytes->at, bytes->len}, &again, &why), OK);
    assert_true(sample_same(spec, again));
    message_drop(&again);
    for (size_t len = 0; len < bytes->len; len++)
        assert_int_not_equal(task_spec_load((struct slice){bytes->at, len}, &again, &why), OK);
    blob_drop(&bytes);
    message_drop(&spec);
    /* Another message is none. */
    struct message *other = message_new(MESSAGE_STATUS_GET);
    struct codec_buffer buffer = {0};
    assert_int_equal(codec_encode(other, &buffer), OK);
    assert_int_equal(task_spec_load((struct slice){buffer.at, buffer.len}, &again, &why),
                     ERR_MALFORMED);
    codec_buffer_clear(&buffer);
    message_drop(&other);
}

static void a_wrong_specification_is_refused(void **state)
{
    (void)state;
    static const words_t argv = {"run", "{}"}, twice = {"a", "a"};
    struct wire_spec_env env[] = {{slice_of("A_1"), slice_of("x")}};
    struct wire_spec_file files[2];
    struct wire_spec_text glob = {slice_of("*.csv")};
    struct message *spec = spec_of(argv, NULL, 1);
    struct wire_task_spec *at = &spec->as.task_spec, sound = *at;
    struct text why = {0};
    uint8_t hash[HASH_BYTES] = {0};
    for (size_t i = 0; i < 2; i++)
        files[i] =
            (struct wire_spec_file){.path = slice_of("bin/x"), .sha256 = {hash, sizeof hash}};
    assert_int_equal(task_spec_check(at, &why), OK);
#define REFUSED(change, word)                                \
    do {                                                     \
        *at = sound;                                         \
        change;                                              \
        why = (struct text){0};                              \
        assert_int_not_equal(task_spec_check(at, &why), OK); \
        assert_non_null(strstr(why.at, word));               \
    } while (0)
    REFUSED(at->slots = 0, "--slots");
    REFUSED(at->inputs = 0, "inputs");
    REFUSED(at->argv.n = 0, "command");
    REFUSED(at->shell = slice_of("x"), "not both");
    REFUSED(at->argv.at[0].text = ((struct slice){(const uint8_t *)"a\0b", 3}), "zero");
    at->argv.at[0].text = slice_of("run");
    REFUSED((at->retries = 1, at->at_most_once = true), "--retries");
    REFUSED((at->speculate = true, at->at_most_once = true), "--speculate");
    REFUSED((at->max_fails = 1, at->max_fails_ppm = 1), "--max-fails");
    REFUSED((at->files = true, at->inputs = 2), "inputs");
    REFUSED((name_inputs(spec, twice), at->inputs = 2), "two columns");
    at->names.n = 0;
    sound.env.at = env;
    sound.env.n = 1;
    *at = sound;
    assert_int_equal(task_spec_check(at, &why), OK);
    static const char *const bad_names[] = {"", "1A", "A-B", "A=B", "CONCLAVE_TASK"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        REFUSED(env[0].name = slice_of(bad_names[i]), "--env");
    sound.env.n = 0;
    sound.uploads.at = files;
    sound.uploads.n = 1;
    *at = sound;
    assert_int_equal(task_spec_check(at, &why), OK);
    REFUSED(at->uploads.n = 2, "two files");
    REFUSED(files[0].sha256.len = 31, "--upload");
    files[0].sha256.len = 32;
    static const char *const bad_paths[] = {"", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/"};
    for (size_t i = 0; i < sizeof bad_paths / sizeof *bad_paths; i++)
        REFUSED(files[0].path = slice_of(bad_paths[i]), "--upload");
    sound.uploads.n = 0;
    sound.collect.at = &glob;
    sound.collect.n = 1;
    *at = sound;
    assert_int_equal(task_spec_check(at, &why), OK);
    for (size_t i = 0; i < sizeof bad_paths / sizeof *bad_paths; i++)
        REFUSED(glob.text = slice_of(bad_paths[i]), "--collect");
#undef REFUSED
    message_drop(&spec);
}

static void paths_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *given, *path; /* NULL: none */
    } cases[] = {{"a", "a"},
                 {"./a", "a"},
                 {"/data/in/1.csv", "data/in/1.csv"},
                 {"a//b/./c", "a/b/c"},
                 {"a b\n", "a b\n"},
                 {"..a/b..", "..a/b.."},
                 {"../a", NULL},
                 {"a/..", NULL},
                 {"", NULL},
                 {".", NULL},
                 {"/", NULL},
                 {"a/", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char at[TASK_PATH_MAX + 1];
        bool found = task_path(slice_of(cases[i].given), at);
        assert_int_equal(found, cases[i].path != NULL);
        if (found)
            assert_string_equal(at, cases[i].path);
        assert_int_equal(task_path_is_safe(slice_of(cases[i].given)),
                         found && !strcmp(cases[i].given, cases[i].path));
    }
    assert_false(task_path_is_safe((struct slice){(const uint8_t *)"a\0b", 3}));
}

static void a_command_has_a_label(void **state)
{
    (void)state;
    static const words_t argv = {"./clean.sh", "{}", "a b", "x\ny"};
    struct message *spec = spec_of(argv, NULL, 1);
    struct text label = {0};
    task_spec_label(&spec->as.task_spec, &label);
    assert_string_equal(label.at, "./clean.sh {} 'a b' $'x\\ny'");
    message_drop(&spec);
}

/* --- records --- */

static void records_are_the_same_after_their_way_as_bytes(void **state)
{
    (void)state;
    static const words_t argv = {"x"}, inputs = {"a", ""};
    struct message *spec = spec_of(argv, NULL, 2);
    struct task_record record = record_of(inputs), again;
    struct text why = {0};
    uint8_t at[256];
    uint64_t count;
    size_t len = task_record_put(at, &record);
    assert_int_equal(len, task_record_bytes(&record));
    len += task_record_put(at + len, &record);
    struct slice rest = {at, len};
    assert_true(task_records_count(rest, &count));
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), OK);
        assert_int_equal(again.n_inputs, 2);
        assert_true(slice_equals(again.inputs[0], "a") && slice_equals(again.inputs[1], ""));
    }
    assert_int_equal(rest.len, 0);
    assert_false(task_records_count((struct slice){at, len - 1}, &count));
    /* Another number of inputs, a zero byte, cut short: refused, and nothing is taken. */
    rest = (struct slice){at, len};
    for (spec->as.task_spec.inputs = 1; spec->as.task_spec.inputs < 4;
         spec->as.task_spec.inputs += 2) {
        assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), ERR_MALFORMED);
        assert_int_equal(rest.len, len);
    }
    spec->as.task_spec.inputs = 2;
    for (size_t cut = 0; cut < len / 2; cut++) {
        rest = (struct slice){at, cut};
        assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), ERR_MALFORMED);
    }
    at[2 * BYTES_LENGTH] = 0;
    rest = (struct slice){at, len};
    assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), ERR_MALFORMED);
    message_drop(&spec);
}

static void a_task_may_have_a_file_of_its_own(void **state)
{
    (void)state;
    static const words_t argv = {"x"}, inputs = {"data/1.csv"};
    struct message *spec = spec_of(argv, NULL, 1);
    struct task_record record = record_of(inputs), again;
    struct text why = {0};
    uint8_t at[256];
    spec->as.task_spec.files = record.has_file = true;
    record.file = (struct task_file){.offset = 7, .len = 1ull << 40, .executable = true};
    memset(record.file.sha256, 0xab, HASH_BYTES);
    struct slice rest = {at, task_record_put(at, &record)}, whole = rest;
    assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), OK);
    assert_true(again.has_file);
    assert_int_equal(again.file.offset, 7);
    assert_int_equal(again.file.len, 1ull << 40);
    assert_true(again.file.executable);
    assert_memory_equal(again.file.sha256, record.file.sha256, HASH_BYTES);
    /* Its path leads out of the directory. */
    memcpy(at + 2 * BYTES_LENGTH, "../d/1.csv", 10);
    rest = whole;
    assert_int_equal(task_record_take(&rest, &spec->as.task_spec, &again, &why), ERR_MALFORMED);
    message_drop(&spec);
}

static void inputs_are_one_text_for_people(void **state)
{
    (void)state;
    static const words_t inputs = {"a", "b c"};
    struct task_record record = record_of(inputs);
    char at[8];
    assert_int_equal(task_record_text(&record, at, sizeof at), 5);
    assert_memory_equal(at, "a b c", 5);
    assert_int_equal(task_record_text(&record, at, 3), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_go_where_the_braces_are),
        cmocka_unit_test(columns_have_names),
        cmocka_unit_test(an_input_may_be_the_stdin),
        cmocka_unit_test(paths_have_parts),
        cmocka_unit_test(a_shell_gets_inputs_in_quotes),
        cmocka_unit_test(braces_in_quotes_are_refused),
        cmocka_unit_test(quoting_is_safe_for_every_byte),
        cmocka_unit_test(a_word_is_shown_as_one_line),
        cmocka_unit_test(commands_have_their_limits),
        cmocka_unit_test(a_specification_is_the_same_after_its_way_as_bytes),
        cmocka_unit_test(a_wrong_specification_is_refused),
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(a_command_has_a_label),
        cmocka_unit_test(records_are_the_same_after_their_way_as_bytes),
        cmocka_unit_test(a_task_may_have_a_file_of_its_own),
        cmocka_unit_test(inputs_are_one_text_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
