#include "nodes/core/service/signatures.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/service/service_types.h"
#include "shared/base/mutant.h"

/* The greatest counter that a key has used here. */
struct signer {
    struct map_key key;
    uint64_t counter;
};

/* 128 bits of the key, which is random. */
static struct map_key key_of(const struct asker *asker)
{
    return (struct map_key){map_hash(asker->key, ASKER_KEY_BYTES / 2),
                            map_hash(asker->key + ASKER_KEY_BYTES / 2, ASKER_KEY_BYTES / 2)};
}

/* Of a key that has been forgotten, what the forgotten ones had at most. */
static uint64_t last_counter(const struct service *service, const struct asker *asker)
{
    const struct signer *signer = map_get(&service->signers, key_of(asker));
    return signer ? signer->counter : service->signers_floor;
}

/* The one with the smallest counter goes: with a greater one nobody else would be shut out. */
static void forget_one(struct service *service)
{
    struct signer *least = NULL, *signer;
    for (size_t at = 0; (signer = map_next(&service->signers, &at, NULL));)
        if (!least || signer->counter < least->counter)
            least = signer;
    if (least->counter > service->signers_floor)
        service->signers_floor = least->counter;
    map_remove(&service->signers, least->key);
    free(least);
}

static void take(struct service *service, const struct asker *asker)
{
    struct signer *signer = map_get(&service->signers, key_of(asker));
    if (!signer) {
        if (service->signers.count >= SIGNERS_MAX)
            forget_one(service);
        signer = mem_new(1, sizeof *signer);
        signer->key = key_of(asker);
        map_put(&service->signers, signer->key, signer);
    }
    signer->counter = asker->counter;
}

bool signatures_suffice(struct service *service, const struct request_row *row, const char **code,
                        const char **why)
{
    const struct asker *asker = service->asker;
    if (service->step->config.insecure || !role_is_signed(row->needs) || MUTANT(roles_unchecked))
        return true;
    if (asker->proof == PROOF_OWN)
        return true;
    bool newer = asker->counter > last_counter(service, asker) || MUTANT(replays_accepted);
    *code = "unsigned";
    if (asker->proof == PROOF_GOOD && newer) {
        take(service, asker);
        return true;
    }
    if (asker->proof == PROOF_GOOD)
        *why = "the signature is not newer than the last one of this key";
    else if (asker->proof == PROOF_STALE)
        *why = "the signature is for another node, or another incarnation of this one";
    else if (asker->proof == PROOF_WRONG)
        *why = "the signature is not that of this key and request";
    else
        *why = "the request needs a signature; `conclave keys rotate NAME` makes a key file that "
               "can sign";
    if (asker->proof == PROOF_WRONG)
        *code = "forbidden";
    return false;
}

void signatures_tell(const struct service *service, struct message *error)
{
    error->as.error.node = service->step->config.id;
    error->as.error.incarnation = service->step->config.incarnation;
    error->as.error.counter = last_counter(service, service->asker);
}

void signatures_clear(struct service *service)
{
    struct signer *signer;
    for (size_t at = 0; (signer = map_next(&service->signers, &at, NULL));)
        free(signer);
    map_clear(&service->signers);
}
