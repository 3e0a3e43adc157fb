/* snapshot_restore_node.c - conclave snapshot restore --node: a node's ledger as it was at a cut,
 * back into the empty ledger of a node whose disk was lost.
 *
 * The other nodes have gone on since the cut. What they know of the lost ledger is in their own: up
 * to which number they have applied what it sent, and what they have sent it. So transfers that had
 * left before the cut are sent again exactly when their receivers have not applied them. Of those
 * after the cut only the numbers are known, not the amounts; all of them together show
 * in the sum. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/local/outfile.h"
#include "shared/snapshot/pack.h"
#include "clients/command/snapshot_restore.h"
#include "clients/local/stores.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define NUMBER_UNKNOWN UINT64_MAX

struct node_restore {
    struct snapshot_model *model;
    uint64_t id;
    struct store_found stores[NODES_MAX + 1]; /* by id */
    bool all_known;                           /* every other node's ledger could be read */
    uint64_t cut;                             /* in all ledgers and between them, at the cut */
    uint64_t resent, resent_amount;
    json_t *notes; /* lines; owned */
};

/* --- what a store tells of its ledger --- */

static json_t *ledger_of(const struct node_restore *it, uint64_t node)
{
    const struct store_found *store = &it->stores[node];
    return store->state == STORE_SOUND ? json_object_get(store->about, "ledger") : NULL;
}

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static uint64_t epoch_of(const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "epoch"));
    return text ? strtoull(text, NULL, 16) : 0;
}

static json_t *row_of(const json_t *rows, const char *name, uint64_t node)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (number_of(json_array_get(rows, i), name) == node)
            return json_array_get(rows, i);
    return NULL;
}

/* Up to which number `node` has applied what the ledger of that name, of node `from`, sent;
 * NUMBER_UNKNOWN: it does not know that ledger, or another one since. */
static uint64_t applied_now(const struct node_restore *it, uint64_t from, uint64_t epoch,
                            uint64_t node)
{
    json_t *row = row_of(json_object_get(ledger_of(it, node), "applied"), "from", from);
    return row && epoch && epoch_of(row) == epoch ? number_of(row, "upto") : NUMBER_UNKNOWN;
}

/* --- the sum --- */

static uint64_t accounts_at_cut(const struct model_node *node)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < node->accounts.n; i++)
        sum += node->accounts.at[i].balance;
    return sum;
}

static uint64_t all_at_cut(const struct snapshot_model *model)
{
    uint64_t sum = 0;
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const struct model_node *node = &model->nodes[id];
        sum += accounts_at_cut(node);
        for (size_t i = 0; i < node->outbox.n; i++)
            if (node->outbox.at[i].number > model_applied(model, id, node->outbox.at[i].node))
                sum += node->outbox.at[i].amount;
    }
    return sum;
}

/* In accounts of another node, and on its way from it. */
static uint64_t held_now(const struct node_restore *it, uint64_t node)
{
    const json_t *ledger = ledger_of(it, node), *rows = json_object_get(ledger, "outbox");
    uint64_t sum = number_of(ledger, "total");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *letters = json_object_get(row, "letters");
        uint64_t upto = applied_now(it, node, epoch_of(ledger), number_of(row, "to"));
        for (size_t k = 0; k < json_array_size(letters); k++) {
            const json_t *letter = json_array_get(letters, k);
            uint64_t number = (uint64_t)json_integer_value(json_array_get(letter, 0));
            if (upto == NUMBER_UNKNOWN || number > upto)
                sum += (uint64_t)json_integer_value(json_array_get(letter, 1));
        }
    }
    return sum;
}

static void say_sum(struct node_restore *it)
{
    const struct snapshot_model *model = it->model;
    uint64_t others = 0, back = accounts_at_cut(&model->nodes[it->id]) + it->resent_amount;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        if (id != it->id)
            others += held_now(it, id);
    if (!it->all_known || !model->complete) {
        cli_add_line(it->notes, "not known: the sum of all ledgers, for %s",
                     model->complete ? "not all of them can be read here"
                                     : "the snapshot is partial");
        return;
    }
    uint64_t cut = it->cut, now = others + back;
    cli_add_line(it->notes,
                 "the sum: %" PRIu64 " at the cut; the other nodes have %" PRIu64
                 " now, which makes %" PRIu64 " with what is put back: %" PRIu64
                 " %s than at the cut, apart from what was deposited and withdrawn since",
                 cut, others, now, now > cut ? now - cut : cut - now, now < cut ? "less" : "more");
}

