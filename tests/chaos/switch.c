/* switch.c - hosts on one machine, and a network between them that breaks when it is told to.
 *
 *   switch [-m MTU] [-s SEED] SOCKET NAME...
 *
 * For each NAME it makes a network namespace with a TUN device; the address of the n-th is
 * 198.18.0.n (RFC 2544 keeps this network for tests of networks). Whatever one of them sends to
 * another passes through here, and the rules that are in force decide what becomes of it. No
 * kernel module but tun is needed, and no name is left anywhere: namespaces and devices are known
 * by descriptors of this process and end with it. It ends when its standard input does, so that it
 * cannot outlive whoever started it. Root is needed.
 *
 * TUN and not TAP: with packets instead of frames there is no ARP, whose answers a cut in one
 * direction would stop too, and so cut the other direction after a minute.
 *
 * SOCKET is a Unix socket. It takes lines, and answers each with one line of JSON that has "ok":
 *
 *   ports                       where the namespaces are: /proc/PID/fd/FD of this process
 *   add NAME FROM TO KIND ...   a rule for what FROM (names with commas between them, or *) sends
 *                               to TO:
 *       cut                     nothing passes
 *       flap UP_MS DOWN_MS      passes for so long, then not for so long, beginning with not
 *       loss PERCENT            each packet is lost with this probability
 *       delay MS JITTER_MS      each is later by MS, and by up to JITTER_MS more; order is kept
 *       rate BYTES              so many a second; what would wait for longer than RATE_WAIT_US is
 *                               lost
 *   del NAME                    ends the rules of that name (*: all); answers what they did
 *   list                        all rules with what they did, and how much passed between whom
 *
 * All rules that match apply: the first that loses the packet counts it, delays add up. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/chaos/switch_net.h"

#define ASKERS_MAX     8
#define LINE_MAX_BYTES 512
#define ANSWER_MAX     65536

static const struct {
    const char *name;
    int numbers; /* that follow it */
} kinds[NET_KINDS] = {{"cut", 0}, {"flap", 2}, {"loss", 1}, {"delay", 2}, {"rate", 1}};

struct asker {
    int fd; /* -1: unused */
    char line[LINE_MAX_BYTES];
    size_t len;
};

static int listener;
static struct asker askers[ASKERS_MAX];
static struct {
    char text[ANSWER_MAX];
    size_t len;
} answer;

/* --- answers --- */

/* Names hold letters, digits, '-' and '_' only, so that nothing needs to be escaped. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof answer.text - answer.len;
    int len = vsnprintf(answer.text + answer.len, room, format, arguments);
    va_end(arguments);
    if (len > 0)
        answer.len += (size_t)len < room ? (size_t)len : room - 1;
}

static void say_refused(const char *why)
{
    answer.len = 0;
    say("{\"ok\":false,\"error\":\"%s\"}", why);
}

static void say_rule(const struct net_rule *rule, bool first)
{
    say("%s{\"name\":\"%s\",\"kind\":\"%s\",\"matched\":%" PRIu64 ",\"dropped\":%" PRIu64
        ",\"delayed\":%" PRIu64 ",\"delay_max_us\":%" PRIu64 "}",
        first ? "" : ",", rule->name, kinds[rule->kind].name, rule->matched, rule->dropped,
        rule->delayed, rule->delay_max_us);
}

static void say_table(const char *name, net_counts table)
{
    say(",\"%s\":[", name);
    for (int from = 0; from < net.n_ports; from++) {
        say(from ? ",[" : "[");
        for (int to = 0; to < net.n_ports; to++)
            say(to ? ",%" PRIu64 : "%" PRIu64, table[from][to]);
        say("]");
    }
    say("]");
}

static void list(void)
{
    say("{\"ok\":true,\"rules\":[");
    for (int i = 0; i < net.n_rules; i++)
        say_rule(net.rules[i], !i);
    say("]");
    say_table("passed", net.passed);
    say_table("passed_bytes", net.passed_bytes);
    say(",\"full\":%" PRIu64 ",\"foreign\":%" PRIu64 "}", net.full, net.foreign);
}

static void list_ports(void)
{
    say("{\"ok\":true,\"pid\":%d,\"ports\":[", (int)getpid());
    for (int i = 0; i < net.n_ports; i++)
        say("%s{\"name\":\"%s\",\"address\":\"198.18.0.%d\",\"fd\":%d}", i ? "," : "",
            net.ports[i].name, i + 1, net.ports[i].space);
    say("]}");
}

/* --- commands --- */

