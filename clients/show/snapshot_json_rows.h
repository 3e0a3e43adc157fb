/* snapshot_json_rows.h - names of rows in a snapshot's JSON, shared by what writes and reads it. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_JSON_ROWS_H
#define CONCLAVE_CLIENTS_SNAPSHOT_JSON_ROWS_H

#include "clients/show/record_json.h"

#define SNAPSHOT_JSON_FORMAT 1

static const struct record_alias snapshot_message_names[] = {{"kind", "type"},
                                                             {"clock", "logical_clock"},
                                                             {0}};
static const struct record_alias snapshot_outbox_names[] = {{"node", "to_process"}, {0}};
static const struct record_alias snapshot_applied_names[] = {{"node", "from_process"}, {0}};
/* Those in a message: its seq is the message's. */
static const struct record_alias snapshot_op_names[] = {{"node", NULL}, {"seq", NULL}, {0}};
static const struct record_alias snapshot_queued_names[] = {{"node", NULL},
                                                            {"seq", NULL},
                                                            {"operations", NULL},
                                                            {0}};
static const struct record_alias snapshot_handed_out_names[] = {{"node", "to_process"},
                                                                {"seq", NULL},
                                                                {0}};

#endif
