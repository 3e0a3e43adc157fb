/* Integers of any size as people write them, in arguments and in files, and how they are packed and
 * cut for an upload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "clients/input/content.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/packed.h"

#define TOLD_MAX 32

static char told[TOLD_MAX][TEXT_MAX];
static size_t n_told;

static void hear(const char *line, bool in_file)
{
    (void)in_file;
    if (n_told < TOLD_MAX)
        text_format(told[n_told++], TEXT_MAX, "%s", line);
}

static struct integers_rule rule_of(unsigned base, bool positive)
{
    n_told = 0;
    return (struct integers_rule){.base = base, .positive = positive, .tell = hear};
}

/* As hexadecimal text, with its sign. */
static char *shown(const struct integer *integer)
{
    static char at[4096];
    size_t len =
        text_format(at, sizeof at, "%s%s", integer->negative ? "-" : "", integer->len ? "" : "0");
    for (size_t i = integer->len; i-- > 0;)
        len += text_format(at + len, sizeof at - len, "%02x", integer->at[i]);
    return at;
}

/* --- one integer --- */

static void what_people_write_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned base;
        const char *value;
    } cases[] = {{"0", 10, "0"},
                 {"-0", 10, "0"},
                 {"+0", 10, "0"},
                 {"12", 10, "0c"},
                 {"-5", 10, "-05"},
                 {"+7", 10, "07"},
                 {"007", 10, "07"},
                 {"-000", 10, "0"},
                 {"1_000_000", 10, "0f4240"},
                 {"1e6", 10, "0f4240"},
                 {"1E6", 10, "0f4240"},
                 {"10^6", 10, "0f4240"},
                 {"5*10^5", 10, "07a120"},
                 {"-5*10^5", 10, "-07a120"},
                 {"2^64", 10, "010000000000000000"},
                 {"2^64*2^64*2", 10, "0200000000000000000000000000000000"},
                 {"9999999999999999999", 10, "8ac7230489e7ffff"},
                 {"18446744073709551615", 10, "ffffffffffffffff"},
                 {"18446744073709551616", 10, "010000000000000000"},
                 {"-340282366920938463463374607431768211456", 10,
                  "-0100000000000000000000000000000000"},
                 {"0^0", 10, "01"},
                 {"0^5", 10, "0"},
                 {"1^99999999999999999999999", 10, "01"},
                 {"0e99999999999999999999999", 10, "0"},
                 {"0*10^99999999999999999999999", 10, "0"},
                 {"10^99999999999999999999999*0", 10, "0"},
                 {"1_0e1_0", 10, "174876e800"},
                 {"ff", 16, "ff"},
                 {"0xFF", 16, "ff"},
                 {"0Xff", 16, "ff"},
                 {"-0x1_00", 16, "-0100"},
                 {"1e6", 16, "01e6"},
                 {"00000000000000000000000000000001", 16, "01"},
                 {"0", 16, "0"},
                 {"deadbeefdeadbeefdeadbeef", 16, "deadbeefdeadbeefdeadbeef"}};
    struct integer integer = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (integer_parse(&integer, slice_of(cases[i].text), cases[i].base))
            fail_msg("%s is not read", cases[i].text);
        if (strcmp(shown(&integer), cases[i].value))
            fail_msg("%s is read as %s", cases[i].text, shown(&integer));
    }
    integer_clear(&integer);
}

