/* deadlines.h - operations that take too long: measured paces, slow workers, deadlines, copies.
 *
 *   a worker:  well --> slow, or quiet (heartbeats missing) --> overdue (a deadline has passed)
 *
 * What waits behind the operation that a slow, quiet or overdue worker executes is taken back; that
 * operation itself stays where it is, for it may be a live one of ten minutes, and gets one copy
 * elsewhere: of an overdue worker as soon as another has room, else when there is nothing else to
 * hand out and another worker is idle; because heartbeats are missing only when it is short, for a
 * worker that is dead is known to be soon. The first result wins. Nothing here declares a worker
 * dead. */
#ifndef CONCLAVE_CORE_DEADLINES_H
#define CONCLAVE_CORE_DEADLINES_H

#include "nodes/core/schedule/assignments.h"

/* A worker returned a result of the operation: its pace, and a new chance. */
void deadlines_note(struct schedule *schedule, node_id_t worker, const struct open_op *open,
                    const struct wire_result_op *result);

/* The worker returned something: it may be executing the next operation from now on. */
void deadlines_returned(struct schedule *schedule, node_id_t worker);

/* What the worker executes was cancelled: it will be busy with it for a while. */
void deadlines_stray(struct schedule *schedule, const struct assignment *assignment);

/* True when the worker should get nothing new now. */
bool deadlines_holds_back(const struct schedule *schedule, node_id_t worker);

/* True when a worker has nothing to do and could get something. */
bool deadlines_anybody_is_idle(const struct schedule *schedule);

/* Takes back what waits behind an operation that takes too long. `idle`: everything ready was
 * handed out. Returns an operation that should get a copy; NULL: none. */
struct open_op *deadlines_watch(struct schedule *schedule, bool idle);

#endif
