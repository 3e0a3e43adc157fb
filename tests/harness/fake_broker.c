#include "tests/harness/fake_broker.h"

#include <assert.h>

#include "shared/base/text.h"
#include "shared/bus/bus.h"

enum { PORT_FIRST = 23000, PORTS = 200 };

struct message *fake_broker_refuse(const char *code)
{
    struct message *message = message_new(MESSAGE_ERROR);
    message->as.error.code = slice_of(code);
    message->as.error.reason = slice_of("it is refused");
    return message;
}

/* Not by bus_send(): what that keeps for the next message is never freed, for it is the process's
 * one thread that has it. */
static void reply_to(void *socket, const struct bus_parts *parts, const struct message *reply)
{
    struct codec_buffer bytes = {0};
    struct slice client = bus_part(parts, 0);
    assert(!codec_encode(reply, &bytes));
    zmq_send(socket, client.at, client.len, ZMQ_SNDMORE);
    zmq_send(socket, bytes.at, bytes.len, reply->n_frames ? ZMQ_SNDMORE : 0);
    for (size_t i = 1; i <= reply->n_frames; i++) {
        const struct blob *frame = message_frame(reply, i);
        zmq_send(socket, frame->at, frame->len, i < reply->n_frames ? ZMQ_SNDMORE : 0);
    }
    codec_buffer_clear(&bytes);
}

static void *serve(void *context)
{
    struct fake_broker *broker = context;
    struct bus_parts parts = {0};
    while (!atomic_load(&broker->stop)) {
        zmq_pollitem_t item = {.socket = broker->socket, .events = ZMQ_POLLIN};
        struct message *request = NULL;
        struct text why = {0};
        if (zmq_poll(&item, 1, 20) <= 0 || bus_receive(broker->socket, &parts) ||
            bus_decode(&parts, 1, &request, &why))
            continue;
        broker->asked[request->type]++;
        struct message *reply = request->type == MESSAGE_BROKER_GET
                                    ? message_new(MESSAGE_BROKER)
                                    : broker->answer(broker->test, request);
        if (reply) {
            reply->as.request.request = request->as.request.request;
            reply_to(broker->socket, &parts, reply);
        }
        message_drop(&request);
        message_drop(&reply);
    }
    bus_parts_clear(&parts);
    bus_socket_close(&broker->socket, 0);
    return NULL;
}

void fake_broker_bind(struct fake_broker *broker, void *context)
{
    static unsigned tried;
    unsigned port;
    broker->socket = bus_socket(context, ZMQ_ROUTER);
    do {
        assert(tried < PORTS);
        port = PORT_FIRST + tried++;
    } while (bus_bind(broker->socket, "127.0.0.1", port));
    text_format(broker->address, sizeof broker->address, "tcp://127.0.0.1:%u", port);
}

void fake_broker_start(struct fake_broker *broker)
{
    int error = pthread_create(&broker->thread, NULL, serve, broker);
    assert(!error);
    (void)error;
}

void fake_broker_end(struct fake_broker *broker)
{
    atomic_store(&broker->stop, true);
    int error = pthread_join(broker->thread, NULL);
    assert(!error);
    (void)error;
}
