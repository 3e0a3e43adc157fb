/* web_limits.h - what the web process bounds, and why so. What is beyond is refused with an answer,
 * or its connection is closed. */
#ifndef CONCLAVE_CLIENTS_WEB_LIMITS_H
#define CONCLAVE_CLIENTS_WEB_LIMITS_H

/* A browser opens six, a scraper one; a connection costs 32 KiB. More wait in the kernel's queue.
 */
#define WEB_CONNECTIONS_MAX 128

/* Of a connection: its headers, which are some 2 KiB from browsers, and what is being sent. */
#define WEB_CONNECTION_BYTES (32 * 1024)

/* A key, a spec and a plan have under 1 KiB; inputs in a body are as many as a person pastes: lists
 * that are longer go through `conclave submit`, which uploads them in segments. Only who shows the
 * token has a body read. */
#define WEB_BODY_BYTES (1024 * 1024)

/* Results of jobs and stored values that a job over HTTP is over: words of a command. */
#define WEB_REFERENCES_MAX 16

/* Within so long a request must have arrived, byte by byte or not: people's networks are faster. */
#define WEB_REQUEST_US (10 * SECOND_US)

/* Within so long an answer must be taken; of a long result each part. */
#define WEB_ANSWER_US (60 * SECOND_US)

/* So long a reader of events may leave what it is sent unread. */
#define WEB_IDLE_SECONDS 30

/* Of the cluster's answer to one request: an election, and some. */
#define WEB_CALL_US (8 * SECOND_US)

/* Of a broker's answer to a status; it answers by itself, at once. */
#define WEB_BROKER_US (1 * SECOND_US)

/* Readers of events: pages that are open. Others have the rest of the connections. */
#define WEB_STREAMS_MAX 32

/* Commands of this program that make an answer, at a time: each is a process with some 20 MiB. */
#define WEB_DELEGATES_MAX 4

/* Of what a command says, as much waits for the reader. */
#define WEB_DELEGATE_BYTES (64 * 1024)

/* Rows of tasks in an answer. */
#define WEB_TASKS_MAX 1000

/* Lists of jobs that are being made: each may have WEB_JOBS_MAX rows of 3 KiB. */
#define WEB_LISTS_MAX 4
#define WEB_JOBS_MAX  1000

/* Events that are kept for who comes later, or reads slowly: minutes of a busy cluster, 1 MiB. */
#define WEB_EVENTS_MAX 1024

/* Names of events that are counted, one series of metrics each; nodes have some 25. */
#define WEB_EVENT_NAMES_MAX 48

/* How often readers of events are sent what the nodes do: what changes ten times a second is seen
 * to move; and the status: that sooner, but not more often than the last, after an event and while
 * no coordinator serves. */
#define WEB_NODES_US          (100 * MS_US)
#define WEB_STATUS_US         (1000 * MS_US)
#define WEB_STATUS_AT_ONCE_US (100 * MS_US)

/* Names under which browsers may come (--host). */
#define WEB_HOSTS_MAX 8

#endif
