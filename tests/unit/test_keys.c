/* What is remembered of keys, so that no request is executed twice (R29): sessions, the window of
 * hashes, and both against an oracle that remembers everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/random.h"
#include "shared/base/session_key.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

static const char *session_text(uint64_t id, uint64_t token, uint64_t sequence)
{
    static char text[SESSION_KEY_MAX + 1];
    session_key_write(text, (struct session_key){id, token, sequence});
    return text;
}

static bool is_forgotten(const struct keys *keys, const char *key)
{
    return keys_is_forgotten(keys, KEY_OF_JOB, slice_of(key));
}

static void forget(struct keys *keys, const char *key)
{
    keys_forget(keys, KEY_OF_JOB, slice_of(key));
}

/* --- the text of keys --- */

static void session_keys_have_one_text_each(void **state)
{
    (void)state;
    static const struct session_key keys[] = {{1, 0, 1},
                                              {42, UINT64_C(0x9f86d081884c7d65), 17},
                                              {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct session_key key;
    for (size_t i = 0; i < 3; i++) {
        char text[SESSION_KEY_MAX + 1];
        session_key_write(text, keys[i]);
        assert_true(strlen(text) <= JOB_KEY_MAX);
        assert_true(session_key_parse(slice_of(text), &key));
        assert_memory_equal(&key, &keys[i], sizeof key);
    }
    static const char *const free_keys[] = {
        "",
        "session-",
        "order-17",
        "session-000000000000002a-9f86d081884c7d65-",
        "session-000000000000002a-9f86d081884c7d65-0",
        "session-000000000000002a-9f86d081884c7d65-01",
        "session-000000000000002a-9f86d081884c7d65-1x",
        "session-000000000000002A-9f86d081884c7d65-1",
        "session-00000000000002a-9f86d081884c7d65-1",
        "session-000000000000002a-9f86d081884c7d6-51",
        "session-000000000000002a_9f86d081884c7d65-1",
        "session-000000000000002a-9f86d081884c7d65-99999999999999999999",
        "Session-000000000000002a-9f86d081884c7d65-1",
    };
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        assert_false(session_key_parse(slice_of(free_keys[i]), &key));
}

/* --- sessions --- */

static void at_or_below_the_watermark_all_is_forgotten_R29(void **state)
{
    (void)state;
    struct keys keys = {0};
    uint64_t evicted;
    keys_init(&keys, &(struct key_limits){0});
    keys_open(&keys, 7, 99, &evicted);
    assert_false(is_forgotten(&keys, session_text(7, 99, 1)));
    forget(&keys, session_text(7, 99, 5));
    forget(&keys, session_text(7, 99, 3)); /* the watermark never falls */
    for (uint64_t sequence = 1; sequence <= 5; sequence++)
        assert_true(is_forgotten(&keys, session_text(7, 99, sequence)));
    assert_false(is_forgotten(&keys, session_text(7, 99, 6)));
    assert_int_equal(key_window_count(&keys.window), 0); /* it costs nothing */
    keys_clear(&keys);
}

static void only_open_sessions_are_served_R29(void **state)
{
    (void)state;
    struct keys keys = {0};
    uint64_t evicted;
    keys_init(&keys, &(struct key_limits){.sessions = 2});
    assert_true(is_forgotten(&keys, session_text(1, 10, 1))); /* nobody opened it */
    keys_open(&keys, 1, 10, &evicted);
    assert_int_equal(evicted, 0);
    assert_true(is_forgotten(&keys, session_text(1, 11, 1))); /* of another life of the cluster */
    keys_open(&keys, 2, 20, &evicted);
    keys_use(&keys, slice_of(session_text(1, 10, 1)));
    keys_open(&keys, 3, 30, &evicted); /* evicts what was not used for longest */
    assert_int_equal(evicted, 2);
    assert_true(is_forgotten(&keys, session_text(2, 20, 1)));
    assert_true(is_forgotten(&keys, session_text(2, 20, 1000)));
    assert_false(is_forgotten(&keys, session_text(1, 10, 1)));
    keys_check_invariants(&keys);
    keys_clear(&keys);
}

/* --- the window --- */

static void the_window_keeps_whole_blocks_and_drops_the_oldest(void **state)
{
    (void)state;
    struct keys keys = {0};
    keys_init(&keys, &(struct key_limits){.block = 8, .blocks = 3});
    char key[32];
    for (unsigned i = 0; i < 8 * 5 + 4; i++) {
        text_format(key, sizeof key, "key-%u", i);
        assert_false(is_forgotten(&keys, key));
        forget(&keys, key);
        assert_true(is_forgotten(&keys, key));
        assert_false(keys_is_forgotten(&keys, KEY_OF_SNAP, slice_of(key)));
    }
    assert_int_equal(keys.window.next, 5);
    assert_int_equal(keys.window.n, 3);
    assert_int_equal(keys.window.n_open, 4);
    for (unsigned i = 0; i < 8 * 5 + 4; i++) {
        text_format(key, sizeof key, "key-%u", i);
        assert_int_equal(is_forgotten(&keys, key), i >= 8 * 2);
    }
    keys_clear(&keys);
}

static void a_block_of_the_real_size_is_searched_right(void **state)
{
    (void)state;
    struct key_window window = {.block_hashes = KEY_BLOCK_HASHES, .blocks_max = 2};
    uint64_t random = 1;
    for (size_t i = 0; i < KEY_BLOCK_HASHES; i++) /* half of them bunched at one place */
        key_window_add(&window, i % 2 ? random_u64(&random) | 1 : 1000000 + 2 * i);
    assert_int_equal(window.n, 1);
    assert_true(window.blocks[0].packed->len < MESSAGE_MAX_BYTES - FRAME_MAP_MAX_BYTES);
    random = 1;
    for (size_t i = 0; i < KEY_BLOCK_HASHES; i++) {
        uint64_t hash = i % 2 ? random_u64(&random) | 1 : 1000000 + 2 * i;
        assert_true(key_window_has(&window, hash));
        assert_false(key_window_has(&window, hash ^ UINT64_C(0x8000000000000000)));
    }
    assert_false(key_window_has(&window, 0));
    assert_false(key_window_has(&window, UINT64_MAX));
    key_window_clear(&window);
}

/* --- against an oracle that remembers everything --- */

#define MODEL_KEYS 4000
#define KEPT       12 /* outcomes that the model's server keeps */

struct model {
    uint64_t random;
    struct keys keys;
    struct {
        char key[JOB_KEY_MAX + 1];
        bool session;
        unsigned executed;
        uint64_t free_number; /* how many free keys were forgotten before it */
    } asked[MODEL_KEYS];
    size_t n;
    size_t kept[KEPT + 1], n_kept; /* outcomes, oldest first */
    struct session_key sessions[8];
    uint64_t opened, free_forgotten;
};

static void open_one(struct model *model)
{
    uint64_t evicted;
    struct session_key *it = &model->sessions[random_below(&model->random, 8)];
    *it = (struct session_key){++model->opened, random_u64(&model->random), 0};
    keys_open(&model->keys, it->id, it->token, &evicted);
}

static bool has_outcome(const struct model *model, size_t i)
{
    for (size_t at = 0; at < model->n_kept; at++)
        if (model->kept[at] == i)
            return true;
    return false;
}

/* As a ledger or the table of jobs does it. Returns whether it was executed. */
static bool serve(struct model *model, size_t i)
{
    struct slice key = slice_of(model->asked[i].key);
    if (has_outcome(model, i) || keys_is_forgotten(&model->keys, KEY_OF_JOB, key))
        return false;
    /* What is promised of a free key is the window only: at least its sealed blocks. */
    bool promised =
        model->asked[i].session || model->free_forgotten - model->asked[i].free_number <
                                       model->keys.limits.block * model->keys.limits.blocks;
    if (model->asked[i].executed++ && promised)
        fail_msg("%s is executed again", model->asked[i].key);
    keys_use(&model->keys, key);
    model->kept[model->n_kept++] = i;
    if (model->n_kept <= KEPT)
        return true;
    size_t oldest = model->kept[0];
    memmove(model->kept, model->kept + 1, --model->n_kept * sizeof *model->kept);
    if (!model->asked[oldest].session)
        model->asked[oldest].free_number = ++model->free_forgotten;
    keys_forget(&model->keys, KEY_OF_JOB, slice_of(model->asked[oldest].key));
    return true;
}

static void ask_new(struct model *model)
{
    size_t i = model->n++;
    struct session_key *session = &model->sessions[random_below(&model->random, 8)];
    model->asked[i].session = session->id && random_below(&model->random, 2);
    if (model->asked[i].session) {
        session->sequence += 1 + random_below(&model->random, 3);
        session_key_write(model->asked[i].key, *session);
    } else {
        text_format(model->asked[i].key, sizeof model->asked[i].key, "free-%u", (unsigned)i);
        assert_true(random_below(&model->random, 4) == 0 || serve(model, i));
        return;
    }
    if (random_below(&model->random, 4)) /* else its first try comes late */
        serve(model, i);
}

static void load_parts(struct keys *keys, struct blob *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slice part = {parts[i]->at, parts[i]->len};
        struct message *message;
        struct text why = {0};
        assert_int_equal(codec_unpack(part, &message, &why), OK);
        assert_int_equal(keys_load_part(keys, message, part), OK);
        message_drop(&message);
    }
}

static void sink_clear(struct checkpoint_sink *sink)
{
    for (size_t i = 0; i < sink->n; i++)
        blob_drop(&sink->at[i]);
    free(sink->at);
}

/* The node is installed somewhere else, or starts again: all must be as it was. */
static void move(struct model *model)
{
    struct state *replicated = mem_new(1, sizeof *replicated);
    struct checkpoint_sink sink = {.use = CHECKPOINT_WHOLE};
    struct keys before = model->keys;
    replicated->keys = before;
    keys_save(&sink, replicated);
    struct checkpoint *blocks = keys_blocks(replicated);
    model->keys = (struct keys){0};
    keys_init(&model->keys, &before.limits);
    load_parts(&model->keys, sink.at, sink.n);
    load_parts(&model->keys, blocks->parts, blocks->n);
    assert_int_equal(model->keys.window.missing, 0);
    keys_check_invariants(&model->keys);
    for (size_t i = 0; i < model->n; i++) {
        struct slice key = slice_of(model->asked[i].key);
        assert_int_equal(keys_is_forgotten(&before, KEY_OF_JOB, key),
                         keys_is_forgotten(&model->keys, KEY_OF_JOB, key));
    }
    const struct key_session *a = before.oldest, *b = model->keys.oldest;
    for (; a && b; a = a->newer, b = b->newer)
        assert_true(a->id == b->id && a->token == b->token && a->watermark == b->watermark);
    assert_true(!a && !b);
    keys_clear(&before);
    checkpoint_drop(&blocks);
    sink_clear(&sink);
    free(replicated);
}

static void run_model(uint64_t seed)
{
    struct model *model = mem_new(1, sizeof *model);
    struct key_limits limits = {.sessions = 5, .block = 16, .blocks = 4};
    model->random = seed;
    keys_init(&model->keys, &limits);
    while (model->n < MODEL_KEYS) {
        uint64_t what = random_below(&model->random, 100);
        if (what < 4)
            open_one(model);
        else if (what < 60 || !model->n)
            ask_new(model);
        else if (what < 99)
            serve(model, random_below(&model->random, model->n));
        else if (random_below(&model->random, 10) == 0)
            move(model);
    }
    keys_clear(&model->keys);
    free(model);
}

static void nothing_is_executed_twice_R29(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_model(seed);
}

/* --- parts that do not fit --- */

static void foreign_parts_are_refused(void **state)
{
    (void)state;
    struct keys keys = {0};
    struct message *message = message_new(MESSAGE_IMAGE_KEYS);
    keys_init(&keys, &(struct key_limits){.block = 2, .blocks = 3, .sessions = 2});
    message->as.image_keys = (struct wire_image_keys){.next = 2, .sealed = 3};
    assert_int_equal(keys_load_part(&keys, message, (struct slice){0}), ERR_MALFORMED);
    message->as.image_keys.next = 9;
    assert_int_equal(keys_load_part(&keys, message, (struct slice){0}), OK);
    assert_int_equal(keys_load_part(&keys, message, (struct slice){0}), ERR_MALFORMED); /* again */
    message_drop(&message);

    static const uint64_t hashes[][2] = {{3, 3}, {4, 3}, {3, 4}};
    for (uint64_t i = 0; i < 3; i++) {
        struct blob *frame = blob_copy(hashes[i], sizeof hashes[i]);
        message = message_new(MESSAGE_IMAGE_KEY_BLOCK);
        message->as.image_key_block.number = 6;
        message_add_frame(message, frame);
        struct blob *packed = codec_pack(message);
        assert_int_equal(keys_load_part(&keys, message, (struct slice){packed->at, packed->len}),
                         i == 2 ? OK : ERR_MALFORMED);
        assert_int_equal(/* that number was there */
                         keys_load_part(&keys, message, (struct slice){packed->at, packed->len}),
                         ERR_MALFORMED);
        blob_drop(&packed);
        blob_drop(&frame);
        message_drop(&message);
    }
    assert_int_equal(keys.window.missing, 2);

    uint8_t sessions[3 * KEY_SESSION_BYTES] = {1, [KEY_SESSION_BYTES] = 1};
    message = message_new(MESSAGE_IMAGE_SESSIONS);
    message->as.image_sessions.sessions = (struct slice){sessions, KEY_SESSION_BYTES - 1};
    assert_int_equal(keys_load_part(&keys, message, (struct slice){0}), ERR_MALFORMED);
    message->as.image_sessions.sessions.len = 2 * KEY_SESSION_BYTES; /* the same one twice */
    assert_int_equal(keys_load_part(&keys, message, (struct slice){0}), ERR_MALFORMED);
    message_drop(&message);
    keys_clear(&keys);
}

/* A checkpoint of the largest window that is promised costs what is new. */
static void a_checkpoint_costs_what_is_new(void **state)
{
    (void)state;
    struct step *step = mem_new(1, sizeof *step);
    struct state *replicated = mem_new(1, sizeof *replicated);
    replicated->step = step;
    keys_init(&replicated->keys, &(struct key_limits){.block = 4096});
    uint64_t random = 3;
    for (size_t i = 0; i < 4096 * 20 + 1000; i++)
        key_window_add(&replicated->keys.window, random_u64(&random));
    struct checkpoint_sink sink = {.use = CHECKPOINT_WHOLE};
    keys_save(&sink, replicated);
    assert_true(sink.bytes < 8 * 1000 + 200);
    sink_clear(&sink);
    for (unsigned more = 0; more < 3; more++) {
        struct checkpoint *checkpoint = keys_blocks(replicated);
        checkpoint->n_blocks = checkpoint->n;
        checkpoint->next_block = replicated->keys.window.next;
        outbox_begin(&step->out);
        keys_store_blocks(replicated, checkpoint);
        assert_int_equal(step->out.n_writes, more == 0 ? 20 : more == 2);
        if (!more) /* shared, not packed again */
            assert_ptr_equal(step->out.writes[0].entry, replicated->keys.window.blocks[0].packed);
        checkpoint_drop(&checkpoint);
        for (size_t i = 0; more && i < 4096; i++)
            key_window_add(&replicated->keys.window, random_u64(&random));
    }
    outbox_destroy(&step->out);
    keys_clear(&replicated->keys);
    free(replicated);
    free(step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_keys_have_one_text_each),
        cmocka_unit_test(at_or_below_the_watermark_all_is_forgotten_R29),
        cmocka_unit_test(only_open_sessions_are_served_R29),
        cmocka_unit_test(the_window_keeps_whole_blocks_and_drops_the_oldest),
        cmocka_unit_test(a_block_of_the_real_size_is_searched_right),
        cmocka_unit_test(nothing_is_executed_twice_R29),
        cmocka_unit_test(foreign_parts_are_refused),
        cmocka_unit_test(a_checkpoint_costs_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
