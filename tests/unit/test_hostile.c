/* X6: whatever bytes arrive as a first frame, the codec refuses or decodes them: it never crashes,
 * reads past their end, or allocates for what they merely claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/error.h"
#include "shared/base/random.h"
#include "shared/wire/codec.h"
#include "tests/harness/pack.h"
#include "tests/harness/samples.h"

static struct codec_buffer buffer;
static struct pack pack;

static size_t allocations, allocated_bytes;

static int tear_down(void **state)
{
    (void)state;
    codec_buffer_clear(&buffer);
    return 0;
}

/* --- counting what is allocated; sanitizers have allocators of their own --- */

#ifndef __SANITIZE_ADDRESS__
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

void *malloc(size_t size)
{
    allocations++;
    allocated_bytes += size;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    allocated_bytes += count * size;
    return __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
    allocations++;
    allocated_bytes += size;
    return __libc_realloc(at, size);
}

static void allocations_are_counted(void **state)
{
    (void)state;
    size_t before = allocations, bytes_before = allocated_bytes;
    free(mem_new(7, 100));
    assert_true(allocations == before + 1 && allocated_bytes >= bytes_before + 700);
}
#endif

/* --- scanning and decoding under watch --- */

/* Both are given a copy of exactly this length: a sanitizer sees any read past its end. */
static int scan(struct slice frame, struct text *why)
{
    uint8_t *copy = mem_new(frame.len, 1);
    if (frame.len)
        memcpy(copy, frame.at, frame.len);
    *why = (struct text){0};
    size_t before = allocations;
    int error = codec_scan((struct slice){copy, frame.len}, why);
    assert_int_equal(allocations, before);
    assert_true(error ? why->len > 0 : !why->len);
    free(copy);
    return error;
}

/* Decodes; what comes out must be within the limits: it can be encoded again. */
static int decode(struct slice frame)
{
    struct message *message;
    struct text why;
    int scanned = scan(frame, &why);
    uint8_t *copy = mem_new(frame.len, 1);
    if (frame.len)
        memcpy(copy, frame.at, frame.len);
    why = (struct text){0};
    size_t before = allocated_bytes;
    int error = codec_decode((struct slice){copy, frame.len}, &message, &why);
    free(copy);
    /* Two numbers of 24 bytes a byte of msgpack, and the message: far from what bombs claim. */
    assert_true(allocated_bytes - before <= 256 * frame.len + 65536);
    assert_true(error ? !message && why.len > 0 : message && !why.len);
    if (scanned) {
        assert_int_equal(error, scanned);
    } else {
        /* What the scan lets pass, msgpack reads as well: they agree on the format. */
        assert_null(strstr(why.at, "not msgpack"));
    }
    if (message) {
        struct text line = {0};
        codec_print(message, &line);
        assert_int_equal(codec_encode(message, &buffer), OK);
        message_drop(&message);
    }
    return error;
}

static struct slice encoded(const struct message *message)
{
    assert_int_equal(codec_encode(message, &buffer), OK);
    pack.len = 0;
    pack_raw(&pack, buffer.at, buffer.len);
    return pack_bytes(&pack);
}

#define EACH_TYPE(type)                                                                    \
    (enum message_type type = (enum message_type)(MESSAGE_NONE + 1); type < MESSAGE_TYPES; \
     type = (enum message_type)(type + 1))

/* --- valid frames, damaged --- */

static void a_frame_cut_anywhere_is_refused_X6(void **state)
{
    (void)state;
    uint64_t random = 1;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 4; i++) {
                struct message *message =
                    i ? sample_random(type, &random, 3, 20) : sample_small(type);
                struct slice frame = encoded(message);
                struct pack whole = pack;
                for (size_t len = 0; len < frame.len; len++)
                    assert_int_equal(decode((struct slice){whole.at, len}), ERR_MALFORMED);
                assert_int_equal(decode((struct slice){whole.at, frame.len}), OK);
                message_drop(&message);
            }
        }
}

