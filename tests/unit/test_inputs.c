/* The words that name a job's inputs and stored values, and the rows of common factors, as the
 * command line reads and shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_inputs.h"
#include "clients/ask/jobspec.h"
#include "clients/ask/stored.h"
#include "clients/show/bar.h"
#include "clients/show/gcds.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

static void lines_of_jobs_with_inputs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line, *kind;
        size_t first, second;
        uint64_t base;
    } cases[] = {{"product 12 -5 7", "product", 3, 0, 10},
                 {"product @numbers.txt", "product", 1, 0, 10},
                 {"product @- 5 # and a comment", "product", 2, 0, 10},
                 {"  product\tvalue:9c1f job:4-17 ", "product", 2, 0, 10},
                 {"product ff --base 16", "product", 1, 0, 16},
                 {"product --base=16 ff 0x1", "product", 2, 0, 16},
                 {"batch-gcd @m.txt", "batch-gcd", 1, 0, 10},
                 {"batch-gcd @m.txt --against @known.txt", "batch-gcd", 1, 1, 10},
                 {"batch-gcd --against=@a 15 21 --against 5 --base 10", "batch-gcd", 2, 2, 10},
                 {"batch-gcd 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "batch-gcd", 15, 0, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jobspec spec;
        char why[TEXT_MAX] = "";
        if (jobspec_parse_line(slice_of(cases[i].line), &spec, why))
            fail_msg("%s: %s", cases[i].line, why);
        assert_string_equal(spec.kind, cases[i].kind);
        assert_string_equal(spec.spec, "");
        assert_non_null(spec.inputs);
        assert_int_equal(spec.inputs->at[0].n_words, cases[i].first);
        assert_int_equal(spec.inputs->at[1].n_words, cases[i].second);
        assert_int_equal(spec.inputs->base, cases[i].base);
        assert_int_equal(spec.inputs->positive, spec.inputs->n == 2);
        jobspec_clear(&spec);
        assert_null(spec.inputs);
    }
}

static void what_is_no_job_with_inputs_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {{"product", "product takes integers"},
                 {"product --base 16", "product takes integers"},
                 {"product 1 --base 7", "--base takes 10 or 16"},
                 {"product 1 --base", "--base takes 10 or 16"},
                 {"product 1 --against @known", "product takes no --against"},
                 {"batch-gcd 1 --against", "--against takes the known integers"},
                 {"batch-gcd --against @known", "batch-gcd takes integers"},
                 {"batch-gcd 1 --bass 16", "batch-gcd takes no '--bass'"},
                 {"factorial 10 --base 16", "--base is for kinds that read integers"},
                 {"factorial 10 --against 3", "--against is for kinds that read integers"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jobspec spec;
        char why[TEXT_MAX] = "";
        int error = jobspec_parse_line(slice_of(cases[i].line), &spec, why);
        if (error != ERR_MALFORMED || !strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].line, why);
        assert_null(spec.inputs);
    }
}

static void words_that_need_a_cluster_or_stdin_are_known(void **state)
{
    (void)state;
    struct jobspec spec;
    char why[TEXT_MAX];
    assert_int_equal(jobspec_parse_line(slice_of("product 1 @file"), &spec, why), OK);
    assert_false(job_inputs_are_remote(spec.inputs) || job_inputs_read_stdin(spec.inputs));
    jobspec_clear(&spec);
    assert_int_equal(jobspec_parse_line(slice_of("batch-gcd 1 --against value:12ab"), &spec, why),
                     OK);
    assert_true(job_inputs_are_remote(spec.inputs));
    jobspec_clear(&spec);
    assert_int_equal(jobspec_parse_line(slice_of("product 1 @- job:1-2"), &spec, why), OK);
    assert_true(job_inputs_are_remote(spec.inputs) && job_inputs_read_stdin(spec.inputs));
    jobspec_clear(&spec);
}

static void names_of_stored_values_are_read(void **state)
{
    (void)state;
    static const char whole[] = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    static const struct {
        const char *word, *prefix;
        job_id_t id;
    } cases[] = {{"value:9c1f", "9c1f", 0},
                 {"value:9C1F", "9c1f", 0},
                 {"9c1f", "9c1f", 0},
                 {"12345", "12345", 0},
                 {"4-17", "", (job_id_t)4 << 40 | 17},
                 {"value:4-17", "", (job_id_t)4 << 40 | 17},
                 {whole, whole, 0}};
    struct stored_name name;
    char why[TEXT_MAX], long_one[2 * HASH_BYTES + 2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (stored_parse(cases[i].word, &name, why))
            fail_msg("%s: %s", cases[i].word, why);
        assert_string_equal(name.prefix, cases[i].prefix);
        assert_int_equal(name.id, cases[i].id);
    }
    static const char *const wrong[] = {"",    "value:", "value:9c1", "9cx1", "value:9c1f ",
                                        "0-0", "-"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (stored_parse(wrong[i], &name, why) != ERR_MALFORMED || !strstr(why, "SHA-256"))
            fail_msg("%s", wrong[i]);
    text_format(long_one, sizeof long_one, "%s0", whole);
    assert_int_equal(stored_parse(long_one, &name, why), ERR_MALFORMED);
}

/* --- common factors --- */

