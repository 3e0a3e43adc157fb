/* bank_load.c - conclave bank load: transfers between random accounts of all nodes, many on their
 * way at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/ask/latency.h"
#include "clients/ask/session.h"
#include "clients/library/bank.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

#define REASONS_MAX 16               /* refusals are counted by their codes; the others together */
#define REASON_MAX  32               /* bytes of a code with its end */
#define PATIENCE_US (10 * SECOND_US) /* for what is on its way at the end */
#define AMOUNT_MAX  100

static struct {
    uint64_t accounts, fund, rate, seconds, window, seed;
} options = {.accounts = 100, .fund = 1000000, .rate = 20000, .seconds = 10, .window = 256};

const struct option_spec bank_load_options[] = {
    {"accounts", OPTION_U64, &options.accounts, 2, 100000, "N",
     "how many, spread over the nodes (default 100)"},
    {"fund", OPTION_U64, &options.fund, 1, 1000000000, "AMOUNT",
     "what each account is given first (default 1000000)"},
    {"rate", OPTION_U64, &options.rate, 0, 1000000, "N",
     "transfers a second; 0: as many as are answered (default 20000)"},
    {"seconds", OPTION_U64, &options.seconds, 1, 24 * 3600, "N", "for how long (default 10)"},
    {"window", OPTION_U64, &options.window, 1, 4096, "N",
     "at most N in progress at once (default 256)"},
    {"seed", OPTION_U64, &options.seed, 1, INT64_MAX, "N",
     "seed of the random transfers (default: random; printed)"},
    {0}};

struct load {
    struct cli *cli;
    struct client *client;
    struct session_key sessions[NODES_MAX + 1]; /* by node: every key of this run is of these */
    uint64_t nodes, random;
    uint64_t started, done, in_flight; /* transfers */
    uint64_t began_us, took_us;
    struct latency latency;
    size_t n_reasons;
    struct {
        char code[REASON_MAX];
        uint64_t n;
    } reasons[REASONS_MAX];
};

/* --- requests --- */

/* The same seed asks for the same transfers. */
static uint64_t pick(struct load *load, uint64_t below)
{
    return random_below(&load->random, below);
}

static uint64_t node_of(const struct load *load, uint64_t account)
{
    return 1 + account % load->nodes;
}

#define ACCOUNT_MAX (sizeof "load-" + 20) /* bytes of the name of one of them, with its end */

static const char *name_of(uint64_t account, char at[ACCOUNT_MAX])
{
    text_format(at, ACCOUNT_MAX, "load-%" PRIu64, account);
    return at;
}

/* Makes a deposit, or with `to` a transfer. */
static struct message *new_change(struct load *load, uint64_t account, const uint64_t *to,
                                  uint64_t amount)
{
    char key[JOB_KEY_TEXT_MAX], name[ACCOUNT_MAX], to_name[ACCOUNT_MAX];
    struct bank_change change = {.type = to ? MESSAGE_BANK_TRANSFER : MESSAGE_BANK_DEPOSIT,
                                 .node = node_of(load, account),
                                 .account = name_of(account, name),
                                 .amount = amount,
                                 .key = key};
    session_next_key(&load->sessions[change.node], key);
    if (to) {
        change.to = name_of(*to, to_name);
        change.to_node = node_of(load, *to);
    }
    return bank_request(&change);
}

static struct message *new_transfer(struct load *load)
{
    uint64_t from = pick(load, options.accounts);
    uint64_t to = (from + 1 + pick(load, options.accounts - 1)) % options.accounts;
    return new_change(load, from, &to, 1 + pick(load, AMOUNT_MAX));
}

/* --- the accounts --- */

/* Waits until one is made; with `last` until all are. */
static int take_funded(struct load *load, bool last)
{
    while (load->in_flight && (last || load->in_flight == options.window)) {
        if (client_work(load->client, UINT64_MAX) == ERR_INTERRUPTED)
            return cli_interrupted();
        for (struct client_call *call; (call = client_finished(load->client));) {
            int code = call->outcome ? cli_explain(load->cli, call->outcome)
                                     : cli_expect(load->cli, call->reply, MESSAGE_BANK_ACCOUNT);
            client_call_drop(&call);
            load->in_flight--;
            if (code)
                return code;
        }
    }
    return EXIT_OK;
}

static int fund(struct load *load)
{
    int code = EXIT_OK;
    for (uint64_t i = 0; i < options.accounts && !code; i++) {
        struct message *request = new_change(load, i, NULL, options.fund);
        client_start(load->client, request, CLIENT_PATIENT, 0, cli_deadline_us(load->cli), NULL);
        load->in_flight++;
        code = take_funded(load, false);
    }
    return code ? code : take_funded(load, true);
}

/* --- transfers --- */

static void count_reason(struct load *load, const char *code)
{
    size_t i = 0;
    while (i < load->n_reasons && strcmp(load->reasons[i].code, code) != 0)
        i++;
    if (i == REASONS_MAX)
        i = REASONS_MAX - 1;
    else if (i == load->n_reasons)
        text_format(load->reasons[load->n_reasons++].code, REASON_MAX, "%s",
                    i == REASONS_MAX - 1 ? "other" : code);
    load->reasons[i].n++;
}

static void take_transfer(struct load *load, const struct client_call *call, uint64_t now_us)
{
    char code[REASON_MAX];
    load->in_flight--;
    if (call->outcome)
        count_reason(load, "no_answer");
    else if (call->reply->type == MESSAGE_ERROR)
        count_reason(load, text_escape(code, sizeof code, call->reply->as.error.code));
    else if (call->reply->type != MESSAGE_BANK_ACCOUNT)
        count_reason(load, "strange_answer");
    else {
        load->done++;
        latency_add(&load->latency, now_us - call->started_us);
    }
}