static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return len && !text[len] && len < NET_NAME_MAX;
}

/* A bit for each of the ports that are named; 0: one is not known. */
static uint32_t ports_of(char *names)
{
    if (!strcmp(names, "*"))
        return (1u << net.n_ports) - 1;
    uint32_t mask = 0;
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        int i = 0;
        while (i < net.n_ports && strcmp(net.ports[i].name, name))
            i++;
        if (i == net.n_ports)
            return 0;
        mask |= 1u << i;
    }
    return mask;
}

static bool read_numbers(struct net_rule *rule, char **words, int n)
{
    if (n != kinds[rule->kind].numbers)
        return false;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        char *end;
        rule->number[i] = strtod(words[i], &end);
        if (*end || !(rule->number[i] >= 0) || rule->number[i] > 1e12)
            return false;
        sum += rule->number[i];
    }
    return !n || sum > 0; /* nothing is divided by zero, and no rule is without effect */
}

/* add NAME FROM TO KIND NUMBER... */
static void add(char **words, int n)
{
    if (n < 5 || !is_name(words[1])) {
        say_refused("usage: add NAME FROM TO KIND NUMBER...");
        return;
    }
    struct net_rule *rule = net.n_rules < NET_RULES_MAX ? calloc(1, sizeof *rule) : NULL;
    if (!rule) {
        say_refused("too many rules");
        return;
    }
    snprintf(rule->name, sizeof rule->name, "%s", words[1]);
    rule->from = ports_of(words[2]);
    rule->to = ports_of(words[3]);
    while (rule->kind < NET_KINDS && strcmp(kinds[rule->kind].name, words[4]))
        rule->kind++;
    rule->since_us = net_now_us();
    if (!rule->from || !rule->to || rule->kind == NET_KINDS ||
        !read_numbers(rule, words + 5, n - 5)) {
        say_refused("a port, a kind or a number is not known");
        free(rule);
        return;
    }
    net.rules[net.n_rules++] = rule;
    say("{\"ok\":true}");
}

static void end_rules(const char *name)
{
    int kept = 0, ended = 0;
    say("{\"ok\":true,\"rules\":[");
    for (int i = 0; i < net.n_rules; i++) {
        struct net_rule *rule = net.rules[i];
        if (strcmp(name, "*") && strcmp(name, rule->name)) {
            net.rules[kept++] = rule;
            continue;
        }
        say_rule(rule, !ended++);
        free(rule);
    }
    net.n_rules = kept;
    say("]}");
}

static void obey(char *line)
{
    char *words[8], *rest = NULL;
    int n = 0;
    for (char *word = strtok_r(line, " ", &rest); word && n < 8; word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    answer.len = 0;
    if (n == 1 && !strcmp(words[0], "ports"))
        list_ports();
    else if (n == 1 && !strcmp(words[0], "list"))
        list();
    else if (n == 2 && !strcmp(words[0], "del"))
        end_rules(words[1]);
    else if (n && !strcmp(words[0], "add"))
        add(words, n);
    else
        say_refused("no such command");
    say("\n");
}

/* --- who asks --- */

static void hang_up(struct asker *asker)
{
    close(asker->fd);
    *asker = (struct asker){.fd = -1};
}

static void listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        net_die(path);
    }
    memcpy(at.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    umask(0077);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) ||
        listen(listener, ASKERS_MAX))
        net_die(path);
}

