/* snapshot_verify_internal.h - shared by the files that implement snapshot_verify.h. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_VERIFY_INTERNAL_H
#define CONCLAVE_CLIENTS_SNAPSHOT_VERIFY_INTERNAL_H

#include "shared/snapshot/verify.h"

/* True when both states are here and the channel's content is known. */
bool verify_can_see(const struct snapshot_model *model, uint64_t from, uint64_t to);

/* The recorded message of that seq, NULL when there is none. */
const struct wire_cut_message *verify_message(const struct model_channel *channel, uint64_t seq);

void verify_money(const struct snapshot_model *model, const uint64_t *expected,
                  struct findings *out);
void verify_operations(const struct snapshot_model *model, struct findings *out);

#endif
