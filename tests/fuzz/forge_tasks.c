#include "tests/fuzz/forge_tasks.h"

#include "shared/base/text.h"

struct message *forge_tasks_submit(struct reader *in)
{
    static const char *const kinds[] = {"empty", "empty", "factorial", "pi"};
    static const char *const specs[] = {"1", "10", "100", "2000"};
    uint8_t how = reader_byte(in), options = reader_byte(in);
    struct message *message = message_new(MESSAGE_SUBMIT);
    struct wire_submit *submit = &message->as.submit;
    char key[16];
    text_format(key, sizeof key, "tasks-%u", how >> 2);
    submit->key = message_text(message, key);
    submit->kind = slice_of(kinds[options >> 6]);
    submit->spec = slice_of(specs[how & 3]);
    submit->tasks.n = options >> 6 < 2;
    submit->tasks.at = message_room(message, 1, sizeof *submit->tasks.at);
    submit->tasks.at[0] = (struct wire_task_options){.retries = options & 1 ? 0 : options & 2,
                                                     .at_most_once = options & 1,
                                                     .bundles = options & 4,
                                                     .max_fails = options >> 3 & 3};
    return message;
}

enum { ENDS_ALL = 1, ENDS_BEYOND = 2, FAILS = 4, RETURNS = 8, LEAVES = 16, LEAVES_ODD = 32 };

/* All that it has, which is nothing or what nobody gave to it. */
static struct message *answer_question(struct reader *in, const struct host_task *task)
{
    uint8_t how = reader_byte(in);
    struct message *message = message_new(MESSAGE_TASKS_HELD);
    struct wire_tasks_held *held = &message->as.tasks_held;
    held->term = task->attempt + (how >> 6);
    held->more = how & 1;
    held->running.n = how & 2 ? 1 : 0;
    held->running.at = message_room(message, 1, sizeof *held->running.at);
    held->running.at[0] = (struct wire_task_hand){.job = reader_u64(in) >> (how >> 2 & 7) * 8,
                                                  .hand = reader_byte(in),
                                                  .first = reader_byte(in),
                                                  .count = reader_byte(in),
                                                  .attempt = 1};
    return message;
}

struct message *forge_tasks_end(struct reader *in, const struct host_task *task)
{
    if (task->asked)
        return answer_question(in, task);
    uint8_t how = reader_byte(in), hash[HASH_BYTES] = {how};
    struct message *message = message_new(MESSAGE_TASKS_ENDED);
    struct wire_tasks_ended *ended = &message->as.tasks_ended;
    struct wire_task_outcome *outcome = message_room(message, 1, sizeof(struct wire_task_outcome));
    ended->job = task->job;
    ended->outcomes.n = 1;
    ended->outcomes.at = outcome;
    *outcome = (struct wire_task_outcome){.first = task->op + (how & ENDS_BEYOND ? how >> 5 : 0),
                                          .count = how & ENDS_ALL ? task->count : 1,
                                          .hand = task->hand,
                                          .attempt = task->attempt,
                                          .exit = how & FAILS ? 1 : 0,
                                          .returned = how & RETURNS};
    if (how & LEAVES) {
        struct wire_task_bundle *bundle = message_room(message, 1, sizeof *bundle);
        uint64_t len = how & LEAVES_ODD ? reader_u64(in) : VALUE_INLINE_MAX_BYTES + 1;
        *bundle = (struct wire_task_bundle){
            .op = reader_byte(in) + 1,
            .len = len,
            .hashes = message_copy(message, (struct slice){hash, how >> 7 ? 1 : sizeof hash})};
        outcome->bundle.n = 1;
        outcome->bundle.at = bundle;
        outcome->bundle_len = how & LEAVES_ODD ? reader_u64(in) : len;
        outcome->head_len = reader_byte(in);
        outcome->head_hash = message_copy(message, (struct slice){hash, sizeof hash});
        outcome->files = reader_byte(in);
        outcome->out_len = how & LEAVES_ODD ? reader_byte(in) : 0;
    }
    return message;
}