static void bytes_left_over_are_refused_X6(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            struct message *message = sample_small(type);
            encoded(message);
            pack_number(&pack, 0);
            assert_int_equal(decode(pack_bytes(&pack)), ERR_MALFORMED);
            encoded(message);
            struct pack twice = pack;
            pack_raw(&twice, pack.at, pack.len);
            assert_int_equal(decode(pack_bytes(&twice)), ERR_MALFORMED);
            message_drop(&message);
        }
}

static void a_flipped_bit_does_no_harm_X6(void **state)
{
    (void)state;
    uint64_t random = 2;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 3; i++) {
                struct message *message =
                    i ? sample_random(type, &random, 2, 10) : sample_small(type);
                struct slice frame = encoded(message);
                struct pack damaged = pack;
                for (size_t bit = 0; bit < 8 * frame.len; bit++) {
                    damaged.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
                    decode(pack_bytes(&damaged));
                    damaged.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
                message_drop(&message);
            }
        }
}

static void damaged_in_many_places_does_no_harm_X6(void **state)
{
    (void)state;
    uint64_t random = 3;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 1000; i++) {
                struct message *message = sample_random(type, &random, 3, 20);
                if (codec_encode(message, &buffer) == OK) {
                    encoded(message);
                    for (uint64_t n = random_below(&random, 8); n; n--) {
                        size_t at = (size_t)random_below(&random, pack.len);
                        pack.at[at] = (uint8_t)random_u64(&random);
                    }
                    decode(pack_bytes(&pack));
                }
                message_drop(&message);
            }
        }
}

/* --- bytes from nowhere --- */

static void random_bytes_do_no_harm_X6(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int i = 0; i < 200000; i++) {
        pack.len = (size_t)random_below(&random, i % 100 ? 64 : 4096);
        for (size_t j = 0; j < pack.len; j++)
            pack.at[j] = (uint8_t)random_u64(&random);
        decode(pack_bytes(&pack));
    }
}

/* Well-formed msgpack of any shape, with now and then a byte that is not. */
static void add_object(uint64_t *random, unsigned depth)
{
    static const char *const words[] = {"type", "hello", "submit", "request", "job", "ops", ""};
    uint8_t bytes[40];
    uint64_t dice = random_below(random, depth < 10 ? 14 : 8);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_u64(random);
    if (pack.len > 60000)
        dice = 0;
    switch (dice) {
    case 0:
        pack_number(&pack, random_u64(random) >> random_below(random, 64));
        break;
    case 1:
        pack_text(&pack, words[random_below(random, sizeof words / sizeof words[0])]);
        break;
    case 2:
        pack_string(&pack, bytes, (size_t)random_below(random, sizeof bytes));
        break;
    case 3:
        pack_binary(&pack, bytes, (size_t)random_below(random, sizeof bytes));
        break;
    case 4: /* a scalar of any format, with its body */
        bytes[0] = (uint8_t)(0xc0 + random_below(random, 0x20));
        bytes[1] = bytes[1] & 7;
        pack_raw(&pack, bytes, 1 + (size_t)random_below(random, 20));
        break;
    case 5: /* fixext 1 to 16 */
        bytes[0] = (uint8_t)(0xd4 + random_below(random, 5));
        pack_raw(&pack, bytes, 2 + ((size_t)1 << (bytes[0] - 0xd4)));
        break;
    case 6:
    case 7:
        pack_raw(&pack, random_below(random, 2) ? "\xc2" : "\xc0", 1);
        break;
    default: {
        uint64_t n = random_below(random, 6);
        bool map = dice % 2;
        map ? pack_map(&pack, n) : pack_array(&pack, n);
        for (uint64_t i = 0; i < n; i++) {
            if (map)
                pack_text(&pack, words[random_below(random, sizeof words / sizeof words[0])]);
            add_object(random, depth + 1);
        }
    }
    }
}

