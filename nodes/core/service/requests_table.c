#include "nodes/core/service/requests_table.h"

#include "nodes/core/service/requests.h"

#define X(TYPE, who, how, role, room, function)                                                  \
    static void answer_##TYPE(struct service *service, uint64_t client, struct message *request) \
    {                                                                                            \
        room##_##function(ROOM_##room(service), client, request);                                \
    }
REQUESTS(X)
#undef X

static const struct request_row rows[] = {
#define X(TYPE, who, how, role, room, function) \
    {MESSAGE_##TYPE, BY_##who, how, ROLE_##role, answer_##TYPE},
    REQUESTS(X)
#undef X
};

const struct request_row *request_row_at(size_t i)
{
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct request_row *request_row(enum message_type type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

/* The door refuses it already. */
void requests_unanswered(struct service *service, uint64_t client, struct message *request)
{
    requests_refuse(service, caller_of(client, request), "invalid",
                    "a node does not answer this request");
}
