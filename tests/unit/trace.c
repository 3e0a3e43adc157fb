/* The commands of literate traces. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/unit/stage.h"
#include "tests/unit/trace.h"

#define WORDS_MAX 24

/* A command's words behind its name. */
struct words {
    char *at[WORDS_MAX];
    size_t n;
};

static bool to_number(const char *word, uint64_t max, uint64_t *out)
{
    return parse_u64(slice_of(word), max, out) == OK;
}

static bool to_node(const struct stage *stage, const char *word, node_id_t *id)
{
    uint64_t number;
    if (!to_number(word, stage->n_nodes, &number) || !number)
        return false;
    *id = (node_id_t)number;
    return true;
}

/* Calls `verb` for every node named; "all" names all. */
static bool each(struct stage *stage, const struct words *words,
                 void (*verb)(struct stage *stage, node_id_t id))
{
    node_id_t id;
    if (words->n == 1 && !strcmp(words->at[0], "all")) {
        for (id = 1; id <= stage->n_nodes; id++)
            verb(stage, id);
        return true;
    }
    for (size_t i = 0; i < words->n; i++) {
        if (!to_node(stage, words->at[i], &id))
            return false;
        verb(stage, id);
    }
    return words->n > 0;
}

/* --- nodes and their disks --- */

static bool start(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_start);
}

static void kill_node(struct stage *stage, node_id_t id)
{
    stage_tell(stage, TELL_LINES, "%u   is killed", id);
    stage_kill(stage, id);
}

static bool kill_nodes(struct stage *stage, const struct words *words)
{
    return each(stage, words, kill_node);
}

static bool wipe(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_wipe);
}

static bool stop(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_stop);
}

static bool resume(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_resume);
}

static bool campaign(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_campaign);
}

static bool elect(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_elect);
}

static void slow_disk(struct stage *stage, node_id_t id)
{
    stage->nodes[id].slow_disk = true;
}

static bool slow_disks(struct stage *stage, const struct words *words)
{
    return each(stage, words, slow_disk);
}

static void fast_disk(struct stage *stage, node_id_t id)
{
    stage->nodes[id].slow_disk = false;
    stage_sync(stage, id);
}

static bool fast_disks(struct stage *stage, const struct words *words)
{
    return each(stage, words, fast_disk);
}

static bool sync_disks(struct stage *stage, const struct words *words)
{
    return each(stage, words, stage_sync);
}

static void hang(struct stage *stage, node_id_t id)
{
    stage->nodes[id].hangs = true;
}

static bool hang_nodes(struct stage *stage, const struct words *words)
{
    return each(stage, words, hang);
}

static bool set_pace(struct stage *stage, const struct words *words)
{
    node_id_t id;
    return words->n == 2 && to_node(stage, words->at[0], &id) &&
           parse_duration_us(slice_of(words->at[1]), SECOND_US * 3600, &stage->nodes[id].op_us) ==
               OK;
}

/* The log that is on a node's disk, as the terms of its entries. */
static bool give_log(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t term;
    if (!words->n || !to_node(stage, words->at[0], &id) || stage->nodes[id].core)
        return false;
    for (size_t i = 1; i < words->n; i++) {
        if (!to_number(words->at[i], TERM_MAX, &term))
            return false;
        stage_give_entry(stage, id, term);
    }
    return true;
}

static bool give_term(struct stage *stage, const struct words *words)
{
    node_id_t id;
    if (words->n != 2 || !to_node(stage, words->at[0], &id))
        return false;
    stage->nodes[id].durable.voter = true;
    return to_number(words->at[1], TERM_MAX, &stage->nodes[id].durable.term);
}

static bool set_compaction(struct stage *stage, const struct words *words)
{
    return words->n == 1 && to_number(words->at[0], COMPACT_ENTRIES, &stage->compact_entries);
}

/* --- messages --- */

