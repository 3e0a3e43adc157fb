/* The messages of the stage: on their way, held, lost, waiting for a disk. */
#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/sim/founded.h"
#include "tests/sim/world.h"
#include "tests/harness/stage_internal.h"

static void free_letter(struct stage_letter *letter)
{
    message_drop(&letter->message);
    blob_drop(&letter->computed.value);
    free(letter);
}

static void forget(struct stage_letter **list)
{
    for (struct stage_letter *letter; (letter = *list);) {
        *list = letter->next;
        free_letter(letter);
    }
}

void stage_forget_underway(struct stage *stage)
{
    forget(&stage->underway);
}

void stage_forget_held(struct stage *stage)
{
    forget(&stage->held);
    stage->held_end = &stage->held;
}

/* What is due at the same time arrives in the order of its posting. */
void stage_post(struct stage *stage, const struct stage_letter *letter)
{
    struct stage_letter **at = &stage->underway, *copy = mem_new(1, sizeof *copy);
    *copy = *letter;
    while (*at && (*at)->at_us <= copy->at_us)
        at = &(*at)->next;
    copy->next = *at;
    *at = copy;
}

/* --- sending --- */

static enum stage_fate fate_of(const struct stage *stage, const struct stage_letter *letter)
{
    if (stage->cut[letter->from][letter->to])
        return FATE_LOSE;
    for (size_t i = 0; i < stage->n_rules; i++) {
        const struct stage_rule *rule = &stage->rules[i];
        if ((!rule->from || rule->from == letter->from) && (!rule->to || rule->to == letter->to) &&
            (!rule->type || rule->type == letter->message->type))
            return rule->fate;
    }
    return FATE_PASS;
}

static void tell_sent(struct stage *stage, const struct stage_letter *letter, enum stage_fate fate)
{
    static const char *const suffixes[] = {"", "  (lost)", "  (held)"};
    struct text text = {0};
    enum stage_topic topic;
    if (!stage_describe(letter->message, &text, &topic))
        return;
    const char *suffix = stage->nodes[letter->to].core ? suffixes[fate] : "  (nobody is there)";
    stage_tell(stage, topic, "%u -> %u  %s%s", letter->from, letter->to, text.at, suffix);
}

static void send(struct stage *stage, struct stage_letter letter)
{
    enum stage_fate fate = fate_of(stage, &letter);
    bool greeting =
        letter.message->type == MESSAGE_HELLO || letter.message->type == MESSAGE_WELCOME;
    tell_sent(stage, &letter, fate);
    if (fate == FATE_LOSE || !stage->nodes[letter.to].core)
        return;
    letter.next = NULL;
    letter.kind = EVENT_MESSAGE;
    letter.message = world_transmit(letter.message);
    if (letter.from == stage->earlier && letter.message->type == MESSAGE_HEARTBEAT)
        letter.message->as.heartbeat.entries = 0;
    letter.incarnation = stage->nodes[letter.to].incarnation;
    letter.at_us = stage->now_us + (greeting ? 0 : STAGE_DELAY_US);
    if (fate == FATE_PASS) {
        stage_post(stage, &letter);
        return;
    }
    *stage->held_end = mem_new(1, sizeof letter);
    **stage->held_end = letter;
    stage->held_end = &(*stage->held_end)->next;
}

static void answer_client(struct stage *stage, node_id_t from, struct message *message)
{
    struct text text = {0};
    enum stage_topic topic;
    message_drop(&stage->answer);
    stage->answer = world_transmit(message);
    if (stage_describe(message, &text, &topic))
        stage_tell(stage, topic, "%u -> client  %s", from, text.at);
}

static void let_out(struct stage *stage, const struct stage_letter *letter)
{
    if (letter->to)
        send(stage, *letter);
    else if (letter->plane == PLANE_CONTROL)
        answer_client(stage, letter->from, letter->message);
    for (node_id_t to = 1; !letter->to && letter->plane == PLANE_HEARTBEAT && to <= stage->n_nodes;
         to++) {
        struct stage_letter copy = *letter;
        copy.to = to;
        if (to != letter->from && letter->message->type == MESSAGE_HEARTBEAT)
            send(stage, copy);
    }
}

/* True when one before it, for the same destination, waits. */
static bool is_blocked(const struct stage_letter *first, const struct stage_letter *end,
                       const struct stage_letter *letter)
{
    for (; first != end; first = first->next)
        if (first->to == letter->to && first->plane == letter->plane)
            return true;
    return false;
}

/* As the runtime's gate: nothing leaves before what it promises is durable. */
void stage_gate(struct stage *stage, node_id_t id, const struct output *output)
{
    struct stage_node *node = &stage->nodes[id];
    struct stage_letter letter = {.from = id, .after_seq = output->after_seq};
    if (output->kind == OUTPUT_SEND) {
        letter.to = output->send.to;
        letter.plane = output->send.plane;
        letter.message = output->send.message;
    } else {
        bool feed = output->kind == OUTPUT_PUBLISH;
        letter.plane = feed ? PLANE_HEARTBEAT : PLANE_CONTROL;
        letter.message = feed ? output->publish : output->reply.message;
    }
    if (letter.after_seq <= node->disk_seq && !is_blocked(node->gated, NULL, &letter)) {
        let_out(stage, &letter);
        return;
    }
    message_ref(letter.message);
    *node->gated_end = mem_new(1, sizeof letter);
    **node->gated_end = letter;
    node->gated_end = &(*node->gated_end)->next;
}

