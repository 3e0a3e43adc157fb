/* The base library: what people type, what strangers send, and the containers against naive
 * oracles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/blob.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/histogram.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "shared/base/ring.h"
#include "shared/base/text.h"

/* --- numbers that people type --- */

struct number_case {
    const char *text;
    int error;
    uint64_t value;
};

static void whole_numbers_are_parsed_or_refused(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"0", OK, 0},
        {"7", OK, 7},
        {"007", OK, 7},
        {"18446744073709551615", OK, UINT64_MAX},
        {"18446744073709551616", ERR_RANGE, 0},
        {"99999999999999999999", ERR_RANGE, 0},
        {"99999999999999999999999999999999999999999999", ERR_RANGE, 0},
        {"99999999999999999999999x", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
        {"-1", ERR_MALFORMED, 0},
        {"+1", ERR_MALFORMED, 0},
        {" 1", ERR_MALFORMED, 0},
        {"1 ", ERR_MALFORMED, 0},
        {"1.5", ERR_MALFORMED, 0},
        {"1e3", ERR_MALFORMED, 0},
        {"0x10", ERR_MALFORMED, 0},
        {"x", ERR_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t out = 4711;
        assert_int_equal(parse_u64(slice_of(cases[i].text), UINT64_MAX, &out), cases[i].error);
        assert_true(out == (cases[i].error ? 4711 : cases[i].value));
    }
    uint64_t out;
    assert_int_equal(parse_u64(slice_of("10"), 10, &out), OK);
    assert_int_equal(parse_u64(slice_of("11"), 10, &out), ERR_RANGE);
}

static void durations_need_their_unit(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"0", OK, 0},
        {"0ms", OK, 0},
        {"500us", OK, 500},
        {"250ms", OK, 250000},
        {"2s", OK, 2000000},
        {"10m", OK, 600000000},
        {"1h", OK, 3600000000},
        {"1", ERR_MALFORMED, 0},
        {"ms", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
        {"1.5s", OK, 1500000},
        {"0.25ms", OK, 250},
        {"1.000001s", OK, 1000001},
        {"0.0", OK, 0},
        {"1.0000001s", ERR_MALFORMED, 0},
        {"1.s", ERR_MALFORMED, 0},
        {".5s", ERR_MALFORMED, 0},
        {"1.5.5s", ERR_MALFORMED, 0},
        {"1.000001h", ERR_RANGE, 0},
        {"-1s", ERR_MALFORMED, 0},
        {"1 s", ERR_MALFORMED, 0},
        {"1d", ERR_RANGE, 0},
        {"1w", ERR_MALFORMED, 0},
        {"1S", ERR_MALFORMED, 0},
        {"2h", ERR_RANGE, 0},
        {"18446744073709551615h", ERR_RANGE, 0},
        {"99999999999999999999us", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t out = 4711;
        int error = parse_duration_us(slice_of(cases[i].text), 3600 * SECOND_US, &out);
        assert_int_equal(error, cases[i].error);
        assert_true(out == (error ? 4711 : cases[i].value));
    }
}

