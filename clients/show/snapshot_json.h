/* snapshot_json.h - a snapshot as JSON, with the third seed's names, and back.
 *
 * Nothing that verifying or restoring needs is lost on the way. docs/snapshots.md describes the
 * format. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_JSON_H
#define CONCLAVE_CLIENTS_SNAPSHOT_JSON_H

#include <jansson.h>

#include "shared/snapshot/model.h"

/* What goes into it. */
struct snapshot_json_parts {
    uint64_t node;   /* only that node's state and the channels into it; 0: all */
    bool checkpoint; /* what a restore needs of the jobs; else it is null */
};

/* Returns a new object. The model is a checked one. */
json_t *snapshot_json(const struct snapshot_model *model, struct snapshot_json_parts parts);

/* Reads such an object; as snapshot_model_load(). */
int snapshot_json_load(const json_t *object, struct snapshot_model **out, struct text *why);

/* Reads a file's bytes, whichever of the two forms they have. */
int snapshot_load_any(struct slice bytes, struct snapshot_model **out, struct text *why);

#endif
