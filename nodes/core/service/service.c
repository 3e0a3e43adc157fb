#include "nodes/core/service/service.h"

#include <assert.h>

#include "nodes/core/service/audit.h"
#include "nodes/core/service/signatures.h"

void service_tick(struct service *service)
{
    requests_tick(service);
}

void service_pump(struct service *service)
{
    requests_confirmed(service);
    requests_segments(service);
}

void service_publish(struct service *service)
{
    audit_answers(service);
    heartbeat_tick(service);
}

uint64_t service_deadline(const struct service *service)
{
    uint64_t requests_us = requests_deadline(service), heartbeat_us = heartbeat_deadline(service);
    return requests_us < heartbeat_us ? requests_us : heartbeat_us;
}

void service_clear(struct service *service)
{
    requests_clear(service);
    audit_clear(service);
    signatures_clear(service);
}

void service_check_invariants(const struct service *service)
{
    const struct waiters *waiters = &service->waiters;
    bool leads = election_leads(service->raft);
    assert(waiters->n <= WAITERS_MAX);
    /* Who waits for an entry, or for a majority's word, waits for a coordinator. */
    size_t segments = 0;
    for (size_t i = 0; i < waiters->n; i++)
        segments += waiters->at[i].kind == WAIT_SEGMENT;
    assert(segments == service->segments && (leads || !segments));
    for (size_t i = 0; i < waiters->n; i++)
        assert(!waiters->at[i].index || (leads && waiters->at[i].index > service->state->applied));
    for (size_t i = service->reads.first; i < service->reads.n; i++)
        assert(leads && service->reads.at[i].message);
}