static void what_is_no_integer_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned base;
        int error;
    } cases[] = {{"", 10, ERR_MALFORMED},
                 {"-", 10, ERR_MALFORMED},
                 {"+", 10, ERR_MALFORMED},
                 {"--5", 10, ERR_MALFORMED},
                 {"12x", 10, ERR_MALFORMED},
                 {"x", 10, ERR_MALFORMED},
                 {"1.5", 10, ERR_MALFORMED},
                 {"1,000", 10, ERR_MALFORMED},
                 {"1 2", 10, ERR_MALFORMED},
                 {"1__0", 10, ERR_MALFORMED},
                 {"_1", 10, ERR_MALFORMED},
                 {"1_", 10, ERR_MALFORMED},
                 {"1e", 10, ERR_MALFORMED},
                 {"1e-3", 10, ERR_MALFORMED},
                 {"e5", 10, ERR_MALFORMED},
                 {"10^", 10, ERR_MALFORMED},
                 {"10^-1", 10, ERR_MALFORMED},
                 {"2^3^4", 10, ERR_MALFORMED},
                 {"5*", 10, ERR_MALFORMED},
                 {"*5", 10, ERR_MALFORMED},
                 {"5*-3", 10, ERR_MALFORMED},
                 {"0*x", 10, ERR_MALFORMED},
                 {"0x1f", 10, ERR_MALFORMED},
                 {"ff", 10, ERR_MALFORMED},
                 {"0x", 16, ERR_MALFORMED},
                 {"x1", 16, ERR_MALFORMED},
                 {"fg", 16, ERR_MALFORMED},
                 {"10^6", 16, ERR_MALFORMED},
                 {"5*3", 16, ERR_MALFORMED},
                 {"0x_1", 16, ERR_MALFORMED},
                 {"10^10^10", 10, ERR_MALFORMED},
                 {"10^9999999999", 10, ERR_RANGE},
                 {"1e9999999999", 10, ERR_RANGE},
                 {"2^99999999999999999999999", 10, ERR_RANGE},
                 {"7^4294967296", 10, ERR_RANGE},
                 {"2^4294967296", 10, ERR_RANGE},
                 {"10^9999999999*5x", 10, ERR_MALFORMED}};
    struct integer integer = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (integer_parse(&integer, slice_of(cases[i].text), cases[i].base) != cases[i].error)
            fail_msg("'%s' in base %u", cases[i].text, cases[i].base);
    integer_clear(&integer);
}

/* --- files --- */

/* Reads text as a file would be; returns the error. The spool and the lines are the caller's. */
static int read_text(struct slice text, struct integers_rule *rule, struct integers *integers,
                     struct spool *spool, char *why)
{
    struct source source;
    spool_begin(spool);
    integers_begin(integers, spool);
    source_of_memory(&source, "numbers.txt", text);
    int error = integers_read(integers, &source, rule, why);
    source_close(&source);
    return error;
}

/* What a list holds, as decimal text with blanks. Small integers only. */
static char *listed(const struct spool *spool)
{
    static char at[4096];
    char why[TEXT_MAX];
    uint8_t *bytes = mem_new(spool->len + 1, 1);
    size_t len = 0;
    struct packed_integer one;
    assert_int_equal(spool_read(spool, 0, bytes, spool->len, why), OK);
    struct slice rest = {bytes, spool->len};
    at[0] = '\0';
    while (packed_take(&rest, &one)) {
        uint64_t value = 0;
        for (size_t i = one.magnitude.len; i-- > 0;)
            value = value << 8 | one.magnitude.at[i];
        len += text_format(at + len, sizeof at - len, "%s%s%" PRIu64, len ? " " : "",
                           one.negative ? "-" : "", value);
    }
    assert_int_equal(rest.len, 0);
    free(bytes);
    return at;
}

static void lines_of_a_file_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *listed;
    } cases[] = {{"one a line", "1\n2\n-3\n", "1 2 -3"},
                 {"no end of the last line", "1\n2", "1 2"},
                 {"CRLF", "1\r\n2\r\n\r\n3\r\n", "1 2 3"},
                 {"blank lines", "\n\n1\n \t\n2\n\n", "1 2"},
                 {"comments", "# these\n1\n#2\n  # and\n3 # three\n", "1 3"},
                 {"blanks around", "  1\n\t2  \n", "1 2"},
                 {"a byte order mark",
                  "\xef\xbb\xbf"
                  "1\n2\n",
                  "1 2"},
                 {"nothing", "", ""},
                 {"comments alone", "# none\n\n", ""},
                 {"all forms", "1_0\n1e2\n2^3\n5*10^1\n+4\n007\n0\n", "10 100 8 50 4 7 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct integers_rule rule = rule_of(10, false);
        struct integers integers;
        struct spool spool;
        char why[TEXT_MAX] = "";
        int error = read_text(slice_of(cases[i].text), &rule, &integers, &spool, why);
        if (error || rule.faults || strcmp(listed(&spool), cases[i].listed))
            fail_msg("%s: %s, %s, %s", cases[i].what, error_text(error), why, told[0]);
        integers_clear(&integers);
        spool_clear(&spool);
    }
}

