/* Every message of the schema, by its description: what is sent is what arrives, and what is wrong
 * is named. An encoder of the tests' own (pack.h) stands against that of the codec. */
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

static int tear_down(void **state)
{
    (void)state;
    codec_buffer_clear(&buffer);
    return 0;
}

/* Decodes a copy of exactly this length: a sanitizer sees any read past its end. */
static int decode(struct slice frame, struct message **out, struct text *why)
{
    uint8_t *copy = mem_new(frame.len, 1);
    if (frame.len)
        memcpy(copy, frame.at, frame.len);
    *why = (struct text){0};
    int error = codec_decode((struct slice){copy, frame.len}, out, why);
    free(copy);
    assert_true(error ? !*out && why->len > 0 : *out && !why->len);
    return error;
}

static struct slice encoded(const struct message *message)
{
    assert_int_equal(codec_encode(message, &buffer), OK);
    return (struct slice){buffer.at, buffer.len};
}

static void assert_decodes_to(struct slice frame, const struct message *expected)
{
    struct message *message;
    struct text why;
    if (decode(frame, &message, &why))
        fail_msg("%s: %s", message_name(expected->type), why.at);
    if (!sample_same(message, expected))
        fail_msg("%s does not come back as it was", message_name(expected->type));
    message_drop(&message);
}

static void assert_refused(struct slice frame, int expected, const char *type, const char *field,
                           const char *what)
{
    struct message *message;
    struct text why;
    int error = decode(frame, &message, &why);
    if (error != expected || !strstr(why.at, type) || !strstr(why.at, field) ||
        !strstr(why.at, what))
        fail_msg("%s.%s: '%s' was expected to %s; got %s: %s", type, field, what,
                 error_text(expected), error_text(error), why.at);
}

#define EACH_TYPE(type)                                                                    \
    (enum message_type type = (enum message_type)(MESSAGE_NONE + 1); type < MESSAGE_TYPES; \
     type = (enum message_type)(type + 1))

/* --- the table --- */

static void the_table_is_consistent(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct message_kind *kind = message_kind(type);
            assert_int_equal(message_type_of(slice_of(kind->name)), type);
            assert_string_equal(message_name(type), kind->name);
            assert_true(kind->record()->size <= sizeof((struct message *)NULL)->as);
            assert_true(strlen(kind->doc) > 0);
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            for (size_t i = 0; i < n; i++) {
                assert_true(strcmp(fields[i]->name, "type")); /* that key is the message's own */
                assert_true(strlen(fields[i]->doc) > 0);
                assert_true(fields[i]->max > 0);
            }
        }
    assert_null(message_kind(MESSAGE_NONE));
    assert_null(message_kind(MESSAGE_TYPES));
    assert_string_equal(message_name(MESSAGE_TYPES), "none");
    assert_int_equal(message_type_of(slice_of("")), MESSAGE_NONE);
    assert_int_equal(message_type_of(slice_of("none")), MESSAGE_NONE);
    assert_int_equal(message_type_of(slice_of("Hello")), MESSAGE_NONE);
}

