/* Shares of a snapshot that are well-formed, and that no node could start with: they are refused
 * before anything is written, for a store takes one share only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/io/share.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

#define SHARE_MAX 8192

static uint8_t bytes[SHARE_MAX];
static size_t len;

/* Takes the message. */
static void add(struct message *message)
{
    struct blob *packed = codec_pack(message);
    assert_non_null(packed);
    assert_true(len + BYTES_LENGTH + packed->len <= SHARE_MAX);
    len += bytes_put_part(bytes + len, packed->at, packed->len);
    blob_drop(&packed);
    message_drop(&message);
}

/* The share of the one node of a cluster, so far without accounts. */
static void begin(void)
{
    static const uint8_t id[CLUSTER_ID_BYTES] = {1};
    struct message *head = message_new(MESSAGE_SNAPSHOT_HEAD);
    struct message *state = message_new(MESSAGE_CUT_STATE);
    len = 0;
    head->as.snapshot_head.nodes.n = 1;
    head->as.snapshot_head.nodes.at = message_room(head, 1, sizeof(struct wire_cut_part));
    head->as.snapshot_head.cluster_id = (struct slice){id, sizeof id};
    head->as.snapshot_head.voters = 1;
    state->as.cut_state.node = 1;
    state->as.cut_state.term = 3;
    add(head);
    add(state);
}

static void add_account(const char *name, uint64_t balance)
{
    struct message *part = message_new(MESSAGE_CUT_ACCOUNTS);
    part->as.cut_accounts.rows.n = 1;
    part->as.cut_accounts.rows.at = message_room(part, 1, sizeof(struct wire_cut_account));
    part->as.cut_accounts.rows.at[0] =
        (struct wire_cut_account){.name = message_text(part, name), .balance = balance};
    add(part);
}

static int read_share(struct text *why)
{
    const struct node_config config = {.id = 1, .n_nodes = 1, .n_voters = 1};
    struct share share;
    *why = (struct text){0};
    int error = share_read(&share, &config, (struct slice){bytes, len}, why);
    share_clear(&share);
    return error;
}

static void assert_refused(void)
{
    struct text why;
    assert_int_equal(read_share(&why), ERR_MALFORMED);
    assert_string_equal(why.at, "a node could not start with what is in it");
}

static void a_sound_one_is_taken(void **state)
{
    struct text why;
    (void)state;
    begin();
    add_account("b", 20);
    add_account("a", 10);
    assert_int_equal(read_share(&why), OK);
}

static void an_account_has_a_name(void **state)
{
    (void)state;
    begin();
    add_account("", 10);
    assert_refused();
    begin();
    add_account("not one", 10);
    assert_refused();
}

/* The second one would have replaced the first one, and its money. */
static void an_account_is_there_once(void **state)
{
    (void)state;
    begin();
    add_account("a", 10);
    add_account("a", 20);
    assert_refused();
}

static void all_money_fits(void **state)
{
    (void)state;
    begin();
    add_account("a", MONEY_MAX);
    add_account("b", 1);
    assert_refused();
}

static void a_checkpoint_is_one(void **state)
{
    struct message *head = message_new(MESSAGE_IMAGE_HEAD), *ops = message_new(MESSAGE_IMAGE_OPS);
    (void)state;
    begin();
    head->as.image_head.index = 5;
    head->as.image_head.index_term = 1;
    ops->as.image_ops.job = 7; /* there is no such job */
    add(head);
    add(ops);
    assert_refused();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_one_is_taken),     cmocka_unit_test(an_account_has_a_name),
        cmocka_unit_test(an_account_is_there_once), cmocka_unit_test(all_money_fits),
        cmocka_unit_test(a_checkpoint_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