static void what_is_wrong_in_a_file_is_told_by_its_line(void **state)
{
    (void)state;
    static const struct {
        unsigned base;
        bool positive;
        const char *text, *told;
    } cases[] = {
        {10, false, "1\n# x\n\n12x\n", "numbers.txt:4: '12x' is not an integer"},
        {10, false, "1.5", "numbers.txt:1: '1.5' is not an integer"},
        {10, false, "\n0x1F\n",
         "numbers.txt:2: '0x1F' is not an integer (--base 16 reads hexadecimal ones)"},
        {10, false, "1 2\n", "numbers.txt:1: '1 2' is not an integer; one a line is read"},
        {10, false, "10^9999999999\n", "numbers.txt:1: '10^9999999999' is too large"},
        {10, false, "\x1b[31m\n", "numbers.txt:1: '\\x1b[31m' is not an integer"},
        {16, false, "fg\n", "numbers.txt:1: 'fg' is not a hexadecimal integer"},
        {10, true, "5\n0\n", "numbers.txt:2: '0' is not positive; it takes integers from 1 on"},
        {10, true, "-5\n", "numbers.txt:1: '-5' is not positive; it takes integers from 1 on"},
        {10, false, "1234567890123456789012345678901234567890x\n",
         "numbers.txt:1: '1234567890123456789012345678901234567890...' is not an integer"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct integers_rule rule = rule_of(cases[i].base, cases[i].positive);
        struct integers integers;
        struct spool spool;
        char why[TEXT_MAX];
        int error = read_text(slice_of(cases[i].text), &rule, &integers, &spool, why);
        if (error || rule.faults != 1 || n_told != 1 || strcmp(told[0], cases[i].told))
            fail_msg("%s: %s", cases[i].text, n_told ? told[0] : "nothing is told");
        integers_clear(&integers);
        spool_clear(&spool);
    }
}

static void at_most_ten_bad_lines_are_told_and_all_are_counted(void **state)
{
    (void)state;
    struct integers_rule rule = rule_of(10, false);
    char text[1024] = "", why[TEXT_MAX];
    for (size_t i = 0, len = 0; i < 25; i++)
        len += text_format(text + len, sizeof text - len, "%zu\nx%zu\n", i, i);
    struct integers integers;
    struct spool spool;
    assert_int_equal(read_text(slice_of(text), &rule, &integers, &spool, why), OK);
    assert_int_equal(rule.faults, 25);
    assert_int_equal(n_told, INTEGERS_FAULTS_SHOWN);
    assert_string_equal(told[9], "numbers.txt:20: 'x9' is not an integer");
    integers_clear(&integers);
    spool_clear(&spool);
}

static void a_line_longer_than_what_is_read_at_once_is_one_integer(void **state)
{
    (void)state;
    struct integers_rule rule = rule_of(16, false);
    size_t digits = 3000001;
    char *text = mem_new(digits + 20, 1), why[TEXT_MAX];
    memset(text, 'f', digits);
    memcpy(text + digits, "\r\n-2\n", 5);
    struct integers integers;
    struct spool spool;
    assert_int_equal(read_text((struct slice){(uint8_t *)text, digits + 5}, &rule, &integers,
                               &spool, why),
                     OK);
    assert_int_equal(rule.faults, 0);
    assert_int_equal(integers.items, 2);
    assert_int_equal(spool.len, packed_bytes((digits + 1) / 2) + packed_bytes(1));
    integers_clear(&integers);
    spool_clear(&spool);
    free(text);
}

static void items_are_found_in_their_lines(void **state)
{
    (void)state;
    static const char text[] = "# head\n10\n20\n\n# x\n30\n40\n50\n\n60\n";
    static const uint64_t lines[] = {2, 3, 6, 7, 8, 10};
    struct integers_rule rule = rule_of(10, false);
    struct integers integers;
    struct spool spool;
    char why[TEXT_MAX];
    assert_int_equal(read_text(slice_of(text), &rule, &integers, &spool, why), OK);
    struct integers_place place = {0}, other = {0};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(integers_line(&integers.lines, &place, i + 1), lines[i]);
    assert_int_equal(integers_line(&integers.lines, &other, 3), 6);
    assert_int_equal(integers_line(&integers.lines, &other, 6), 10);
    integers_clear(&integers);
    spool_clear(&spool);
    /* Where item and line are the same, nothing is kept. */
    assert_int_equal(read_text(slice_of("1\n2\n3\n"), &rule, &integers, &spool, why), OK);
    assert_int_equal(integers.lines.len, 0);
    place = (struct integers_place){0};
    assert_int_equal(integers_line(&integers.lines, &place, 3), 3);
    integers_clear(&integers);
    spool_clear(&spool);
}

/* --- gzip --- */

static size_t pack(const char *text, uint8_t *at, size_t room)
{
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)text,
                       .avail_in = (uInt)strlen(text),
                       .next_out = at,
                       .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = room - stream.avail_out;
    deflateEnd(&stream);
    return len;
}

