/* schema.h - every message of Conclave, declared once: shared/wire/schema/ by the place where it
 * may stand.
 *
 * From these tables come the structs, encoder, decoder, printer, tests, fuzz targets and
 * docs/protocol.md. On the wire every message is a msgpack map with the fields' names and "type".
 * Unknown keys are ignored. schema/fields.h tells how a message is written down. */
#ifndef CONCLAVE_WIRE_SCHEMA_H
#define CONCLAVE_WIRE_SCHEMA_H

#include "shared/wire/schema/records.h"
#include "shared/wire/schema/link.h"
#include "shared/wire/schema/control.h"
#include "shared/wire/schema/channel.h"
#include "shared/wire/schema/replication.h"
#include "shared/wire/schema/value.h"
#include "shared/wire/schema/feed.h"
#include "shared/wire/schema/request.h"
#include "shared/wire/schema/reply.h"
#include "shared/wire/schema/entry.h"
#include "shared/wire/schema/checkpoint.h"
#include "shared/wire/schema/cut.h"
#include "shared/wire/schema/stored.h"
#include "shared/wire/schema/tasks.h"

#define WIRE_RECORDS(R)    \
    TASKS_RECORDS(R)       \
    SHARED_RECORDS(R)      \
    CHANNEL_RECORDS(R)     \
    REPLICATION_RECORDS(R) \
    REPLY_RECORDS(R)       \
    CHECKPOINT_RECORDS(R)  \
    CUT_RECORDS(R)         \
    STORED_RECORDS(R)

#define WIRE_MESSAGES(M)    \
    LINK_MESSAGES(M)        \
    CONTROL_MESSAGES(M)     \
    CHANNEL_MESSAGES(M)     \
    REPLICATION_MESSAGES(M) \
    VALUE_MESSAGES(M)       \
    FEED_MESSAGES(M)        \
    REQUEST_MESSAGES(M)     \
    REPLY_MESSAGES(M)       \
    ENTRY_MESSAGES(M)       \
    CHECKPOINT_MESSAGES(M)  \
    CUT_MESSAGES(M)         \
    STORED_MESSAGES(M)      \
    TASKS_MESSAGES(M)

#endif