static int parse(struct gcds *gcds, const char *text, uint64_t integers)
{
    char *copy = mem_string(text);
    return gcds_parse(gcds, copy, strlen(copy), integers);
}

/* What one of the forms writes. */
static char *written(const struct gcds *gcds, void (*write)(const struct gcds *gcds, FILE *out))
{
    static char at[2048];
    memset(at, 0, sizeof at);
    FILE *out = fmemopen(at, sizeof at, "w");
    write(gcds, out);
    fclose(out);
    return at;
}

static void rows_of_common_factors_are_shown(void **state)
{
    (void)state;
    static const char text[] = "2\t5,k3\td3c100000000000000000007\n5\t2\tf\tduplicate\n900\t\t11\n";
    struct gcds gcds;
    assert_int_equal(parse(&gcds, text, 2000), OK);
    assert_string_equal(written(&gcds, gcds_rows),
                        "2\t5,k3\td3c100000000000000000007\n5\t2\tf\n900\t\t11\n");
    assert_string_equal(written(&gcds, gcds_table),
                        "2000 moduli: 3 share a factor, 1997 do not, 1 are equal to another one\n"
                        "    LINE      WITH  GCD\n"
                        "       2     5,...  d3c1...07 (96 bits)\n"
                        "       5         2  0xf  equal\n"
                        "     900            0x11\n");
    json_t *object = gcds_json(&gcds);
    char *json = json_dumps(object, JSON_COMPACT);
    assert_string_equal(
        json, "{\"moduli\":2000,\"shared\":3,\"duplicates\":1,\"rows\":["
              "{\"line\":2,\"with\":[5],\"known\":[3],\"gcd\":\"d3c100000000000000000007\","
              "\"duplicate\":false},"
              "{\"line\":5,\"with\":[2],\"known\":[],\"gcd\":\"f\",\"duplicate\":true},"
              "{\"line\":900,\"with\":[],\"known\":[],\"gcd\":\"11\",\"duplicate\":false}]}");
    free(json);
    json_decref(object);
    gcds_clear(&gcds);
    /* The result of a job in which nothing is shared is one empty line. */
    assert_int_equal(parse(&gcds, "\n", 3), OK);
    assert_string_equal(written(&gcds, gcds_rows), "");
    assert_string_equal(written(&gcds, gcds_table),
                        "3 moduli: 0 share a factor, 3 do not, 0 are equal to another one\n");
    gcds_clear(&gcds);
}

static void what_are_no_rows_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"x\t1\tf\n",          "0\t1\tf\n",
                                        "4\t1\tf\n",          "1\t2\t\n",
                                        "1\t2\tF\n",          "1\t2\tf\tequal\n",
                                        "1\t2;3\tf\n",        "1\tk\tf\n",
                                        "2\t1\tf\n1\t2\tf\n", "2\t1\tf\n2\t1\tf\n",
                                        "1\t2\t\x1b[31m\n",   "1 2 f\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gcds gcds;
        if (parse(&gcds, cases[i], 3) != ERR_MALFORMED)
            fail_msg("%s was taken", cases[i]);
        gcds_clear(&gcds);
    }
}

static void a_bar_of_bytes_tells_sizes(void **state)
{
    (void)state;
    struct text line = {0}, small = {0};
    bar_line_bytes(&line, 50 * MIB_BYTES, 100 * MIB_BYTES, 0, 5 * SECOND_US);
    assert_string_equal(line.at, "[############............]  50%  50/100 MiB  10.0 MiB/s  ETA 5s");
    bar_line_bytes(&small, 512 * KIB_BYTES, MIB_BYTES, 512 * KIB_BYTES, 0);
    assert_string_equal(small.at, "[############............]  50%  512/1024 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_jobs_with_inputs_are_read),
        cmocka_unit_test(what_is_no_job_with_inputs_is_refused),
        cmocka_unit_test(words_that_need_a_cluster_or_stdin_are_known),
        cmocka_unit_test(names_of_stored_values_are_read),
        cmocka_unit_test(rows_of_common_factors_are_shown),
        cmocka_unit_test(what_are_no_rows_is_refused),
        cmocka_unit_test(a_bar_of_bytes_tells_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
