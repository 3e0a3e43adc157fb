/* web.c - conclave web. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/command/commands.h"
#include "clients/web/token.h"
#include "clients/web/web.h"

#define TOKEN_FILE "web.token" /* beside the key file */
#define PORT       7080

static struct {
    const char *bind, *token_file, *hosts;
    uint64_t port;
} options = {.bind = "127.0.0.1", .port = PORT};

const struct option_spec web_options[] = {
    {"bind", OPTION_STRING, &options.bind, 0, 0, "ADDRESS",
     "where to listen (default 127.0.0.1); beyond this machine reading needs the token, too"},
    {"http-port", OPTION_U64, &options.port, 0, 65535, "PORT", "0: any free one (default 7080)"},
    {"host", OPTION_STRING, &options.hosts, 0, 0, "NAMES",
     "other names by which browsers reach this machine, with commas between"},
    {"token-file", OPTION_STRING, &options.token_file, 0, 0, "FILE",
     "the file of the token; created if it does not exist (default: web.token beside the key "
     "file)"},
    {0}};

/* Names under which a browser may come. */
static int add_hosts(struct guard *guard)
{
    static const char *const local[] = {"127.0.0.1", "localhost", "[::1]"};
    char name[GUARD_HOST_MAX];
    bool six = strchr(options.bind, ':') != NULL, good = true;
    text_format(name, sizeof name, six ? "[%s]" : "%s", options.bind);
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        good = good && guard_add_host(guard, local[i]);
    good = good && guard_add_host(guard, name);
    for (const char *rest = options.hosts; good && rest && *rest;) {
        size_t len = strcspn(rest, ",");
        text_format(name, sizeof name, "%.*s", (int)len, rest);
        good = guard_add_host(guard, name);
        rest += len + (rest[len] == ',');
    }
    return good ? EXIT_OK
                : cli_fail(EXIT_USAGE, "--host takes up to %d names without ports", WEB_HOSTS_MAX);
}

/* Beside the key file; NULL when there is none. Caller frees. */
static char *token_path(const struct cli *cli)
{
    if (options.token_file)
        return mem_string(options.token_file);
    const char *key = cli->connection.entry.path, *slash = strrchr(key, '/');
    size_t size = strlen(key) + sizeof TOKEN_FILE + 1;
    if (!key[0])
        return NULL;
    char *path = mem_new(size, 1);
    text_format(path, size, "%.*s" TOKEN_FILE, slash ? (int)(slash + 1 - key) : 0, key);
    return path;
}

/* The token goes where the user looks: the fragment of a URL is sent to nobody. */
static void announce(const struct cli *cli, const struct web *web, const char *path)
{
    char url[GUARD_HOST_MAX + 32];
    bool shown = !options.token_file || isatty(STDERR_FILENO);
    text_format(url, sizeof url, strchr(options.bind, ':') ? "http://[%s]:%u/" : "http://%s:%u/",
                options.bind, http_port(web->http));
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s?}", "url", url, "token_file", path));
    fflush(stdout);
    if (web->guard.open)
        cli_note("listens beyond this machine without TLS: anyone on the network path can read the "
                 "token");
    if (shown)
        cli_note("%s#token=%s", url, web->guard.token);
    else
        cli_note("%s; the token is in %s", url, path);
}

static int serve(struct cli *cli, struct web *web)
{
    struct text why = {0};
    bool made;
    char *path = token_path(cli);
    int code = EXIT_OK, error = token_find(path, web->guard.token, &made, &why);
    if (error)
        code = cli_fail(EXIT_USAGE, "--token-file: %s", why.at);
    else if (http_start(&web->http, web, &web->guard, options.bind, (unsigned)options.port, &why))
        code = cli_fail(EXIT_USAGE, "%s", why.at);
    if (!code) {
        announce(cli, web, path);
        code = web_serve(web);
    }
    http_stop(&web->http);
    free(path);
    return code;
}

int web_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    struct web *web = mem_new(1, sizeof *web);
    web->cli = cli;
    web->dir = cli->connection.dir;
    web->guard.open = !guard_is_loopback(options.bind);
    cli->json_lines = true;
    code = add_hosts(&web->guard);
    if (!code) {
        cli_client(cli); /* finds the key and the brokers */
        look_init(&web->look, web);
        events_init(&web->events, web);
        code = serve(cli, web);
        look_clear(&web->look);
        events_clear(&web->events);
    }
    free(web);
    return code;
}
