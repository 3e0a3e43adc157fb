/* What a disk knows of its cluster: kept, refused when damaged, and given to stores of format 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lmdb.h>
#include <unistd.h>

#include "nodes/io/disk.h"
#include "shared/base/error.h"
#include "tests/harness/tree.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    text_format(root, sizeof root, "/tmp/conclave-identity-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return tree_remove(root);
}

static struct disk *open_as(const char *cluster, node_id_t node)
{
    struct disk *disk;
    struct text why = {0};
    if (disk_open(root, cluster, node, DURABILITY_FSYNC, &disk, &why))
        fail_msg("%s", why.at);
    return disk;
}

static struct node_durable read_vote(struct disk *disk)
{
    struct node_durable durable;
    struct text why = {0};
    if (disk_read_vote(disk, &durable, &why))
        fail_msg("%s", why.at);
    return durable;
}

static void put_vote(struct disk *disk, term_t term, const struct identity *identity)
{
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE,
                                     .term = term,
                                     .vote = 1,
                                     .voter = true,
                                     .identity = identity});
    disk_commit(disk);
}

/* Puts bytes under a key of the store, as no function of ours does. */
static void put_raw(const char *key, const void *at, size_t len)
{
    char path[128];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    MDB_val name = {strlen(key), (void *)key}, value = {len, (void *)at};
    text_format(path, sizeof path, "%s/store", root);
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 8);
    assert_int_equal(mdb_env_open(env, path, MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &name, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_disk_keeps_its_clusters_identity(void **state)
{
    (void)state;
    struct identity identity = {.founder = 2, .n_nodes = 6, .n_voters = 5};
    for (int i = 0; i < CLUSTER_ID_BYTES; i++)
        identity.cluster_id[i] = (uint8_t)(i + 1);
    identity.births[1] = 77;
    identity.births[5] = UINT64_MAX;
    struct disk *disk = open_as("conclave", 3);
    assert_false(identity_is_set(&(struct identity){0}));
    struct node_durable durable = read_vote(disk);
    assert_false(identity_is_set(&durable.identity));
    put_vote(disk, 1, &identity);
    put_vote(disk, 2, NULL); /* as it is */
    disk_close(&disk);
    disk = open_as("conclave", 3);
    durable = read_vote(disk);
    assert_memory_equal(&durable.identity, &identity, sizeof identity);
    assert_int_equal(durable.term, 2);
    disk_close(&disk);
}

static void a_damaged_identity_is_refused(void **state)
{
    (void)state;
    struct node_durable durable;
    struct text why = {0};
    struct disk *disk = open_as("conclave", 3);
    put_vote(disk, 1, &(struct identity){.cluster_id = {1}, .n_nodes = 1, .n_voters = 1});
    disk_close(&disk);
    put_raw("cluster", "no identity", 11);
    disk = open_as("conclave", 3);
    assert_int_equal(disk_read_vote(disk, &durable, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.at, "is damaged"));
    disk_close(&disk);
}

static void make_format_2(term_t term)
{
    struct disk *disk = open_as("conclave", 3);
    if (term)
        put_vote(disk, term, NULL);
    disk_close(&disk);
    put_raw("identity", "conclave 2 node 3 cluster conclave", 34);
}

static struct node_durable migrate(uint32_t n_nodes, uint32_t n_voters)
{
    struct text why = {0};
    struct disk *disk = open_as("conclave", 3);
    if (disk_migrate(disk, n_nodes, n_voters, &why))
        fail_msg("%s", why.at);
    disk_close(&disk);
    disk = open_as("conclave", 3);
    struct node_durable durable = read_vote(disk);
    disk_close(&disk);
    return durable;
}

static void a_store_of_format_2_learns_its_cluster_once(void **state)
{
    (void)state;
    make_format_2(4);
    struct node_durable durable = migrate(6, 5), again;
    assert_true(durable.term == 4 && durable.vote == 1 && durable.voter);
    assert_true(identity_is_set(&durable.identity));
    assert_true(durable.identity.n_nodes == 6 && durable.identity.n_voters == 5);
    for (node_id_t id = 0; id <= NODES_MAX; id++)
        assert_int_equal(durable.identity.births[id], 0);
    again = migrate(2, 2); /* it is of the present format now, and stays what it is */
    assert_memory_equal(&again, &durable, sizeof durable);
}

static void a_store_of_format_2_that_was_never_used_is_blank(void **state)
{
    (void)state;
    make_format_2(0);
    struct node_durable durable = migrate(6, 6);
    assert_false(identity_is_set(&durable.identity));
}

static void a_tool_opens_what_is_there_and_makes_nothing(void **state)
{
    (void)state;
    struct disk *disk;
    struct text why = {0};
    assert_int_equal(disk_open(root, NULL, 0, DURABILITY_FSYNC, &disk, &why), ERR_NOT_FOUND);
    assert_false(disk_exists(root));
    disk = open_as("other", 9);
    disk_close(&disk);
    assert_true(disk_exists(root));
    disk = open_as(NULL, 0);
    assert_int_equal(disk_node(disk), 9);
    assert_string_equal(disk_cluster(disk), "other");
    disk_close(&disk);
}

int main(void)
{
#define ON_A_NEW_DISK(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        ON_A_NEW_DISK(a_disk_keeps_its_clusters_identity),
        ON_A_NEW_DISK(a_damaged_identity_is_refused),
        ON_A_NEW_DISK(a_store_of_format_2_learns_its_cluster_once),
        ON_A_NEW_DISK(a_store_of_format_2_that_was_never_used_is_blank),
        ON_A_NEW_DISK(a_tool_opens_what_is_there_and_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
