/* image.h - a full checkpoint as what it consists of: packed parts, in order. */
#ifndef CONCLAVE_CORE_IMAGE_H
#define CONCLAVE_CORE_IMAGE_H

#include "shared/base/blob.h"
#include "shared/base/types.h"

struct image {
    uint32_t refs;
    log_index_t index;
    term_t term;
    struct blob **parts; /* packed; owned */
    size_t n, size;
    size_t n_blocks;     /* the last ones: blocks of keys, not for the disk of who has made it */
    uint64_t next_block; /* number behind the last of them */
};

/* An image to be filled part by part (takes references). */
struct image *image_new(log_index_t index, term_t term);
void image_add(struct image *image, struct blob *part);

struct image *image_ref(struct image *image);
void image_drop(struct image **image);

#endif
