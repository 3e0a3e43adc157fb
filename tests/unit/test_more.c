/* Events of one turn of the loop (event.more): each is taken in and written at once, and what is
 * due is done for all of them with the last one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/node.h"
#include "shared/base/text.h"
#include "tests/harness/worlds.h"

#define REQUESTS 5

/* What one step has put out. */
struct seen {
    size_t persists, writes, appends, entries;
};

static struct seen submit(struct world *world, node_id_t id, unsigned number, bool more)
{
    struct seen seen = {0};
    struct text key = {0};
    text_add(&key, "%u", number);
    struct message *request = message_new(MESSAGE_SUBMIT);
    request->as.submit.key = message_text(request, key.at);
    request->as.submit.kind = slice_of("factorial");
    request->as.submit.spec = slice_of("10");
    struct event event = {.kind = EVENT_REQUEST, .more = more, .now_us = world->now_us};
    event.request.client = number;
    event.request.message = request;
    struct node_outputs outputs = node_step(world->nodes[id].core, &event);
    for (size_t i = 0; i < outputs.n; i++) {
        const struct output *output = &outputs.at[i];
        if (output->kind == OUTPUT_PERSIST) {
            seen.persists++;
            seen.writes += output->persist.n;
        }
        if (output->kind != OUTPUT_SEND || output->send.message->type != MESSAGE_APPEND)
            continue;
        const struct wire_append *append = &output->send.message->as.append;
        seen.appends++;
        for (size_t k = 0; k < append->entries.n; k++)
            seen.entries += append->entries.at[k].count ? append->entries.at[k].count : 1;
    }
    message_drop(&request);
    return seen;
}

static void what_is_due_is_done_once_a_turn(void **state)
{
    (void)state;
    struct world *world = worlds_begin(5, 3);
    node_id_t id = world_coordinator(world);
    assert_true(id);
    for (unsigned i = 1; i < REQUESTS; i++) {
        struct seen seen = submit(world, id, i, true);
        assert_true(seen.persists == 1 && seen.writes == 1); /* the disk does not wait */
        assert_int_equal(seen.appends, 0);
    }
    struct seen last = submit(world, id, REQUESTS, false);
    assert_true(last.persists == 1 && last.writes == 1);
    assert_int_equal(last.appends, 2); /* one for each follower, with all of them */
    assert_int_equal(last.entries, 2 * REQUESTS);
    world_crash(world, id); /* the world knows nothing of these steps */
    world_free(&world);
}

/* Alone in its turn an event waits for none. */
static void an_event_alone_is_done_at_once(void **state)
{
    (void)state;
    struct world *world = worlds_begin(6, 3);
    node_id_t id = world_coordinator(world);
    assert_true(id);
    for (unsigned i = 1; i <= 2; i++) {
        struct seen seen = submit(world, id, i, false);
        assert_true(seen.appends == 2 && seen.entries == 2);
    }
    world_crash(world, id);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_is_done_once_a_turn),
        cmocka_unit_test(an_event_alone_is_done_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
