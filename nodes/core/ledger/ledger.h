/* ledger.h - a node's accounts and key-value state.
 *
 * The door of the room: what others may use of it. */
#ifndef CONCLAVE_CORE_LEDGER_H
#define CONCLAVE_CORE_LEDGER_H

#include "nodes/core/ledger/ledger_cut.h"
#include "nodes/core/ledger/ledger_outbox.h"
#include "nodes/core/ledger/ledger_queries.h"
#include "nodes/core/ledger/ledger_requests.h"
#include "nodes/core/ledger/ledger_types.h"

#endif
