/* content.h - what is to be uploaded as a stored value, cut into segments, with its hashes: the
 * same bytes are cut in the same way, wherever they come from, so that an upload can be resumed. */
#ifndef CONCLAVE_CLIENTS_CONTENT_H
#define CONCLAVE_CLIENTS_CONTENT_H

#include "clients/input/integers.h"

/* Segments of a value of parts: each is an operand of one operation, or what a worker reads for a
 * task, so a large job has some for every worker, and a small one is no more work to hand out than
 * to do. */
#define CONTENT_SEGMENTS    64
#define CONTENT_LEAST_BYTES ((uint64_t)32 * 1024)
#define CONTENT_MOST_BYTES                                                \
    ((uint64_t)8 * 1024 * 1024) /* of any value, but for one long integer \
                                 */

struct content_segment {
    uint64_t offset, len, items;
    uint8_t sha256[HASH_BYTES];
};

struct content {
    const char *format; /* "integers", "tasks", "parts", "operator" or "bytes" */
    struct spool spool;
    uint64_t len, items;
    uint8_t sha256[HASH_BYTES];
    struct content_segment *segments; /* owned */
    size_t n_segments, room;
};

/* Takes a spool of parts (shared/base/bytes.h; also when it fails), which are the items of that
 * format (borrows its name), and cuts it: whole parts, about CONTENT_SEGMENTS segments, each of
 * CONTENT_LEAST_BYTES, but for the last, to CONTENT_MOST_BYTES; a longer part is a segment of its
 * own. ERR_IO, ERR_MALFORMED after one line in `why` (TEXT_MAX bytes). Caller clears in any case.
 */
int content_of_parts(struct content *content, const char *format, struct spool *spool, char *why);

/* The same, and each part is a segment of its own: an operand. */
int content_of_each_part(struct content *content, const char *format, struct spool *spool,
                         char *why);

/* The bytes of a spool (taken, also when it fails) as they are, in segments of CONTENT_MOST_BYTES.
 * The same errors. */
int content_of_spool(struct content *content, struct spool *spool, char *why);

/* All that a source (borrowed) has, as it is; what is in a regular file, read from its beginning,
 * is not copied. The same errors, and ERR_INTERRUPTED without a line. */
int content_of_source(struct content *content, struct source *source, char *why);

/* The integers that a source has, one a line: "integers". OK also when some are wrong, and there is
 * no content: the rule has how many. */
int content_of_integers(struct content *content, struct source *source, struct integers_rule *rule,
                        char *why);

void content_clear(struct content *content);

#endif
