/* A second process of the same node id ends itself; the one that runs is not harmed. */
#include <inttypes.h>
#include <stdio.h>

#include "nodes/io/runtime_internal.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

#define LOOK_EVERY_US (100 * MS_US)
#define LOOK_FOR_US   (30 * SECOND_US) /* after that, others know this process */

static void give_up(struct runtime *runtime, const struct wire_refused *refused)
{
    char host[64 * 4 + 1];
    text_escape(host, sizeof host, refused->host);
    fprintf(stderr,
            "conclave-node: node %u of this cluster runs already (pid %" PRIu64 " on %s); this one "
            "ends\n",
            (unsigned)runtime->config.node.id, refused->pid, host);
    runtime->exit_code = EXIT_USAGE;
    runtime->stopping = true;
}

/* A quick restart is refused, too, while the end of the former process is not noticed yet: so only
 * what comes later counts. */
void runtime_check_refusals(struct runtime *runtime)
{
    const struct node_config *config = &runtime->config.node;
    uint64_t now_us = clock_now_us(), patience_us = 2 * config->election_timeout_us;
    struct bus_parts parts = {0};
    if (now_us < runtime->refusals_us + LOOK_EVERY_US || now_us > runtime->started_us + LOOK_FOR_US)
        return;
    runtime->refusals_us = now_us;
    for (node_id_t peer = 1; peer <= config->n_nodes && !runtime->stopping; peer++) {
        struct message *message = NULL;
        struct text why = {0};
        if (peer == config->id || mesh_receive(runtime->mesh, PLANE_CONTROL, peer, &parts) ||
            bus_decode(&parts, 0, &message, &why))
            continue;
        if (message->type == MESSAGE_REFUSED && now_us >= runtime->started_us + patience_us)
            give_up(runtime, &message->as.refused);
        message_drop(&message);
    }
    bus_parts_clear(&parts);
}
