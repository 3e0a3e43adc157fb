#include "shared/base/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"

struct blob *blob_new(size_t len)
{
    struct blob *blob = malloc(sizeof *blob + (len ? len : 1));
    if (!blob)
        panic("out of memory for a value of %zu bytes", len);
    atomic_init(&blob->refs, 1);
    blob->len = len;
    return blob;
}

struct blob *blob_copy(const void *at, size_t len)
{
    struct blob *blob = blob_new(len);
    if (len)
        memcpy(blob->at, at, len);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_drop(struct blob **blob)
{
    struct blob *it = *blob;
    *blob = NULL;
    if (it && atomic_fetch_sub_explicit(&it->refs, 1, memory_order_acq_rel) == 1)
        free(it);
}
