/* The disk of a host: what becomes durable, and that a node can start on it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/fuzz/host_internal.h"

static int compare(const struct host_record *record, const struct write *write)
{
    size_t shorter = record->key_len < write->key_len ? record->key_len : write->key_len;
    int order = memcmp(record->key, write->key, shorter);
    return order ? order : (int)record->key_len - (int)write->key_len;
}

static void write_record(struct host *host, const struct write *write)
{
    size_t at = 0, n = host->n_records;
    assert(write->key_len >= 1 && write->key_len <= RECORD_KEY_MAX);
    while (at < n && compare(&host->records[at], write) < 0)
        at++;
    bool found = at < n && !compare(&host->records[at], write);
    if (found)
        blob_drop(&host->records[at].value);
    if (found && !write->entry) {
        memmove(&host->records[at], &host->records[at + 1], (n - at - 1) * sizeof *host->records);
        host->n_records--;
    }
    if (!write->entry)
        return;
    if (!found) {
        host->records = mem_grow(host->records, n + 1, sizeof *host->records);
        memmove(&host->records[at + 1], &host->records[at], (n - at) * sizeof *host->records);
        host->n_records++;
    }
    host->records[at] =
        (struct host_record){.key_len = write->key_len, .value = blob_ref(write->entry)};
    memcpy(host->records[at].key, write->key, write->key_len);
}

static void drop_parts(struct host *host)
{
    for (size_t i = 0; i < host->n_parts; i++)
        blob_drop(&host->parts[i]);
    free(host->parts);
    host->parts = NULL;
    host->n_parts = 0;
}

static void write_checkpoint(struct host *host, const struct write *write)
{
    drop_parts(host);
    host->parts = mem_new(write->n_parts, sizeof *host->parts);
    host->n_parts = write->n_parts;
    for (size_t i = 0; i < write->n_parts; i++)
        host->parts[i] = blob_ref(write->parts[i]);
    entries_cover(&host->log, write->index, write->whole);
}

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
        write_checkpoint(host, write);
        break;
    case WRITE_RECORD:
        write_record(host, write);
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

void host_lose(struct host *host)
{
    while (host->n_persists)
        discard(&host->persists[--host->n_persists]);
}

int host_restore(struct host *host)
{
    int error = OK;
    for (size_t i = 0; i < host->n_parts && !error; i++)
        error =
            node_restore_part(host->node, (struct slice){host->parts[i]->at, host->parts[i]->len});
    for (size_t i = 0; i < host->log.n && !error; i++)
        error = node_restore_entry(host->node, host->log.base + i + 1, host->log.at[i].term,
                                   host->log.at[i].packed);
    for (size_t i = 0; i < host->n_records && !error; i++) {
        const struct host_record *record = &host->records[i];
        error = node_restore_record(host->node, (struct slice){record->key, record->key_len},
                                    (struct slice){record->value->at, record->value->len});
    }
    return error ? error : node_restore_end(host->node);
}

void host_wipe(struct host *host)
{
    drop_parts(host);
    entries_clear(&host->log);
    while (host->n_records)
        blob_drop(&host->records[--host->n_records].value);
    free(host->records);
    free(host->kept);
}
