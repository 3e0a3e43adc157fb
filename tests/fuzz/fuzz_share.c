/* fuzz_share.c - libFuzzer on a node's share of a snapshot (`conclave-node --restore`): whatever
 * the bytes are, reading ends; and a share that is taken makes a disk on which the node starts,
 * goes on, and starts again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/io/share.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/host.h"

#define SHARE_MAX 65536
#define PARTS_MAX 32

/* A share in the making: the bytes, and where the next part goes. */
struct making {
    uint8_t at[SHARE_MAX];
    size_t len;
};

static void add(struct making *it, struct blob *packed)
{
    if (packed && it->len + BYTES_LENGTH + packed->len <= SHARE_MAX)
        it->len += bytes_put_part(it->at + it->len, packed->at, packed->len);
    blob_drop(&packed);
}

static void add_message(struct making *it, struct message *message)
{
    add(it, codec_pack(message));
    message_drop(&message);
}

/* Head and state are in order; the parts behind them as the input says. */
static void make(struct making *it, struct reader *in)
{
    uint8_t id[CLUSTER_ID_BYTES] = {1};
    struct forge forge = {.in = in,
                          .numbers = {1, 2, MONEY_MAX},
                          .n_numbers = 3,
                          .cluster_id = {id, sizeof id}};
    struct message *head = message_new(MESSAGE_SNAPSHOT_HEAD);
    struct message *state = message_new(MESSAGE_CUT_STATE);
    uint8_t how = reader_byte(in);
    head->as.snapshot_head.nodes.n = 1;
    head->as.snapshot_head.nodes.at = message_room(head, 1, sizeof(struct wire_cut_part));
    head->as.snapshot_head.cluster_id = forge.cluster_id;
    head->as.snapshot_head.voters = 1;
    state->as.cut_state.node = HOST_SELF;
    state->as.cut_state.term = how;
    add_message(it, head);
    add_message(it, state);
    for (unsigned i = 0; i < PARTS_MAX && in->left; i++)
        add(it, forge_packed(&forge, reader_byte(in) & 1 ? PLACE_CUT : PLACE_CHECKPOINT));
}

static void write_one(void *host, const struct write *write)
{
    host_write(host, write);
}

/* The node starts on what the share says. */
static void start(struct slice bytes)
{
    struct host host = {0};
    struct share share;
    struct text why = {0};
    host_init(&host, 1, 1, 0);
    host.durable = (struct node_durable){.birth = HOST_BIRTH};
    int error = share_read(&share, &host.config, bytes, &why);
    assert(!error == !why.len);
    if (!error) {
        share_write(&share, write_one, &host);
        host_start(&host);
        host_settle(&host);
        host_crash(&host);
        host_start(&host);
    }
    share_clear(&share);
    host_end(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct reader in = {at, len};
    if (reader_byte(&in) & 1) {
        struct making *it = mem_new(1, sizeof *it);
        make(it, &in);
        start((struct slice){it->at, it->len});
        free(it);
    } else {
        start((struct slice){in.at, in.left});
    }
    return 0;
}
