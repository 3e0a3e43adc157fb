/* image.h - the full checkpoint: the applied state as a sequence of packed messages (schema.h:
 * image_...). */
#ifndef CONCLAVE_CORE_IMAGE_H
#define CONCLAVE_CORE_IMAGE_H

#include "nodes/core/state.h"

/* Takes the state as it is applied now. One reference, caller drops. */
struct image *image_build(const struct node *node);

/* The same with unfinished jobs only: from this a fresh cluster goes on. */
struct image *image_build_open(const struct node *node);

/* An image to be filled part by part (takes references). */
struct image *image_new(log_index_t index, term_t term);
void image_add(struct image *image, struct blob *part);

struct image *image_ref(struct image *image);
void image_drop(struct image **image);

/* Forgets the state that a full checkpoint replaces. */
void image_clear_state(struct node *node);

/* Takes one part in, in order, behind image_clear_state(). The first one is the head: fills *index
 * and *term. ERR_MALFORMED when it does not fit. */
int image_load_part(struct node *node, struct slice part, log_index_t *index, term_t *term);

/* Calls `want` for every value that the part needs on disk; ERR_MALFORMED when the part cannot be
 * read. */
int image_wants(struct node *node, struct slice part,
                void (*want)(struct node *node, node_id_t source, struct value_id id, uint64_t len,
                             struct slice hash));

#endif
