#include "tests/harness/inside.h"

#include "nodes/core/rooms.h"

#define ROOM(room)                                            \
    const struct room *inside_##room(const struct node *node) \
    {                                                         \
        return &node->room;                                   \
    }

#define ROOM_TO_CHANGE(room)                                  \
    struct room *inside_##room##_to_change(struct node *node) \
    {                                                         \
        return &node->room;                                   \
    }

ROOM(step)
ROOM(links)
ROOM(raft)
ROOM(state)
ROOM(schedule)
ROOM(worker)
ROOM(ledger)
ROOM(snapshots)
ROOM(service)

ROOM_TO_CHANGE(raft)
ROOM_TO_CHANGE(state)
ROOM_TO_CHANGE(ledger)
