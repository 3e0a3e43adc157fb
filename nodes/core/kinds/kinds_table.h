/* kinds_table.h - between kinds.c and the files of the kinds. */
#ifndef CONCLAVE_CORE_KINDS_TABLE_H
#define CONCLAVE_CORE_KINDS_TABLE_H

#include "nodes/core/kinds/kinds.h"
#include "shared/wire/schema/entry.h" /* ENTRY_LEVEL_... */

#define X(name) extern const struct job_kind kind_##name;
JOB_KINDS(X)
#undef X

#endif
