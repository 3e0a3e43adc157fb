/* keys_cluster.h - the list of keys of a cluster that runs: taken from it before a change, handed
 * to it after one. When no broker listens, the files alone change. */
#ifndef CONCLAVE_CLIENTS_KEYS_CLUSTER_H
#define CONCLAVE_CLIENTS_KEYS_CLUSTER_H

#include "clients/cli.h"

/* Takes the cluster's list over into `dir` when it is newer than that one. *runs: a cluster
 * answers; why not is said on stderr unless nobody listens. EXIT_KEY_REFUSED after one line: it
 * answers that the key is not an admin's, so nothing is to change. */
int keys_fetch(struct cli *cli, const char *dir, bool *runs);

/* Hands the list in `dir` to the cluster, which answers once a majority has it. An exit code, after
 * one line on stderr when it is not EXIT_OK. */
int keys_hand_over(struct cli *cli, const char *dir);

#endif