/* How many should have been started by now. */
static uint64_t due(const struct load *load, uint64_t now_us)
{
    if (!options.rate)
        return UINT64_MAX;
    return (now_us - load->began_us) * options.rate / SECOND_US + 1;
}

/* Returns ERR_INTERRUPTED when a signal ended it; what was on its way then is left alone. */
static int transfer(struct load *load)
{
    load->began_us = clock_now_us();
    uint64_t now_us = load->began_us, end_us = now_us + options.seconds * SECOND_US;
    while (now_us < end_us || load->in_flight) {
        uint64_t wanted = now_us < end_us ? due(load, now_us) : 0;
        while (load->started < wanted && load->in_flight < options.window) {
            client_start(load->client, new_transfer(load), CLIENT_ONCE, 0, end_us + PATIENCE_US,
                         NULL);
            load->started++;
            load->in_flight++;
        }
        uint64_t until_us = now_us < end_us ? now_us + MS_US : now_us + SECOND_US;
        int error = client_work(load->client, until_us);
        now_us = clock_now_us();
        for (struct client_call *call; (call = client_finished(load->client));) {
            take_transfer(load, call, now_us);
            client_call_drop(&call);
        }
        load->took_us = now_us - load->began_us;
        if (error == ERR_INTERRUPTED)
            return error;
    }
    return OK;
}

/* --- the report --- */

static double rate_of(const struct load *load)
{
    return load->took_us ? (double)load->done * SECOND_US / (double)load->took_us : 0;
}

static uint64_t refused(const struct load *load)
{
    uint64_t n = 0;
    for (size_t i = 0; i < load->n_reasons; i++)
        n += load->reasons[i].n;
    return n;
}

static void print_json(const struct load *load)
{
    const struct latency *latency = &load->latency;
    json_t *reasons = json_object();
    for (size_t i = 0; i < load->n_reasons; i++)
        json_object_set_new(reasons, load->reasons[i].code,
                            json_integer((json_int_t)load->reasons[i].n));
    json_t *times =
        json_pack("{s:I, s:I, s:I, s:I}", "p50", (json_int_t)latency_percentile(latency, 50), "p90",
                  (json_int_t)latency_percentile(latency, 90), "p99",
                  (json_int_t)latency_percentile(latency, 99), "max", (json_int_t)latency->max_us);
    cli_print_json(load->cli,
                   json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "nodes",
                             (json_int_t)load->nodes, "accounts", (json_int_t)options.accounts,
                             "deposited", (json_int_t)(options.accounts * options.fund), "seed",
                             json_integer((json_int_t)options.seed), "asked",
                             (json_int_t)load->started, "transfers", (json_int_t)load->done,
                             "refused", (json_int_t)refused(load), "refusals", reasons,
                             "duration_us", (json_int_t)load->took_us, "transfers_per_second",
                             (json_int_t)rate_of(load), "latency_us", times));
}

static void print_text(const struct load *load)
{
    const struct latency *latency = &load->latency;
    printf("accounts    %" PRIu64 " on %" PRIu64 " nodes, %" PRIu64 " deposited; seed %" PRIu64
           "\ntransfers   %" PRIu64 " of %" PRIu64 " in %.1f s: %.0f/s",
           options.accounts, load->nodes, options.accounts * options.fund, options.seed, load->done,
           load->started, (double)load->took_us / SECOND_US, rate_of(load));
    if (options.rate)
        printf(", wanted %" PRIu64 "/s", options.rate);
    printf("\nlatency ms  p50 %.1f  p90 %.1f  p99 %.1f  max %.1f\n",
           (double)latency_percentile(latency, 50) / MS_US,
           (double)latency_percentile(latency, 90) / MS_US,
           (double)latency_percentile(latency, 99) / MS_US, (double)latency->max_us / MS_US);
    printf("refused     %" PRIu64, refused(load));
    for (size_t i = 0; i < load->n_reasons; i++)
        printf("%s%s %" PRIu64, i ? ", " : ": ", load->reasons[i].code, load->reasons[i].n);
    printf("\n");
}

static int open_session(struct load *load, uint64_t node)
{
    int error = session_open(load->client, node, cli_deadline_us(load->cli), &load->sessions[node]);
    if (error == ERR_UNSUPPORTED)
        return cli_fail(EXIT_FAILED, "node %" PRIu64 " does not open a session", node);
    return error ? cli_explain(load->cli, error) : EXIT_OK;
}

static int run(struct load *load)
{
    int code = cli_told(load->cli, cluster_count_nodes(&load->cli->connection, &load->nodes));
    if (!code && !load->nodes)
        code = cli_fail(EXIT_FAILED, "the broker knows no nodes");
    for (uint64_t node = 1; node <= load->nodes && node <= options.accounts && !code; node++)
        code = open_session(load, node);
    if (!code)
        code = fund(load);
    if (code)
        return code;
    int error = transfer(load);
    if (load->cli->json)
        print_json(load);
    else
        print_text(load);
    if (error)
        return cli_interrupted();
    return load->done ? EXIT_OK : cli_fail(EXIT_FAILED, "no transfer succeeded");
}

int bank_load_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (!options.seed)
        hash_random(&options.seed, sizeof(uint32_t)); /* short enough to be typed again */
    struct load *load = mem_new(1, sizeof *load);
    load->cli = cli;
    load->client = cli_client(cli);
    load->random = options.seed;
    code = run(load);
    free(load);
    return code;
}
