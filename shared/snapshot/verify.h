/* snapshot_verify.h - is a snapshot one consistent picture? Pure, over the model.
 *
 * Checked is:
 *   presence    what calls itself complete has every state and every channel
 *   channels    per channel, between the same incarnations: sent - received = recorded; nothing
 *               was received or recorded that was not sent before its sender's state
 *   money       what a ledger has sent is in the channel or applied, exactly once; what was
 *               received was sent; balances and what is under way give the total
 *   operations  per job done + returned + handed out + pending = all; what was handed out is in the
 *               channel to its worker, there, or in the channel back, exactly once
 *
 * Of a partial snapshot what can be checked is, and what cannot is said. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_VERIFY_H
#define CONCLAVE_CLIENTS_SNAPSHOT_VERIFY_H

#include "shared/snapshot/model.h"

enum finding_kind {
    FINDING_CHECKED, /* holds, with its numbers */
    FINDING_UNKNOWN, /* could not be checked */
    FINDING_VIOLATION
};

struct finding {
    enum finding_kind kind;
    const char *text; /* one line */
};

/* Beyond so many violations they are only counted. */
#define FINDINGS_VIOLATIONS_MAX 50

struct findings {
    struct arena arena;
    MODEL_LIST(struct finding) lines;
    size_t violations;

    uint64_t channels, channels_known, channels_holding, messages; /* of all participants */
    uint64_t accounts, balances, in_channels, in_outboxes;         /* money, by where it is */
    uint64_t transfers_in_channels, transfers_in_outboxes, duplicates;
    uint64_t total; /* balances + in_channels + in_outboxes */
    uint64_t handed_out, unseen, stale;
};

/* `expected` is what the money must come to, NULL when it is not known. Caller clears. */
void snapshot_verify(const struct snapshot_model *model, const uint64_t *expected,
                     struct findings *out);

/* One line more, of whoever looked at what a snapshot came with. */
void findings_add(struct findings *findings, enum finding_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void findings_clear(struct findings *findings);

#endif
