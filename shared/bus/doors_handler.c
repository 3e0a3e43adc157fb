/* doors_handler.c - the thread that ZeroMQ asks about each connection (ZAP, RFC 27), and that reads
 * the monitors of all doors. */
#include <czmq.h>
#include <errno.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/bus/doors_internal.h"
#include "shared/bus/monitor.h"

#define HANDLER       "inproc://zeromq.zap.01"
#define LOOK_MS       10000 /* between two looks at the list's file when nobody wakes the handler */
#define ADMITTED_CODE "200"
#define REFUSED_CODE  "400"

/* [version][request][domain][address][routing id][mechanism][credentials]... */
static void answer(struct doors *doors, zsock_t *socket)
{
    char public_key[KEY_TEXT_MAX] = "";
    zmsg_t *request = zmsg_recv(socket);
    if (!request)
        return;
    char *version = zmsg_popstr(request), *number = zmsg_popstr(request);
    char *domain = zmsg_popstr(request), *address = zmsg_popstr(request);
    char *routing_id = zmsg_popstr(request), *mechanism = zmsg_popstr(request);
    zframe_t *credentials = zmsg_pop(request);
    if (credentials && zframe_size(credentials) == KEY_BYTES)
        zmq_z85_encode(public_key, zframe_data(credentials), KEY_BYTES);
    bool admitted = mechanism && doors_judge(doors, domain, address, mechanism, public_key);
    zsock_send(socket, "ssssss", "1.0", number ? number : "",
               admitted ? ADMITTED_CODE : REFUSED_CODE, admitted ? "OK" : "this key is refused",
               admitted ? public_key : "", "");
    free(version);
    free(number);
    free(domain);
    free(address);
    free(routing_id);
    free(mechanism);
    zframe_destroy(&credentials);
    zmsg_destroy(&request);
}

/* Who brings no key, or one for another cluster, fails before ZAP is asked. */
static void count_failed(struct doors *doors, void *monitor)
{
    unsigned event;
    uint32_t value = 0;
    while ((event = monitor_next(monitor, &value)))
        if (event != ZMQ_EVENT_MONITOR_STOPPED)
            doors_note_failed(doors, event, value);
}

/* A door's monitor comes as a pointer: from now on it is the handler's. Nothing: it is to look at
 * the list. Anything else: the end. */
static bool take_word(struct doors *doors, zsock_t *pipe)
{
    zframe_t *frame = zframe_recv(pipe);
    size_t len = frame ? zframe_size(frame) : 0;
    bool monitor = len == sizeof(void *) && doors->n_monitors < DOOR_COUNT;
    if (monitor)
        memcpy(&doors->monitors[doors->n_monitors++], zframe_data(frame), sizeof(void *));
    bool goes_on = monitor || (frame && !len);
    zframe_destroy(&frame);
    return goes_on;
}

/* Until the next key of the list ends. */
static long patience_ms(const struct doors *doors)
{
    uint64_t wall_ms = clock_wall_ms();
    if (doors->next_end_ms <= wall_ms)
        return 0;
    uint64_t left_ms = doors->next_end_ms - wall_ms;
    return left_ms < LOOK_MS ? (long)left_ms : LOOK_MS;
}

static void handle(zsock_t *pipe, void *argument)
{
    struct doors *doors = argument;
    zsock_t *requests = zsock_new(ZMQ_REP);
    doors->ready = requests && (MUTANT(doors_have_no_handler) || !zsock_bind(requests, HANDLER));
    zsock_signal(pipe, 0);
    for (bool goes_on = doors->ready; goes_on;) {
        enum { PIPE, REQUESTS, MONITORS };
        zmq_pollitem_t items[MONITORS + DOOR_COUNT] = {
            [PIPE] = {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN},
            [REQUESTS] = {.socket = zsock_resolve(requests), .events = ZMQ_POLLIN}};
        for (size_t i = 0; i < doors->n_monitors; i++)
            items[MONITORS + i] =
                (zmq_pollitem_t){.socket = doors->monitors[i], .events = ZMQ_POLLIN};
        if (zmq_poll(items, MONITORS + (int)doors->n_monitors, patience_ms(doors)) < 0 &&
            errno != EINTR)
            break;
        for (size_t i = 0; i < doors->n_monitors; i++)
            if (items[MONITORS + i].revents)
                count_failed(doors, doors->monitors[i]);
        if (items[REQUESTS].revents)
            answer(doors, requests);
        if (items[PIPE].revents)
            goes_on = take_word(doors, pipe);
        doors_look_again(doors);
    }
    for (size_t i = 0; i < doors->n_monitors; i++)
        bus_socket_close(&doors->monitors[i], 0);
    if (doors->ready && requests)
        zsock_unbind(requests, HANDLER); /* at once; after a close it is free some time later */
    zsock_destroy(&requests);
}

int doors_start_handler(struct doors *doors)
{
    doors->handler = zactor_new(handle, doors);
    return doors->handler && doors->ready ? OK : ERR_IO;
}

void doors_end_handler(struct doors *doors)
{
    zactor_t *handler = doors->handler;
    zactor_destroy(&handler); /* or the end of the process would be an abort */
    doors->handler = NULL;
}

void doors_hand_over(struct doors *doors, void *monitor)
{
    zmq_send(zsock_resolve(doors->handler), &monitor, sizeof monitor, 0);
}

void doors_wake_handler(struct doors *doors)
{
    zmq_send(zsock_resolve(doors->handler), "", 0, 0);
}
