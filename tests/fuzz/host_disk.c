/* The disk of a host: what becomes durable, and that a node can start on it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/fuzz/host_internal.h"

void host_write(struct host *host, const struct write *write)
{
    const struct node_durable *durable = &host->durable;
    switch (write->kind) {
    case WRITE_VOTE:
        assert(write->term >= durable->term);
        assert(write->term > durable->term || !durable->vote || write->vote == durable->vote);
        node_durable_write(&host->durable, write);
        break;
    case WRITE_ENTRY:
        entries_cut(&host->log, write->index);
        assert(write->index == entries_last(&host->log) + 1);
        entries_add(&host->log, write->term, write->entry);
        break;
    case WRITE_TRUNCATE:
        entries_cut(&host->log, write->index);
        break;
    case WRITE_CHECKPOINT:
        if (!entries_checkpoint(&host->log, &host->checkpoint, write))
            panic("a checkpoint counts on a part that is not there");
        break;
    case WRITE_RECORD:
        assert(write->key_len >= 1 && write->key_len <= RECORD_KEY_MAX);
        records_write(&host->records, write);
        break;
    }
}

static void discard(struct host_persist *persist)
{
    for (size_t i = 0; i < persist->n; i++)
        write_drop(&persist->writes[i]);
    free(persist->writes);
}

void host_persist(struct host *host, const struct output *output)
{
    if (host->n_persists == HOST_WAITS_MAX) { /* the oldest ones have been durable for long */
        for (size_t i = 0; i < host->persists[0].n; i++)
            host_write(host, &host->persists[0].writes[i]);
        discard(&host->persists[0]);
        memmove(host->persists, host->persists + 1, --host->n_persists * sizeof *host->persists);
    }
    struct host_persist *persist = &host->persists[host->n_persists++];
    assert(output->persist.seq == host->seq + 1 && output->persist.n);
    host->seq = output->persist.seq;
    *persist = (struct host_persist){.seq = host->seq, .n = output->persist.n};
    persist->writes = mem_new(persist->n, sizeof *persist->writes);
    for (size_t i = 0; i < persist->n; i++)
        persist->writes[i] = write_copy(&output->persist.writes[i]);
}

void host_persisted(struct host *host, bool all)
{
    size_t n = all ? host->n_persists : host->n_persists > 0;
    if (!n)
        return;
    uint64_t seq = host->persists[n - 1].seq;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < host->persists[i].n; j++)
            host_write(host, &host->persists[i].writes[j]);
        discard(&host->persists[i]);
    }
    host->n_persists -= n;
    memmove(host->persists, host->persists + n, host->n_persists * sizeof *host->persists);
    host_step(host, (struct event){.kind = EVENT_PERSISTED, .persisted = seq});
}

uint64_t host_durable(const struct host *host)
{
    return host->n_persists ? host->persists[0].seq - 1 : host->seq;
}

void host_lose(struct host *host)
{
    while (host->n_persists)
        discard(&host->persists[--host->n_persists]);
}

int host_restore(struct host *host)
{
    const struct checkpoint *checkpoint = host->checkpoint;
    const struct kept_record *refused;
    int error = OK;
    for (size_t i = 0; checkpoint && i < checkpoint->n && !error; i++)
        error = node_restore_part(host->node, (struct slice){checkpoint->parts[i]->at,
                                                             checkpoint->parts[i]->len});
    for (size_t i = 0; i < host->log.n && !error; i++)
        error = node_restore_entry(host->node, host->log.base + i + 1, host->log.at[i].term,
                                   host->log.at[i].packed);
    if (!error)
        error = records_restore(&host->records, host->node, &refused);
    return error ? error : node_restore_end(host->node);
}

void host_wipe(struct host *host)
{
    checkpoint_drop(&host->checkpoint);
    entries_clear(&host->log);
    records_clear(&host->records);
    free(host->kept);
}
