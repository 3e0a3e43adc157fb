/* Packets, from the device that a port sends them through to that of another. */
#include "tests/chaos/switch_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX     65536
#define BURST_MAX      64           /* packets of one port before the others have their turn */
#define HELD_BYTES_MAX (128u << 20) /* of all that are delayed; beyond, they are lost */
#define HELD_MAX       (1u << 18)
#define RATE_WAIT_US   500000      /* what a router would hold for a slow line */
#define NETWORK        0xc6120000u /* 198.18.0.0/24 */
#define NETMASK        0xffffff00u

struct held {
    uint64_t due_us, number; /* the number keeps the order among equals */
    int to;
    uint32_t len;
    uint8_t *bytes; /* owned */
};

struct net net;

static struct {
    struct held *heap; /* the earliest first */
    uint32_t n, room, bytes;
    uint64_t number;
    net_counts last_due_us; /* nobody overtakes on the same way */
} held;

static uint64_t chance;

_Noreturn void net_die(const char *what)
{
    fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t net_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Uniform in [0, 1): splitmix64. */
static double draw(void)
{
    uint64_t z = chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

/* --- namespaces --- */

static void set_address(int fd, struct ifreq *request, unsigned long code, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    memcpy(&request->ifr_addr, &in, sizeof in);
    if (ioctl(fd, code, request))
        net_die("address");
}

static void raise_device(int fd, struct ifreq *request)
{
    if (ioctl(fd, SIOCGIFFLAGS, request))
        net_die("flags");
    request->ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, request))
        net_die("up");
}

/* A namespace with a device, and this thread in it. */
static void make_port(struct net_port *port, uint32_t address, int mtu_bytes)
{
    if (unshare(CLONE_NEWNET))
        net_die("unshare: is this root?");
    port->space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    port->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port->space < 0 || port->tun < 0)
        net_die("/dev/net/tun");
    struct ifreq request = {.ifr_name = "link", .ifr_flags = IFF_TUN | IFF_NO_PI};
    if (ioctl(port->tun, TUNSETIFF, &request))
        net_die("TUNSETIFF");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        net_die("socket");
    set_address(fd, &request, SIOCSIFADDR, address);
    set_address(fd, &request, SIOCSIFNETMASK, NETMASK);
    request.ifr_mtu = mtu_bytes;
    if (ioctl(fd, SIOCSIFMTU, &request))
        net_die("mtu");
    raise_device(fd, &request);
    struct ifreq loopback = {.ifr_name = "lo"};
    raise_device(fd, &loopback);
    close(fd);
}

void net_open(char **names, int n, int mtu_bytes, uint64_t seed)
{
    chance = seed;
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        net_die("/proc");
    for (int i = 0; i < n; i++) {
        net.ports[i].name = names[i];
        make_port(&net.ports[i], NETWORK + (uint32_t)i + 1, mtu_bytes);
    }
    net.n_ports = n;
    if (setns(home, CLONE_NEWNET))
        net_die("setns");
    close(home);
}

/* --- what is held back --- */

static bool is_before(const struct held *a, const struct held *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static bool push(struct held packet)
{
    if (held.n == held.room) {
        uint32_t room = held.room ? 2 * held.room : 1024;
        struct held *grown = room > HELD_MAX ? NULL : realloc(held.heap, room * sizeof *grown);
        if (!grown)
            return false;
        held.heap = grown;
        held.room = room;
    }
    uint32_t at = held.n++;
    for (; at && is_before(&packet, &held.heap[(at - 1) / 2]); at = (at - 1) / 2)
        held.heap[at] = held.heap[(at - 1) / 2];
    held.heap[at] = packet;
    held.bytes += packet.len;
    return true;
}

static struct held pop(void)
{
    struct held first = held.heap[0], last = held.heap[--held.n];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < held.n; at = child) {
        if (child + 1 < held.n && is_before(&held.heap[child + 1], &held.heap[child]))
            child++;
        if (!is_before(&held.heap[child], &last))
            break;
        held.heap[at] = held.heap[child];
    }
    held.heap[at] = last;
    held.bytes -= first.len;
    return first;
}

