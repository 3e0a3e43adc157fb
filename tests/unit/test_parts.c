/* What is to be folded, as a stored value: each part a segment of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/map/parts.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/tasks/operator.h"

/* Adds texts, which end with NULL, and makes content of them. */
static void make(const char *const *texts, bool sorted, struct content *content)
{
    struct parts parts;
    parts_begin(&parts);
    for (; *texts; texts++)
        assert_int_equal(parts_add(&parts, "a part", slice_of(*texts)), EXIT_OK);
    assert_int_equal(parts_content(&parts, sorted, content), EXIT_OK);
    parts_clear(&parts);
}

static void assert_part(const struct content *content, size_t at, const char *text)
{
    const struct content_segment *segment = &content->segments[at];
    uint8_t room[64], hash[HASH_BYTES];
    char why[TEXT_MAX];
    struct slice rest = {room, segment->len}, part;
    assert_true(at < content->n_segments && segment->len <= sizeof room);
    assert_int_equal(spool_read(&content->spool, segment->offset, room, segment->len, why), OK);
    assert_true(bytes_take_part(&rest, &part) && !rest.len);
    assert_int_equal(part.len, strlen(text));
    assert_memory_equal(part.at, text, part.len);
    hash_bytes(room, segment->len, hash);
    assert_memory_equal(hash, segment->sha256, HASH_BYTES);
    assert_int_equal(segment->items, 1);
}

static void each_part_is_a_segment_in_order(void **state)
{
    (void)state;
    static const char *const texts[] = {"bbb", "", "a", "cc", "d", NULL};
    struct content content;
    make(texts, false, &content);
    assert_string_equal(content.format, "parts");
    assert_int_equal(content.n_segments, 5);
    assert_int_equal(content.items, 5);
    assert_int_equal(content.len, 7 + 5 * BYTES_LENGTH);
    for (size_t i = 0; i < 5; i++)
        assert_part(&content, i, texts[i]);
    content_clear(&content);
}

/* Of the same length they stay as they were. */
static void sorted_parts_are_in_order_of_their_sizes(void **state)
{
    (void)state;
    static const char *const texts[] = {"bbb", "", "z", "cc", "d", NULL},
                             *sorted[] = {"", "z", "d", "cc", "bbb"};
    struct content content;
    uint8_t all[64], hash[HASH_BYTES];
    char why[TEXT_MAX];
    make(texts, true, &content);
    for (size_t i = 0; i < 5; i++)
        assert_part(&content, i, sorted[i]);
    assert_int_equal(spool_read(&content.spool, 0, all, content.len, why), OK);
    hash_bytes(all, content.len, hash);
    assert_memory_equal(hash, content.sha256, HASH_BYTES);
    content_clear(&content);
}

static void more_parts_than_a_job_folds_are_refused(void **state)
{
    (void)state;
    struct parts parts;
    parts_begin(&parts);
    for (int i = 0; i < VALUE_SEGMENTS_MAX; i++)
        assert_int_equal(parts_add(&parts, "a part", slice_of("x")), EXIT_OK);
    assert_int_equal(parts_add(&parts, "a part", slice_of("x")), EXIT_USAGE);
    assert_int_equal(parts_add(&parts, "long", (struct slice){NULL, REDUCE_PART_BYTES_MAX + 1}),
                     EXIT_USAGE);
    assert_int_equal(parts.n, VALUE_SEGMENTS_MAX);
    parts_clear(&parts);
}

static void names_of_operators_are_plain(void **state)
{
    (void)state;
    static const char *const right[] = {"merge", "m", "7z", "a.b_c-d"},
                             *wrong[] = {"", ".a", "-a", "a b", "a/b", "a:b", "\xc3\xa4", "a\n"};
    char longest[OPERATOR_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(operator_name_is_valid(slice_of(right[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(operator_name_is_valid(slice_of(wrong[i])));
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(operator_name_is_valid(slice_of(longest)));
    assert_true(operator_name_is_valid(slice_of(longest + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_a_segment_in_order),
        cmocka_unit_test(sorted_parts_are_in_order_of_their_sizes),
        cmocka_unit_test(more_parts_than_a_job_folds_are_refused),
        cmocka_unit_test(names_of_operators_are_plain),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