/* --- transfers since the cut --- */

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* The last number that the lost ledger had given to a transfer to that node at the cut. */
static uint64_t last_at_cut(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    uint64_t last = model_applied(model, from, to);
    const struct model_node *node = &model->nodes[from];
    for (size_t i = 0; i < node->outbox.n; i++)
        if (node->outbox.at[i].node == to && node->outbox.at[i].number > last)
            last = node->outbox.at[i].number;
    return last;
}

static void say_sent(struct node_restore *it, uint64_t to)
{
    uint64_t epoch = it->model->nodes[it->id].state.epoch;
    uint64_t upto = applied_now(it, it->id, epoch, to), last = last_at_cut(it->model, it->id, to);
    if (upto == NUMBER_UNKNOWN && (!epoch || (!last && ledger_of(it, to))))
        return; /* nothing was ever sent */
    if (upto == NUMBER_UNKNOWN)
        cli_add_line(it->notes,
                     "not known: what node %" PRIu64 " applied of what node %" PRIu64 " sent it",
                     to, it->id);
    else if (upto > last)
        cli_add_line(it->notes,
                     "counted twice: %" PRIu64 " message%s from node %" PRIu64 " to node %" PRIu64
                     ", sent after the cut and applied there; amounts are not known",
                     upto - last, plural(upto - last), it->id, to);
}

static void say_received(struct node_restore *it, uint64_t from)
{
    const json_t *ledger = ledger_of(it, from);
    const json_t *row = row_of(json_object_get(ledger, "outbox"), "to", it->id);
    uint64_t epoch = it->model->nodes[from].state.epoch, last = number_of(row, "last");
    uint64_t pending = json_array_size(json_object_get(row, "letters"));
    uint64_t before = model_applied(it->model, from, it->id);
    if (!ledger || (epoch && epoch != epoch_of(ledger)))
        cli_add_line(it->notes,
                     "not known: what node %" PRIu64 " sent to node %" PRIu64 " since the cut",
                     from, it->id);
    else if (last > before + pending)
        cli_add_line(
            it->notes,
            "missing: %" PRIu64 " message%s from node %" PRIu64 " to node %" PRIu64
            " that arrived after the cut, except for transfers that came back; amounts are not "
            "known",
            last - pending - before, plural(last - pending - before), from, it->id);
}

/* Keeps in the outbox what must be sent again, numbered from 1: the ledger gets a new name. */
static void settle(struct node_restore *it)
{
    struct model_node *node = &it->model->nodes[it->id];
    uint64_t to = 0, number = 0, unknown = 0, unknown_amount = 0;
    size_t n = 0;
    for (size_t i = 0; i < node->outbox.n; i++) {
        struct wire_cut_pending row = node->outbox.at[i];
        uint64_t upto = applied_now(it, it->id, node->state.epoch, row.node);
        if (row.number <= model_applied(it->model, it->id, row.node))
            continue;
        if (upto == NUMBER_UNKNOWN) {
            unknown++;
            unknown_amount += row.amount;
            continue;
        }
        if (row.number <= upto)
            continue;
        number = row.node == to ? number + 1 : 1;
        to = row.node;
        row.number = number;
        row.sent = false;
        it->resent++;
        it->resent_amount += row.amount;
        node->outbox.at[n++] = row;
    }
    node->outbox.n = n;
    node->applied.n = 0;
    if (it->resent)
        cli_add_line(it->notes,
                     "sent again: %" PRIu64 " message%s, of %" PRIu64 ", that never arrived",
                     it->resent, plural(it->resent), it->resent_amount);
    if (unknown)
        cli_add_line(it->notes,
                     "not sent again: %" PRIu64 " message%s, of %" PRIu64
                     ", because it is not known whether they arrived",
                     unknown, plural(unknown), unknown_amount);
}

static void examine(struct node_restore *it)
{
    const struct model_node *node = &it->model->nodes[it->id];
    cli_add_line(it->notes,
                 "put back: %zu account%s with %" PRIu64 " and %zu value%s of node %" PRIu64,
                 node->accounts.n, plural(node->accounts.n), accounts_at_cut(node), node->pairs.n,
                 plural(node->pairs.n), it->id);
    for (uint64_t id = 1; id <= it->model->n_nodes; id++) {
        if (id == it->id)
            continue;
        say_sent(it, id);
        say_received(it, id);
    }
}

/* --- the directories --- */