/* "1>2", either side may be "*". */
static bool to_pair(const struct stage *stage, char *word, node_id_t *from, node_id_t *to)
{
    char *arrow = strchr(word, '>');
    *from = *to = NODE_NONE;
    if (!arrow)
        return false;
    *arrow = '\0';
    return (!strcmp(word, "*") || to_node(stage, word, from)) &&
           (!strcmp(arrow + 1, "*") || to_node(stage, arrow + 1, to));
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

static bool lose(struct stage *stage, const struct words *words)
{
    return add_rules(stage, words, FATE_LOSE);
}

static bool hold(struct stage *stage, const struct words *words)
{
    return add_rules(stage, words, FATE_HOLD);
}

static bool pass(struct stage *stage, const struct words *words)
{
    stage_no_rules(stage);
    return words->n == 0;
}

/* "release 1 twice": the first held one, two times; "release reversed": all, the last one first. */
static bool release(struct stage *stage, const struct words *words)
{
    bool reversed = false;
    unsigned times = 1;
    uint64_t n = SIZE_MAX;
    for (size_t i = 0; i < words->n; i++) {
        if (!strcmp(words->at[i], "reversed"))
            reversed = true;
        else if (!strcmp(words->at[i], "twice"))
            times = 2;
        else if (!to_number(words->at[i], SIZE_MAX, &n))
            return false;
    }
    stage_release(stage, n, reversed, times);
    return true;
}

static bool drop(struct stage *stage, const struct words *words)
{
    stage_forget_held(stage);
    return words->n == 0;
}

/* "split 1 2 / 3 4 5": between the groups nothing passes; within them everything does. */
static bool split(struct stage *stage, const struct words *words)
{
    unsigned group[STAGE_NODES_MAX + 1] = {0}, now = 1;
    node_id_t id;
    for (size_t i = 0; i < words->n; i++) {
        if (!strcmp(words->at[i], "/"))
            now++;
        else if (to_node(stage, words->at[i], &id))
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

static bool cut(struct stage *stage, const struct words *words)
{
    return cut_or_mend(stage, words, true);
}

static bool mend(struct stage *stage, const struct words *words)
{
    if (words->n)
        return cut_or_mend(stage, words, false);
    for (node_id_t a = 1; a <= stage->n_nodes; a++)
        for (node_id_t b = 1; b <= stage->n_nodes; b++)
            stage_cut_one_way(stage, a, b, false);
    return true;
}

/* "disconnect 3>2": 3 loses its connections to 2. */
static bool disconnect(struct stage *stage, const struct words *words)
{
    node_id_t from, to;
    if (words->n != 1 || !to_pair(stage, words->at[0], &from, &to) || !from || !to)
        return false;
    stage_disconnect(stage, from, to);
    return true;
}

/* The number behind a word: "term 7". */
static bool to_named(const struct words *words, const char *name, size_t behind, uint64_t *out)
{
    for (size_t i = 0; i + behind + 1 < words->n; i++)
        if (!strcmp(words->at[i], name))
            return to_number(words->at[i + behind + 1], LOG_INDEX_MAX, out);
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
static bool ask_vote(struct stage *stage, const struct words *words)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    struct wire_vote_request *request = &message->as.vote_request;
    bool right = to_named(words, "term", 0, &request->term) &&
                 to_named(words, "log", 0, &request->last_index) &&
                 to_named(words, "log", 1, &request->last_term);
    return make_up(stage, words, PLANE_CONTROL, message) && right;
}

/* "append 1>3 term 4 behind 1 1 commit 0 entries 2 2": entries as stage_give_entry() makes them. */
static bool ask_append(struct stage *stage, const struct words *words)
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
        to_number(words->at[at], TERM_MAX, &item->term);
    }
    blob_drop(&packed);
    bool right = to_named(words, "term", 0, &append->term) &&
                 to_named(words, "behind", 0, &append->prev_index) &&
                 to_named(words, "behind", 1, &append->prev_term) &&
                 to_named(words, "commit", 0, &append->commit);
    return make_up(stage, words, PLANE_CHECKPOINT, message) && right;
}

/* --- time and clients --- */

static bool run(struct stage *stage, const struct words *words)
{
    uint64_t us;
    if (words->n != 1 || parse_duration_us(slice_of(words->at[0]), 3600 * SECOND_US, &us))
        return false;
    stage_run(stage, us);
    return true;
}

/* The wall clock of all nodes jumps. */
static bool jump(struct stage *stage, const struct words *words)
{
    uint64_t us;
    if (words->n != 1 || parse_duration_us(slice_of(words->at[0]), 24 * 3600 * SECOND_US, &us))
        return false;
    stage->wall_skew_ms += us / MS_US;
    return true;
}

static bool submit(struct stage *stage, const struct words *words)
{
    node_id_t id;
    if (words->n != 3 || !to_node(stage, words->at[0], &id))
        return false;
    stage_ask(stage, id, stage_submit_request(words->at[1], words->at[2]));
    return true;
}

static job_id_t job_of(const struct stage *stage, const char *key)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        struct job *job = stage->nodes[id].core
                              ? jobs_find_key(&stage->nodes[id].core->jobs, slice_of(key))
                              : NULL;
        if (job)
            return job->id;
    }
    return JOB_NONE;
}

/* "get 1 key": the job's state now. */
static bool get(struct stage *stage, const struct words *words)
{
    node_id_t id;
    if (words->n != 2 || !to_node(stage, words->at[0], &id))
        return false;
    struct message *message = message_new(MESSAGE_JOB_GET);
    message->as.job_get.job = job_of(stage, words->at[1]);
    stage_ask(stage, id, message);
    return true;
}

/* "set 1 INDEX STATE": a small entry of the log. */
static bool set(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t index, value;
    if (words->n != 3 || !to_node(stage, words->at[0], &id) ||
        !to_number(words->at[1], NODES_MAX, &index) || !to_number(words->at[2], UINT64_MAX, &value))
        return false;
    struct message *message = message_new(MESSAGE_PROGRESS_SET);
    message->as.progress_set.index = index;
    message->as.progress_set.state = value;
    stage_ask(stage, id, message);
    return true;
}

