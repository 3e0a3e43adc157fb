/* ledger_cut.h - the ledger's part of a snapshot. */
#ifndef CONCLAVE_CORE_LEDGER_CUT_H
#define CONCLAVE_CORE_LEDGER_CUT_H

#include "nodes/core/ledger/ledger_types.h"

/* Its room is a struct ledger. */
extern const struct participant ledger_participant;

#endif
