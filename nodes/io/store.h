/* store.h - the store thread: everything that waits for the disk.
 *
 * What is to be persisted goes first: the thread takes all that has come meanwhile, commits it in
 * one transaction (group commit), reports. Values are kept, read and dropped one piece at a time in
 * between, so that a vote never waits for more than one of them.
 *
 * A full disk: a reserve is kept for what is to be persisted (disk_reserve()); values wait until
 * there is room again. Both ends are reported as they come. What is spilled waits for nothing: it
 * fails. A disk that fails otherwise ends the
 * process.
 *
 * All functions are for the event loop's thread. */
#ifndef CONCLAVE_IO_STORE_H
#define CONCLAVE_IO_STORE_H

#include "nodes/io/disk.h"
#include "nodes/io/store_report.h"

struct store;

/* Starts the thread. Borrows the disk, which is the thread's until store_stop(). */
struct store *store_start(struct disk *disk);

/* Finishes what was asked for and ends the thread. What it reports can still be taken. */
void store_stop(struct store *store);

/* Frees all of a stopped store. Nulls the pointer; accepts NULL. */
void store_destroy(struct store **store);

/* Asks to make writes durable: STORE_PERSISTED, once store_flush() has handed them over. Copies. */
void store_persist(struct store *store, uint64_t seq, const struct write *writes, size_t n);
void store_flush(struct store *store);

/* Asks to make a value durable: one STORE_KEPT, whatever happens. Takes a new reference. NULL: asks
 * whether it is durable already. */
void store_keep(struct store *store, enum value_user user, struct value_id id, struct blob *value);

/* Asks for part of a kept or spilled value: STORE_READ. */
void store_read(struct store *store, struct value_id id, uint64_t offset, uint64_t len,
                void *cookie);

/* Asks to forget kept values: as disk_drop_kept(). Copies. */
void store_drop(struct store *store, const struct value_id *ids, size_t n);

/* Asks to read one block of what is kept again: STORE_SCRUBBED, with an error and the value's name
 * when it is damaged. */
void store_scrub(struct store *store);

/* Asks for names of kept values, at most SWEEP_SLICE_MAX: STORE_LISTED, as disk_list_kept(). */
void store_list(struct store *store, job_id_t job, struct value_id after);

/* SPILL_WRITE (of that value; takes a new reference) or SPILL_READ: one STORE_SPILLED;
 * SPILL_FORGET: none. All are done in this order, a slice at a time. */
void store_spill(struct store *store, const struct spill_order *order, struct blob *value);

/* Takes all reports, oldest first; NULL when there is none. Each is the caller's to free. */
struct store_report *store_take(struct store *store);
struct store_report *store_next(const struct store_report *report);
void store_report_free(struct store_report *report);

/* Readable while store_take() has something. */
int store_fd(const struct store *store);

#endif
