/* inspect.h - what a node's directory holds, for people and tools, while no node uses it. */
#ifndef CONCLAVE_IO_INSPECT_H
#define CONCLAVE_IO_INSPECT_H

#include <stdio.h>

/* Writes one line of JSON, whatever the directory holds; nothing in it changes.
 *
 *   {"state": "sound" | "empty" | "damaged" | "in_use" | "unusable", "why": null or a line}
 *
 * and for a sound store: node, cluster, cluster_id and origin (hexadecimal; null: none), founder,
 * nodes, voters, voter, boots, term, last_term, last_index, checkpoint_index, jobs, finished,
 * job_ids (the last INSPECT_JOBS_MAX), ledger: {accounts, total, values, epoch, outbox: [{to,
 * epoch, number, amount}], applied: [{from, epoch, upto}]}. A page so damaged that reading it ends
 * the process ends it: run it as a process of its own. */
void inspect_print(const char *dir, FILE *out);

#endif