/* message->as.channel and message->as.request read the beginning of any message of their place. */
static void shared_beginnings_are_at_the_same_place(void **state)
{
    (void)state;
#define OFFSETS(name, a, b) \
    assert_int_equal(offsetof(struct wire_##a, name), offsetof(struct wire_##b, name))
    for
        EACH_TYPE(type)
        {
            const struct record *record = message_kind(type)->record();
            enum message_place place = message_kind(type)->place;
            if (place == PLACE_CHANNEL) {
                static const char *const names[] = {
                    "src", "src_incarnation", "dst_incarnation", "seq", "ack", "clock"};
                for (size_t i = 0; i < 6; i++) {
                    assert_string_equal(record->fields[i].name, names[i]);
                    assert_int_equal(record->fields[i].offset, i * sizeof(uint64_t));
                }
            } else if (place == PLACE_REQUEST) {
                assert_string_equal(record->fields[0].name, "request");
                assert_string_equal(record->fields[1].name, "node");
                assert_int_equal(record->fields[1].offset, offsetof(struct wire_request, node));
            } else if (place == PLACE_REPLY) {
                assert_string_equal(record->fields[0].name, "request");
                assert_int_equal(record->fields[0].offset, 0);
            }
        }
    OFFSETS(node, heartbeat, event);
    OFFSETS(incarnation, heartbeat, event);
    OFFSETS(seq, heartbeat, event);
    OFFSETS(src, value_get, value_chunk);
    OFFSETS(clock, channel, task);
#undef OFFSETS
}

/* --- round trips --- */

static void random_messages_come_back_as_they_were(void **state)
{
    (void)state;
    uint64_t random = 1;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 300; i++) {
                struct message *message =
                    sample_random(type, &random, i % 3 ? 3 : 30, i % 7 ? 20 : 300);
                int error = codec_encode(message, &buffer);
                pack_message(&pack, message, NULL);
                if (error) {
                    /* Only its size can be wrong with it. */
                    assert_int_equal(error, ERR_TOO_BIG);
                    assert_true(pack.len > FRAME_MAP_MAX_BYTES / 2);
                } else {
                    assert_decodes_to((struct slice){buffer.at, buffer.len}, message);
                }
                if (pack.len <= FRAME_MAP_MAX_BYTES)
                    assert_decodes_to(pack_bytes(&pack), message);
                message_drop(&message);
            }
        }
}

static void every_field_comes_back_at_its_limit(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            for (size_t i = 0; i < n; i++) {
                struct message *message = sample_small(type);
                sample_stretch(message, fields[i], 0);
                assert_decodes_to(encoded(message), message);
                sample_clear(message, fields[i]);
                assert_decodes_to(encoded(message), message);
                message_drop(&message);
            }
        }
}

static void every_field_beyond_its_limit_is_refused(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            for (size_t i = 0; i < n; i++) {
                const struct field *field = fields[i];
                if (field->kind == FIELD_BOOL || field->max == UINT64_MAX)
                    continue;
                struct message *message = sample_small(type);
                sample_stretch(message, field, 1);
                int error = field->kind == FIELD_U64 ? ERR_RANGE : ERR_TOO_BIG;
                assert_int_equal(codec_encode(message, &buffer), error);
                pack_message(&pack, message, NULL);
                const char *what = field->kind == FIELD_U64    ? "is too great"
                                   : field->kind == FIELD_LIST ? "has too many elements"
                                                               : "is too long";
                assert_refused(pack_bytes(&pack), error, message_name(type), field->name, what);
                message_drop(&message);
            }
        }
}

static void a_frame_of_more_than_64_KiB_is_never_made(void **state)
{
    (void)state;
    struct message *message = message_new(MESSAGE_JOB_PAGE);
    struct wire_job_page *page = &message->as.job_page;
    char digits[TEXT_INLINE_DIGITS + 1];
    memset(digits, '7', TEXT_INLINE_DIGITS);
    digits[TEXT_INLINE_DIGITS] = '\0';
    page->jobs.n = JOB_PAGE_MAX;
    page->jobs.at = message_room(message, JOB_PAGE_MAX, sizeof *page->jobs.at);
    for (size_t i = 0; i < JOB_PAGE_MAX; i++)
        page->jobs.at[i].text = message_text(message, digits);
    assert_int_equal(codec_encode(message, &buffer), ERR_TOO_BIG);
    message_drop(&message);
}

/* --- what may be otherwise --- */

static void optional_fields_may_be_left_out(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            struct message *message = sample_small(type);
            for (size_t i = 0; i < n; i++) {
                if (fields[i]->required)
                    continue;
                struct message *without = sample_small(type);
                sample_clear(without, fields[i]);
                pack_message(&pack, without, &(struct change){.field = fields[i]});
                assert_decodes_to(pack_bytes(&pack), without);
                sample_clear(message, fields[i]);
                message_drop(&without);
            }
            pack_message(&pack, message, &(struct change){.optional_left_out = true});
            assert_decodes_to(pack_bytes(&pack), message);
            message_drop(&message);
        }
}