static void sizes_are_bytes_or_binary_units(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"4096", OK, 4096},
        {"64KiB", OK, 65536},
        {"128MiB", OK, 134217728},
        {"1GiB", OK, 1073741824},
        {"1KB", OK, 1000},
        {"1kib", ERR_MALFORMED, 0},
        {"2M", OK, 2097152},
        {"1.5KiB", OK, 1536},
        {"7B", OK, 7},
        {"1.9", OK, 1},
        {"2G", OK, 2147483648},
        {"2.1G", ERR_RANGE, 0},
        {"KiB", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
        {"3GiB", ERR_RANGE, 0},
        {"17179869184GiB", ERR_RANGE, 0}, /* 2^64 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t out = 4711;
        int error = parse_size(slice_of(cases[i].text), 2048 * MIB_BYTES, &out);
        assert_int_equal(error, cases[i].error);
        assert_true(out == (error ? 4711 : cases[i].value));
    }
}

static void measures_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *time, *size;
    } cases[] = {{0, "0us", "0"},
                 {1, "1us", "1B"},
                 {1500, "1500us", "1500B"},
                 {90 * SECOND_US, "90s", "90MB"},
                 {3600 * SECOND_US, "1h", "3600MB"},
                 {24 * 3600 * SECOND_US, "1d", "86400MB"},
                 {64 * KIB_BYTES, "65536us", "64KiB"},
                 {UINT64_MAX, "18446744073709551615us", "18446744073709551615B"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char at[MEASURE_TEXT_MAX];
        uint64_t again;
        assert_string_equal(text_duration(cases[i].number, at), cases[i].time);
        assert_int_equal(parse_duration_us(slice_of(at), UINT64_MAX, &again), OK);
        assert_true(again == cases[i].number);
        assert_string_equal(text_size(cases[i].number, at), cases[i].size);
        assert_int_equal(parse_size(slice_of(at), UINT64_MAX, &again), OK);
        assert_true(again == cases[i].number);
    }
}

static void the_word_that_is_meant_is_found(void **state)
{
    (void)state;
    static const char *const words[] = {"submit", "status", "snapshot", "up", "kv"};
    static const struct {
        const char *given, *meant; /* NULL: none */
    } cases[] = {
        {"submt", "submit"},       {"sumbit", "submit"}, {"statsu", "status"}, {"stat", NULL},
        {"snapshots", "snapshot"}, {"u", NULL},          {"pu", "up"},         {"", NULL},
        {"zzzzzz", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *near = NULL;
        size_t slips = TEXT_FAR;
        for (size_t at = 0; at < sizeof words / sizeof words[0]; at++)
            if (text_nearer(slice_of(cases[i].given), slice_of(words[at]), &slips))
                near = words[at];
        if (cases[i].meant ? !near || strcmp(near, cases[i].meant) : near != NULL)
            fail_msg("'%s' is taken for %s", cases[i].given, near ? near : "nothing");
    }
}

static void probabilities_are_from_0_to_1(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"0", OK, 0},
        {"1", OK, 1000000},
        {"0.02", OK, 20000},
        {"0.000001", OK, 1},
        {"1.000000", OK, 1000000},
        {"0.5", OK, 500000},
        {"1.1", ERR_RANGE, 0},
        {"2", ERR_RANGE, 0},
        {"-0.1", ERR_MALFORMED, 0},
        {".5", ERR_MALFORMED, 0},
        {"0.", ERR_MALFORMED, 0},
        {"0.0000001", ERR_MALFORMED, 0},
        {"0,5", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t out = 4711;
        int error = parse_probability(slice_of(cases[i].text), &out);
        assert_int_equal(error, cases[i].error);
        assert_true(out == (error ? 4711 : cases[i].value));
    }
}

static void job_ids_are_read_as_they_are_written(void **state)
{
    (void)state;
    char text[JOB_TEXT_MAX];
    job_id_t job;
    assert_int_equal(parse_job_id(slice_of("3-17"), &job), OK);
    assert_true(job == ((uint64_t)3 << JOB_INDEX_BITS | 17));
    assert_string_equal(job_id_text(job, text), "3-17");
    assert_string_equal(job_id_text(UINT64_MAX, text), "16777215-1099511627775");
    uint64_t random = 5;
    for (int i = 0; i < 1000; i++) {
        job_id_t wanted = random_u64(&random);
        assert_int_equal(parse_job_id(slice_of(job_id_text(wanted, text)), &job), OK);
        assert_true(job == wanted);
    }
    static const char *const bad[] = {"",    "-",    "3",          "3-",
                                      "-17", "3--1", "3-17-1",     "x-1",
                                      "1-x", " 3-1", "16777216-1", "1-1099511627776"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(parse_job_id(slice_of(bad[i]), &job), OK);
}

/* --- text --- */

static void lines_are_cut_and_terminated(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 200; i++)
        text_add(&text, "%d,", i);
    assert_int_equal(text.len, TEXT_MAX - 1);
    assert_int_equal(strlen(text.at), TEXT_MAX - 1);
    char small[4];
    assert_int_equal(text_format(small, sizeof small, "%s", "abcdef"), 3);
    assert_string_equal(small, "abc");
    assert_int_equal(text_format(small, 0, "%s", "abcdef"), 0);
    assert_int_equal(text_format(small, sizeof small, "%s", ""), 0);
}

static void text_is_utf8_or_not(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",         "plain",        "gr\xc3\xbcn",  "\xe2\x82\xac",    "\xf0\x9f\x98\x80",
        "\xc2\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xff",
                                      "\xc3",
                                      "a\xc3z",
                                      "\xc0\x80",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(slice_of(bad[i])));
    assert_false(text_is_utf8((struct slice){(const uint8_t *)"a\0b", 3}));
}

