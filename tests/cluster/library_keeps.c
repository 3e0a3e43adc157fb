/* library_keeps.c - accounts, snapshots, nodes and the key through libconclave; run by
 * test_library.py on a real cluster of three. Prints one line for each thing that it looked at, and
 * ends with 1 at the first surprise. Its argument: where a snapshot is to be kept. */
#include <inttypes.h>
#include <string.h>

#include "library_expect.h"

/* --- accounts --- */

struct accounts {
    unsigned n, most;
    uint64_t sum;
    char last[CONCLAVE_NAME_MAX];
};

static int take_account(void *context, const char *account, uint64_t balance)
{
    struct accounts *accounts = context;
    EXPECT(strcmp(accounts->last, account) < 0);
    strcpy(accounts->last, account);
    accounts->sum += balance;
    return ++accounts->n == accounts->most;
}

static void move_money(void)
{
    uint64_t balance = 0;
    int repeated = -1;
    EXPECT(!conclave_bank_deposit(cluster, 1, "alice", 100, "first", &balance, &repeated));
    EXPECT(balance == 100 && !repeated);
    EXPECT(!conclave_bank_deposit(cluster, 1, "alice", 100, "first", &balance, &repeated));
    EXPECT(balance == 100 && repeated);
    EXPECT(!conclave_bank_withdraw(cluster, 1, "alice", 10, NULL, NULL, NULL));
    EXPECT(conclave_bank_transfer(cluster, 1, "alice", 2, "bob", 40, NULL, NULL, NULL) ==
           CONCLAVE_NOT_FOUND); /* nobody of that name can be paid */
    EXPECT(!conclave_bank_deposit(cluster, 2, "bob", 1, NULL, NULL, NULL));
    EXPECT(!conclave_bank_transfer(cluster, 1, "alice", 2, "bob", 40, NULL, &balance, NULL));
    EXPECT(balance == 50);
    EXPECT(conclave_bank_withdraw(cluster, 1, "alice", 51, NULL, NULL, NULL) == CONCLAVE_FAILED);
    EXPECT(!conclave_bank_balance(cluster, 1, "alice", &balance) && balance == 50);
    EXPECT(conclave_bank_deposit(cluster, 0, "a", 1, NULL, NULL, NULL) == CONCLAVE_USAGE);
    EXPECT(conclave_bank_deposit(cluster, 1, "a b", 1, NULL, NULL, NULL) == CONCLAVE_USAGE);
    printf("moved\n");
}

/* More than fit on one page of the protocol. */
static void list_accounts(void)
{
    struct accounts all = {.most = 1000000}, few = {.most = 3};
    uint64_t sent;
    char name[20];
    for (unsigned i = 0; i < 210; i++) {
        snprintf(name, sizeof name, "x%03u", i);
        EXPECT(!conclave_bank_deposit(cluster, 3, name, 2, name, NULL, NULL));
    }
    EXPECT(!conclave_bank_list(cluster, 3, take_account, &all, &sent));
    EXPECT(all.n == 210 && all.sum == 420 && !strcmp(all.last, "x209") && !sent);
    EXPECT(!conclave_bank_list(cluster, 3, take_account, &few, NULL) && few.n == 3);
    printf("listed %u accounts\n", all.n);
}

/* --- snapshots --- */

struct snapshots {
    unsigned n, nodes;
    struct conclave_snapshot last;
};

static int take_snapshot(void *context, const struct conclave_snapshot *snapshot)
{
    struct snapshots *snapshots = context;
    EXPECT(snapshot->complete && snapshot->states == 3 && snapshot->time_ms);
    snapshots->n++;
    snapshots->nodes |= 1u << snapshot->node;
    snapshots->last = *snapshot;
    return 0;
}

struct cut {
    unsigned n, without_marker;
    uint64_t balances, accounts;
};

static int take_cut(void *context, const struct conclave_snapshot_node *node)
{
    struct cut *cut = context;
    EXPECT(node->present && node->node == ++cut->n && node->role[0] && node->term);
    cut->without_marker += !node->marker;
    cut->balances += node->balance;
    cut->accounts += node->accounts;
    return 0;
}