/* "fill 1 N": N such entries, for nodes 1001 and up, each a part of a full checkpoint. */
static bool fill(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t n;
    if (words->n != 2 || !to_node(stage, words->at[0], &id) || !to_number(words->at[1], 1000, &n))
        return false;
    for (uint64_t i = 1; i <= n; i++) {
        struct message *message = message_new(MESSAGE_PROGRESS_SET);
        message->as.progress_set.index = 1000 + i;
        message->as.progress_set.state = i;
        stage_ask(stage, id, message);
    }
    return true;
}

/* "read 1 INDEX": a read that a majority must confirm. */
static bool read_state(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t index;
    if (words->n != 2 || !to_node(stage, words->at[0], &id) ||
        !to_number(words->at[1], NODES_MAX, &index))
        return false;
    struct message *message = message_new(MESSAGE_PROGRESS_GET);
    message->as.progress_get.index = index;
    stage_ask(stage, id, message);
    return true;
}

/* --- what is told --- */

static bool logs(struct stage *stage, const struct words *words)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        struct text line = {0};
        text_add(&line, "%u: ", id);
        stage_describe_log(stage, id, &line);
        stage_line(stage, line.at);
    }
    return words->n == 0;
}

static bool roles(struct stage *stage, const struct words *words)
{
    static const char *const names[] = {"follows", "pre-candidate", "candidate", "coordinator"};
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        const struct node *node = stage->nodes[id].core;
        struct text line = {0};
        if (!node)
            text_add(&line, "%u: down", id);
        else if (stage->nodes[id].stopped)
            text_add(&line, "%u: stopped", id);
        else if (node->election.role == ROLE_FOLLOWER && !node->election.coordinator)
            text_add(&line, "%u: follows nobody, term %" PRIu64, id, node->election.term);
        else if (node->election.role == ROLE_FOLLOWER)
            text_add(&line, "%u: follows %u, term %" PRIu64, id, node->election.coordinator,
                     node->election.term);
        else
            text_add(&line, "%u: %s, term %" PRIu64, id, names[node->election.role],
                     node->election.term);
        stage_line(stage, line.at);
    }
    return words->n == 0;
}

static const struct {
    const char *name;
    unsigned topic;
} topics[] = {
    {"votes", TELL_VOTES},     {"appends", TELL_APPENDS}, {"commits", TELL_COMMITS},
    {"clients", TELL_CLIENTS}, {"tasks", TELL_TASKS},     {"lines", TELL_LINES},
    {"reasons", TELL_REASONS}, {"disks", TELL_DISKS},     {"nothing", 0},
};

static bool show(struct stage *stage, const struct words *words)
{
    stage->topics = 0;
    for (size_t i = 0; i < words->n; i++) {
        size_t at = 0, n = sizeof topics / sizeof topics[0];
        while (at < n && strcmp(topics[at].name, words->at[i]))
            at++;
        if (at == n)
            return false;
        stage->topics |= topics[at].topic;
    }
    return words->n > 0;
}

/* --- the table --- */

static const struct {
    const char *name;
    bool (*run)(struct stage *stage, const struct words *words);
} commands[] = {
    {"start", start},
    {"kill", kill_nodes},
    {"wipe", wipe},
    {"stop", stop},
    {"resume", resume},
    {"campaign", campaign},
    {"elect", elect},
    {"slow-disk", slow_disks},
    {"fast-disk", fast_disks},
    {"sync", sync_disks},
    {"hang", hang_nodes},
    {"pace", set_pace},
    {"log", give_log},
    {"term", give_term},
    {"compact", set_compaction},
    {"lose", lose},
    {"hold", hold},
    {"pass", pass},
    {"release", release},
    {"drop", drop},
    {"split", split},
    {"cut", cut},
    {"mend", mend},
    {"run", run},
    {"jump", jump},
    {"submit", submit},
    {"get", get},
    {"set", set},
    {"read", read_state},
    {"logs", logs},
    {"fill", fill},
    {"roles", roles},
    {"show", show},
    {"disconnect", disconnect},
    {"vote", ask_vote},
    {"append", ask_append},
};

/* "nodes 5", "nodes 6 voters 3". */
static bool begin(struct stage **stage, const struct words *words)
{
    uint64_t n, voters;
    if (!words->n || !to_number(words->at[0], STAGE_NODES_MAX, &n) || !n)
        return false;
    voters = n;
    if (words->n == 3 && (strcmp(words->at[1], "voters") || !to_number(words->at[2], n, &voters)))
        return false;
    if (*stage)
        stage_free(stage);
    *stage = stage_new((uint32_t)n, (uint32_t)voters);
    return true;
}

bool trace_command(struct stage **stage, char *line)
{
    struct words words = {.n = 0};
    char *rest, *name = strtok_r(line, " ", &rest);
    for (char *word; name && words.n < WORDS_MAX && (word = strtok_r(NULL, " ", &rest));)
        words.at[words.n++] = word;
    if (name && !strcmp(name, "nodes"))
        return begin(stage, &words);
    for (size_t i = 0; name && *stage && i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].name, name))
            return commands[i].run(*stage, &words);
    return false;
}
