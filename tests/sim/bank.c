#include "tests/sim/bank.h"

#include <inttypes.h>

#include "nodes/core/ledger/ledger.h"
#include "nodes/core/snapshot/snapshot.h"
#include "tests/harness/inside.h"
#include "shared/base/text.h"
#include "tests/sim/losses.h"
#include "tests/sim/restored.h"

#define FIRST_TELLER 1
#define FIRST_TAKER  (FIRST_TELLER + BANK_TELLERS)

/* --- requests --- */

const char *bank_account(unsigned number)
{
    static const char *const names[BANK_ACCOUNTS] = {"alice", "bob", "carol"};
    return names[number];
}

struct message *bank_change(enum message_type type, const char *key, const char *account,
                            uint64_t amount)
{
    struct message *message = message_new(type);
    message->as.bank_change.key = message_text(message, key);
    message->as.bank_change.account = message_text(message, account);
    message->as.bank_change.amount = amount;
    return message;
}

struct message *bank_transfer(const char *key, const char *from, uint64_t amount, const char *to,
                              uint64_t to_node)
{
    struct message *message = bank_change(MESSAGE_BANK_TRANSFER, key, from, amount);
    message->as.bank_transfer.to = message_text(message, to);
    message->as.bank_transfer.to_node = to_node;
    return message;
}

static node_id_t any_node(struct world *world)
{
    return 1 + (node_id_t)world_random(world, world->options.n_nodes);
}

/* --- tellers and takers: each has one thing done, rests, and begins the next --- */

static void rest(struct world *world, unsigned asker)
{
    world_wake_asker(world, asker, 1 + world_random(world, world->bank.rest_us + 1));
}

static void ask_transfer(struct world *world, unsigned teller, const struct world_transfer *it)
{
    world_ask(world, teller, it->from,
              bank_transfer(it->key, bank_account(it->account), it->amount, bank_account(it->other),
                            it->to));
}

/* Every other teller's keys are of sessions, where little is remembered. */
static void ask_new(struct world *world, unsigned number)
{
    struct world_teller *teller = &world->bank.tellers[number];
    struct world_transfer *it = &teller->now;
    struct session_key *session = &teller->sessions[it->from];
    if (!world->options.keys.requests || number % 2) {
        text_format(it->key, sizeof it->key, "transfer-%u", (unsigned)++world->bank.begun);
    } else if (session->id) {
        session->sequence++;
        session_key_write(it->key, *session);
    } else {
        world_ask(world, number, it->from, message_new(MESSAGE_SESSION_OPEN));
        return;
    }
    ask_transfer(world, number, it);
}

static void begin_transfer(struct world *world, unsigned number)
{
    struct world_teller *teller = &world->bank.tellers[number];
    if (!world->bank.transfers_left)
        return;
    world->bank.transfers_left--;
    teller->again = world->options.keys.requests && teller->n_old && world_random(world, 4) == 0;
    if (teller->again) {
        teller->about = world_random(world, teller->n_old);
        ask_transfer(world, number, &teller->old[teller->about]);
        return;
    }
    teller->now.from = any_node(world);
    teller->now.to = any_node(world);
    teller->now.account = (unsigned)world_random(world, BANK_ACCOUNTS);
    teller->now.other = (unsigned)world_random(world, BANK_ACCOUNTS);
    teller->now.amount = 1 + world_random(world, 400);
    if (teller->now.from == teller->now.to && teller->now.account == teller->now.other)
        teller->now.other = (teller->now.other + 1) % BANK_ACCOUNTS;
    ask_new(world, number);
}

/* A wiped ledger remembers no key, and its money is gone as well. */
static void check_again(struct world *world, const struct world_transfer *old,
                        const struct message *answer)
{
    if (answer->type == MESSAGE_BANK_ACCOUNT && !world->counts.faults[FAULT_WIPE] &&
        (old->forgotten || !answer->as.bank_account.repeated))
        world_fail(world, "R29: a retry with the same key moves no money twice", "key %s does",
                   old->key);
}

