/* limits_stored.h - the limits of stored values, which clients upload: a part of limits.h, which
 * includes it. */
#ifndef CONCLAVE_BASE_LIMITS_STORED_H
#define CONCLAVE_BASE_LIMITS_STORED_H

/* Of a segment; one that holds a single larger integer may be larger. So long a node's disk or
 * network is busy with one, 50 ms, and so much is sent again after a failure, at most. */
#define SEGMENT_BYTES_MAX (8 * MIB_BYTES)
/* Of a value: its row of a checkpoint is one message. 8 GiB, in segments of full length. */
#define VALUE_SEGMENTS_MAX 1024
#define VALUE_BYTES_MAX    (VALUE_SEGMENTS_MAX * SEGMENT_BYTES_MAX)
/* The low bits of the number that names a segment's bytes are the segment; above are the term and
 * which try of the term stored it (uploads.h). */
#define VALUE_SEGMENT_BITS 11
/* In all. A look through them takes 40 us; a checkpoint with so many small ones has one MiB. */
#define VALUES_MAX        4096
#define STORED_FORMAT_MAX 16
#define STORED_NAME_MAX   128 /* bytes of a file's name; what is longer is cut by the client */
#define VALUE_PAGE_MAX    64  /* rows in one answer of value_list: they fit the map's 64 KiB */
#define VALUE_JOBS_SHOWN  16  /* of the jobs that name a value, in its row */
#define DROP_VALUES_MAX   256 /* in one entry; more are dropped by further ones */
#define INPUTS_MAX        2   /* stored values that a job names: numbers, and those known before */
/* Values that are being uploaded at a coordinator at the same time, and bytes of segments that are
 * not committed yet, which it holds in memory; one longer segment may be alone. Beyond, "busy": the
 * client asks again. Sixteen clients that send as fast as the disks write. */
#define UPLOADS_MAX       64
#define UPLOADS_BYTES_MAX (128 * MIB_BYTES)
/* Segments of one value that are not committed: as many as chunks of a client may be unanswered. */
#define UPLOAD_SEGMENTS_MAX 8
/* A segment of which nothing more comes for so long frees its memory: longer than a client takes to
 * find another broker. It is begun again. */
#define UPLOAD_IDLE_US (30 * SECOND_US)
/* --keep-values: a whole value that no job names; and one that is not whole, if that is less. An
 * upload that is to be resumed is resumed soon. */
#define KEEP_VALUES_DEFAULT_US (24 * 3600 * SECOND_US)
#define KEEP_VALUES_LIMIT_US   (30 * 24 * 3600 * SECOND_US) /* who needs one for longer names it */
#define KEEP_UNFINISHED_US     (3600 * SECOND_US)
/* The age of values is logged so often, while there is one that ages: what a change of coordinator
 * loses of it is no more. With a shorter --keep-values, that many times in it. */
#define VALUES_AGE_EVERY_US (600 * SECOND_US)
#define VALUES_AGE_PARTS    8

#endif