static int look(struct node_restore *it, const char *dir)
{
    char name[32];
    struct store_found *own = &it->stores[it->id];
    it->all_known = true;
    for (uint64_t id = 1; id <= it->model->n_nodes; id++) {
        struct store_found *store = &it->stores[id];
        text_format(name, sizeof name, "node%" PRIu64, id);
        store->node = id;
        if (local_path(dir, name, store->dir))
            return cli_fail(EXIT_USAGE, "--dir: the name is too long");
        int code = store_look(store);
        if (code)
            return code;
        it->all_known = it->all_known && store->state == STORE_SOUND;
    }
    if (own->state == STORE_DAMAGED)
        return cli_fail(EXIT_ENVIRONMENT, "%s is damaged: %s", own->dir, own->why);
    if (own->state != STORE_SOUND)
        return cli_fail(EXIT_USAGE,
                        "node %" PRIu64 " belongs to no cluster yet: start it among the others, "
                        "until `conclave check` succeeds, then stop it",
                        it->id);
    if (own->nodes != it->model->n_nodes)
        return cli_fail(EXIT_USAGE, "the snapshot is of %zu nodes, and the cluster of %" PRIu64,
                        it->model->n_nodes, own->nodes);
    return EXIT_OK;
}

static int refuse_used(const struct node_restore *it)
{
    const json_t *ledger = ledger_of(it, it->id), *rows = json_object_get(ledger, "outbox");
    size_t pending = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        pending += json_array_size(json_object_get(json_array_get(rows, i), "letters"));
    if (!number_of(ledger, "accounts") && !number_of(ledger, "values") && !pending)
        return EXIT_OK;
    return cli_fail(EXIT_USAGE,
                    "the ledger of node %" PRIu64 " is not empty: %" PRIu64 " accounts, %" PRIu64
                    " values, %zu messages under way; nothing is put back into it",
                    it->id, number_of(ledger, "accounts"), number_of(ledger, "values"), pending);
}

static int put_back(struct node_restore *it, const char *dir)
{
    char path[LOCAL_PATH_MAX], name[32], why[TEXT_MAX];
    struct store_found *own = &it->stores[it->id];
    for (size_t i = 0; i < CLUSTER_ID_BYTES; i++) {
        char digits[3] = {own->cluster_id[2 * i], own->cluster_id[2 * i + 1], '\0'};
        it->model->cluster_id[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    it->model->voters = own->voters;
    struct blob *share = snapshot_pack(it->model, it->id);
    text_format(name, sizeof name, "node%" PRIu64 ".share", it->id);
    if (!share || local_path(dir, name, path)) {
        blob_drop(&share);
        return cli_fail(EXIT_USAGE, "a row of node %" PRIu64 " is too large to be written", it->id);
    }
    int error = outfile_put(path, share->at, share->len, why);
    blob_drop(&share);
    if (error)
        return cli_fail(EXIT_ENVIRONMENT, "%s", why);
    int code = store_tool((const char *const[]){"ledger", own->dir, path, NULL});
    unlink(path);
    return code;
}

static int restore(struct node_restore *it, const char *dir, bool dry_run)
{
    int code = look(it, dir);
    if (!code)
        code = refuse_used(it);
    if (code)
        return code;
    it->cut = all_at_cut(it->model);
    examine(it);
    settle(it);
    say_sum(it);
    return dry_run ? EXIT_OK : put_back(it, dir);
}

static void print(struct cli *cli, const struct node_restore *it, bool dry_run)
{
    char name[SNAPSHOT_NAME_MAX];
    const struct model_node *node = &it->model->nodes[it->id];
    if (cli->json) {
        cli_print_json(cli, json_pack("{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:O}", "snapshot_id",
                                      snapshot_name_text(&it->model->name, name), "node",
                                      (json_int_t)it->id, "done", !dry_run, "accounts",
                                      (json_int_t)node->accounts.n, "total",
                                      (json_int_t)accounts_at_cut(node), "values",
                                      (json_int_t)node->pairs.n, "sent_again",
                                      (json_int_t)it->resent, "notes", it->notes));
        return;
    }
    for (size_t i = 0; i < json_array_size(it->notes); i++)
        printf("%s\n", json_string_value(json_array_get(it->notes, i)));
    if (dry_run)
        printf("nothing was changed (--dry-run)\n");
}

int snapshot_restore_node(struct cli *cli, struct snapshot_model *model, uint64_t id,
                          const char *dir, bool dry_run)
{
    char why[TEXT_MAX];
    int lock = -1;
    if (id > model->n_nodes || !model->nodes[id].present)
        return cli_fail(EXIT_USAGE, "node %" PRIu64 " is not in the snapshot", id);
    if (access(dir, F_OK))
        return cli_fail(EXIT_NOT_FOUND, "there is no cluster in %s", dir);
    if (local_claim(dir, &lock, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    struct node_restore *it = mem_new(1, sizeof *it);
    it->model = model;
    it->id = id;
    it->notes = json_array();
    int code = restore(it, dir, dry_run);
    if (!code)
        print(cli, it, dry_run);
    for (size_t i = 0; i <= NODES_MAX; i++)
        store_clear(&it->stores[i]);
    json_decref(it->notes);
    free(it);
    close(lock);
    return code;
}