static void transfer_answered(struct world *world, unsigned number)
{
    struct world_teller *teller = &world->bank.tellers[number];
    const struct message *answer = world->askers[number].answer;
    struct world_transfer *old = &teller->old[teller->about];
    bool done = answer->type == MESSAGE_BANK_ACCOUNT;
    bool forgotten =
        answer->type == MESSAGE_ERROR && slice_equals(answer->as.error.code, "forgotten");
    if (answer->type == MESSAGE_SESSION) {
        teller->sessions[teller->now.from] =
            (struct session_key){.id = answer->as.session.session,
                                 .token = answer->as.session.token};
        ask_new(world, number);
        return;
    }
    if (forgotten && !world->options.keys.requests)
        world_fail(world, "R29: what was asked for lately is remembered", "teller %u", number);
    world->counts.forgotten += forgotten;
    world->counts.faults[FAULT_LEDGER_KEY_FORGOTTEN] += forgotten;
    if (teller->again) {
        check_again(world, old, answer);
        old->forgotten |= forgotten;
    } else if (done) {
        size_t room = sizeof teller->old / sizeof *teller->old;
        world->counts.transfers++;
        teller->old[teller->n_old < room ? teller->n_old++ : world_random(world, room)] =
            teller->now;
    } else if (forgotten) {
        teller->sessions[teller->now.from].id = 0;
    }
    rest(world, number);
}

static void begin_snapshot(struct world *world, unsigned taker)
{
    if (!world->bank.snapshots_left)
        return;
    world->bank.snapshots_left--;
    world_ask(world, taker, any_node(world), message_new(MESSAGE_SNAPSHOT_TAKE));
}

static void snapshot_answered(struct world *world, unsigned taker)
{
    const struct message *answer = world->askers[taker].answer;
    if (answer->type != MESSAGE_SNAPSHOT)
        world_fail(world, "a snapshot is taken", "the answer is %s", message_name(answer->type));
    rest(world, taker);
}

/* --- opening: one deposit after another --- */

static void open_doors(struct world *world)
{
    struct world_bank *bank = &world->bank;
    bank->open = true;
    for (unsigned i = 0; i < BANK_TELLERS; i++) {
        world->askers[FIRST_TELLER + i].done = transfer_answered;
        world->askers[FIRST_TELLER + i].awake = begin_transfer;
        rest(world, FIRST_TELLER + i);
    }
    for (unsigned i = 0; i < bank->takers; i++) {
        world->askers[FIRST_TAKER + i].done = snapshot_answered;
        world->askers[FIRST_TAKER + i].awake = begin_snapshot;
        rest(world, FIRST_TAKER + i);
    }
}

static void deposit_next(struct world *world, unsigned asker)
{
    uint64_t n = world->bank.deposited;
    char key[32];
    if (n == (uint64_t)BANK_ACCOUNTS * world->options.n_nodes) {
        open_doors(world);
        return;
    }
    text_format(key, sizeof key, "deposit-%u", (unsigned)n);
    world_ask(world, asker, 1 + (node_id_t)(n / BANK_ACCOUNTS),
              bank_change(MESSAGE_BANK_DEPOSIT, key, bank_account((unsigned)(n % BANK_ACCOUNTS)),
                          BANK_DEPOSIT));
}

static void deposit_answered(struct world *world, unsigned asker)
{
    bool done = world->askers[asker].answer->type == MESSAGE_BANK_ACCOUNT;
    world->bank.deposited += done; /* else its disk is full, and will not be for ever */
    world_wake_asker(world, asker, done ? 1 : 50 * MS_US);
}

void bank_open(struct world *world, uint64_t transfers, unsigned takers, uint64_t snapshots,
               uint64_t rest_us)
{
    world->bank = (struct world_bank){.in_use = true,
                                      .transfers_left = transfers,
                                      .snapshots_left = snapshots,
                                      .takers = takers,
                                      .rest_us = rest_us};
    world->askers[FIRST_TELLER].done = deposit_answered;
    world->askers[FIRST_TELLER].awake = deposit_next;
    deposit_next(world, FIRST_TELLER);
}

