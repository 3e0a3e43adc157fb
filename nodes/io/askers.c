#include "nodes/io/askers.h"

#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/bus/signature.h"

static enum proof check(const struct signed_request *wanted, struct slice frame,
                        const char *signing_key, uint64_t *counter)
{
    struct signed_request request = *wanted;
    int error = signature_check(&request, frame, signing_key);
    *counter = request.counter;
    if (error == ERR_MALFORMED)
        return frame.len ? PROOF_NONE : PROOF_ASKED;
    if (error)
        return PROOF_WRONG;
    bool ours = request.node == wanted->node && request.incarnation == wanted->incarnation;
    return ours ? PROOF_GOOD : PROOF_STALE;
}

bool askers_find(struct doors *doors, struct bus_parts *parts, size_t stated, node_id_t self,
                 incarnation_t incarnation, struct asker *out)
{
    struct visitor client;
    struct slice frames[MESSAGE_FRAMES_MAX];
    size_t n = 0;
    *out = (struct asker){0};
    if (!doors_identify(doors, bus_part(parts, stated), &client))
        return false;
    out->role = client.role;
    text_copy(out->name, sizeof out->name, slice_of(client.name));
    memcpy(out->key, client.public_key, sizeof out->key);
    if (!role_is_signed(client.role))
        return true;
    for (size_t i = stated + 1; i < parts->n; i++)
        frames[n++] = bus_part(parts, i);
    if (n < 2)
        return true;
    const struct signed_request wanted = {.cluster = doors_cluster(doors),
                                          .public_key = client.public_key,
                                          .node = self,
                                          .incarnation = incarnation,
                                          .frames = frames,
                                          .n = n - 1};
    out->proof = check(&wanted, frames[n - 1], client.signing_key, &out->counter);
    return true;
}
