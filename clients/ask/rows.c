#include "clients/ask/rows.h"

#include <stdlib.h>

#include "shared/base/memory.h"

#define ROWS_FIRST 64

void rows_add(struct rows *rows, struct message *page, const void *row)
{
    if (rows->n == rows->room) {
        rows->room = rows->room ? 2 * rows->room : ROWS_FIRST;
        rows->pages = mem_grow(rows->pages, rows->room, sizeof(struct message *));
        rows->at = mem_grow(rows->at, rows->room, sizeof *rows->at);
    }
    rows->pages[rows->n] = message_ref(page);
    rows->at[rows->n++] = row;
}

size_t rows_first(size_t n, uint64_t limit)
{
    return limit && n > limit ? n - (size_t)limit : 0;
}

void rows_clear(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        message_drop(&rows->pages[i]);
    free(rows->pages);
    free(rows->at);
    *rows = (struct rows){0};
}
