/* pages.h - walks the pages of an LMDB file without LMDB, which trusts every page that it reads: a
 * damaged one ends the process by SIGSEGV or SIGBUS, or is believed.
 *
 * Source of the format: LMDB 0.9.24 and 0.9.31, mdb.c (struct MDB_page, MDB_node, MDB_db, MDB_meta;
 * data version 1), on a machine with 64-bit pages numbers, in its own byte order.
 *
 * What is checked: both meta pages; of each page that can be reached its number, its flags, its
 * level, the bounds of its nodes; that keys are in order, within the separators above them; that no
 * page is reached twice or is listed as free, and all lie inside the file. Pages that are free need
 * not lie inside it: LMDB never writes those that one transaction took at the end and gave back. */
#ifndef CONCLAVE_IO_PAGES_H
#define CONCLAVE_IO_PAGES_H

#include <stdbool.h>

#include "shared/base/text.h"

#define PAGES_WHY_MAX 160

/* Called for each record of each named database, in the order of its keys. Borrowed. False: it is
 * damaged. */
typedef bool pages_record_fn(void *context, struct slice database, struct slice key,
                             struct slice value);

struct pages_report {
    uint64_t n_pages;        /* that were reached */
    char why[PAGES_WHY_MAX]; /* after an error: what is wrong, without the file's name */
};

/* Walks the file. `each` may be NULL. Allocates nothing but address space (it runs in a child of a
 * process with threads). ERR_CORRUPT; ERR_IO: the file cannot be read at all. */
int pages_walk(int fd, pages_record_fn *each, void *context, struct pages_report *report);

#endif
