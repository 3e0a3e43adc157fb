/* Checksums of a store's records: damage is seen, and stores of before are read (R23). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/map.h"
#include "shared/base/random.h"

static bool holds(uint64_t sum, uint64_t seed, const void *at, size_t len)
{
    uint8_t found[8];
    bytes_put_be64(found, sum);
    return disk_check_holds(found, seed, at, len);
}

/* Of every length up to some lines of words: each bit, the length, and the seed count. */
static void a_checksum_sees_every_flipped_bit_R23(void **state)
{
    uint8_t bytes[100];
    uint64_t random = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_u64(&random);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint64_t sum = disk_check(5, bytes, len);
        assert_true(holds(sum, 5, bytes, len));
        assert_false(holds(sum, 6, bytes, len));
        assert_false(len && holds(sum, 5, bytes, len - 1));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(holds(sum, 5, bytes, len));
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    memset(bytes, 0, sizeof bytes); /* nothing is something, too */
    assert_true(disk_check(5, bytes, 8) != disk_check(5, bytes, 9));
}

/* Stores that exist have the one of before, and nobody rewrites them. */
static void the_checksum_of_before_is_taken(void **state)
{
    static const char text[] = "entry";
    (void)state;
    uint64_t sum = map_hash(text, sizeof text) ^ 9 * RANDOM_GAMMA;
    assert_true(holds(sum, 9, text, sizeof text));
    assert_false(holds(sum, 8, text, sizeof text));
    assert_false(holds(sum, 9, "entrz", sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checksum_sees_every_flipped_bit_R23),
        cmocka_unit_test(the_checksum_of_before_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
