/* delegate.h - answers that a command of this program makes, in a process of its own: what it reads
 * from the cluster, piece by piece, for as long as it takes, holds nobody up here, and its memory
 * and its faults are not ours.
 *
 *   delegate_begin() ... child_add() ... delegate_start() --first bytes--> the answer begins
 *                                                \--an end without any--> the answer, or its error
 *
 * It has no time limit of its own: how long it works, and how long its answer takes to be read, is
 * unknown here; where no coordinator serves, it says so itself. A client that goes away ends it. Of
 * what comes from outside only numbers and names that were checked become arguments. */
#ifndef CONCLAVE_CLIENTS_DELEGATE_H
#define CONCLAVE_CLIENTS_DELEGATE_H

#include <zmq.h>

#include "clients/local/child.h"
#include "clients/web/http.h"

#define DELEGATE_ITEMS 2

struct delegate;

/* A command of the program for the request, as our key, with --json: more arguments are added with
 * child_add(). NULL after an answer: too many run. The request owns it. */
struct child *delegate_begin(struct request *request);

/* What it reads from its stdin, or from the file DELEGATE_MORE, before it starts (copies). */
enum delegate_file { DELEGATE_STDIN, DELEGATE_FILE, DELEGATE_FILES };
#define DELEGATE_MORE "/dev/fd/3"
void delegate_feed(struct request *request, enum delegate_file file, const char *at, size_t len);

/* Starts it. Its stdout is the answer, of that type and status; when it fails before, its error. */
void delegate_start(struct request *request, unsigned status, const char *type);

/* For the loop: what to wait for, and what has come. */
int delegates_items(const struct web *web, zmq_pollitem_t items[]);
void delegates_turn(struct web *web);

#endif
