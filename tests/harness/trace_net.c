/* The commands of literate traces about messages: what is lost, held, cut, made up. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/trace_internal.h"

/* "1>2", either side may be "*". */
static bool to_pair(const struct stage *stage, char *word, node_id_t *from, node_id_t *to)
{
    char *arrow = strchr(word, '>');
    *from = *to = NODE_NONE;
    if (!arrow)
        return false;
    *arrow = '\0';
    return (!strcmp(word, "*") || trace_node(stage, word, from)) &&
           (!strcmp(arrow + 1, "*") || trace_node(stage, arrow + 1, to));
}

/* "lose 1>2 append vote_reply": these types; none: all. */
static bool add_rules(struct stage *stage, const struct words *words, enum stage_fate fate)
{
    struct stage_rule rule = {.fate = fate};
    if (!words->n || !to_pair(stage, words->at[0], &rule.from, &rule.to))
        return false;
    if (words->n == 1)
        stage_rule(stage, rule);
    for (size_t i = 1; i < words->n; i++) {
        rule.type = message_type_of(slice_of(words->at[i]));
        if (rule.type == MESSAGE_NONE)
            return false;
        stage_rule(stage, rule);
    }
    return true;
}

bool trace_lose(struct stage *stage, const struct words *words)
{
    return add_rules(stage, words, FATE_LOSE);
}

bool trace_hold(struct stage *stage, const struct words *words)
{
    return add_rules(stage, words, FATE_HOLD);
}

bool trace_pass(struct stage *stage, const struct words *words)
{
    stage_no_rules(stage);
    return words->n == 0;
}

/* "release 1 twice": the first held one, two times; "release reversed": all, the last one first. */
bool trace_release(struct stage *stage, const struct words *words)
{
    bool reversed = false;
    unsigned times = 1;
    uint64_t n = SIZE_MAX;
    for (size_t i = 0; i < words->n; i++) {
        if (!strcmp(words->at[i], "reversed"))
            reversed = true;
        else if (!strcmp(words->at[i], "twice"))
            times = 2;
        else if (!trace_number(words->at[i], SIZE_MAX, &n))
            return false;
    }
    stage_release(stage, n, reversed, times);
    return true;
}

bool trace_drop(struct stage *stage, const struct words *words)
{
    stage_forget_held(stage);
    return words->n == 0;
}

/* "split 1 2 / 3 4 5": between the groups nothing passes; within them everything does. */
bool trace_split(struct stage *stage, const struct words *words)
{
    unsigned group[STAGE_NODES_MAX + 1] = {0}, now = 1;
    node_id_t id;
    for (size_t i = 0; i < words->n; i++) {
        if (!strcmp(words->at[i], "/"))
            now++;
        else if (trace_node(stage, words->at[i], &id))
            group[id] = now;
        else
            return false;
    }
    for (node_id_t a = 1; a <= stage->n_nodes; a++)
        for (node_id_t b = 1; b <= stage->n_nodes; b++)
            stage_cut_one_way(stage, a, b, group[a] != group[b]);
    return true;
}

/* "cut 1>2": one direction, with "*" for all others. */
static bool cut_or_mend(struct stage *stage, const struct words *words, bool cut)
{
    node_id_t from, to;
    for (size_t i = 0; i < words->n; i++) {
        if (!to_pair(stage, words->at[i], &from, &to))
            return false;
        for (node_id_t a = 1; a <= stage->n_nodes; a++)
            for (node_id_t b = 1; b <= stage->n_nodes; b++)
                if (a != b && (!from || a == from) && (!to || b == to))
                    stage_cut_one_way(stage, a, b, cut);
    }
    return words->n > 0;
}

bool trace_cut(struct stage *stage, const struct words *words)
{
    return cut_or_mend(stage, words, true);
}

bool trace_mend(struct stage *stage, const struct words *words)
{
    if (words->n)
        return cut_or_mend(stage, words, false);
    for (node_id_t a = 1; a <= stage->n_nodes; a++)
        for (node_id_t b = 1; b <= stage->n_nodes; b++)
            stage_cut_one_way(stage, a, b, false);
    return true;
}

/* "disconnect 3>2": 3 loses its connections to 2. */
bool trace_disconnect(struct stage *stage, const struct words *words)
{
    node_id_t from, to;
    if (words->n != 1 || !to_pair(stage, words->at[0], &from, &to) || !from || !to)
        return false;
    stage_disconnect(stage, from, to);
    return true;
}

/* The number after a word: "term 7". */
static bool to_named(const struct words *words, const char *name, size_t skip, uint64_t *out)
{
    for (size_t i = 0; i + skip + 1 < words->n; i++)
        if (!strcmp(words->at[i], name))
            return trace_number(words->at[i + skip + 1], LOG_INDEX_MAX, out);
    return false;
}

/* A message that nobody sent arrives, and is told of. */
static bool make_up(struct stage *stage, const struct words *words, enum plane plane,
                    struct message *message)
{
    node_id_t from, to;
    struct text text = {0};
    enum stage_topic topic;
    if (!words->n || !to_pair(stage, words->at[0], &from, &to) || !from || !to) {
        message_drop(&message);
        return false;
    }
    if (stage_describe(message, &text, &topic))
        stage_tell(stage, topic, "%u => %u  %s", from, to, text.at);
    stage_say(stage, from, to, plane, message);
    return true;
}

/* "vote 4>2 term 7 log 9 6": a request for a vote. */
bool trace_ask_vote(struct stage *stage, const struct words *words)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    struct wire_vote_request *request = &message->as.vote_request;
    bool right = to_named(words, "term", 0, &request->term) &&
                 to_named(words, "log", 0, &request->last_index) &&
                 to_named(words, "log", 1, &request->last_term);
    return make_up(stage, words, PLANE_CONTROL, message) && right;
}

/* "append 1>3 term 4 after 1 1 commit 0 entries 2 2": entries as stage_give_entry() makes them. */
bool trace_ask_append(struct stage *stage, const struct words *words)
{
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    struct blob *packed = stage_entry();
    size_t at = 0;
    while (at < words->n && strcmp(words->at[at], "entries"))
        at++;
    append->entries.at = message_room(message, WORDS_MAX, sizeof *append->entries.at);
    while (++at < words->n) {
        struct wire_log_item *item = &append->entries.at[append->entries.n++];
        item->frame = message_add_frame(message, packed);
        trace_number(words->at[at], TERM_MAX, &item->term);
    }
    blob_drop(&packed);
    bool right = to_named(words, "term", 0, &append->term) &&
                 to_named(words, "after", 0, &append->prev_index) &&
                 to_named(words, "after", 1, &append->prev_term) &&
                 to_named(words, "commit", 0, &append->commit);
    return make_up(stage, words, PLANE_CHECKPOINT, message) && right;
}
