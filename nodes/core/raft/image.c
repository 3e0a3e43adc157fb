#include "nodes/core/raft/image.h"

#include <stdlib.h>

#include "shared/base/memory.h"

struct image *image_new(log_index_t index, term_t term)
{
    struct image *image = mem_new(1, sizeof *image);
    image->refs = 1;
    image->index = index;
    image->term = term;
    return image;
}

void image_add(struct image *image, struct blob *part)
{
    if (image->n == image->size) {
        image->size = image->size ? 2 * image->size : 16;
        image->parts = mem_grow(image->parts, image->size, sizeof(struct blob *));
    }
    image->parts[image->n++] = blob_ref(part);
}

struct image *image_ref(struct image *image)
{
    image->refs++;
    return image;
}

void image_drop(struct image **image)
{
    struct image *it = *image;
    *image = NULL;
    if (!it || --it->refs)
        return;
    for (size_t i = 0; i < it->n; i++)
        blob_drop(&it->parts[i]);
    free(it->parts);
    free(it);
}
