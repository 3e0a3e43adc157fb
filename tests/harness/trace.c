/* The commands of literate traces. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/harness/stage.h"
#include "tests/harness/trace_internal.h"

bool trace_number(const char *word, uint64_t max, uint64_t *out)
{
    return parse_u64(slice_of(word), max, out) == OK;
}

bool trace_node(const struct stage *stage, const char *word, node_id_t *id)
{
    uint64_t number;
    if (!trace_number(word, stage->n_nodes, &number) || !number)
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
        if (!trace_node(stage, words->at[i], &id))
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
    return words->n == 2 && trace_node(stage, words->at[0], &id) &&
           parse_duration_us(slice_of(words->at[1]), SECOND_US * 3600, &stage->nodes[id].op_us) ==
               OK;
}

/* The log that is on a node's disk, as the terms of its entries. */
static bool give_log(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t term;
    if (!words->n || !trace_node(stage, words->at[0], &id) || stage->nodes[id].core)
        return false;
    for (size_t i = 1; i < words->n; i++) {
        if (!trace_number(words->at[i], TERM_MAX, &term))
            return false;
        stage_give_entry(stage, id, term);
    }
    return true;
}

static bool give_term(struct stage *stage, const struct words *words)
{
    node_id_t id;
    if (words->n != 2 || !trace_node(stage, words->at[0], &id))
        return false;
    return trace_number(words->at[1], TERM_MAX, &stage->nodes[id].durable.term);
}

static bool set_compaction(struct stage *stage, const struct words *words)
{
    return words->n == 1 && trace_number(words->at[0], COMPACT_ENTRIES, &stage->compact_entries);
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
    if (words->n != 3 || !trace_node(stage, words->at[0], &id))
        return false;
    stage_ask(stage, id, stage_submit_request(words->at[1], words->at[2]));
    return true;
}

static job_id_t job_of(const struct stage *stage, const char *key)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        struct job *job =
            stage->nodes[id].core
                ? jobs_find_key(&inside_state(stage->nodes[id].core)->jobs, slice_of(key))
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
    if (words->n != 2 || !trace_node(stage, words->at[0], &id))
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
    if (words->n != 3 || !trace_node(stage, words->at[0], &id) ||
        !trace_number(words->at[1], NODES_MAX, &index) ||
        !trace_number(words->at[2], UINT64_MAX, &value))
        return false;
    stage_set(stage, id, index, value);
    return true;
}

/* "fill 1 N": N such entries, for nodes 1001 and up, each a part of a checkpoint. */
static bool fill(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t n;
    if (words->n != 2 || !trace_node(stage, words->at[0], &id) ||
        !trace_number(words->at[1], 1000, &n))
        return false;
    for (uint64_t i = 1; i <= n; i++)
        stage_set(stage, id, 100 + i, i);
    return true;
}

/* "read 1 INDEX": a read that a majority must confirm. */
static bool read_state(struct stage *stage, const struct words *words)
{
    node_id_t id;
    uint64_t index;
    if (words->n != 2 || !trace_node(stage, words->at[0], &id) ||
        !trace_number(words->at[1], NODES_MAX, &index))
        return false;
    stage_read(stage, id, index);
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
        else if (inside_raft(node)->election.role == ROLE_FOLLOWER &&
                 !inside_step(node)->coordinator)
            text_add(&line, "%u: follows nobody, term %" PRIu64, id, inside_step(node)->term);
        else if (inside_raft(node)->election.role == ROLE_FOLLOWER)
            text_add(&line, "%u: follows %u, term %" PRIu64, id, inside_step(node)->coordinator,
                     inside_step(node)->term);
        else
            text_add(&line, "%u: %s, term %" PRIu64, id, names[inside_raft(node)->election.role],
                     inside_step(node)->term);
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
    {"lose", trace_lose},
    {"hold", trace_hold},
    {"pass", trace_pass},
    {"release", trace_release},
    {"drop", trace_drop},
    {"split", trace_split},
    {"cut", trace_cut},
    {"mend", trace_mend},
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
    {"disconnect", trace_disconnect},
    {"vote", trace_ask_vote},
    {"append", trace_ask_append},
};

/* "nodes 5", "nodes 6 voters 3". */
static bool begin(struct stage **stage, const struct words *words)
{
    uint64_t n, voters;
    if (!words->n || !trace_number(words->at[0], STAGE_NODES_MAX, &n) || !n)
        return false;
    voters = n;
    if (words->n == 3 &&
        (strcmp(words->at[1], "voters") || !trace_number(words->at[2], n, &voters)))
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
