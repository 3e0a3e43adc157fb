/* clients/map: where the inputs of a command come from, what is asked for, and folds of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/map/fold.h"
#include "clients/map/inputs.h"
#include "clients/map/request.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"

#define ALL_MAX 2048 /* bytes of all tasks of a test, as text */

static char dir[] = "/tmp/conclave-test-map.XXXXXX";

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

static void put_bytes(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

/* All tasks as one text: inputs with | between them, ; after each task. Returns the error that
 * ended it, ERR_NOT_FOUND for none. */
static int read_all(struct inputs *inputs, char *all, struct text *why)
{
    struct task_record *record = mem_new(1, sizeof *record);
    size_t len = 0;
    int error;
    while (!(error = inputs_next(inputs, record, why)))
        for (size_t i = 0; i < record->n_inputs; i++)
            len += text_format(all + len, ALL_MAX - len, "%.*s%c", (int)record->inputs[i].len,
                               record->inputs[i].at, i + 1 < record->n_inputs ? '|' : ';');
    all[len] = '\0';
    free(record);
    return error;
}

static void check(const struct inputs_request *request, const char *expected, int expected_error,
                  const char *expected_why)
{
    struct inputs *inputs;
    struct text why = {0};
    char all[ALL_MAX] = "";
    int error = inputs_open(request, &inputs, &why);
    if (!error)
        error = read_all(inputs, all, &why);
    assert_int_equal(error, expected_error);
    if (expected)
        assert_string_equal(all, expected);
    if (expected_why)
        assert_non_null(strstr(why.at, expected_why));
    inputs_destroy(&inputs);
}

/* --- words and lines --- */

static void check_words(const char *words, bool link, const char *expected, int error,
                        const char *why)
{
    char *copy = mem_string(words), *rest = copy, *list[32];
    struct inputs_request request = {.sources = list, .link = link};
    for (char *word; (word = strsep(&rest, " "));)
        list[request.n_sources++] = word;
    check(&request, expected, error, why);
    free(copy);
}

static void words_and_lines_are_inputs(void **state)
{
    (void)state;
    put("lines", "x y\n\n#z\nlast");
    put("two", "1\n2\n");
    put("three", "1\n2\n3\n");
    put("empty", "");
    put("crlf", "a\r\n");
    put_bytes("zero", "a\nb\0c\n", 6);
    static const struct {
        const char *words, *expected;
        bool link;
        int error;
        const char *why;
    } cases[] = {
        {"::: a b c", "a;b;c;", false, ERR_NOT_FOUND, NULL},
        {":::", "", false, ERR_NOT_FOUND, NULL},
        {":::: lines", "x y;;#z;last;", false, ERR_NOT_FOUND, NULL},
        {":::: crlf", "a\r;", false, ERR_NOT_FOUND, NULL},
        {":::: empty", "", false, ERR_NOT_FOUND, NULL},
        {"::: a b ::: 1 2", "a|1;a|2;b|1;b|2;", false, ERR_NOT_FOUND, NULL},
        {"::: a :::: two ::: x y", "a|1|x;a|1|y;a|2|x;a|2|y;", false, ERR_NOT_FOUND, NULL},
        {":::: two three", "1|1;1|2;1|3;2|1;2|2;2|3;", false, ERR_NOT_FOUND, NULL},
        {"::: a b ::: ", "a|;b|;", false, ERR_NOT_FOUND, NULL},
        {":::: three :::: empty", "", false, ERR_NOT_FOUND, NULL},
        {"::: a b ::: 1 2", "a|1;b|2;", true, ERR_NOT_FOUND, NULL},
        {":::: two ::: x y", "1|x;2|y;", true, ERR_NOT_FOUND, NULL},
        {"::: a b ::: c", "", true, ERR_MALFORMED, "source 1 has 2 inputs, source 2 has 1"},
        {"::: a b :::: three", "a|1;b|2;", true, ERR_MALFORMED, "source 1 has fewer"},
        {"::: a b", "", true, ERR_MALFORMED, "--link"},
        {":::: missing", "", false, ERR_IO, "missing"},
        {":::: .", "", false, ERR_IO, "directory"},
        {"::::", "", false, ERR_MALFORMED, "needs a file"},
        {":::+ a", "", false, ERR_MALFORMED, "--link"},
        {":::: zero", "a;", false, ERR_MALFORMED, "zero:2: "},
        {":::: - :::: -", "", false, ERR_MALFORMED, "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_words(cases[i].words, cases[i].link, cases[i].expected, cases[i].error, cases[i].why);
}

static void a_line_that_no_argument_can_hold_is_named(void **state)
{
    (void)state;
    char *longest = mem_new(TASK_ARG_BYTES_MAX + 4, 1);
    memset(longest, 'a', TASK_ARG_BYTES_MAX + 1);
    longest[0] = '\n';
    put("longest", longest);
    struct inputs *inputs;
    struct text why = {0};
    char *words[] = {(char[]){"::::"}, (char[]){"longest"}};
    struct inputs_request request = {.sources = words, .n_sources = 2};
    struct task_record *record = mem_new(1, sizeof *record);
    assert_int_equal(inputs_open(&request, &inputs, &why), OK);
    assert_int_equal(inputs_next(inputs, record, &why), OK);
    assert_int_equal(inputs_next(inputs, record, &why), OK);
    assert_int_equal(record->inputs[0].len, TASK_ARG_BYTES_MAX);
    assert_int_equal(inputs_next(inputs, record, &why), ERR_NOT_FOUND);
    inputs_destroy(&inputs);
    longest[TASK_ARG_BYTES_MAX + 1] = 'a';
    put("longest", longest);
    assert_int_equal(inputs_open(&request, &inputs, &why), OK);
    assert_int_equal(inputs_next(inputs, record, &why), OK);
    assert_int_equal(inputs_next(inputs, record, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.at, "longest:2: "));
    inputs_destroy(&inputs);
    free(record);
    free(longest);
}

/* --- tables --- */

static void a_table_has_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
        int error;
        const char *why;
    } cases[] = {
        {"a,b\n1,2\n3,4\n", "1|2;3|4;", ERR_NOT_FOUND, NULL},
        {"a,b\r\n1,2\r\n3,4", "1|2;3|4;", ERR_NOT_FOUND, NULL},
        {"\xef\xbb\xbf"
         "a,b\n1,2\n",
         "1|2;", ERR_NOT_FOUND, NULL},
        {"a\n\n1\n\r\n2\n", "1;2;", ERR_NOT_FOUND, NULL},
        {"a,b\n,\n", "|;", ERR_NOT_FOUND, NULL},
        {"a,b\n\"x,\"\"y\"\"\nz\",\"\"\n", "x,\"y\"\nz|;", ERR_NOT_FOUND, NULL},
        {"a,b\n x , y \n", " x | y ;", ERR_NOT_FOUND, NULL},
        {"a\nx\ry\n", "x\ry;", ERR_NOT_FOUND, NULL},
        {"a,b\n", "", ERR_NOT_FOUND, NULL},
        {"", "", ERR_MALFORMED, "name the columns"},
        {"a,b\n1,2\n3\n", "1|2;", ERR_MALFORMED, "table:3: 1 field, but the header names 2"},
        {"a,b\n1,2,3\n", "", ERR_MALFORMED, "table:2: 3 fields"},
        {"a,b\n\"x\n\n1,2\n", "", ERR_MALFORMED, "table:2: a quote is opened"},
        {"a,b\n\"x\"y,2\n", "", ERR_MALFORMED, "table:2: a quote is within"},
        {"a,b\nx\"y,2\n", "", ERR_MALFORMED, "table:2: a quote is within"},
        {"a\n\"x\ny\"\n\"\n", "x\ny;", ERR_MALFORMED, "table:4: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("table", cases[i].text);
        struct inputs_request request = {.csv = "table"};
        check(&request, cases[i].expected, cases[i].error, cases[i].why);
    }
}

/* --- numbers and files --- */

static void numbers_of_an_array_are_inputs(void **state)
{
    (void)state;
    static const struct {
        const char *range, *expected; /* NULL: refused */
    } cases[] = {{"1-3", "1;2;3;"},
                 {"0-0", "0;"},
                 {"1-9:4", "1;5;9;"},
                 {"1-8:4", "1;5;"},
                 {"5-6:100", "5;"},
                 {"18446744073709551613-18446744073709551614",
                  "18446744073709551613;18446744073709551614;"},
                 {"3-1", NULL},
                 {"1-", NULL},
                 {"-3", NULL},
                 {"1", NULL},
                 {"1-3:0", NULL},
                 {"1-3:", NULL},
                 {"1:2-3", NULL},
                 {"a-b", NULL},
                 {"1-3x", NULL},
                 {"1-99999999999999999999", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inputs_request request = {.array = cases[i].range};
        check(&request, cases[i].expected ? cases[i].expected : "",
              cases[i].expected ? ERR_NOT_FOUND : ERR_MALFORMED,
              cases[i].expected ? NULL : "--array");
    }
    struct inputs_request most = {.array = "1-10000001"};
    check(&most, "", ERR_TOO_BIG, "10000000");
}

static void files_are_sorted_and_must_be_there(void **state)
{
    (void)state;
    mkdir("data", 0777);
    mkdir("data/sub", 0777);
    put("data/b.csv", "b");
    put("data/a.csv", "a");
    put("data/a b.csv", "a");
    const char *patterns[] = {"data/*.csv", "./data/[b].csv"};
    struct inputs_request request = {.files = {patterns, 1}};
    check(&request, "data/a b.csv;data/a.csv;data/b.csv;", ERR_NOT_FOUND, NULL);
    request.files.n = 2;
    check(&request, "data/a b.csv;data/a.csv;data/b.csv;data/b.csv;", ERR_NOT_FOUND, NULL);
    patterns[1] = "data/*.txt";
    check(&request, "", ERR_NOT_FOUND, "nothing matches 'data/*.txt'");
    patterns[0] = "data/sub";
    request.files.n = 1;
    check(&request, "", ERR_IO, "not a regular file");
    patterns[0] = "data/../data/a.csv";
    check(&request, "data/a.csv;", ERR_NOT_FOUND, NULL); /* what is after the dots */
    put("data/c..d", "");
    patterns[0] = "./data/../data/sub/../c..d";
    check(&request, "c..d;", ERR_NOT_FOUND, NULL);
    assert_int_equal(unlink("data/c..d"), 0);
}

static void inputs_come_from_one_place(void **state)
{
    (void)state;
    char *words[] = {(char[]){":::"}, (char[]){"a"}};
    const char *pattern = "*";
    struct inputs_request request = {.sources = words, .n_sources = 2, .csv = "table"};
    check(&request, "", ERR_MALFORMED, "::: and :::: or from --csv");
    request = (struct inputs_request){.array = "1-2", .files = {&pattern, 1}};
    check(&request, "", ERR_MALFORMED, "--array or from --files");
    request = (struct inputs_request){.array = "1-2", .link = true};
    check(&request, "", ERR_MALFORMED, "--link");
}

/* --- what is asked for --- */

static void words_are_a_command_and_its_inputs(void **state)
{
    (void)state;
    static const struct {
        const char *words, *argv, *sources, *csv, *why; /* why: refused */
        bool shell;
    } cases[] = {
        {"gzip -9 {} ::: a b", "gzip -9 {}", "::: a b", NULL, NULL, false},
        {"-- gzip -9", "gzip -9", "", NULL, NULL, false},
        {"gzip -- -9 :::: f", "gzip -- -9", ":::: f", NULL, NULL, false},
        {"train {a} --csv f", "train {a}", "", "f", NULL, false},
        {"-- train {a} --csv f", "train {a} --csv f", "", NULL, NULL, false},
        {"train --csv f ::: x", "train --csv f", "::: x", NULL, NULL, false},
        {"--csv f", "--csv f", "", NULL, NULL, false},
        {"::: a", "", "::: a", NULL, NULL, true},
        {"", "", "", NULL, NULL, true},
        {"x ::: a", NULL, NULL, NULL, "--sh has the whole command", true},
        {"::: a", NULL, NULL, NULL, "a command is needed", false},
        {"--", NULL, NULL, NULL, "a command is needed", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = mem_string(cases[i].words), *rest = copy, *list[32], joined[64];
        struct map_request request = {.shell = cases[i].shell ? "x" : NULL};
        struct text why = {0};
        size_t n = 0, len = 0;
        for (char *word; *copy && (word = strsep(&rest, " "));)
            list[n++] = word;
        int error = map_words(&request, n, list, &why);
        assert_int_equal(error, cases[i].why ? ERR_MALFORMED : OK);
        if (cases[i].why) {
            assert_non_null(strstr(why.at, cases[i].why));
        } else {
            joined[0] = '\0';
            for (size_t j = 0; j < request.n_argv; j++)
                len += text_format(joined + len, sizeof joined - len, "%s%s", j ? " " : "",
                                   request.argv[j]);
            assert_string_equal(joined, cases[i].argv);
            assert_int_equal(request.inputs.n_sources > 0, cases[i].sources[0] != '\0');
            if (cases[i].csv)
                assert_string_equal(request.inputs.csv, cases[i].csv);
            else
                assert_null(request.inputs.csv);
        }
        free(copy);
    }
}

static void a_pattern_that_the_shell_has_read_is_noticed(void **state)
{
    (void)state;
    char *words[] = {(char[]){"b.csv"}, (char[]){"--"}, (char[]){"x"}};
    const char *first = "a.csv";
    struct map_request request = {.inputs.files = {&first, 1}};
    struct text why = {0};
    assert_int_equal(map_words(&request, 3, words, &why), ERR_MALFORMED);
    assert_non_null(strstr(why.at, "quote the pattern"));
}

static int open_spec(const struct map_request *request, struct inputs **inputs,
                     struct message **spec, struct text *why)
{
    *why = (struct text){0};
    int error = inputs_open(&request->inputs, inputs, why);
    assert_int_equal(error, OK);
    return map_spec(request, *inputs, spec, why);
}

static void options_become_a_specification(void **state)
{
    (void)state;
    setenv("MAP_TEST", "from here", 1);
    put("table", "a,b\n1,2\n");
    char *argv[] = {(char[]){"x"}, (char[]){"{b}"}};
    const char *env[] = {"A=1=2", "MAP_TEST", "EMPTY="}, *unset[] = {"MAP_TEST_UNSET"};
    struct map_request request = {.inputs.csv = "table",
                                  .argv = argv,
                                  .n_argv = 2,
                                  .slots = 1,
                                  .max_fails = "10%",
                                  .env = {env, 3}};
    struct inputs *inputs;
    struct message *message;
    struct text why;
    assert_int_equal(open_spec(&request, &inputs, &message, &why), OK);
    const struct wire_task_spec *spec = &message->as.task_spec;
    assert_int_equal(spec->inputs, 2);
    assert_true(slice_equals(spec->names.at[1].text, "b"));
    assert_int_equal(spec->max_fails_ppm, 100000);
    assert_true(slice_equals(spec->env.at[0].name, "A"));
    assert_true(slice_equals(spec->env.at[0].value, "1=2"));
    assert_true(slice_equals(spec->env.at[1].value, "from here"));
    assert_true(slice_equals(spec->env.at[2].value, ""));
    message_drop(&message);
    inputs_destroy(&inputs);

    static const char *const bad[] = {"0", "", "x", "101%", "%", "1.5%", "-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        request.max_fails = bad[i];
        assert_int_equal(open_spec(&request, &inputs, &message, &why), ERR_MALFORMED);
        assert_non_null(strstr(why.at, "--max-fails"));
        inputs_destroy(&inputs);
    }
    request.max_fails = "3";
    request.env = (struct option_list){unset, 1};
    assert_int_equal(open_spec(&request, &inputs, &message, &why), ERR_MALFORMED);
    assert_non_null(strstr(why.at, "MAP_TEST_UNSET is not set here"));
    inputs_destroy(&inputs);
    request.env.n = 0;
    request.retries = 1;
    request.at_most_once = true;
    assert_int_equal(open_spec(&request, &inputs, &message, &why), ERR_MALFORMED);
    assert_non_null(strstr(why.at, "--at-most-once"));
    inputs_destroy(&inputs);
}

/* --- records --- */

struct store {
    uint8_t at[1024];
    size_t len;
    uint64_t offset; /* of the next file */
    int fails_at;    /* the put of that number, from 1 */
    int puts;
};

static int store_record(void *context, struct slice record, struct text *why)
{
    struct store *store = context;
    if (++store->puts == store->fails_at) {
        text_add(why, "full");
        return ERR_FULL;
    }
    memcpy(store->at + store->len, record.at, record.len);
    store->len += record.len;
    return OK;
}

static int store_file(void *context, const char *path, struct task_record *record, struct text *why)
{
    struct store *store = context;
    (void)why;
    record->file = (struct task_file){.offset = store->offset, .len = strlen(path)};
    store->offset += strlen(path);
    return OK;
}

static void records_go_to_whoever_stores_them(void **state)
{
    (void)state;
    mkdir("own", 0777);
    put("own/1", "");
    put("own/22", "");
    char *argv[] = {(char[]){"x"}};
    const char *pattern = "./own/*";
    struct map_request request = {.inputs.files = {&pattern, 1},
                                  .argv = argv,
                                  .n_argv = 1,
                                  .slots = 1};
    struct store store = {0};
    struct map_sink sink = {store_record, store_file, &store};
    struct inputs *inputs;
    struct message *message, *again;
    struct text why;
    assert_int_equal(open_spec(&request, &inputs, &message, &why), OK);
    assert_int_equal(map_records(message, inputs, &sink, &why), OK);
    assert_int_equal(inputs_count(inputs), 2);
    inputs_destroy(&inputs);
    message_drop(&message);

    uint64_t count;
    struct slice rest = {store.at, store.len}, part;
    struct task_record record;
    assert_true(task_records_count(rest, &count));
    assert_int_equal(count, 3);
    assert_true(bytes_take_part(&rest, &part));
    assert_int_equal(task_spec_load(part, &again, &why), OK);
    assert_int_equal(task_record_take(&rest, &again->as.task_spec, &record, &why), OK);
    assert_true(slice_equals(record.inputs[0], "own/1"));
    assert_int_equal(task_record_take(&rest, &again->as.task_spec, &record, &why), OK);
    assert_true(slice_equals(record.inputs[0], "own/22"));
    assert_int_equal(record.file.offset, 7);
    assert_int_equal(rest.len, 0);
    message_drop(&again);

    store = (struct store){.fails_at = 2};
    assert_int_equal(open_spec(&request, &inputs, &message, &why), OK);
    assert_int_equal(map_records(message, inputs, &sink, &why), ERR_FULL);
    assert_string_equal(why.at, "full");
    inputs_destroy(&inputs);
    message_drop(&message);
}

/* --- folds --- */

/* Writes the names of its operands in brackets, which shows the shape. */
static int bracket(void *context, size_t n, const char *const *files, const char *to,
                   struct text *why)
{
    (void)why;
    FILE *out = fopen(to, "w");
    int *left = context;
    assert_non_null(out);
    assert_in_range(n, 2, FOLD_ARITY_MAX);
    fputc('(', out);
    for (size_t i = 0; i < n; i++) {
        FILE *in = fopen(files[i], "r");
        assert_non_null(in);
        for (int byte; (byte = fgetc(in)) != EOF;)
            fputc(byte, out);
        fclose(in);
    }
    fputc(')', out);
    fclose(out);
    return left && !--*left ? ERR_TIMEOUT : OK;
}

static void shapes_keep_the_order(void **state)
{
    (void)state;
    static const char *const files[] = {"a", "b", "c", "d", "e"};
    static const char *const expected[FOLD_SHAPES] = {"((((ab)c)d)e)", "((((ab)c)d)e)",
                                                      "(a(b(c(de))))", "(((ab)(cd))e)",
                                                      "((abc)(de))",   "((abcd)e)"};
    static const uint64_t runs[FOLD_SHAPES] = {4, 4, 4, 4, 3, 2};
    mkdir("fold", 0777);
    for (size_t i = 0; i < 5; i++)
        put(files[i], files[i]);
    for (size_t shape = 0; shape < FOLD_SHAPES; shape++) {
        struct fold_result result;
        struct text why = {0};
        char path[128], read[64] = "";
        assert_int_equal(fold_run(bracket, NULL, shape, 5, files, "fold", &result, &why), OK);
        text_format(path, sizeof path, "fold/%s", result.path);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t len = fread(read, 1, sizeof read - 1, file);
        fclose(file);
        assert_string_equal(read, expected[shape]);
        assert_int_equal(result.runs, runs[shape]);
        assert_int_equal(result.bytes, len);
        unlink(path);
        assert_int_equal(rmdir("fold"), 0); /* nothing else is left */
        mkdir("fold", 0777);
    }
    int left = 2;
    struct fold_result result;
    struct text why = {0};
    assert_int_equal(fold_run(bracket, &left, 0, 5, files, "fold", &result, &why), ERR_TIMEOUT);
    assert_int_equal(rmdir("fold"), 0);
}

static void the_first_difference_of_two_files_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint64_t offset, line; /* 0: equal */
    } cases[] = {{"", "", 0, 0},         {"a\nb\n", "a\nb\n", 0, 0}, {"a", "b", 1, 1},
                 {"a\nb", "a\nc", 3, 2}, {"a\n", "a\nb", 3, 2},      {"", "x", 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t offset, line;
        put("one", cases[i].a);
        put("other", cases[i].b);
        assert_int_equal(fold_compare("one", "other", &offset, &line), !cases[i].offset);
        if (cases[i].offset) {
            assert_int_equal(offset, cases[i].offset);
            assert_int_equal(line, cases[i].line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_lines_are_inputs),
        cmocka_unit_test(a_line_that_no_argument_can_hold_is_named),
        cmocka_unit_test(a_table_has_rows),
        cmocka_unit_test(numbers_of_an_array_are_inputs),
        cmocka_unit_test(files_are_sorted_and_must_be_there),
        cmocka_unit_test(inputs_come_from_one_place),
        cmocka_unit_test(words_are_a_command_and_its_inputs),
        cmocka_unit_test(a_pattern_that_the_shell_has_read_is_noticed),
        cmocka_unit_test(options_become_a_specification),
        cmocka_unit_test(records_go_to_whoever_stores_them),
        cmocka_unit_test(shapes_keep_the_order),
        cmocka_unit_test(the_first_difference_of_two_files_is_found),
    };
    return cmocka_run_group_tests(tests, go_to_a_directory, remove_the_directory);
}
