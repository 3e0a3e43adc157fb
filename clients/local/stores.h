/* stores.h - the directories of nodes that do not run: what is in them, as `conclave-node inspect`
 * tells. Only conclave-node opens stores; each is looked at by a process of its own, so that one
 * with damaged pages ends that process and nothing else. */
#ifndef CONCLAVE_CLIENTS_STORES_H
#define CONCLAVE_CLIENTS_STORES_H

#include <jansson.h>
#include <stdbool.h>

#include "clients/local/local.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/base/types.h"

enum store_state {
    STORE_SOUND,
    STORE_BLANK, /* nothing in it, or never part of a cluster */
    STORE_DAMAGED
};

struct store_found {
    uint64_t node; /* 0: not known */
    char dir[LOCAL_PATH_MAX];
    enum store_state state;
    char why[TEXT_MAX];              /* STORE_DAMAGED */
    json_t *about;                   /* as inspect prints it; owned, NULL when the process ended */
    const char *cluster_id, *origin; /* of a sound one; in `about`; origin NULL: none */
    uint64_t nodes, voters, term, last_term, last_index, jobs, finished;
    bool voter; /* its disk counts, by its own word */
};

/* Fills in a store of which `dir` is set (and `node`, when the caller knows it). Returns EXIT_OK,
 * or after one line an exit code: it is in use, of an older format, of another node, or cannot be
 * examined. */
int store_look(struct store_found *store);
void store_clear(struct store_found *store);

/* Whether the store is of that cluster, or both hold what a recovery made of the same one. */
bool store_is_related(const struct store_found *a, const struct store_found *b);

/* Runs conclave-node with these words (ended by NULL). Returns its exit code, after its line on
 * stderr; EXIT_FAILED when it was killed. */
int store_tool(const char *const words[]);

#endif
