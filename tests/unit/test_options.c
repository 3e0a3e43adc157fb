/* Options: the command line, the environment, what is wrong, and the help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/options.h"
#include "shared/base/text.h"

struct values {
    bool flag;
    uint64_t number, time, size;
    const char *word;
    enum log_level level;
    uint64_t limit;
    const char *here;
    struct option_list list;
    bool letter;
};

static struct values values;
static const struct option_spec specs[] = {
    {"flag", OPTION_FLAG, &values.flag, 0, 0, NULL, "a flag"},
    {"number", OPTION_U64, &values.number, 1, 100, "N", "a number"},
    {"some-time", OPTION_DURATION, &values.time, 1000, 10 * SECOND_US, "TIME", "a time"},
    {"size", OPTION_SIZE, &values.size, 1, MIB_BYTES, "SIZE", "a size"},
    {"word", OPTION_STRING, &values.word, 0, 0, "WORD", "a word"},
    {"level", OPTION_LEVEL, &values.level, 0, 0, "LEVEL", "a level"},
    {"limit", OPTION_DURATION, &values.limit, 1000, TIME_NEVER_US, "TIME", "a time or never"},
    {"here", OPTION_WORD, &values.here, 0, 0, "WORD", "a word of the line"},
    {"list", OPTION_LIST, &values.list, 0, 0, "WORD", "several words"},
    {"u", OPTION_FLAG, &values.letter, 0, 0, NULL, "a letter"},
    {0}};
#define WORDS_MAX 20

/* Parses a line whose words are separated by single blanks ("" is written as two blanks). */
static int parse_with(int (*parser)(const struct option_spec *, int, char **, int *, char *),
                      const char *line, int *n_words, char **words, char *why)
{
    static char room[TEXT_MAX];
    static char *argv[WORDS_MAX + 2];
    int argc = 0;
    free(values.list.at);
    values = (struct values){.number = 42, .level = LOG_INFO};
    text_format(room, sizeof room, "program %s", line);
    char *rest = room;
    for (char *word; (word = strsep(&rest, " ")) && argc < WORDS_MAX;)
        argv[argc++] = word;
    if (!*line)
        argc = 1;
    argv[argc] = NULL;
    why[0] = '\0';
    int error = parser(specs, argc, argv, n_words, why);
    for (int i = 0; i < *n_words && words; i++)
        words[i] = argv[1 + i];
    return error;
}

static int parse(const char *line, int *n_words, char **words, char *why)
{
    return parse_with(options_parse, line, n_words, words, why);
}

static void options_come_from_the_command_line(void **state)
{
    (void)state;
    char why[TEXT_MAX], *words[WORDS_MAX];
    int n_words;
    assert_int_equal(parse("", &n_words, words, why), OK);
    assert_int_equal(n_words, 0);
    assert_int_equal(values.number, 42);
    assert_int_equal(parse("one --flag --number 7 two --some-time=250ms --size 64KiB --word=a=b "
                           "--level debug three",
                           &n_words, words, why),
                     OK);
    assert_true(values.flag);
    assert_int_equal(values.number, 7);
    assert_int_equal(values.time, 250000);
    assert_int_equal(values.size, 65536);
    assert_string_equal(values.word, "a=b");
    assert_int_equal(values.level, LOG_DEBUG);
    assert_int_equal(n_words, 3);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "two");
    assert_string_equal(words[2], "three");
    assert_int_equal(parse("--flag=0 -- --number 7 -1", &n_words, words, why), OK);
    assert_false(values.flag);
    assert_int_equal(n_words, 3);
    assert_string_equal(words[0], "--number");
    assert_int_equal(parse("factorial -1", &n_words, words, why), OK);
    assert_string_equal(words[1], "-1");
    /* The later one wins. */
    assert_int_equal(parse("--number 7 --number 8", &n_words, words, why), OK);
    assert_int_equal(values.number, 8);
}

