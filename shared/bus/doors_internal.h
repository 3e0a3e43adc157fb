/* doors_internal.h - shared by the files that implement doors.h, and by nobody else. */
#ifndef CONCLAVE_BUS_DOORS_INTERNAL_H
#define CONCLAVE_BUS_DOORS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "shared/base/log_limit.h"
#include "shared/bus/doors.h"

struct doors {
    bool insecure;
    void *context;
    struct access *own;
    char *list_path;
    struct stat list_stat; /* of the list at hand; for the handler */
    struct stat watched;   /* as doors_watch() saw it last; for who calls that */
    uint64_t watched_us;
    pthread_mutex_t lock; /* held for the time of one look-up; by no nice thread */
    struct allowed *list;
    _Atomic unsigned ports[DOOR_COUNT]; /* where each is bound; 0: nowhere yet */
    _Atomic bool replaced;       /* the list, not from the file: the handler ends who is old */
    _Atomic uint64_t generation; /* of who is allowed: changes when somebody is not */
    uint64_t next_end_ms;        /* when the next key of the list ends; for the handler */
    _Atomic uint64_t refused;
    void *handler; /* zactor_t */
    bool ready;
    struct log_limit complaints;
    void *monitors[DOOR_COUNT]; /* of the sockets that are doors; for the handler */
    size_t n_monitors;
};

/* Starts the thread that ZAP asks: it returns once it answers. ERR_IO. doors_handler.c */
int doors_start_handler(struct doors *doors);
void doors_end_handler(struct doors *doors);

/* Gives the handler a door's monitor: from now on it reads it, and closes it at its end. */
void doors_hand_over(struct doors *doors, void *monitor);

/* Lets the handler look at the list now. */
void doors_wake_handler(struct doors *doors);

/* What the handler asks of doors.c: whether a key is admitted; a handshake has failed; has the file
 * of the list changed? */
bool doors_judge(struct doors *doors, const char *domain, const char *address,
                 const char *mechanism, const char *public_key);
void doors_note_failed(struct doors *doors, unsigned event, uint32_t value);
void doors_look_again(struct doors *doors);

#endif
