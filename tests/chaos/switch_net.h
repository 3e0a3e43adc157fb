/* switch_net.h - the network of the switch: namespaces with a device each, the rules, what is held
 * back. One of it in a process; who asks, and what for, is switch.c's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_PORTS_MAX   16
#define NET_NAME_MAX    32   /* with the 0 */
#define NET_RULES_MAX   64   /* more would be a mistake of who adds them */
#define NET_MTU_DEFAULT 9000 /* fewer system calls than 1500, and still many packets a second */

enum net_kind { NET_CUT, NET_FLAP, NET_LOSS, NET_DELAY, NET_RATE, NET_KINDS };

struct net_rule {
    char name[NET_NAME_MAX];
    enum net_kind kind;
    uint32_t from, to; /* a bit for each port */
    double number[2];  /* of the kind: milliseconds, percent, or bytes a second */
    uint64_t since_us;
    uint64_t free_us[NET_PORTS_MAX][NET_PORTS_MAX]; /* RATE: when all that it was given is sent */
    uint64_t matched, dropped, delayed, delay_max_us;
};

struct net_port {
    const char *name;
    int tun, space; /* descriptors of the device and of the namespace */
};

typedef uint64_t net_counts[NET_PORTS_MAX][NET_PORTS_MAX]; /* from, to */

struct net {
    struct net_port ports[NET_PORTS_MAX];
    int n_ports;
    struct net_rule *rules[NET_RULES_MAX]; /* owned; all that match apply, in this order */
    int n_rules;
    net_counts passed, passed_bytes;
    uint64_t foreign, full; /* no packet between two ports; no room to hold it */
};

extern struct net net;

/* Makes the namespaces and their devices, with the addresses 198.18.0.1, .2 and so on. Borrows the
 * names. `seed` is that of what is lost by chance. Ends the process when it fails. */
void net_open(char **names, int n, int mtu_bytes, uint64_t seed);

/* Takes what a port has sent, up to a burst; passes it on, holds it back, or loses it. */
void net_drain(int from);

/* Passes on what is due. */
void net_deliver_due(uint64_t now_us);

/* When the next packet is due that is held back; 0: none is held. */
uint64_t net_due_us(void);

uint64_t net_now_us(void);

/* Says what failed, and why by errno; ends the process. */
_Noreturn void net_die(const char *what);