static void strangers_bytes_are_escaped_X9(void **state)
{
    (void)state;
    char at[64];
    assert_string_equal(text_escape(at, sizeof at, slice_of("plain text")), "plain text");
    assert_string_equal(text_escape(at, sizeof at, slice_of("a\nb\x1b[31m\\\x7f\xff")),
                        "a\\x0ab\\x1b[31m\\x5c\\x7f\\xff");
    struct slice zero = {(const uint8_t *)"\0x", 2};
    assert_string_equal(text_escape(at, sizeof at, zero), "\\x00x");
    /* Any size is respected, and no escape is cut in two. */
    uint8_t bytes[100];
    memset(bytes, 1, sizeof bytes);
    for (size_t size = 1; size < sizeof at; size++) {
        memset(at, '#', sizeof at);
        text_escape(at, size, (struct slice){bytes, sizeof bytes});
        assert_true(strlen(at) < size);
        assert_int_equal(strlen(at) % 4, 0);
    }
}

static void slices_compare_by_bytes(void **state)
{
    (void)state;
    assert_true(slice_equals(slice_of("abc"), "abc"));
    assert_false(slice_equals(slice_of("abc"), "ab"));
    assert_false(slice_equals(slice_of("ab"), "abc"));
    assert_true(slice_equals((struct slice){NULL, 0}, ""));
    assert_true(slice_same((struct slice){NULL, 0}, slice_of("")));
    assert_true(slice_begins(slice_of("abc"), slice_of("ab")));
    assert_false(slice_begins(slice_of("ab"), slice_of("abc")));
    assert_false(slice_begins(slice_of("abc"), slice_of("b")));
    assert_true(slice_order(slice_of("ab"), slice_of("abc")) < 0);
    assert_true(slice_order(slice_of("b"), slice_of("abc")) > 0);
    assert_int_equal(slice_order(slice_of("abc"), slice_of("abc")), 0);
}

/* What came over the wire may have no address: the sanitizers call it a fault to hand that on. */
static void a_slice_without_an_address_is_empty(void **state)
{
    (void)state;
    struct slice none = {NULL, 0}, some = slice_of("a");
    char at[] = "kept";
    assert_ptr_equal(slice_copy(at, none), at);
    assert_string_equal(at, "kept");
    assert_true(slice_begins(some, none));
    assert_true(slice_begins(none, none));
    assert_false(slice_begins(none, some));
    assert_true(slice_order(none, some) < 0);
    assert_true(slice_order(some, none) > 0);
    assert_int_equal(slice_order(none, none), 0);
}

/* --- memory --- */

static void a_ring_keeps_the_order_while_it_grows(void **state)
{
    (void)state;
    struct ring ring = {0};
    uint64_t random = 1, pushed = 0, popped = 0;
    while (pushed < 1000) {
        if (ring.n && random_u64(&random) % 3 == 0) {
            assert_int_equal(*(uint64_t *)ring_at(&ring, 0), popped++);
            ring_pop(&ring);
        } else {
            ring_push(&ring, &pushed, sizeof pushed);
            pushed++;
        }
        assert_int_equal(ring.n, pushed - popped);
        for (size_t i = 0; i < ring.n; i++)
            assert_int_equal(*(uint64_t *)ring_at(&ring, i), popped + i);
    }
    ring_clear(&ring);
    assert_int_equal(ring.n, 0);
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena arena = {0};
    uint64_t random = 3;
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t)random_below(&random, i % 100 ? 200 : 100000);
        uint8_t *at = arena_new(&arena, size);
        assert_int_equal((uintptr_t)at % 16, 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(at[j], 0);
        memset(at, 0xaa, size);
    }
    arena_clear(&arena);
    arena_clear(&arena);
}

static void a_blob_lives_as_long_as_its_last_reference(void **state)
{
    (void)state;
    struct blob *blob = blob_copy("value", 5);
    assert_int_equal(blob->len, 5);
    assert_memory_equal(blob->at, "value", 5);
    assert_int_equal((uintptr_t)blob->at % 16, 0);
    struct blob *other = blob_ref(blob);
    assert_ptr_equal(other, blob);
    blob_drop(&blob);
    assert_null(blob);
    assert_memory_equal(other->at, "value", 5);
    blob_drop(&other);
    blob_drop(&other); /* NULL is accepted */
    assert_null(blob_ref(NULL));
    struct blob *empty = blob_copy(NULL, 0);
    assert_int_equal(empty->len, 0);
    blob_drop(&empty);
}

/* --- hash, clock, log, errors --- */

