/* fuzz_broker.c - libFuzzer on what a broker decides: requests of any key, behind the handshake,
 * and the feed and the answers of nodes of which one is hostile.
 *
 * The decisions are the broker's own (admission, quota, tracker, waiting); its sockets are not
 * there. The honest nodes say the same of who coordinates, of how many vote and of the list of
 * keys, when the input lets them speak; the hostile one, a voter or not, says anything on its own
 * feed. While a majority of the voters is honest and heard, what the broker believes is what that
 * says (X15). */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "broker/admission.h"
#include "broker/waiting.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/quorum.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/forge.h"

#define NODES         7
#define CLIENTS       4
#define WAITING_LIMIT 8 /* small, so that a few clients get there */
#define FLOOD_MAX     32
#define EVENTS_MAX    600
#define REPORT_EVERY  16 /* events */
/* Of a tracker that is ever used: it has room for many more nodes. */
#define KNOWN_BYTES (offsetof(struct tracker, nodes) + (NODES + 1) * sizeof(struct tracker_node))
#define SILENCE_US  (500 * MS_US)

static const struct {
    const char *name;
    enum key_role role;
} askers[CLIENTS] = {{"alice", ROLE_submit},
                     {"bob", ROLE_commands},
                     {"mona", ROLE_monitor},
                     {"root", ROLE_admin}};

struct attack {
    struct reader in;
    struct forge forge;
    struct tracker tracker;
    struct quota quota;
    struct waiting waiting[NODES + 1];
    uint64_t now_us;
    node_id_t hostile, coordinator; /* whom the honest ones follow */
    uint32_t n_voters;
    uint64_t seq, access_version;
    uint8_t access_hash[HASH_BYTES];
    struct {
        bool heard;
        uint64_t heard_us;
        node_id_t follows;
        uint64_t access_version;
    } said[NODES + 1];                          /* by the honest ones */
    uint64_t asked[CLIENTS], since_us[CLIENTS]; /* by key: what was allowed, and since when */
    uint64_t waits[NODES + 1][CLIENTS];         /* at most: answers that never come are forgotten */
};

/* --- what must hold --- */

static bool lives(const struct attack *it, node_id_t id)
{
    return it->said[id].heard && it->now_us - it->said[id].heard_us <= SILENCE_US;
}

/* An honest majority of those who vote is heard, and says the same. */
static bool majority_follows(const struct attack *it, node_id_t whom)
{
    uint32_t n = 0;
    for (node_id_t id = 1; id <= it->n_voters; id++)
        n += id != it->hostile && lives(it, id) && it->said[id].follows == whom;
    return n >= quorum_of(it->n_voters);
}

static bool majority_has(const struct attack *it, uint64_t version)
{
    uint32_t n = 0;
    for (node_id_t id = 1; id <= it->n_voters; id++)
        n += id != it->hostile && lives(it, id) && it->said[id].access_version == version;
    return n >= quorum_of(it->n_voters);
}

static void check_encodes(const struct message *message)
{
    struct codec_buffer buffer = {0};
    struct message *copy = NULL;
    struct text why = {0};
    assert(codec_encode(message, &buffer) == OK);
    assert(codec_decode((struct slice){buffer.at, buffer.len}, &copy, &why) == OK);
    message_drop(&copy);
    codec_buffer_clear(&buffer);
}

static void check(const struct attack *it)
{
    const struct tracker *tracker = &it->tracker;
    const struct tracker_node *has;
    node_id_t coordinator = tracker_coordinator(tracker, it->now_us);
    node_id_t source = tracker_access(tracker, it->access_version, it->now_us, &has);
    assert(coordinator <= tracker->n_nodes && source <= tracker->n_nodes);
    assert(!coordinator || tracker_alive(tracker, coordinator, it->now_us));
    assert(tracker->n_voters == it->n_voters); /* as the honest ones, and the start options, say */
    if (it->coordinator != it->hostile && lives(it, it->coordinator) &&
        it->said[it->coordinator].follows == it->coordinator &&
        majority_follows(it, it->coordinator))
        assert(coordinator == it->coordinator);
    assert(!source); /* no honest node has a newer list than that */
    if (tracker_access(tracker, 0, it->now_us, &has)) {
        assert(has->access_version <= it->access_version);
        if (majority_has(it, it->access_version))
            assert(!memcmp(has->access_hash, it->access_hash, HASH_BYTES));
    }
}

static void check_report(const struct attack *it)
{
    const struct tracker *tracker = &it->tracker;
    struct text why = {0};
    tracker_reason(tracker, it->now_us, &why);
    struct message *report = tracker_report(tracker, it->now_us);
    check_encodes(report);
    message_drop(&report);
}

/* --- the feed --- */