static void gzip_is_recognised_by_its_first_bytes(void **state)
{
    (void)state;
    uint8_t at[512];
    char why[TEXT_MAX] = "";
    struct integers integers;
    struct spool spool;
    size_t first = pack("1\n2\n3", at, sizeof at);
    size_t len = first + pack("4\n5\n", at + first, sizeof at - first);
    for (size_t n = 0; n <= len + 3; n++) {
        struct integers_rule rule = rule_of(10, false);
        memset(at + len, 0, 3); /* zeros behind the end are left out */
        int error = read_text((struct slice){at, n}, &rule, &integers, &spool, why);
        if (n == first)
            assert_string_equal(listed(&spool), "1 2 3");
        else if (n >= len)
            assert_string_equal(listed(&spool), "1 2 34 5");
        else if (n >= 2) {
            assert_int_equal(error, ERR_CORRUPT);
            assert_non_null(strstr(why, "numbers.txt: the gzip data"));
        }
        integers_clear(&integers);
        spool_clear(&spool);
    }
    at[len] = 'x';
    struct integers_rule rule = rule_of(10, false);
    assert_int_equal(read_text((struct slice){at, len + 2}, &rule, &integers, &spool, why),
                     ERR_CORRUPT);
    integers_clear(&integers);
    spool_clear(&spool);
    at[first / 2] ^= 0x55;
    assert_int_equal(read_text((struct slice){at, len}, &rule, &integers, &spool, why),
                     ERR_CORRUPT);
    integers_clear(&integers);
    spool_clear(&spool);
}

/* --- segments --- */

static void fill(struct spool *spool, size_t integers, size_t bytes_each)
{
    char why[TEXT_MAX];
    uint8_t *magnitude = mem_new(bytes_each + 1, 1), *at = mem_new(packed_bytes(bytes_each), 1);
    spool_begin(spool);
    for (size_t i = 0; i < integers; i++) {
        for (size_t byte = 0; byte < bytes_each; byte++)
            magnitude[byte] = (uint8_t)(1 + (i + byte) % 255);
        size_t len = packed_put(at, i % 2, (struct slice){magnitude, bytes_each});
        assert_int_equal(spool_add(spool, at, len, why), OK);
    }
    free(magnitude);
    free(at);
}