static void options_that_are_wrong_say_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name, *allowed;
    } cases[] = {
        {"--number 0", "--number", "from 1 to 100"},
        {"--number 101", "--number", "from 1 to 100"},
        {"--number=", "--number", "from 1 to 100"},
        {"--number x", "'x'", "from 1 to 100"},
        {"--number", "--number", "needs a value"},
        {"--number -1", "--number", "'-1'"},
        {"--some-time 5", "--some-time", "250ms"},
        {"--some-time 11s", "--some-time", "10s"},
        {"--some-time 999us", "--some-time", "from 1ms"},
        {"--some-time never", "--some-time", "from 1ms"},
        {"--size 2MiB", "--size", "64K"},
        {"--level loud", "--level", "debug"},
        {"--flag=yes", "--flag", "0 or 1"},
        {"--word=", "--word", "not empty"},
        {"--limit ever", "--limit", "or never"},
        {"--list=", "--list", "not empty"},
        {"--nonsense", "--nonsense", "unknown option"},
        {"--numbe 1", "--numbe", "did you mean --number?"},
        {"--fleg", "--fleg", "did you mean --flag?"},
        {"--nu 1", "--nu", "did you mean --number?"},
        {"--time 1", "--time", "did you mean --some-time?"},
        {"-n 1", "'-n'", "did you mean --number?"},
        {"-number 1", "'-number'", "did you mean --number?"},
        {"-x", "'-x'", "unknown option"},
        {"--number\x1b 1", "\\x1b", "unknown option"},
    };
    char why[TEXT_MAX];
    int n_words;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].line, &n_words, NULL, why), ERR_MALFORMED);
        assert_non_null(strstr(why, cases[i].name));
        assert_non_null(strstr(why, cases[i].allowed));
        assert_null(strchr(why, '\n'));
    }
}

static void options_may_be_given_several_times_or_be_a_letter(void **state)
{
    (void)state;
    char why[TEXT_MAX], *words[WORDS_MAX];
    int n_words;
    assert_int_equal(parse("--list a x --list=b --list a -u --limit never", &n_words, words, why),
                     OK);
    assert_int_equal(values.list.n, 3);
    assert_string_equal(values.list.at[0], "a");
    assert_string_equal(values.list.at[1], "b");
    assert_string_equal(values.list.at[2], "a");
    assert_true(values.letter);
    assert_int_equal(n_words, 1);
    assert_string_equal(words[0], "x");
}

static void a_command_of_its_own_ends_the_options(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {{"--flag -u run --number x", "run --number x"},
                 {"--flag -u -- --run -l", "-- --run -l"},
                 {"--flag -u - --number", "- --number"},
                 {"--flag -u", ""},
                 {"--flag -u run -- x", "run -- x"}};
    char why[TEXT_MAX], *words[WORDS_MAX];
    int n_words;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text joined = {0};
        assert_int_equal(parse_with(options_parse_leading, cases[i].line, &n_words, words, why),
                         OK);
        assert_true(values.flag && values.letter);
        for (int j = 0; j < n_words; j++)
            text_add(&joined, "%s%s", j ? " " : "", words[j]);
        assert_string_equal(joined.at, cases[i].words);
    }
    assert_int_equal(parse_with(options_parse_leading, "--numb 1 run", &n_words, words, why),
                     ERR_MALFORMED);
    assert_int_equal(parse_with(options_parse_leading, "-x run", &n_words, words, why),
                     ERR_MALFORMED);
}

static void options_come_from_the_environment_too(void **state)
{
    (void)state;
    char why[TEXT_MAX];
    int n_words;
    setenv("CONCLAVE_HERE", "x", 1); /* which means something else */
    setenv("CONCLAVE_LIST", "x", 1);
    setenv("CONCLAVE_SOME_TIME", "2s", 1);
    setenv("CONCLAVE_FLAG", "1", 1);
    setenv("CONCLAVE_NUMBER", "9", 1);
    assert_int_equal(parse("--number 10", &n_words, NULL, why), OK);
    assert_int_equal(values.time, 2 * SECOND_US);
    assert_true(values.flag);
    assert_int_equal(values.number, 10); /* the command line wins */
    setenv("CONCLAVE_NUMBER", "", 1);    /* empty is as good as unset */
    assert_int_equal(parse("", &n_words, NULL, why), OK);
    assert_int_equal(values.number, 42);
    setenv("CONCLAVE_NUMBER", "many", 1);
    assert_int_equal(parse("", &n_words, NULL, why), ERR_MALFORMED);
    assert_non_null(strstr(why, "CONCLAVE_NUMBER"));
    assert_null(values.here);
    assert_int_equal(values.list.n, 0);
    unsetenv("CONCLAVE_HERE");
    unsetenv("CONCLAVE_LIST");
    unsetenv("CONCLAVE_SOME_TIME");
    unsetenv("CONCLAVE_FLAG");
    unsetenv("CONCLAVE_NUMBER");
}

static void help_has_a_line_an_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    options_help(specs, out);
    fclose(out);
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        assert_non_null(strstr(text, spec->name));
        assert_non_null(strstr(text, spec->help));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_from_the_command_line),
        cmocka_unit_test(options_that_are_wrong_say_what_is_allowed),
        cmocka_unit_test(options_may_be_given_several_times_or_be_a_letter),
        cmocka_unit_test(a_command_of_its_own_ends_the_options),
        cmocka_unit_test(options_come_from_the_environment_too),
        cmocka_unit_test(help_has_a_line_an_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