/* What the other end does not take is lost, as on any line. */
static void deliver(int to, const uint8_t *bytes, size_t len)
{
    ssize_t written = write(net.ports[to].tun, bytes, len);
    (void)written;
}

uint64_t net_due_us(void)
{
    return held.n ? held.heap[0].due_us : 0;
}

void net_deliver_due(uint64_t now_us)
{
    while (held.n && held.heap[0].due_us <= now_us) {
        struct held packet = pop();
        deliver(packet.to, packet.bytes, packet.len);
        free(packet.bytes);
    }
}

/* --- rules --- */

static bool is_down(const struct net_rule *rule, uint64_t now)
{
    uint64_t up = (uint64_t)(1000 * rule->number[0]), down = (uint64_t)(1000 * rule->number[1]);
    return up + down && (now - rule->since_us) % (up + down) < down;
}

/* When the packet has passed the rule: not before `due`. 0: it is lost. */
static uint64_t judge(struct net_rule *rule, int from, int to, size_t len, uint64_t now,
                      uint64_t due)
{
    switch (rule->kind) {
    case NET_CUT:
        return 0;
    case NET_FLAP:
        return is_down(rule, now) ? 0 : due;
    case NET_LOSS:
        return 100 * draw() < rule->number[0] ? 0 : due;
    case NET_DELAY:
        return due + (uint64_t)(1000 * (rule->number[0] + rule->number[1] * draw()));
    case NET_RATE: {
        uint64_t *free_us = &rule->free_us[from][to];
        uint64_t begin = *free_us > now ? *free_us : now;
        if (begin - now > RATE_WAIT_US)
            return 0;
        *free_us = begin + (uint64_t)(1e6 * (double)len / rule->number[0]);
        return due + (*free_us - now);
    }
    case NET_KINDS:
        break;
    }
    return due;
}

static void pass(int from, int to, const uint8_t *bytes, size_t len, uint64_t now)
{
    uint64_t due = now;
    for (int i = 0; i < net.n_rules; i++) {
        struct net_rule *rule = net.rules[i];
        if (!(rule->from >> from & 1) || !(rule->to >> to & 1))
            continue;
        rule->matched++;
        uint64_t later = judge(rule, from, to, len, now, due);
        if (!later) {
            rule->dropped++;
            return;
        }
        rule->delayed += later > due;
        if (later - due > rule->delay_max_us)
            rule->delay_max_us = later - due;
        due = later;
    }
    if (due < held.last_due_us[from][to])
        due = held.last_due_us[from][to];
    held.last_due_us[from][to] = due;
    if (due <= now) {
        deliver(to, bytes, len);
    } else {
        struct held packet = {due, held.number++, to, (uint32_t)len, NULL};
        bool room = held.bytes + len <= HELD_BYTES_MAX;
        packet.bytes = room ? malloc(len) : NULL;
        if (!packet.bytes || !push(packet)) {
            free(packet.bytes);
            net.full++;
            return;
        }
        memcpy(packet.bytes, bytes, len);
    }
    net.passed[from][to]++;
    net.passed_bytes[from][to] += len;
}

/* Takes what a port sends. */
void net_drain(int from)
{
    static uint8_t packet[PACKET_MAX];
    for (int i = 0; i < BURST_MAX; i++) {
        ssize_t len = read(net.ports[from].tun, packet, sizeof packet);
        if (len <= 0)
            return;
        uint32_t address = 0;
        bool is_ip4 = len >= 20 && packet[0] >> 4 == 4;
        if (is_ip4)
            memcpy(&address, packet + 16, sizeof address);
        uint32_t to = ntohl(address) - NETWORK - 1;
        if (is_ip4 && to < (uint32_t)net.n_ports)
            pass(from, (int)to, packet, (size_t)len, net_now_us());
        else
            net.foreign++;
    }
}