static void lists_are_cut_into_whole_integers(void **state)
{
    (void)state;
    static const struct {
        size_t integers, bytes_each, segments_least, segments_most;
    } cases[] = {{0, 1, 0, 0},       {1, 0, 1, 1},          {1000, 8, 1, 1},
                 {10000, 8, 4, 4},   {1000000, 8, 62, 65},  {10, 100000, 10, 10},
                 {3, 9000000, 3, 3}, {20000, 3000, 60, 65}, {200, 400000, 50, 70},
                 {2, 5000000, 2, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spool spool;
        struct content content;
        char why[TEXT_MAX];
        fill(&spool, cases[i].integers, cases[i].bytes_each);
        uint64_t len = spool.len, offset = 0, items = 0;
        assert_int_equal(content_of_parts(&content, "integers", &spool, why), OK);
        assert_int_equal(content.len, len);
        if (content.n_segments < cases[i].segments_least ||
            content.n_segments > cases[i].segments_most)
            fail_msg("%zu of %zu bytes: %zu segments", cases[i].integers, cases[i].bytes_each,
                     content.n_segments);
        struct hash_stream whole;
        uint8_t hash[HASH_BYTES];
        hash_begin(&whole);
        for (size_t j = 0; j < content.n_segments; j++) {
            const struct content_segment *segment = &content.segments[j];
            uint8_t *at = mem_new(segment->len, 1);
            uint64_t count;
            assert_int_equal(segment->offset, offset);
            assert_int_equal(spool_read(&content.spool, offset, at, segment->len, why), OK);
            assert_true(packed_count((struct slice){at, segment->len}, &count));
            assert_int_equal(count, segment->items);
            assert_true(segment->len <= CONTENT_MOST_BYTES || segment->items == 1);
            hash_add(&whole, at, segment->len);
            hash_bytes(at, segment->len, hash);
            assert_memory_equal(hash, segment->sha256, HASH_BYTES);
            offset += segment->len;
            items += segment->items;
            free(at);
        }
        hash_end(&whole, hash);
        assert_memory_equal(hash, content.sha256, HASH_BYTES);
        assert_int_equal(offset, len);
        assert_int_equal(items, cases[i].integers);
        content_clear(&content);
    }
}

static int of_file(struct content *content, const char *path, char *why)
{
    struct source source;
    *content = (struct content){.spool.fd = -1};
    int error = source_open(&source, path, why);
    if (!error) {
        error = content_of_source(content, &source, why);
        source_close(&source);
    }
    return error;
}

static void bytes_of_files_and_pipes_are_cut_alike(void **state)
{
    (void)state;
    char path[] = "/tmp/conclave-test-integers.XXXXXX", why[TEXT_MAX], fifo[64];
    int fd = mkstemp(path), ends[2];
    size_t len = CONTENT_MOST_BYTES + 12345;
    uint8_t *at = mem_new(len, 1);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(write(fd, at, len), len);
    struct content file, pipe_, none;
    assert_int_equal(of_file(&file, path, why), OK);
    assert_int_equal(file.n_segments, 2);
    assert_int_equal(file.segments[1].len, 12345);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    if (!fork()) {
        for (size_t done = 0; done < len;)
            done += (size_t)write(ends[1], at + done, len - done);
        _exit(0);
    }
    close(ends[1]);
    text_format(fifo, sizeof fifo, "/dev/fd/%d", ends[0]);
    assert_int_equal(of_file(&pipe_, fifo, why), OK);
    assert_int_equal(pipe_.n_segments, 2);
    assert_memory_equal(pipe_.sha256, file.sha256, HASH_BYTES);
    assert_memory_equal(pipe_.segments[0].sha256, file.segments[0].sha256, HASH_BYTES);
    assert_memory_equal(pipe_.segments[1].sha256, file.segments[1].sha256, HASH_BYTES);
    uint8_t back[100];
    assert_int_equal(spool_read(&pipe_.spool, len - 100, back, 100, why), OK);
    assert_memory_equal(back, at + len - 100, 100);
    /* A file that became shorter since is an error, not what was there before. */
    assert_int_equal(ftruncate(fd, 10), 0);
    assert_int_equal(spool_read(&file.spool, 0, back, 100, why), ERR_IO);
    assert_int_equal(of_file(&none, "/does/not/exist", why), ERR_IO);
    assert_non_null(strstr(why, "/does/not/exist"));
    content_clear(&none);
    assert_int_equal(of_file(&none, "/tmp", why), ERR_IO);
    content_clear(&none);
    content_clear(&file);
    content_clear(&pipe_);
    close(ends[0]);
    close(fd);
    unlink(path);
    free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_read),
        cmocka_unit_test(what_is_no_integer_is_refused),
        cmocka_unit_test(lines_of_a_file_are_read),
        cmocka_unit_test(what_is_wrong_in_a_file_is_told_by_its_line),
        cmocka_unit_test(at_most_ten_bad_lines_are_told_and_all_are_counted),
        cmocka_unit_test(a_line_longer_than_what_is_read_at_once_is_one_integer),
        cmocka_unit_test(items_are_found_in_their_lines),
        cmocka_unit_test(gzip_is_recognised_by_its_first_bytes),
        cmocka_unit_test(lists_are_cut_into_whole_integers),
        cmocka_unit_test(bytes_of_files_and_pipes_are_cut_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
