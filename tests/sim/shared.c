#include "tests/sim/shared.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/sim/oracle.h"

#define KEYS_MAX      64
#define LAST          4 /* of which clients choose */
#define ARGUMENTS_MAX 4

struct shared_key {
    unsigned client;               /* who used it first */
    bool snap;                     /* of a snap, not of a job */
    uint64_t asked[ARGUMENTS_MAX]; /* different arguments that clients wanted */
    size_t n_asked;
    uint64_t is;        /* the job, or the snap + 1; 0: nobody has heard */
    uint64_t argument;  /* of the job */
    uint64_t forgotten; /* so many other keys were before this one could be */
    uint64_t told_us;   /* when somebody was told that it is forgotten; 0: nobody */
    uint64_t again_us;  /* when it was heard that it was executed again */
};

struct world_shared {
    unsigned n;
    uint64_t jobs;
    struct shared_key keys[KEYS_MAX];
};

void shared_open(struct world *world)
{
    world->shared = mem_new(1, sizeof *world->shared);
}

void shared_free(struct world_shared **shared)
{
    free(*shared);
    *shared = NULL;
}

static bool was_asked(const struct shared_key *key, uint64_t n)
{
    for (size_t i = 0; i < key->n_asked; i++)
        if (key->asked[i] == n)
            return true;
    return false;
}

/* One of the last keys of that kind; NULL: there is none. */
static struct shared_key *find(struct world *world, bool snap)
{
    struct world_shared *shared = world->shared;
    unsigned among = shared->n < LAST ? shared->n : LAST;
    for (unsigned tries = 0; among && tries < LAST; tries++) {
        struct shared_key *key = &shared->keys[shared->n - 1 - world_random(world, among)];
        if (key->snap == snap)
            return key;
    }
    return NULL;
}

unsigned shared_draw(struct world *world, unsigned client, bool snap, uint64_t n_max, uint64_t *n,
                     char text[JOB_KEY_MAX + 1])
{
    struct world_shared *shared = world->shared;
    struct shared_key *key = world_random(world, 4) ? find(world, snap) : NULL;
    bool fresh = !key && shared->n < KEYS_MAX;
    while (!key || (!fresh && key->snap != snap))
        key = &shared->keys[fresh ? shared->n++ : world_random(world, KEYS_MAX)];
    if (fresh)
        *key = (struct shared_key){.client = client,
                                   .snap = snap,
                                   .forgotten = oracle_keys_forgotten(world)};
    *n = world_random(world, n_max + 1);
    if (key->n_asked && (key->n_asked == ARGUMENTS_MAX || world_random(world, 2)))
        *n = key->asked[world_random(world, key->n_asked)];
    if (key->client != client)
        world_count(world, FAULT_SHARED_KEY);
    if (!key->snap && key->n_asked && *n != key->asked[0])
        world_count(world, FAULT_OTHER_SPEC);
    if (!was_asked(key, *n))
        key->asked[key->n_asked++] = *n;
    unsigned number = (unsigned)(key - shared->keys);
    text_format(text, JOB_KEY_MAX + 1, "shared-%u", number);
    return number;
}

/* The key is something now. It may have become something else only if its hash had to go. */
static void take(struct world *world, struct shared_key *key, uint64_t is, uint64_t asked_us)
{
    unsigned number = (unsigned)(key - world->shared->keys);
    bool gone = oracle_keys_gone(world) > key->forgotten;
    bool again = key->told_us && asked_us > key->told_us;
    if ((key->is == is && !again) || asked_us < key->again_us)
        return; /* as known; or an answer of before */
    if (key->is && !gone && key->is != is)
        world_fail(world, "R28: one key, one outcome, whoever asks",
                   "key shared-%u was %" PRIx64 ", is now %" PRIx64, number, key->is, is);
    if (again && !gone)
        world_fail(world, "R29: a forgotten key is refused for ever", "key shared-%u is %" PRIx64,
                   number, is);
    if (key->is) {
        world_count(world, FAULT_KEYS_GONE);
        key->forgotten++;
        key->again_us = world->now_us;
    }
    key->is = is;
    key->told_us = 0;
    world->shared->jobs += !key->snap;
}

/* The first number, whatever the kind. */
static uint64_t argument_of(struct slice spec)
{
    const uint8_t *space = memchr(spec.at, ' ', spec.len);
    if (space)
        spec.len = (size_t)(space - spec.at);
    uint64_t n = 0;
    return parse_u64(spec, UINT64_MAX, &n) ? UINT64_MAX : n;
}

uint64_t shared_job(struct world *world, unsigned number, const struct wire_job_row *row,
                    uint64_t asked_us)
{
    struct shared_key *key = &world->shared->keys[number];
    uint64_t argument = argument_of(row->spec);
    bool same = key->is == row->job;
    if (!was_asked(key, argument) || (same && argument != key->argument))
        world_fail(world, "R28: a key's job is what somebody asked for",
                   "key shared-%u is of %" PRIu64, number, argument);
    take(world, key, row->job, asked_us);
    if (key->is == row->job)
        key->argument = argument;
    return argument;
}

void shared_snap(struct world *world, unsigned number, uint64_t snapshot, uint64_t asked_us)
{
    take(world, &world->shared->keys[number], snapshot + 1, asked_us);
}

void shared_is_forgotten(struct world *world, unsigned number)
{
    struct shared_key *key = &world->shared->keys[number];
    if (!key->told_us)
        key->told_us = world->now_us;
}

uint64_t shared_jobs(const struct world *world)
{
    return world->shared ? world->shared->jobs : 0;
}