static void keep(const char *path, const char *id)
{
    void *bytes;
    size_t len;
    EXPECT(!conclave_snapshot_read(cluster, id, &bytes, &len) && len);
    FILE *out = fopen(path, "wb");
    EXPECT(out && fwrite(bytes, 1, len, out) == len && !fclose(out));
    free(bytes);
    EXPECT(conclave_snapshot_read(cluster, "1-0000000000000001-999", &bytes, &len) ==
               CONCLAVE_NOT_FOUND &&
           !bytes);
}

static void take_snapshots(const char *path)
{
    struct conclave_snapshot taken, other;
    struct conclave_snapshot_sums sums;
    struct snapshots all = {0}, of_two = {0};
    struct cut cut = {0};
    EXPECT(!conclave_snapshot_take(cluster, 2, &taken));
    EXPECT(taken.complete && taken.node == 2 && !strncmp(taken.id, "2-", 2) && !taken.periodic);
    EXPECT(!conclave_snapshot_take(cluster, 0, &other) && strcmp(taken.id, other.id));
    EXPECT(!conclave_snapshots_each(cluster, 2, take_snapshot, &of_two) && of_two.nodes == 4);
    EXPECT(!conclave_snapshots_each(cluster, 0, take_snapshot, &all) && all.n == 2);
    EXPECT(!conclave_snapshot_get(cluster, taken.id, &sums, take_cut, &cut));
    EXPECT(sums.complete && sums.consistent && !sums.violation[0] && sums.nodes == 3);
    EXPECT(sums.channels == 6 && sums.channels_known == 6 && sums.coordinator);
    /* 100 + 1 + 210 * 2 were put in, 10 taken out, and what is on its way counts */
    EXPECT(sums.money == 511 && sums.money == sums.balances + sums.in_channels + sums.in_outboxes);
    EXPECT(cut.n == 3 && cut.without_marker == 1 && cut.balances == sums.balances);
    EXPECT(cut.accounts == sums.accounts && sums.accounts == 212);
    EXPECT(conclave_snapshot_get(cluster, "2", &sums, NULL, NULL) == CONCLAVE_USAGE);
    keep(path, taken.id);
    printf("took %s\n", taken.id);
}

/* --- the cluster --- */

struct nodes {
    unsigned n, alive, coordinators;
    uint64_t slots;
};

static int take_node(void *context, const struct conclave_node *node)
{
    struct nodes *nodes = context;
    EXPECT(node->node == ++nodes->n && node->pid && node->host[0] && node->version[0]);
    EXPECT(node->votes && !node->disk_full && node->applied && !node->stalled_us);
    nodes->alive += node->alive != 0;
    nodes->coordinators += !strcmp(node->role, "coordinator");
    nodes->slots += node->slots;
    return 0;
}

static void look_around(void)
{
    struct nodes nodes = {0};
    struct conclave_status status;
    struct conclave_key key;
    EXPECT(!conclave_nodes_each(cluster, take_node, &nodes) && nodes.n == 3);
    EXPECT(!conclave_status(cluster, &status));
    EXPECT(nodes.alive == status.alive && nodes.coordinators == 1 && nodes.slots == status.slots);
    EXPECT(!conclave_key(cluster, &key) && key.name[0] && key.cluster[0]);
    printf("%u nodes, for a key of role %s\n", nodes.n, key.role);
}

static int take_operator(void *context, const struct conclave_operator *row)
{
    printf("operator %s of %s, %" PRIu64 " bytes, is %.6s...\n", row->name, row->owner, row->bytes,
           row->value);
    ++*(unsigned *)context;
    return 0;
}

int main(int argc, char **argv)
{
    unsigned operators = 0;
    cluster = conclave_open(NULL);
    EXPECT(argc == 2);
    move_money();
    list_accounts();
    take_snapshots(argv[1]);
    look_around();
    EXPECT(!conclave_operators_each(cluster, take_operator, &operators) && operators == 1);
    conclave_close(&cluster);
    return 0;
}
