#include "tests/harness/scene.h"

#include <stdlib.h>

#include "shared/base/memory.h"

struct scene *scene_new(struct node_config config)
{
    struct scene *scene = mem_new(1, sizeof *scene);
    scene->step.config = config;
    state_init(&scene->state, &scene->step);
    scene->raft =
        (struct raft){.step = &scene->step, .machine = &state_machine, .state = &scene->state};
    scene->schedule.step = &scene->step;
    scene->schedule.state = &scene->state;
    scene->uploads =
        (struct uploads){.step = &scene->step, .raft = &scene->raft, .state = &scene->state};
    scene->service = (struct service){.step = &scene->step,
                                      .raft = &scene->raft,
                                      .state = &scene->state,
                                      .schedule = &scene->schedule,
                                      .uploads = &scene->uploads,
                                      .heartbeat_at_us = UINT64_MAX};
    return scene;
}

void scene_coordinate(struct scene *scene, term_t term)
{
    scene->step.identity = (struct identity){.cluster_id = {1}};
    scene->step.coordinator = scene->step.config.id;
    scene->step.term = term;
    scene->raft.election.role = ROLE_COORDINATOR;
    scene->raft.election.serving = scene->raft.election.voter = true;
}

void scene_free(struct scene *scene)
{
    service_clear(&scene->service);
    state_clear(&scene->state);
    outbox_destroy(&scene->step.out);
    free(scene);
}