void stage_ungate(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    for (struct stage_letter **at = &node->gated; *at;) {
        struct stage_letter *letter = *at;
        if (letter->after_seq > node->disk_seq || is_blocked(node->gated, letter, letter)) {
            at = &letter->next;
            continue;
        }
        *at = letter->next;
        if (!*at)
            node->gated_end = at;
        let_out(stage, letter);
        free_letter(letter);
    }
}

/* --- arriving --- */

void stage_connect(struct stage *stage, node_id_t from, node_id_t to, enum plane plane,
                   uint64_t after_us)
{
    stage_post(stage, &(struct stage_letter){.at_us = stage->now_us + after_us,
                                             .kind = EVENT_LINK_UP,
                                             .from = to,
                                             .to = from,
                                             .plane = plane,
                                             .incarnation = stage->nodes[from].incarnation});
}

static bool waits(const struct stage *stage, const struct stage_letter *letter)
{
    return stage->nodes[letter->to].stopped;
}

uint64_t stage_next_arrival(const struct stage *stage)
{
    const struct stage_letter *letter = stage->underway;
    while (letter && waits(stage, letter))
        letter = letter->next;
    return letter ? letter->at_us : UINT64_MAX;
}

/* Nobody is reached behind a cut, and a node that is down connects when it starts. */
static bool connects(struct stage *stage, const struct stage_letter *letter)
{
    if (!stage->nodes[letter->from].core)
        return false;
    if (!stage->cut[letter->from][letter->to] && !stage->cut[letter->to][letter->from])
        return true;
    struct stage_letter again = *letter;
    again.at_us = stage->now_us + 50 * MS_US;
    stage_post(stage, &again);
    return false;
}

static void arrive(struct stage *stage, const struct stage_letter *letter)
{
    const struct stage_node *node = &stage->nodes[letter->to];
    struct event event = {.kind = letter->kind};
    if (!node->core || node->incarnation != letter->incarnation)
        return;
    switch (letter->kind) {
    case EVENT_MESSAGE:
        event.message.plane = letter->plane;
        event.message.from = letter->from;
        event.message.incarnation = stage->nodes[letter->from].incarnation;
        event.message.message = letter->message;
        break;
    case EVENT_LINK_UP:
        if (!connects(stage, letter))
            return;
        event.link.plane = letter->plane;
        event.link.peer = letter->from;
        break;
    case EVENT_COMPUTED:
        event.computed.at = &letter->computed;
        event.computed.n = 1;
        break;
    default:
        event.value.user = letter->user;
        event.value.id = letter->value;
        event.value.from = letter->from;
        break;
    }
    stage_step(stage, letter->to, event);
}

void stage_arrive(struct stage *stage)
{
    struct stage_letter **at = &stage->underway;
    while (waits(stage, *at))
        at = &(*at)->next;
    struct stage_letter *letter = *at;
    *at = letter->next;
    arrive(stage, letter);
    free_letter(letter);
}

/* --- what the test does --- */

void stage_cut_one_way(struct stage *stage, node_id_t from, node_id_t to, bool cut)
{
    stage->cut[from][to] = cut;
}

void stage_cut(struct stage *stage, node_id_t a, node_id_t b, bool cut)
{
    stage_cut_one_way(stage, a, b, cut);
    stage_cut_one_way(stage, b, a, cut);
}

void stage_rule(struct stage *stage, struct stage_rule rule)
{
    if (stage->n_rules == STAGE_RULES_MAX)
        panic("too many rules");
    stage->rules[stage->n_rules++] = rule;
}

void stage_hold(struct stage *stage, node_id_t from, node_id_t to, enum message_type type)
{
    stage_rule(stage, (struct stage_rule){from, to, type, FATE_HOLD});
}

void stage_lose_messages(struct stage *stage, node_id_t from, node_id_t to, enum message_type type)
{
    stage_rule(stage, (struct stage_rule){from, to, type, FATE_LOSE});
}

void stage_no_rules(struct stage *stage)
{
    stage->n_rules = 0;
}

static void release(struct stage *stage, const struct stage_letter *letter, unsigned times)
{
    struct text text = {0};
    enum stage_topic topic;
    bool told = stage_describe(letter->message, &text, &topic);
    for (unsigned i = 0; i < times; i++) {
        if (told)
            stage_tell(stage, topic, "%u => %u  %s", letter->from, letter->to, text.at);
        arrive(stage, letter);
    }
}

void stage_release(struct stage *stage, size_t n, bool reversed, unsigned times)
{
    struct stage_letter *list = NULL, **end = &list;
    for (struct stage_letter *letter; n-- && (letter = stage->held);) {
        stage->held = letter->next;
        letter->next = reversed ? list : NULL;
        if (reversed) {
            list = letter;
        } else {
            *end = letter;
            end = &letter->next;
        }
    }
    if (!stage->held)
        stage->held_end = &stage->held;
    for (struct stage_letter *letter; (letter = list);) {
        list = letter->next;
        release(stage, letter, times);
        free_letter(letter);
    }
}

void stage_say(struct stage *stage, node_id_t from, node_id_t to, enum plane plane,
               struct message *message)
{
    founded_sign(message);
    struct stage_letter letter = {.kind = EVENT_MESSAGE,
                                  .from = from,
                                  .to = to,
                                  .plane = plane,
                                  .incarnation = stage->nodes[to].incarnation,
                                  .message = world_transmit(message)};
    arrive(stage, &letter);
    message_drop(&letter.message);
    message_drop(&message);
}