static void hashes_are_sha256(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES], streamed[HASH_BYTES];
    char text[HASH_TEXT_MAX];
    hash_bytes("abc", 3, hash); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(hash_text(hash, text),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct hash_stream stream;
    hash_begin(&stream);
    hash_add(&stream, "a", 1);
    hash_add(&stream, NULL, 0);
    hash_add(&stream, "bc", 2);
    hash_end(&stream, streamed);
    assert_memory_equal(hash, streamed, HASH_BYTES);
}

static void times_are_written_as_iso_8601(void **state)
{
    (void)state;
    char at[CLOCK_TEXT_MAX];
    assert_string_equal(clock_text(0, at), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_text(UINT64_C(951782400123), at), "2000-02-29T00:00:00.123Z");
    uint64_t before = clock_now_us();
    assert_true(clock_now_us() >= before);
    (void)clock_text(UINT64_MAX, at); /* whatever a stranger claims */
    assert_true(strlen(at) < sizeof at);
}

static void log_levels_are_known_by_name(void **state)
{
    (void)state;
    enum log_level level;
    assert_int_equal(log_parse_level(slice_of("error"), &level), OK);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_parse_level(slice_of("debug"), &level), OK);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_parse_level(slice_of("Debug"), &level), ERR_MALFORMED);
    assert_int_equal(log_parse_level(slice_of(""), &level), ERR_MALFORMED);
    log_open("a test", LOG_WARN);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
}

static void every_error_has_a_text(void **state)
{
    (void)state;
#define X(symbol, text) assert_string_equal(error_text(symbol), text);
    ERRORS(X)
#undef X
    assert_string_equal(error_text(-1), "unknown error");
    assert_string_equal(error_text(10000), "unknown error");
}

static void planes_have_names(void **state)
{
    (void)state;
    assert_string_equal(plane_name(PLANE_CONTROL), "control");
    assert_string_equal(plane_name(PLANE_VALUE), "value");
    assert_string_equal(plane_name(PLANE_COUNT), "unknown");
}

static void a_histogram_puts_each_time_in_one_bucket_and_travels_whole(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        size_t bucket;
    } times[] = {{0, 0},    {100, 0},      {101, 1},      {1000, 3},
                 {1001, 4}, {1000000, 11}, {1000001, 12}, {UINT64_MAX, 12}};
    struct histogram histogram = {.sum_us = 7}, again;
    uint8_t bytes[HISTOGRAM_BYTES];
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(histogram_bucket(times[i].us), times[i].bucket);
        histogram.counts[times[i].bucket]++;
    }
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
        assert_true(histogram_bound_us(i) > histogram_bound_us(i - 1));
    assert_int_equal(histogram_count(&histogram), sizeof times / sizeof *times);
    histogram_pack(&histogram, bytes);
    assert_true(histogram_unpack((struct slice){bytes, sizeof bytes}, &again));
    assert_memory_equal(&again, &histogram, sizeof again);
    for (size_t len = 0; len < sizeof bytes; len++) {
        assert_false(histogram_unpack((struct slice){bytes, len}, &again));
        assert_int_equal(histogram_count(&again) + again.sum_us, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_parsed_or_refused),
        cmocka_unit_test(durations_need_their_unit),
        cmocka_unit_test(sizes_are_bytes_or_binary_units),
        cmocka_unit_test(measures_are_written_as_they_are_read),
        cmocka_unit_test(the_word_that_is_meant_is_found),
        cmocka_unit_test(probabilities_are_from_0_to_1),
        cmocka_unit_test(job_ids_are_read_as_they_are_written),
        cmocka_unit_test(lines_are_cut_and_terminated),
        cmocka_unit_test(strangers_bytes_are_escaped_X9),
        cmocka_unit_test(text_is_utf8_or_not),
        cmocka_unit_test(slices_compare_by_bytes),
        cmocka_unit_test(a_slice_without_an_address_is_empty),
        cmocka_unit_test(a_ring_keeps_the_order_while_it_grows),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(a_blob_lives_as_long_as_its_last_reference),
        cmocka_unit_test(hashes_are_sha256),
        cmocka_unit_test(times_are_written_as_iso_8601),
        cmocka_unit_test(log_levels_are_known_by_name),
        cmocka_unit_test(every_error_has_a_text),
        cmocka_unit_test(planes_have_names),
        cmocka_unit_test(a_histogram_puts_each_time_in_one_bucket_and_travels_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
