#include "tests/harness/snapshots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/base/error.h"

void snapshots_begin_to_take(struct world *world, node_id_t node)
{
    world_ask(world, 0, node, message_new(MESSAGE_SNAPSHOT_TAKE));
}

/* The snapshot that snapshots_begin_to_take() was for, once it is kept.
 * Caller destroys. */
struct snapshot_model *snapshots_taken(struct world *world)
{
    struct snapshot_model *model;
    struct text why = {0};
    assert_true(world_run_until(world, worlds_is_answered, SNAPSHOTS_PATIENCE_US));
    const struct message *answer = world->askers[0].answer;
    assert_int_equal(answer->type, MESSAGE_SNAPSHOT);
    const struct wire_snapshot_row *row = &answer->as.snapshot.heads.at[0];
    const struct blob *blob = map_get(&world->nodes[row->initiator].kept,
                                      machine_value_key((struct value_id){row->counter, 1}));
    assert_non_null(blob);
    assert_int_equal(blob->len, row->bytes);
    assert_int_equal(snapshot_model_load((struct slice){blob->at, blob->len}, &model, &why), OK);
    assert_int_equal(model->complete, row->complete);
    return model;
}

struct snapshot_model *snapshots_take(struct world *world, node_id_t node)
{
    snapshots_begin_to_take(world, node);
    return snapshots_taken(world);
}