static void random_msgpack_does_no_harm_X6(void **state)
{
    (void)state;
    uint64_t random = 5;
    unsigned passed = 0;
    for (int i = 0; i < 100000; i++) {
        struct text why;
        pack.len = 0;
        if (i % 2) {
            pack_map(&pack, 1 + random_below(&random, 4));
            pack_text(&pack, "type");
        }
        add_object(&random, 0);
        passed += !scan(pack_bytes(&pack), &why);
        decode(pack_bytes(&pack));
    }
    assert_true(passed > 10000); /* else this tests nothing */
}

/* --- bombs --- */

static void assert_refused(struct slice frame, int error, const char *what)
{
    struct text why;
    size_t before = allocated_bytes;
    assert_int_equal(scan(frame, &why), error);
    assert_non_null(strstr(why.at, what));
    assert_int_equal(decode(frame), error);
    assert_true(allocated_bytes - before < 1024 * 1024);
}

static void huge_counts_are_refused_X6(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t len;
        int error;
    } bombs[] = {
        {"\xdd\xff\xff\xff\xff", 5, ERR_MALFORMED},     /* array 32 */
        {"\xdc\xff\xff", 3, ERR_MALFORMED},             /* array 16 */
        {"\xdf\xff\xff\xff\xff", 5, ERR_MALFORMED},     /* map 32 */
        {"\xdf\x80\x00\x00\x00", 5, ERR_MALFORMED},     /* twice that is 2^32 */
        {"\xde\xff\xff", 3, ERR_MALFORMED},             /* map 16 */
        {"\xdb\xff\xff\xff\xff", 5, ERR_MALFORMED},     /* str 32 */
        {"\xda\xff\xff", 3, ERR_MALFORMED},             /* str 16 */
        {"\xd9\xff", 2, ERR_MALFORMED},                 /* str 8 */
        {"\xc6\xff\xff\xff\xff", 5, ERR_MALFORMED},     /* bin 32 */
        {"\xc9\xff\xff\xff\xff\x01", 6, ERR_MALFORMED}, /* ext 32 */
        {"\xc8\xff\xff\x01", 4, ERR_MALFORMED},         /* ext 16 */
        {"\xc7\xff\x01", 3, ERR_MALFORMED},             /* ext 8 */
        {"\xd8\x01", 2, ERR_MALFORMED},                 /* fixext 16 */
        {"\xdd\x00\x00\x00\x0b", 5, ERR_MALFORMED},     /* one more than there are bytes */
        {"\xc1", 1, ERR_MALFORMED},                     /* never used */
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        /* Alone, with a few bytes after it, and as the value of a field. */
        pack.len = 0;
        pack_raw(&pack, bombs[i].head, bombs[i].len);
        assert_refused(pack_bytes(&pack), bombs[i].error, "");
        pack_raw(&pack, "\0\0\0\0\0\0\0\0\0\0", 10);
        assert_refused(pack_bytes(&pack), bombs[i].error, "");
        pack.len = 0;
        pack_map(&pack, 2);
        pack_text(&pack, "type");
        pack_text(&pack, "task");
        pack_text(&pack, "ops");
        pack_raw(&pack, bombs[i].head, bombs[i].len);
        assert_refused(pack_bytes(&pack), bombs[i].error, "");
    }
}

/* Arrays in arrays, each claiming as many elements as there are bytes left
 * (msgpack-c issue 1013). */
static void claims_that_multiply_are_refused_X6(void **state)
{
    (void)state;
    for (unsigned width = 4; width < 60000; width = width * 5 / 4 + 1) {
        memset(pack.at, 0, sizeof pack.at);
        pack.len = 0;
        for (unsigned depth = 0; depth < MSGPACK_DEPTH_MAX; depth++)
            pack_array(&pack, width);
        pack.len = width;
        struct text why;
        assert_int_not_equal(scan(pack_bytes(&pack), &why), OK);
        assert_int_not_equal(decode(pack_bytes(&pack)), OK);
    }
}

