/* scene.h - the room of clients' requests with as much behind it as a request needs that other
 * rooms do not carry out: a state, and nobody to send anything to. */
#ifndef CONCLAVE_HARNESS_SCENE_H
#define CONCLAVE_HARNESS_SCENE_H

#include "nodes/core/service/service.h"

struct scene {
    struct step step;
    struct raft raft;
    struct state state;
    struct schedule schedule;
    struct uploads uploads;
    struct service service;
};

/* A node that follows nobody, in term 0. */
struct scene *scene_new(struct node_config config);

/* From now on it serves, as the coordinator of that term. */
void scene_coordinate(struct scene *scene, term_t term);

void scene_free(struct scene *scene);

#endif
