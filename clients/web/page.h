/* page.h - the files of clients/web/page, as they are in this program. The Makefile makes the table
 * of them (clients/web/embed.sh). */
#ifndef CONCLAVE_CLIENTS_PAGE_H
#define CONCLAVE_CLIENTS_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name;
    const unsigned char *at;
    size_t len;
};

/* Ended by a row without a name. */
extern const struct page_file page_files[];

#endif