static void say(struct attack *it, node_id_t id)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat =
        (struct wire_heartbeat){.node = id,
                                .incarnation = 100 + id,
                                .seq = ++it->seq,
                                .term = 5,
                                .coordinator = it->coordinator,
                                .serving = id == it->coordinator,
                                .voter = true,
                                .voters = it->n_voters,
                                .cluster_id = message_copy(message, it->forge.cluster_id),
                                .access_version = it->access_version,
                                .access_hash = message_copy(message, (struct slice){it->access_hash,
                                                                                    HASH_BYTES}),
                                .role = message_text(message, "worker")};
    struct text why = {0};
    message = forge_transmit(message);
    assert(message && !admission_hear(&it->tracker, id, message, it->now_us, &why));
    message_drop(&message);
    it->said[id].heard = true;
    it->said[id].heard_us = it->now_us;
    it->said[id].follows = it->coordinator;
    it->said[id].access_version = it->access_version;
}

static void say_honestly(struct attack *it)
{
    uint8_t who = reader_byte(&it->in);
    for (node_id_t id = 1; id <= it->tracker.n_nodes; id++)
        if (id != it->hostile && (who & 128 || who >> (id - 1) & 1))
            say(it, id);
}

/* Anything, in its own name or another's; half of it such as would make it somebody. */
static void lie(struct attack *it)
{
    uint8_t how = reader_byte(&it->in);
    enum message_type type = how & 64   ? forge_type(&it->forge, PLACE_FEED)
                             : how < 48 ? MESSAGE_HEARTBEAT
                                        : (enum message_type)(1 + how % (MESSAGE_TYPES - 1));
    struct message *message = forge_message(&it->forge, type);
    struct text why = {0};
    if (!message)
        return;
    bool beats = message->type == MESSAGE_HEARTBEAT;
    if (how & 1 && message_kind(message->type)->place == PLACE_FEED) {
        message->as.heartbeat.node = it->hostile;
        message->as.heartbeat.seq |= ++it->seq;
    }
    if (how & 2 && beats) {
        message->as.heartbeat.serving = true;
        message->as.heartbeat.coordinator = it->hostile;
    }
    uint8_t before[KNOWN_BYTES];
    memcpy(before, &it->tracker, KNOWN_BYTES);
    bool own = message_kind(message->type)->place == PLACE_FEED &&
               message->as.heartbeat.node == it->hostile;
    int error = admission_hear(&it->tracker, it->hostile, message, it->now_us, &why);
    assert(own || error == ERR_MALFORMED || error == ERR_RANGE);
    if (error)
        assert(!memcmp(before, &it->tracker, KNOWN_BYTES));
    message_drop(&message);
}

/* --- requests --- */

static void check_refusal(const struct attack *it, const struct admitted *admitted)
{
    struct message *error = message_new(MESSAGE_ERROR);
    assert(*admitted->why.at);
    error->as.error =
        (struct wire_error){.request = admitted->request,
                            .code =
                                message_text(error, admitted->code ? admitted->code : "malformed"),
                            .reason = message_text(error, admitted->why.at),
                            .coordinator = tracker_coordinator(&it->tracker, it->now_us)};
    check_encodes(error);
    message_drop(&error);
}

/* No key gets more than its rate, and what it may save up. */
static void count_request(struct attack *it, unsigned who)
{
    if (!it->since_us[who])
        it->since_us[who] = it->now_us;
    uint64_t for_us = it->now_us - it->since_us[who] + QUOTA_BURST_US;
    it->asked[who]++;
    assert((it->asked[who] - 1) * SECOND_US <= for_us * it->quota.rate);
}

static void forward(struct attack *it, node_id_t node, unsigned who)
{
    uint8_t id[5] = {1, 2, 3, 4, (uint8_t)who};
    struct waiting *waiting = &it->waiting[node];
    uint64_t n = waiting_count(waiting), own = it->waits[node][who];
    assert(node >= 1 && node <= it->tracker.n_nodes);
    assert(tracker_alive(&it->tracker, node, it->now_us));
    if (waiting_add(waiting, (struct slice){id, sizeof id}, WAITING_LIMIT)) {
        it->waits[node][who]++;
        assert(n < WAITING_LIMIT);
    } else {
        assert(own || n >= WAITING_LIMIT); /* who waits for nothing is let in while there is room */
    }
    assert(waiting_count(waiting) <= WAITING_LIMIT);
}

