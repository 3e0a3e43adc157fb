/* Signatures of requests: what they are for, which requests need one, and that none is taken twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/ask/sign.h"
#include "shared/base/error.h"
#include "shared/bus/signature.h"
#include "shared/wire/codec.h"
#include "tests/harness/scene.h"

#define CLUSTER "0123456789abcdef"

static void a_client_signs_what_a_node_wants_signed(void **unused)
{
    (void)unused;
    const struct request_row *row;
    for (size_t i = 0; (row = request_row_at(i)); i++)
        if (sign_is_needed(row->type) != role_is_signed(row->needs))
            fail_msg("%s needs %s", message_name(row->type), role_name(row->needs));
}

/* --- the bytes --- */

struct signed_by {
    char public_key[KEY_TEXT_MAX], signing_key[KEY_TEXT_MAX], *secret_key, *signing_secret;
    struct slice frame;
    struct signed_request request;
};

static void begin(struct signed_by *it)
{
    secret_make_pair(it->public_key, &it->secret_key);
    secret_make_signing_pair(it->signing_key, &it->signing_secret);
    it->frame = slice_of("the request");
    it->request = (struct signed_request){.cluster = CLUSTER,
                                          .public_key = it->public_key,
                                          .node = 3,
                                          .incarnation = 77,
                                          .counter = 5,
                                          .frames = &it->frame,
                                          .n = 1};
}

static void end(struct signed_by *it)
{
    secret_free(&it->secret_key);
    secret_free(&it->signing_secret);
}

