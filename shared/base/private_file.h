/* private_file.h - a small file that is for its owner alone. */
#ifndef CONCLAVE_BASE_PRIVATE_FILE_H
#define CONCLAVE_BASE_PRIVATE_FILE_H

#include <stdbool.h>

#include "shared/base/text.h"
#include "shared/base/types.h"

/* Puts it there, whole and durable, or not at all. What is there already is left alone
 * (ERR_EXISTS), or replaced. Else ERR_IO, ERR_TOO_BIG. Adds one line to `why` on error. */
int private_file_put(const char *path, struct slice bytes, bool replace, struct text *why);

#endif