static void unknown_keys_are_ignored(void **state)
{
    (void)state;
    uint64_t random = 2;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 20; i++) {
                struct message *message = sample_random(type, &random, 3, 20);
                pack_message(&pack, message, &(struct change){.strange_keys = true});
                assert_decodes_to(pack_bytes(&pack), message);
                message_drop(&message);
            }
        }
}

static void the_order_of_fields_does_not_matter(void **state)
{
    (void)state;
    uint64_t random = 3;
    for
        EACH_TYPE(type)
        {
            for (int i = 0; i < 20; i++) {
                struct message *message = sample_random(type, &random, 3, 20);
                pack_message(&pack, message, &(struct change){.backwards = true});
                assert_decodes_to(pack_bytes(&pack), message);
                pack_message(&pack, message,
                             &(struct change){.backwards = true, .strange_keys = true});
                assert_decodes_to(pack_bytes(&pack), message);
                message_drop(&message);
            }
        }
}

/* --- what is wrong --- */

static void a_missing_field_is_named(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            struct message *message = sample_small(type);
            for (size_t i = 0; i < n; i++) {
                if (!fields[i]->required)
                    continue;
                pack_message(&pack, message, &(struct change){.field = fields[i]});
                assert_refused(pack_bytes(&pack), ERR_MALFORMED, message_name(type),
                               fields[i]->name, "is missing");
            }
            message_drop(&message);
        }
}

static const struct {
    struct slice bytes;
    int kind; /* the field that takes it; -1: none */
} values[] = {
    {{(const uint8_t *)"\xc0", 1}, -1},                                 /* nil */
    {{(const uint8_t *)"\xc3", 1}, FIELD_BOOL},                         /* true */
    {{(const uint8_t *)"\x01", 1}, FIELD_U64},                          /* 1 */
    {{(const uint8_t *)"\xff", 1}, -1},                                 /* -1 */
    {{(const uint8_t *)"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", 9}, -1}, /* -2, in 64 bits */
    {{(const uint8_t *)"\xca\x3f\x80\x00\x00", 5}, -1},                 /* 1.0 */
    {{(const uint8_t *)"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", 9}, -1}, /* 1.0 */
    {{(const uint8_t *)"\xa1x", 2}, FIELD_STR},                         /* "x" */
    {{(const uint8_t *)"\xc4\x01x", 3}, FIELD_BIN},                     /* binary "x" */
    {{(const uint8_t *)"\x90", 1}, FIELD_LIST},                         /* [] */
    {{(const uint8_t *)"\x91\x01", 2}, -1},                             /* [1] */
    {{(const uint8_t *)"\x91\xa1x", 3}, -1},                            /* ["x"] */
    {{(const uint8_t *)"\x80", 1}, -1},                                 /* {} */
    {{(const uint8_t *)"\x81\xa1x\x01", 4}, -1},                        /* {"x": 1} */
    {{(const uint8_t *)"\xd4\x01x", 3}, -1},                            /* an extension */
};

static void a_field_of_another_type_is_named(void **state)
{
    (void)state;
    for
        EACH_TYPE(type)
        {
            const struct field *fields[SAMPLE_FIELDS_MAX];
            size_t n = sample_fields(type, fields);
            struct message *message = sample_small(type);
            for (size_t i = 0; i < n; i++) {
                for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
                    struct change change = {.field = fields[i], .instead = values[j].bytes};
                    pack_message(&pack, message, &change);
                    if (values[j].kind != (int)fields[i]->kind) {
                        assert_refused(pack_bytes(&pack), ERR_MALFORMED, message_name(type),
                                       fields[i]->name, "must be");
                        continue;
                    }
                    struct message *out;
                    struct text why;
                    assert_int_equal(decode(pack_bytes(&pack), &out, &why), OK);
                    message_drop(&out);
                }
            }
            message_drop(&message);
        }
}