static void nesting_beyond_8_is_refused_X6(void **state)
{
    (void)state;
    for (int maps = 0; maps < 2; maps++) {
        for (unsigned depth = 1; depth < 20000; depth = depth < 20 ? depth + 1 : depth * 3) {
            struct text why;
            pack.len = 0;
            for (unsigned i = 0; i < depth; i++) {
                maps ? pack_map(&pack, 1) : pack_array(&pack, 1);
                if (maps)
                    pack_text(&pack, "k");
            }
            pack_number(&pack, 1);
            if (depth <= MSGPACK_DEPTH_MAX)
                assert_int_equal(scan(pack_bytes(&pack), &why), OK);
            else
                assert_refused(pack_bytes(&pack), ERR_TOO_BIG, "nested too deeply");
        }
    }
}

static void more_than_20000_elements_are_refused_X6(void **state)
{
    (void)state;
    struct text why;
    for (int maps = 0; maps < 2; maps++) {
        for (unsigned n = MSGPACK_ELEMENTS_MAX - 2; n <= MSGPACK_ELEMENTS_MAX + 2; n += 2) {
            pack.len = 0;
            maps ? pack_map(&pack, n / 2) : pack_array(&pack, n);
            for (unsigned i = 0; i < n; i++)
                pack_number(&pack, 0);
            if (n <= MSGPACK_ELEMENTS_MAX)
                assert_int_equal(scan(pack_bytes(&pack), &why), OK);
            else
                assert_refused(pack_bytes(&pack), ERR_TOO_BIG, "too many");
        }
    }
    /* In many small containers, too. */
    pack.len = 0;
    pack_array(&pack, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        pack_array(&pack, 30);
        for (unsigned j = 0; j < 30; j++)
            pack_number(&pack, 0);
    }
    assert_refused(pack_bytes(&pack), ERR_TOO_BIG, "too many");
}

static void more_than_64_KiB_are_refused_X6(void **state)
{
    (void)state;
    static uint8_t filler[FRAME_MAP_MAX_BYTES];
    struct text why;
    pack.len = 0;
    pack_map(&pack, 2);
    pack_text(&pack, "type");
    pack_text(&pack, "status_get");
    pack_text(&pack, "x");
    pack_binary(&pack, filler, FRAME_MAP_MAX_BYTES - pack.len - 3);
    assert_int_equal(pack.len, FRAME_MAP_MAX_BYTES);
    assert_int_equal(scan(pack_bytes(&pack), &why), OK);
    pack_number(&pack, 1);
    assert_refused(pack_bytes(&pack), ERR_TOO_BIG, "64 KiB");
    pack.len = 0;
    pack_binary(&pack, filler, sizeof filler);
    assert_refused(pack_bytes(&pack), ERR_TOO_BIG, "64 KiB");
    assert_refused((struct slice){NULL, 0}, ERR_MALFORMED, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(allocations_are_counted),
#endif
        cmocka_unit_test(a_frame_cut_anywhere_is_refused_X6),
        cmocka_unit_test(bytes_left_over_are_refused_X6),
        cmocka_unit_test(a_flipped_bit_does_no_harm_X6),
        cmocka_unit_test(damaged_in_many_places_does_no_harm_X6),
        cmocka_unit_test(random_bytes_do_no_harm_X6),
        cmocka_unit_test(random_msgpack_does_no_harm_X6),
        cmocka_unit_test(huge_counts_are_refused_X6),
        cmocka_unit_test(claims_that_multiply_are_refused_X6),
        cmocka_unit_test(nesting_beyond_8_is_refused_X6),
        cmocka_unit_test(more_than_20000_elements_are_refused_X6),
        cmocka_unit_test(more_than_64_KiB_are_refused_X6),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
