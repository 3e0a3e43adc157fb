/* limits_map.h - the limits of commands over inputs (map): a part of limits.h, which is what to
 * include. */
#ifndef CONCLAVE_BASE_LIMITS_MAP_H
#define CONCLAVE_BASE_LIMITS_MAP_H

/* Of one job. A task is a line of a progress bar that people wait for, and its details some 100
 * bytes: a gigabyte of them. */
#define MAP_TASKS_MAX 10000000
/* What Linux takes as one argument (MAX_ARG_STRLEN, 32 pages) without the zero byte at its end: an
 * input, or a string for the shell. */
#define TASK_ARG_BYTES_MAX (128 * KIB_BYTES - 1)
/* All arguments of one command: half of the 2 MiB that Linux takes for arguments and environment
 * with the usual stack of 8 MiB. */
#define TASK_COMMAND_BYTES_MAX (MIB_BYTES)
/* Words of a command as it is written down: with names and environment they fit into the
 * specification, which is one frame. More arguments belong into inputs or files. */
#define TASK_WORDS_MAX 1000
/* The texts of a specification together; the rest of frame 0 is room for their envelope. */
#define TASK_SPEC_TEXT_MAX (40 * KIB_BYTES)
/* A word of a command as it is written down: the longest script. */
#define TASK_WORD_MAX (16 * KIB_BYTES)
/* Inputs of one task: columns of a table, sources of a product. More columns than people name. */
#define TASK_INPUTS_MAX 64
#define TASK_RECORD_MAX (MIB_BYTES) /* all inputs of one task; a segment holds eight or more */
/* Of a column, a variable of the environment, a name for people. */
#define TASK_NAME_MAX 255
#define TASK_PATH_MAX 1023 /* of a file in the scratch directory; its own path comes before it */
#define TASK_ENV_MAX  256
/* Files that every task gets: beyond, an archive is quicker to move and to unpack. */
#define TASK_UPLOADS_MAX 256
/* The uploads and the own file of one task together: a worker has them twice on its scratch disk
 * when the task begins. Larger data belongs on a disk that all nodes see. */
#define TASK_INPUT_BYTES_MAX (1024 * MIB_BYTES)
/* Segments that these touch: the uploads begin with one, the file anywhere. */
#define TASK_PARTS_MAX (TASK_INPUT_BYTES_MAX / SEGMENT_BYTES_MAX + 2)
/* Segments of inputs that a worker has in memory, 96 MiB: what a task is, of those that it looks
 * at; and of files on their way to the scratch disk, which are as many as keep both network and
 * disk busy. */
#define INPUTS_HELD_MAX   8
#define INPUTS_MOVING_MAX 4
/* Segments of files that it has on that disk, 2 GiB: of a task, and of the next one. */
#define INPUTS_FILES_MAX  (2 * TASK_PARTS_MAX)
#define INPUT_SOURCES_MAX 3   /* that are asked for one, until an attempt ends without it */
#define TASK_GLOBS_MAX    64  /* patterns of files to collect; one may match any number */
#define TASK_RETRIES_MAX  100 /* more attempts hide that the command does not work */
#define TASK_DELAY_MAX_US (3600 * SECOND_US) /* it doubles from there, see --retry-delay */
#define TASK_TIME_MAX_US  ((uint64_t)10000 * 24 * 3600 * SECOND_US) /* TIME_LONGEST_US */
#define TASK_SLOTS_MAX    1024 /* of a node that one task takes: the largest machines */
/* Of each of a task's two streams, and of all files that are collected of it: what a gigabit link
 * moves in ten seconds. More is a data set, which has a place of its own. */
#define TASK_OUTPUT_DEFAULT_BYTES (MIB_BYTES)
#define TASK_OUTPUT_MAX_BYTES     (1024 * MIB_BYTES)
#define TASK_FILES_MAX_BYTES      (1024 * MIB_BYTES)
/* Files that are collected of a task; more belong into an archive. */
#define TASK_FILES_MAX 1024
/* Of the last line of a standard error that is kept apart: a line of a table. */
#define TASK_LINE_MAX 255
/* A bundle (shared/tasks/bundle.h) is values of this length, and one of what is left: so much of it
 * is in memory, and is sent again after a failure. */
#define BUNDLE_PIECE_BYTES (8 * MIB_BYTES)
/* Two streams, the files, and in one more the list of these. */
#define BUNDLE_PIECES_MAX 385
/* Bundles of one entry, or one part of a checkpoint, and pieces of these from which on it gets no
 * further one: with 512 ranges and 150 exceptions they fit into frame 0. */
#define BUNDLES_MAX        100
#define BUNDLES_PIECES_MAX 100
/* Bundles that a coordinator pulls from workers at the same time: 64 MiB in memory. */
#define BUNDLE_PULLS_MAX 8
/* It tries so often to get a piece, and so long after each: then the attempt has failed. */
#define BUNDLE_TRIES_MAX 5
#define BUNDLE_AGAIN_US  SECOND_US

/* --- reduce: programs that fold --- */

/* How a program is run, and the program: the items of such a stored value, in one segment. */
#define OPERATOR_PARTS 2
/* Of the name of an operator: people type it. */
#define OPERATOR_NAME_MAX 64
/* The program is one segment, for it goes to workers as an operand does; a larger one is a script
 * that finds what it needs on the nodes. */
#define OPERATOR_BYTES_MAX (7 * MIB_BYTES)
/* A part that is folded, and what a program may make of several: a worker has four and the result
 * in memory. As RESULT_MAX_DEFAULT_BYTES. */
#define REDUCE_PART_BYTES_MAX    (64 * MIB_BYTES)
#define PROGRAM_OUTPUT_MAX_BYTES (128 * MIB_BYTES)
/* Of one run of a program, unless `op add` says otherwise: what takes longer for four values
 * hangs. */
#define OPERATOR_TIME_DEFAULT_US (60 * SECOND_US)

#endif