static void welcome(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (int i = 0; i < ASKERS_MAX; i++)
        if (askers[i].fd < 0) {
            askers[i].fd = fd;
            return;
        }
    close(fd);
}

/* Obeys all lines that are complete. Who sends too long a line, or does not read, is hung up on. */
static void hear(struct asker *asker)
{
    ssize_t got = read(asker->fd, asker->line + asker->len, sizeof asker->line - 1 - asker->len);
    if (got <= 0) {
        if (!got || errno != EAGAIN)
            hang_up(asker);
        return;
    }
    asker->len += (size_t)got;
    asker->line[asker->len] = '\0';
    for (char *end; (end = strchr(asker->line, '\n'));) {
        *end = '\0';
        obey(asker->line);
        if (write(asker->fd, answer.text, answer.len) != (ssize_t)answer.len) {
            hang_up(asker);
            return;
        }
        asker->len -= (size_t)(end + 1 - asker->line);
        memmove(asker->line, end + 1, asker->len + 1);
    }
    if (asker->len == sizeof asker->line - 1)
        hang_up(asker);
}

/* --- the loop --- */

/* Waits until something is to be done, and fills `fds`: standard input, the listener, who asks, the
 * ports. */
static void wait_for_work(struct pollfd fds[2 + ASKERS_MAX + NET_PORTS_MAX])
{
    int n = 0;
    fds[n++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (int i = 0; i < ASKERS_MAX; i++)
        fds[n++] = (struct pollfd){.fd = askers[i].fd, .events = POLLIN};
    for (int i = 0; i < net.n_ports; i++)
        fds[n++] = (struct pollfd){.fd = net.ports[i].tun, .events = POLLIN};
    struct timespec wait = {0};
    uint64_t now = net_now_us(), due = net_due_us();
    if (due > now) {
        wait.tv_sec = (time_t)((due - now) / 1000000);
        wait.tv_nsec = (long)((due - now) % 1000000 * 1000);
    }
    if (ppoll(fds, (nfds_t)n, due ? &wait : NULL, NULL) < 0 && errno != EINTR)
        net_die("poll");
}

static void run(void)
{
    struct pollfd fds[2 + ASKERS_MAX + NET_PORTS_MAX];
    for (;;) {
        wait_for_work(fds);
        char byte;
        if (fds[0].revents && read(STDIN_FILENO, &byte, 1) <= 0)
            return;
        /* A rule is in force from the answer on, also for what had come before. */
        if (fds[1].revents)
            welcome();
        for (int i = 0; i < ASKERS_MAX; i++)
            if (askers[i].fd >= 0 && fds[2 + i].revents)
                hear(&askers[i]);
        net_deliver_due(net_now_us());
        for (int i = 0; i < net.n_ports; i++)
            if (fds[2 + ASKERS_MAX + i].revents)
                net_drain(i);
    }
}

int main(int argc, char **argv)
{
    int mtu_bytes = NET_MTU_DEFAULT;
    uint64_t seed = 0;
    for (int option; (option = getopt(argc, argv, "+m:s:")) != -1;) {
        if (option == 'm')
            mtu_bytes = (int)strtol(optarg, NULL, 10);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else
            return 2;
    }
    int n = argc - optind - 1;
    bool named = n >= 1 && n <= NET_PORTS_MAX;
    for (int i = 0; named && i < n; i++)
        named = is_name(argv[optind + 1 + i]);
    if (!named) {
        fprintf(stderr, "usage: switch [-m MTU] [-s SEED] SOCKET NAME... (up to %d names)\n",
                NET_PORTS_MAX);
        return 2;
    }
    for (int i = 0; i < ASKERS_MAX; i++)
        askers[i].fd = -1;
    prctl(PR_SET_TIMERSLACK, 1000UL); /* 1 us: what is due goes when it is due */
    net_open(argv + optind + 1, n, mtu_bytes, seed);
    listen_at(argv[optind]);
    run();
    unlink(argv[optind]);
    return 0;
}