static void a_frame_without_a_known_type_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct slice frame;
        const char *what;
    } cases[] = {
        {{(const uint8_t *)"\x80", 1}, "not a map with a \"type\""},
        {{(const uint8_t *)"\xc0", 1}, "not a map with a \"type\""},
        {{(const uint8_t *)"\x91\xa4type", 6}, "not a map with a \"type\""},
        {{(const uint8_t *)"\x81\xa4type\x07", 7}, "not a map with a \"type\""},
        {{(const uint8_t *)"\x81\xa4type\xc4\x05hello", 13}, "not a map with a \"type\""},
        {{(const uint8_t *)"\x81\xa4type\xa0", 7}, "unknown message type ''"},
        {{(const uint8_t *)"\x81\xa4type\xa4none", 11}, "unknown message type 'none'"},
        {{(const uint8_t *)"\x81\xa4type\xa6hello\0", 13}, "unknown message type 'hello\\x00'"},
        {{(const uint8_t *)"\x81\xa4type\xa3\x1b[m", 10}, "unknown message type '\\x1b[m'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].frame, ERR_MALFORMED, "", "", cases[i].what);
}

/* --- printing --- */

static void every_message_can_be_printed_X9(void **state)
{
    (void)state;
    uint64_t random = 4;
    for
        EACH_TYPE(type)
        {
            struct message *small = sample_small(type);
            struct text line = {0};
            codec_print(small, &line);
            assert_memory_equal(line.at, message_name(type), strlen(message_name(type)));
            const struct record *record = message_kind(type)->record();
            for (size_t i = 0; i < record->n_fields && line.len < TEXT_MAX - 1; i++)
                assert_non_null(strstr(line.at, record->fields[i].name));
            message_drop(&small);
            for (int i = 0; i < 50; i++) {
                struct message *message = sample_random(type, &random, 5, 400);
                line = (struct text){0};
                codec_print(message, &line);
                for (size_t j = 0; j < line.len; j++) /* whatever a stranger sent */
                    assert_in_range((unsigned char)line.at[j], 0x20, 0x7e);
                message_drop(&message);
            }
        }
}

static void further_frames_are_counted_from_1(void **state)
{
    (void)state;
    struct message *message = message_new(MESSAGE_TASK);
    struct blob *blobs[100];
    for (uint64_t i = 0; i < 100; i++) {
        blobs[i] = blob_copy(&i, sizeof i);
        assert_int_equal(message_add_frame(message, blobs[i]), i + 1);
        blob_drop(&blobs[i]);
    }
    assert_null(message_frame(message, 0));
    assert_null(message_frame(message, 101));
    assert_null(message_frame(message, UINT64_MAX));
    for (uint64_t i = 0; i < 100; i++)
        assert_memory_equal(message_frame(message, i + 1)->at, &i, sizeof i);
    struct message *same = message_ref(message);
    message_drop(&message);
    assert_null(message);
    assert_int_equal(same->n_frames, 100);
    message_drop(&same);
    message_drop(&same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_consistent),
        cmocka_unit_test(shared_beginnings_are_at_the_same_place),
        cmocka_unit_test(random_messages_come_back_as_they_were),
        cmocka_unit_test(every_field_comes_back_at_its_limit),
        cmocka_unit_test(every_field_beyond_its_limit_is_refused),
        cmocka_unit_test(a_frame_of_more_than_64_KiB_is_never_made),
        cmocka_unit_test(optional_fields_may_be_left_out),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(the_order_of_fields_does_not_matter),
        cmocka_unit_test(a_missing_field_is_named),
        cmocka_unit_test(a_field_of_another_type_is_named),
        cmocka_unit_test(a_frame_without_a_known_type_is_refused),
        cmocka_unit_test(every_message_can_be_printed_X9),
        cmocka_unit_test(further_frames_are_counted_from_1),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
