/* clients.h - what a client of the simulated world knows, so that it notices when it is lied to. */
#ifndef CONCLAVE_SIM_CLIENTS_H
#define CONCLAVE_SIM_CLIENTS_H

#include "shared/base/session_key.h"
#include "tests/sim/world.h"

#define CLIENT_MEMORY 8 /* finished jobs, and snaps, that it asks about again */

enum wish {
    WISH_NONE,
    WISH_SESSION,
    WISH_JOB,
    WISH_OLD_KEY,
    WISH_FORGET, /* a finished job of its own, by hand */
    WISH_SET,
    WISH_SNAP,
    WISH_OLD_SNAP,
    WISH_SHARED_JOB, /* with a key that others use as well: shared.h */
    WISH_SHARED_SNAP,
    WISH_GET,
    WISH_GET_PAST
};

/* A job that it has seen the end of. */
struct client_job {
    char key[JOB_KEY_MAX + 1];
    uint64_t n;
    job_id_t job;
    bool cancelled, failed;
    bool forgotten;  /* so its key was answered */
    uint64_t before; /* so many keys were forgotten before it could be */
};

/* A snap that it took when its own state was so much. */
struct client_snap {
    char key[JOB_KEY_MAX + 1];
    uint64_t snapshot, state;
    uint64_t late; /* the state is one from this on; 0: it is known */
    bool forgotten;
    uint64_t before;
};

/* It wants one thing after another, each until it is answered. */
struct world_client {
    enum wish wish;
    bool mixed;           /* things of every kind, not jobs only */
    uint64_t things_left; /* after this one */
    uint64_t n_max, pause_us;
    uint64_t made;              /* counts things, for keys */
    bool sessions;              /* its keys are of sessions */
    struct session_key session; /* id 0: it has none */

    char key[JOB_KEY_MAX + 1];
    uint64_t n;   /* the factorial's argument */
    job_id_t job; /* once accepted */
    bool cancels, cancelled;
    bool again;      /* the old key has become another job */
    size_t about;    /* the job or snap asked about again, or the shared key */
    uint64_t before; /* so many keys were forgotten when it began */
    uint64_t state;  /* its progress, as last set and acknowledged */
    uint64_t late; /* states from this one on may be set once more: a try is in some broker; 0: none
                    */
    uint64_t jobs; /* different ones that were accepted */

    uint64_t request; /* outstanding */
    uint64_t asked_us, retry_us;
    unsigned broker; /* through which it asks */
    struct client_job old[CLIENT_MEMORY];
    struct client_snap snaps[CLIENT_MEMORY];
    size_t n_old, n_snaps;
};

/* Whose key comes with the requests of a client, or of an asker behind them; NULL: nobody has one.
 * Those who want jobs alone, and askers, are admins. */
const struct asker *client_asker(const struct world *world, unsigned number);

#endif
