/* fuzz_text.c - libFuzzer on what people type: options, job lines and files of them, addresses,
 * accounts, times, sizes, ids and keys. What is taken is written out, and taken again, as the same.
 *
 * The first byte of an input chooses the parser, the rest is the text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/settings.h"
#include "clients/ask/account.h"
#include "clients/ask/address.h"
#include "clients/ask/job_inputs.h"
#include "clients/ask/jobfile.h"
#include "clients/cli.h"
#include "nodes/io/disk.h"
#include "nodes/io/settings.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/base/session_key.h"
#include "shared/snapshot/model.h"
#include "tests/fuzz/reader.h"

#define WORDS_MAX 64

/* The options of every command stand beside main(), which a fuzzer has no room for. */
const struct option_spec cli_options[] = {{0}};

/* A terminated copy, ended by the first zero byte. */
static char *text_of(struct slice bytes)
{
    char *text = mem_new(bytes.len + 1, 1);
    if (bytes.len)
        memcpy(text, bytes.at, bytes.len);
    return text;
}

/* An error says why, in one line. */
static void check_why(int error, const char *why)
{
    assert(!error || (why[0] && !strchr(why, '\n') && text_is_utf8(slice_of(why))));
}

/* --- jobs --- */

static void check_job(const struct jobspec *job)
{
    struct jobspec again;
    char why[TEXT_MAX] = "", kind[sizeof job->kind], spec[sizeof job->spec];
    char label[JOBSPEC_LABEL_MAX];
    text_format(kind, sizeof kind, "%s", job->kind);
    text_format(spec, sizeof spec, "%s", job->spec);
    if (job->inputs) { /* its argument is known when they have been read */
        assert(!job->spec[0] && job_inputs_of(kind_find(slice_of(job->kind))));
        return;
    }
    char *words[] = {kind, spec};
    assert(!jobspec_parse(2, words, &again, why));
    assert(!strcmp(again.kind, job->kind) && !strcmp(again.spec, job->spec));
    jobspec_label(slice_of(job->kind), slice_of(job->spec), label);
    assert(label[0]);
}

static void read_job_line(struct slice text)
{
    struct jobspec job;
    char why[TEXT_MAX] = "";
    int error = jobspec_parse_line(text, &job, why);
    if (error != ERR_NOT_FOUND)
        check_why(error, why);
    if (!error)
        check_job(&job);
    jobspec_clear(&job);
}

static void read_job_file(struct slice text)
{
    struct jobfile file = {.fd = -1, .ended = true, .len = text.len, .size = text.len + 1};
    struct jobspec job;
    char why[TEXT_MAX] = "";
    uint64_t lines = 1;
    file.at = text_of(text);
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    for (int error; (error = jobfile_next(&file, &job, why)) != ERR_NOT_FOUND;) {
        check_why(error, why);
        if (!error)
            check_job(&job);
        jobspec_clear(&job);
    }
    assert(file.next == file.len && file.line <= lines);
    jobfile_close(&file);
}

/* What a client shows of a job may come from any node. */
static void show_label(struct slice text)
{
    char label[JOBSPEC_LABEL_MAX];
    size_t half = text.len / 2;
    jobspec_label((struct slice){text.at, half}, (struct slice){text.at + half, text.len - half},
                  label);
    jobspec_label(slice_of("factorial"), text, label);
    for (const char *at = label; *at; at++)
        assert(*at >= ' ' && *at <= '~');
}

/* --- words --- */

static void read_addresses(struct slice text)
{
    struct addresses addresses, again;
    char why[TEXT_MAX] = "", at[ADDRESS_TEXT_MAX], *list = text_of(text);
    int error = addresses_parse(list, &addresses, why);
    check_why(error, why);
    for (size_t i = 0; !error && i < addresses.n; i++) {
        address_text(&addresses.at[i], at);
        assert(!addresses_parse(at, &again, why) && again.n == 1);
        assert(!strcmp(again.at[0].host, addresses.at[i].host));
        assert(again.at[0].port == addresses.at[i].port);
    }
    free(list);
}

static void read_account(struct slice text)
{
    struct account account;
    uint64_t amount;
    char why[TEXT_MAX] = "", *word = text_of(text);
    int error = account_parse(word, &account, why);
    check_why(error, why);
    assert(error || (account_name_is_valid(slice_of(account.name)) && account.node >= 1 &&
                     account.node <= NODES_MAX));
    error = account_parse_amount(word, &amount, why);
    check_why(error, why);
    assert(error || (amount >= 1 && amount <= MONEY_MAX));
    jobspec_key_is_valid(word);
    free(word);
}

