#include "clients/local/founded.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "clients/local/local.h"
#include "clients/local/ports.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"
#include "shared/base/text.h"

#define RECORD "founded.json"
#define FORMAT 1

/* --- the record --- */

struct record {
    bool there, served;
    struct founded is;
    char when[CLOCK_TEXT_MAX];
};

static int take_number(const json_t *object, const char *name, uint64_t most, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (number < 1 || (uint64_t)number > most)
        return ERR_CORRUPT;
    *out = (uint64_t)number;
    return OK;
}

static int take_record(const json_t *object, struct record *record)
{
    uint64_t format = 0;
    const json_t *when = json_object_get(object, "founded");
    if (take_number(object, "format", FORMAT, &format) ||
        take_number(object, "nodes", NODES_MAX, &record->is.nodes) ||
        take_number(object, "voters", record->is.nodes, &record->is.voters) ||
        take_number(object, "port", PORT_LIMIT - 1, &record->is.port) ||
        take_number(object, "brokers", BROKERS_LOCAL_MAX, &record->is.brokers) ||
        !(json_is_null(when) || json_is_string(when)))
        return ERR_CORRUPT;
    record->served = json_is_string(when);
    if (record->served)
        text_escape(record->when, sizeof record->when, slice_of(json_string_value(when)));
    record->there = true;
    return OK;
}

static int read_record(const char *dir, struct record *record, char *why)
{
    char path[LOCAL_PATH_MAX];
    json_error_t reason;
    *record = (struct record){0};
    if (local_path(dir, RECORD, path)) {
        text_format(why, TEXT_MAX, "--dir: the name is too long");
        return ERR_TOO_BIG;
    }
    if (access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR))
        return OK;
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &reason);
    int error = object ? take_record(object, record) : ERR_CORRUPT;
    json_decref(object);
    if (error)
        text_format(why, TEXT_MAX,
                    "%s cannot be read as the record of a cluster; correct it, or move it away: "
                    "then the stores say how many nodes there are",
                    path);
    return error;
}

int founded_write(const char *dir, const struct founded *is, bool served, char *why)
{
    char when[CLOCK_TEXT_MAX];
    json_t *founded = served ? json_string(clock_text(clock_wall_ms(), when)) : json_null();
    json_t *record =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:o}", "format", FORMAT, "nodes",
                  (json_int_t)is->nodes, "voters", (json_int_t)is->voters, "port",
                  (json_int_t)is->port, "brokers", (json_int_t)is->brokers, "founded", founded);
    return local_put_json(dir, RECORD, record, why);
}

/* --- what is there --- */

static bool there_is(const char *dir, uint64_t node, const char *what)
{
    char name[64], path[LOCAL_PATH_MAX];
    text_format(name, sizeof name, "node%" PRIu64 "%s", node, what);
    return !local_path(dir, name, path) && !access(path, F_OK);
}

struct found {
    uint64_t stores, shares; /* how many nodes have one */
    uint64_t nodes;          /* the highest that ever ran there */
};

/* A node whose disk was wiped has left its log. */
static struct found look(const char *dir)
{
    struct found found = {0};
    for (uint64_t id = 1; id <= NODES_MAX; id++) {
        bool store = there_is(dir, id, "/store/data.mdb"), share = there_is(dir, id, "/restore");
        found.stores += store;
        found.shares += share && !store;
        if (store || share || there_is(dir, id, ".log"))
            found.nodes = id;
    }
    return found;
}

/* --- what the options may say --- */

static int compare(const char *dir, const char *what, uint64_t given, uint64_t known, char *why)
{
    if (!given || given == known || MUTANT(record_ignored))
        return OK;
    text_format(why, TEXT_MAX,
                "--%s %" PRIu64 ": the cluster in %s has %" PRIu64 " %s, and keeps them; another "
                "cluster needs another --dir",
                what, given, dir, known, what);
    return ERR_STALE;
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a ? a : b;
}

static int settle_known(const char *dir, const struct record *record, const struct found *found,
                        struct founded *is, char *why)
{
    const struct founded *known = &record->is;
    if (record->served && !found->stores) {
        text_format(why, TEXT_MAX,
                    "the cluster in %s was founded at %s, and the stores of all its %" PRIu64
                    " nodes are gone; an empty disk is not a new cluster: bring the node "
                    "directories back, or start a new one in another --dir",
                    dir, record->when, known->nodes);
        return ERR_STALE;
    }
    int error = compare(dir, "nodes", is->nodes, known->nodes, why);
    if (!error)
        error = compare(dir, "voters", is->voters, known->voters, why);
    if (error)
        return error;
    *is = (struct founded){.nodes = known->nodes,
                           .voters = known->voters,
                           .port = first_of(is->port, known->port),
                           .brokers = first_of(is->brokers, known->brokers)};
    return OK;
}

int founded_settle(const char *dir, struct founded *is, bool *record, char *why)
{
    struct record old;
    int error = read_record(dir, &old, why);
    struct found found = look(dir);
    /* Shares of a snapshot in place of the stores: another cluster begins there. */
    bool anew = !found.stores && found.shares && old.served;
    *record = !old.there || !old.served || anew;
    /* A try that never served, and left no store, binds nobody. */
    bool binds = old.served || found.stores + found.shares;
    if (!error && old.there && !anew && binds)
        error = settle_known(dir, &old, &found, is, why);
    else if (!error && found.stores + found.shares)
        error = compare(dir, "nodes", is->nodes, found.nodes, why);
    if (error)
        return error;
    if (!is->nodes)
        is->nodes = found.stores + found.shares ? found.nodes : NODES_DEFAULT;
    /* Stores without a record are of an older version, in which all voted. */
    is->voters = first_of(is->voters, found.stores ? is->nodes : quorum_voters_default(is->nodes));
    is->port = first_of(is->port, PORT_DEFAULT);
    is->brokers = first_of(is->brokers, 1);
    return OK;
}
