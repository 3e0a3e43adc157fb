/* commits.c - how fast this disk is: LMDB commits of one small record, one after another, as a node
 * with --durability fsync makes them. `make bench` prints it beside what Conclave reaches.
 *
 *     commits DIR SECONDS */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define RECORD_BYTES 200 /* about an entry of a submitted job */
#define MAP_BYTES    (64 * MIB_BYTES)
#define KEYS         1024 /* written over again and again: the map does not grow */

static void need(int error, const char *what)
{
    if (error)
        panic("%s: %s", what, mdb_strerror(error));
}

static void commit_one(MDB_env *env, MDB_dbi records, uint64_t n)
{
    char bytes[RECORD_BYTES];
    uint64_t number = n % KEYS;
    MDB_val key = {sizeof number, &number}, value = {sizeof bytes, bytes};
    MDB_txn *txn;
    memset(bytes, (int)(n % 251), sizeof bytes);
    need(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
    need(mdb_put(txn, records, &key, &value, 0), "mdb_put");
    need(mdb_txn_commit(txn), "mdb_txn_commit");
}

int main(int argc, char **argv)
{
    uint64_t seconds;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi records;
    if (argc != 3 || parse_u64(slice_of(argv[2]), 60, &seconds)) {
        fprintf(stderr, "usage: commits DIR SECONDS\n");
        return EXIT_USAGE;
    }
    need(mdb_env_create(&env), "mdb_env_create");
    need(mdb_env_set_mapsize(env, MAP_BYTES), "mdb_env_set_mapsize");
    need(mdb_env_open(env, argv[1], 0, 0600), argv[1]);
    need(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
    need(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &records), "mdb_dbi_open");
    need(mdb_txn_commit(txn), "mdb_txn_commit");

    uint64_t n = 0, began_us = clock_now_us(), now_us = began_us;
    for (; now_us < began_us + seconds * SECOND_US; n++, now_us = clock_now_us())
        commit_one(env, records, n);
    printf("%.0f\n", (double)n * SECOND_US / (double)(now_us - began_us));
    mdb_env_close(env);
    return EXIT_OK;
}
