/* operator.h - programs that fold values, as they are stored: a value of the format "operator" is
 * the message operator_spec (shared/wire/schema/stored.h), which says how the program is run, with
 * the program as its further frame (codec_pack()). Its name as a stored value is the operator's.
 *
 * Clients write it, nodes read it; both trust it only after operator_load(). */
#ifndef CONCLAVE_TASKS_OPERATOR_H
#define CONCLAVE_TASKS_OPERATOR_H

#include "shared/base/blob.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

/* True for what may be the name of an operator: a letter or digit, then these and "._-". */
bool operator_name_is_valid(struct slice name);

/* Reads such a value: OK and the message (caller drops), whose frame 1 is the program, a part of
 * the bytes. ERR_MALFORMED with one line in `why`; never a crash, whatever the bytes are. */
int operator_load(struct blob *bytes, struct message **out, struct text *why);

#endif