void bank_close(struct world *world)
{
    world->bank.transfers_left = world->bank.snapshots_left = 0;
}

bool bank_is_idle(const struct world *world)
{
    const struct world_bank *bank = &world->bank;
    bool idle = bank->open && !bank->transfers_left && !bank->snapshots_left;
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++)
        idle = idle && !world->askers[i].request;
    return idle;
}

/* --- the end --- */

bool bank_is_quiet(const struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (!node || inside_snapshots(node)->recordings || inside_snapshots(node)->collections)
            return false;
        for (node_id_t to = 1; to <= world->options.n_nodes; to++)
            if (inside_ledger(node)->outgoing[to].pending.n)
                return false;
    }
    return true;
}

uint64_t bank_money(const struct world *world)
{
    uint64_t sum = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        sum += world->nodes[id].core ? inside_ledger(world->nodes[id].core)->total : 0;
    return sum;
}

static uint64_t deposits(const struct world *world)
{
    return (uint64_t)BANK_ACCOUNTS * BANK_DEPOSIT * world->options.n_nodes;
}

/* A deposit is repeated when a disk was wiped before the answer came. */
void bank_check(struct world *world)
{
    bool wiped = world->counts.faults[FAULT_WIPE];
    uint64_t found = bank_money(world);
    uint64_t expected = wiped ? losses_expected(world) : deposits(world);
    if (world->bank.open && found != expected)
        world_fail(world, "S14: money is conserved", "%" PRIu64 " of %" PRIu64 "%s", found,
                   expected, wiped ? ", without what wiped disks took along" : "");
}

/* --- snapshots --- */

static void count(struct world *world, const struct snapshot_model *model,
                  const struct findings *findings)
{
    struct world_counts *counts = &world->counts;
    if (!model->complete) {
        counts->snapshots_partial++;
        return;
    }
    counts->snapshots_complete++;
    counts->snapshots_holding += findings->in_channels > 0;
}

static void say(struct world *world, node_id_t id, const struct snapshot_model *model,
                const struct findings *findings)
{
    world_say(world, id,
              "keeps snapshot %" PRIu64 "%s: %" PRIu64 " messages, %" PRIu64
              " of money in channels",
              model->name.counter, model->complete ? "" : ", partial", findings->messages,
              findings->in_channels);
    for (size_t i = 0; i < findings->lines.n; i++)
        if (findings->lines.at[i].kind != FINDING_CHECKED)
            world_say(world, id, "  %s", findings->lines.at[i].text);
}

void bank_value_kept(struct world *world, node_id_t id, struct value_id value,
                     const struct blob *blob)
{
    struct snapshot_model *model;
    struct findings findings;
    struct text why = {0};
    const uint64_t expected = deposits(world);
    if (value.job >> 32 || value.op != 1)
        return; /* of a job: it has a term */
    if (snapshot_model_load((struct slice){blob->at, blob->len}, &model, &why))
        world_fail(world, "a snapshot can be read", "node %u, %" PRIu64 ": %s", id, value.job,
                   why.at);
    /* What is lost of what a cut holds is not known: it may be older than a wipe, or not. */
    bool known = world->bank.open && !world->counts.faults[FAULT_WIPE];
    snapshot_verify(model, known ? &expected : NULL, &findings);
    say(world, id, model, &findings);
    count(world, model, &findings);
    for (size_t i = 0; i < findings.lines.n; i++)
        if (findings.lines.at[i].kind == FINDING_VIOLATION)
            world_fail(world,
                       model->complete ? "S13, S14: a complete snapshot verifies"
                                       : "S12: what is known of a partial one verifies",
                       "node %u, snapshot %" PRIu64 ": %s", id, value.job,
                       findings.lines.at[i].text);
    restored_offer(world, id, model, &findings, blob);
    findings_clear(&findings);
    snapshot_model_destroy(&model);
}
