/* token.h - the token of the web process: whoever has it may change what the process may. */
#ifndef CONCLAVE_CLIENTS_TOKEN_H
#define CONCLAVE_CLIENTS_TOKEN_H

#include "clients/web/guard.h"
#include "shared/base/text.h"

/* Reads the file, or makes a token and the file (0600) when there is none; `path` NULL: no file.
 * The file must be its owner's alone. ERR_MALFORMED or ERR_IO after a line in `why`. */
int token_find(const char *path, char token[WEB_TOKEN_TEXT + 1], bool *made, struct text *why);

#endif