static void read_numbers(struct slice text)
{
    uint64_t number, max = 1000;
    enum log_level level;
    enum durability durability;
    char *word = text_of(text), shown[64];
    assert(parse_u64(text, max, &number) || number <= max);
    assert(parse_duration_us(text, max, &number) || number <= max);
    assert(parse_size(text, max, &number) || number <= max);
    parse_u64(text, UINT64_MAX, &number);
    parse_duration_us(text, UINT64_MAX, &number);
    parse_size(text, UINT64_MAX, &number);
    assert(parse_probability(text, &number) || number <= 1000000);
    log_parse_level(text, &level);
    durability_parse(word, &durability);
    text_escape(shown, sizeof shown, text);
    for (const char *at = shown; *at; at++)
        assert(*at >= ' ' && *at <= '~');
    free(word);
}

static void read_ids(struct slice text)
{
    job_id_t job, job_again;
    struct session_key key;
    struct snapshot_name name, name_again;
    char at[JOB_TEXT_MAX], key_at[SESSION_KEY_MAX + 1], name_at[SNAPSHOT_NAME_MAX];
    if (!parse_job_id(text, &job))
        assert(!parse_job_id(slice_of(job_id_text(job, at)), &job_again) && job_again == job);
    if (session_key_parse(text, &key)) {
        session_key_write(key_at, key);
        assert(slice_same(slice_of(key_at), text)); /* else two texts would be one key */
    }
    if (!snapshot_name_parse(text, &name)) {
        snapshot_name_text(&name, name_at);
        assert(!snapshot_name_parse(slice_of(name_at), &name_again));
        assert(name.initiator == name_again.initiator && name.counter == name_again.counter &&
               name.incarnation == name_again.incarnation);
    }
}

/* --- command lines: words with line ends between --- */

static int split(char *text, char *words[WORDS_MAX])
{
    static char program[] = "program";
    int n = 0;
    words[n++] = program;
    for (char *word; n < WORDS_MAX - 1 && (word = strsep(&text, "\n"));)
        words[n++] = word;
    words[n] = NULL;
    return n;
}

static void read_node_options(struct slice text)
{
    struct settings settings;
    const char *hosts[NODES_MAX + 1] = {0};
    char *words[WORDS_MAX], *line = text_of(text), why[TEXT_MAX] = "", *peers = NULL;
    int n_words, error = settings_read(&settings, split(line, words), words, &n_words, why);
    if (!error)
        error = settings_check(&settings, why);
    if (!error)
        error = settings_check_size(&settings, why);
    if (!error && settings.peers)
        peers = mem_string(settings.peers);
    if (!error)
        error = settings_split_hosts(peers, settings.nodes, hosts, why);
    check_why(error, why);
    for (uint64_t id = 1; !error && id <= settings.nodes; id++)
        assert(hosts[id] && hosts[id][0]);
    free(peers);
    free(line);
}

static void read_broker_options(struct slice text)
{
    struct broker_settings settings;
    struct broker_config config;
    char *words[WORDS_MAX], *line = text_of(text), why[TEXT_MAX] = "", *peers = NULL;
    int n_words, error = broker_settings_read(&settings, split(line, words), words, &n_words, why);
    if (!error && settings.peers)
        peers = mem_string(settings.peers);
    if (!error)
        error = broker_settings_apply(&settings, peers, &config, why);
    check_why(error, why);
    for (uint32_t id = 1; !error && id <= config.n_nodes; id++)
        assert(config.peers[id] && config.peers[id][0]);
    free(peers);
    free(line);
}

/* Of each command, the first byte says which. */
static void read_command_options(struct slice text)
{
    size_t n = 0, chosen = text.len ? *text.at : 0;
    static const struct option_spec none[] = {{0}};
    char *words[WORDS_MAX], *line = text_of(text), why[TEXT_MAX] = "";
    while (commands[n].name)
        n++;
    const struct option_spec *specs = commands[chosen % n].options;
    int n_words;
    int error = options_parse(specs ? specs : none, split(text.len ? line + 1 : line, words), words,
                              &n_words, why);
    check_why(error, why);
    assert(error || (n_words >= 0 && n_words < WORDS_MAX));
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static void (*const parsers[])(struct slice) = {read_job_line,        read_job_file,
                                                    read_addresses,       read_account,
                                                    read_numbers,         read_ids,
                                                    read_node_options,    read_broker_options,
                                                    read_command_options, show_label};
    if (len)
        parsers[*at % (sizeof parsers / sizeof *parsers)]((struct slice){at + 1, len - 1});
    return 0;
}
