/* people.h - a small cluster's people and processes with their keys, in files of their own, for
 * tests of doors. */
#ifndef CONCLAVE_HARNESS_PEOPLE_H
#define CONCLAVE_HARNESS_PEOPLE_H

#include <sys/types.h>

#include "shared/base/clock.h"
#include "shared/bus/doors.h"

#define HOST        "127.0.0.1"
#define CLUSTER     "00112233aabbccdd"
#define PATIENCE_US (5 * SECOND_US)
#define REFUSED_US  (500 * MS_US) /* what is admitted is so in 10 ms */
#define FILE_MAX    8192

/* Somebody with a key, as the files would have it. */
struct person {
    const char *name;
    enum key_role role;
    node_id_t node;
    char public_key[KEY_TEXT_MAX], *secret_key;
};

enum { NODE_1, NODE_2, BROKER, ADMIN, ALICE, BOB, TAIL, FRONT, PEOPLE };
extern struct person people[];
extern void *people_context;

/* Set-up and tear-down of a group: makes all keys, and their files in a directory of the test's
 * own; opens the bus. */
int people_open(void **state);
int people_close(void **state);

/* The path of one of these files, until the next but one call. */
const char *people_path(const char *name);

/* Puts a file there, in the place of what was there. */
void people_write(const char *name, const char *text, mode_t mode);

/* Somebody's key file, and the list of all but one (-1: of all) in the cluster of that id; both
 * until the next call. */
const char *people_file(const struct person *person, const char *expires);
const char *people_list(int left_out, const char *cluster);

/* The doors of somebody's process. Caller closes. */
struct doors *people_doors(int who);

/* Makes the socket a door at some free port; returns which. */
unsigned people_bind(struct doors *doors, void *socket, enum door door);

void people_set(void *socket, int option, const char *text);

/* A socket that connects with somebody's key (NULL: none), and knows that of the server. */
void *people_visit(const struct person *person, const char *server, int type, unsigned port);

#endif