/* One request of a key; `keyed`: the cluster has keys. */
static void judge(struct attack *it, unsigned who, bool keyed, struct slice frame, bool encoded,
                  bool is_request)
{
    struct admitted admitted =
        admission_judge(&it->tracker, keyed ? &it->quota : NULL, askers[who].role,
                        slice_of(askers[who].name), frame, it->now_us);
    if (keyed && askers[who].role != ROLE_admin && admitted.is != ADMISSION_MALFORMED &&
        admitted.is != ADMISSION_OVER_QUOTA)
        count_request(it, who);
    if (admitted.is == ADMISSION_MALFORMED || admitted.is == ADMISSION_NOBODY)
        check_refusal(it, &admitted);
    if (admitted.is == ADMISSION_FORWARD)
        forward(it, admitted.node, who);
    if (encoded)
        assert(is_request == (admitted.is != ADMISSION_MALFORMED));
}

/* One, or many of the same. */
static void ask(struct attack *it)
{
    unsigned who = reader_below(&it->in, CLIENTS), times = 1;
    uint8_t how = reader_byte(&it->in);
    enum message_type type = how & 1 ? forge_type(&it->forge, PLACE_REQUEST)
                                     : (enum message_type)(1 + how % (MESSAGE_TYPES - 1));
    struct message *message = forge_message(&it->forge, type);
    bool is_request = message_kind(type)->place == PLACE_REQUEST;
    if (message && is_request && how & 2)
        message->as.request.node = how >> 2 & 7;
    if (how & 64)
        times += reader_below(&it->in, FLOOD_MAX);
    struct codec_buffer frame = {0};
    bool encoded = message && !codec_encode(message, &frame);
    struct slice bytes =
        encoded ? (struct slice){frame.at, frame.len} : reader_bytes(&it->in, reader_byte(&it->in));
    message_drop(&message);
    while (times--)
        judge(it, who, !(how & 128), bytes, encoded, is_request);
    codec_buffer_clear(&frame);
}

/* For any client, whether it waits for one or not. */
static void answer(struct attack *it)
{
    node_id_t node = 1 + reader_below(&it->in, it->tracker.n_nodes);
    unsigned who = reader_below(&it->in, CLIENTS + 1);
    uint8_t id[5] = {1, 2, 3, 4, (uint8_t)who};
    waiting_take(&it->waiting[node], (struct slice){id, sizeof id});
    if (who < CLIENTS && it->waits[node][who])
        it->waits[node][who]--;
}

/* --- the sequence --- */

static void pass(struct attack *it)
{
    static const uint64_t times_us[] = {1,           MS_US,     50 * MS_US,
                                        200 * MS_US, SECOND_US, 40 * SECOND_US};
    it->now_us += times_us[reader_below(&it->in, sizeof times_us / sizeof *times_us)];
    for (node_id_t id = 1; id <= it->tracker.n_nodes; id++)
        waiting_turn(&it->waiting[id], it->now_us);
}

static void change(struct attack *it)
{
    uint8_t how = reader_byte(&it->in);
    if (how & 1)
        it->coordinator = 1 + how % it->tracker.n_nodes;
    if (how & 2) {
        it->access_version++;
        memset(it->access_hash, (int)it->access_version, HASH_BYTES);
    }
}

static void take_event(struct attack *it)
{
    it->forge.n_numbers = 0;
    uint64_t known[] = {it->hostile,
                        it->coordinator,
                        it->n_voters,
                        100 + it->hostile,
                        it->seq,
                        it->access_version,
                        1};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        it->forge.numbers[it->forge.n_numbers++] = known[i];
    switch (reader_below(&it->in, 12)) {
    case 0:
        pass(it);
        break;
    case 1:
        change(it);
        break;
    case 2:
    case 3:
        say_honestly(it);
        break;
    case 4:
    case 5:
    case 6:
        lie(it);
        break;
    case 7:
        answer(it);
        break;
    default:
        ask(it);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct attack *it = mem_new(1, sizeof *it);
    it->in = (struct reader){at, len};
    it->forge = (struct forge){.in = &it->in, .cluster_id = slice_of("0123456789abcdef")};
    uint32_t n_nodes = 3 + reader_below(&it->in, NODES - 2);
    it->n_voters = 3 + reader_below(&it->in, n_nodes - 2);
    it->hostile = 1 + reader_below(&it->in, n_nodes);
    it->coordinator = 1 + reader_below(&it->in, n_nodes);
    it->now_us = SECOND_US;
    it->access_version = 1;
    tracker_init(&it->tracker, n_nodes, it->n_voters, SILENCE_US);
    quota_init(&it->quota, 1 + reader_below(&it->in, 8));
    for (unsigned i = 0; i < EVENTS_MAX && it->in.left; i++) {
        take_event(it);
        check(it);
        if (i % REPORT_EVERY == 0)
            check_report(it);
    }
    for (node_id_t id = 1; id <= n_nodes; id++)
        waiting_clear(&it->waiting[id]);
    quota_clear(&it->quota);
    free(it);
    return 0;
}