static void a_signature_is_for_one_request_of_one_key_X13(void **unused)
{
    (void)unused;
    struct signed_by it, other;
    uint8_t frame[SIGNATURE_FRAME];
    struct slice whole = {frame, sizeof frame};
    begin(&it);
    begin(&other);
    signature_make(&it.request, it.signing_secret, frame);
    struct signed_request read = it.request;
    read.node = 0, read.incarnation = read.counter = 0;
    assert_int_equal(signature_check(&read, whole, it.signing_key), OK);
    assert_true(read.node == 3 && read.incarnation == 77 && read.counter == 5);
    /* Another client's key, signing key or cluster, other bytes, or one more frame. */
    read.public_key = other.public_key;
    assert_int_equal(signature_check(&read, whole, it.signing_key), ERR_REFUSED);
    read = it.request;
    assert_int_equal(signature_check(&read, whole, other.signing_key), ERR_REFUSED);
    assert_int_equal(signature_check(&read, whole, ""), ERR_REFUSED);
    read.cluster = "fedcba9876543210";
    assert_int_equal(signature_check(&read, whole, it.signing_key), ERR_REFUSED);
    read = it.request;
    struct slice frames[] = {slice_of("the request"), slice_of("")};
    read.frames = frames;
    assert_int_equal(signature_check(&read, whole, it.signing_key), OK);
    read.n = 2;
    assert_int_equal(signature_check(&read, whole, it.signing_key), ERR_REFUSED);
    frames[0] = slice_of("the requesu");
    read.n = 1;
    assert_int_equal(signature_check(&read, whole, it.signing_key), ERR_REFUSED);
    /* Any other bit of the frame. */
    for (size_t bit = 0; bit < 8 * sizeof frame; bit += 3) {
        read = it.request;
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(signature_check(&read, whole, it.signing_key), OK);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    whole.len--;
    assert_int_equal(signature_check(&read, whole, it.signing_key), ERR_MALFORMED);
    end(&it);
    end(&other);
}

static void a_client_signs_each_time_anew(void **unused)
{
    (void)unused;
    struct signed_by it;
    struct sign sign = {0};
    begin(&it);
    struct access access = {.signing_secret = it.signing_secret};
    memcpy(access.public_key, it.public_key, KEY_TEXT_MAX);
    text_format(access.cluster, sizeof access.cluster, CLUSTER);
    struct message *request = message_new(MESSAGE_INIT), *answer = message_new(MESSAGE_ERROR);
    sign_request(&sign, &access, request);
    assert_true(request->n_frames == 1 && !request->frames[0]->len); /* it asks */
    answer->as.error.code = message_text(answer, "unsigned");
    answer->as.error.node = 2;
    answer->as.error.incarnation = 9;
    answer->as.error.counter = UINT64_MAX - 10; /* more than any clock says */
    assert_true(sign_take(&sign, answer));
    for (uint64_t i = 1; i <= 3; i++) {
        struct signed_request read = it.request;
        struct codec_buffer bytes = {0};
        sign_request(&sign, &access, request);
        assert_true(request->n_frames == 1 && !codec_encode(request, &bytes));
        it.frame = (struct slice){bytes.at, bytes.len};
        struct slice last = {request->frames[0]->at, request->frames[0]->len};
        assert_int_equal(signature_check(&read, last, it.signing_key), OK);
        assert_true(read.node == 2 && read.incarnation == 9);
        assert_true(read.counter == UINT64_MAX - 10 + i);
        codec_buffer_clear(&bytes);
    }
    answer->as.error.code = message_text(answer, "forbidden");
    assert_false(sign_take(&sign, answer));
    message_drop(&request);
    request = message_new(MESSAGE_STATUS_GET);
    sign_request(&sign, &access, request);
    assert_int_equal(request->n_frames, 0);
    message_drop(&request);
    message_drop(&answer);
    end(&it);
}

/* --- the node's memory of counters --- */

/* A node that answers nothing: a request that may pass is told so. */
static struct scene *follower_new(void)
{
    return scene_new((struct node_config){.id = 2, .n_nodes = 3, .n_voters = 3, .incarnation = 9});
}

static struct asker admin(uint64_t key, enum proof proof, uint64_t counter)
{
    struct asker asker = {.role = ROLE_admin, .name = "admin", .proof = proof, .counter = counter};
    memcpy(asker.key, &key, sizeof key);
    memcpy(asker.key + ASKER_KEY_BYTES / 2, &key, sizeof key);
    return asker;
}

/* The code of the error; snapshot_get with a number that is out of range is answered at once. */
static const struct wire_error *try(struct scene *scene, struct asker asker, bool *passed)
{
    static struct snapshots none;
    struct message *request = message_new(MESSAGE_SNAPSHOT_GET);
    scene->service.snapshots = &none;
    none.step = &scene->step;
    outbox_begin(&scene->step.out);
    requests_handle(&scene->service, 5, request, &asker);
    message_drop(&request);
    for (size_t i = 0; i < scene->step.out.n; i++) {
        const struct output *output = &scene->step.out.at[i];
        if (output->kind != OUTPUT_REPLY)
            continue;
        const struct wire_error *error = &output->reply.message->as.error;
        *passed = !slice_equals(error->code, "unsigned") && !slice_equals(error->code, "forbidden");
        return error;
    }
    fail_msg("no answer");
    return NULL;
}

static bool passes(struct scene *scene, struct asker asker)
{
    bool passed;
    try(scene, asker, &passed);
    return passed;
}

static void a_signature_is_taken_once_X13(void **unused)
{
    (void)unused;
    struct scene *scene = follower_new();
    bool passed;
    assert_true(passes(scene, admin(1, PROOF_GOOD, 5)));
    assert_false(passes(scene, admin(1, PROOF_GOOD, 5)));
    assert_false(passes(scene, admin(1, PROOF_GOOD, 4)));
    assert_true(passes(scene, admin(2, PROOF_GOOD, 4))); /* another key has a count of its own */
    assert_true(passes(scene, admin(1, PROOF_GOOD, 6)));
    const struct wire_error *error = try(scene, admin(1, PROOF_GOOD, 6), &passed);
    assert_true(slice_equals(error->code, "unsigned"));
    assert_true(error->node == 2 && error->incarnation == 9 && error->counter == 6);
    assert_int_equal(scene->step.forbidden, 3);
    scene_free(scene);
}

static void without_a_good_signature_nothing_passes_X13(void **unused)
{
    (void)unused;
    struct scene *scene = follower_new();
    assert_false(passes(scene, admin(1, PROOF_ASKED, 5)));
    assert_int_equal(scene->step.forbidden, 0); /* it asked what to sign */
    assert_false(passes(scene, admin(1, PROOF_NONE, 5)));
    assert_false(passes(scene, admin(1, PROOF_WRONG, 5)));
    assert_false(passes(scene, admin(1, PROOF_STALE, 5)));
    assert_int_equal(scene->step.forbidden, 3);
    assert_true(passes(scene, admin(1, PROOF_GOOD, 1))); /* none of them took a count */
    scene->step.config.insecure = true;
    assert_true(passes(scene, admin(1, PROOF_NONE, 0)));
    scene_free(scene);
}

static void counters_of_many_keys_are_bounded_and_none_is_taken_twice_X13(void **unused)
{
    (void)unused;
    struct scene *scene = follower_new();
    /* Somebody takes the greatest count there is: it is its own alone. */
    assert_true(passes(scene, admin(1, PROOF_GOOD, UINT64_MAX)));
    for (uint64_t i = 2; i <= SIGNERS_MAX + 100; i++)
        assert_true(passes(scene, admin(i, PROOF_GOOD, 1000 + i)));
    assert_int_equal(scene->service.signers.count, SIGNERS_MAX);
    for (uint64_t i = 1; i <= SIGNERS_MAX + 100; i++)
        assert_false(passes(scene, admin(i, PROOF_GOOD, 1000 + i)));
    assert_true(passes(scene, admin(2, PROOF_GOOD, 100000)));
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_signs_what_a_node_wants_signed),
        cmocka_unit_test(a_signature_is_for_one_request_of_one_key_X13),
        cmocka_unit_test(a_client_signs_each_time_anew),
        cmocka_unit_test(a_signature_is_taken_once_X13),
        cmocka_unit_test(without_a_good_signature_nothing_passes_X13),
        cmocka_unit_test(counters_of_many_keys_are_bounded_and_none_is_taken_twice_X13),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
