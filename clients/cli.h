/* cli.h - what every command shares: the global options, asking the cluster, lines for people,
 * JSON, exit codes. */
#ifndef CONCLAVE_CLIENTS_CLI_H
#define CONCLAVE_CLIENTS_CLI_H

#include <jansson.h>

#include "clients/ask/connection.h"
#include "clients/ask/jobspec.h"
#include "shared/base/options.h"

struct cli {
    struct conclave connection; /* where the cluster is, and with which key: --broker, --access,
                                   --dir, --insecure, --timeout */
    bool timeout_given;         /* else it is the default */
    bool json;
    bool json_lines; /* one value a line, whatever stdout is */
};

/* A command: one row of the table in commands.c. A name of two words is a member of a family. */
struct command {
    const char *name;
    const char *arguments;             /* as the usage line shows them; may be empty */
    const char *summary;               /* one line */
    const char *details;               /* paragraphs for its help; may be NULL */
    const struct option_spec *options; /* besides the global ones; NULL: none */
    int (*run)(struct cli *cli, int n_words, char **words); /* returns an exit code */
};

/* The table, ended by a row without a name. */
extern const struct command commands[];

/* The options that every command takes. */
extern const struct option_spec cli_options[];

/* When what begins now must have ended: --timeout from now. */
uint64_t cli_deadline_us(const struct cli *cli);

/* The same for who waits for a job, which may take a night: without the option, never. */
uint64_t cli_wait_deadline_us(const struct cli *cli);

/* Returns ZeroMQ's context. A command that forks does so before. */
void *cli_context(struct cli *cli);

/* Closes both. */
void cli_close(struct cli *cli);

/* Says where the key is, whatever the options say: before the client is asked for. */
void cli_use_dir(struct cli *cli, const char *dir);

/* Forgets the client and its key: the next client looks again. */
void cli_forget_key(struct cli *cli);

/* Returns the client, connected to the first broker. */
struct client *cli_client(struct cli *cli);

/* The directory of a cluster on this machine that the command is for: unless `*dir` is given, the
 * nearest .conclave/ that holds something of that name, here or above; else .conclave. EXIT_OK, or
 * EXIT_USAGE after one line: others may write to it. */
int cli_nearest(const char **dir, const char *name);

/* From now on what goes to stderr is JSON, one object a line: {"error": {"code", "message",
 * "exit"}} or {"note": TEXT}. */
void cli_speak_json(bool json);

/* Writes "conclave: ..." to stderr; returns the code. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes a remark to stderr. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds a line to an array of them, for an answer in JSON. */
void cli_add_line(json_t *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says on stderr what the connection has to say of a code that is not EXIT_OK, unless a signal is
 * the reason, or it was said already; returns the code. */
int cli_told(struct cli *cli, int code);

/* Explains why a call came to nothing; returns the exit code. */
int cli_explain(struct cli *cli, int outcome);

/* Asks patiently; takes the request. EXIT_OK and an answer of that type (caller drops), or an exit
 * code after one line on stderr. */
int cli_ask(struct cli *cli, struct message *request, enum message_type expected,
            struct message **reply);

/* What came of a change that a key makes idempotent: when no answer came, it may have taken effect,
 * and the person is told the key. Returns the code. */
int cli_changed(struct cli *cli, int code, const char *key);

/* Asks for such a change. */
int cli_change(struct cli *cli, struct message *request, enum message_type expected,
               const char *key, struct message **reply);

/* The same for an answer that a call of CLIENT_ONCE or a submission brought: refusals and strangers
 * explained. */
int cli_expect(struct cli *cli, const struct message *reply, enum message_type expected);

/* Prints one JSON value and a line end; takes it. Indented on a terminal. */
void cli_print_json(const struct cli *cli, json_t *value);

/* The only word of the command as a job id; EXIT_USAGE after one line otherwise. */
int cli_job_id(int n_words, char **words, job_id_t *out);

/* Runs a command for each of its words, at least one; else `needed` says what they are. The
 * first failure is the exit code, and the others are done all the same. Several are JSON lines. */
int cli_each(struct cli *cli, int n_words, char **words, const char *needed,
             int (*run)(struct cli *cli, const char *word));

/* The key that a person chose, or a new one when `given` is NULL; EXIT_USAGE after one line when it
 * is no key. */
int cli_key(const char *given, char at[JOB_KEY_TEXT_MAX]);

/* No words are allowed: EXIT_USAGE after one line when there are some. */
int cli_no_words(int n_words, char **words);

/* Returns the exit code of a command that a signal ended. */
int cli_interrupted(void);

#endif
