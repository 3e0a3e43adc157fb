/* bank.h - the requests for accounts, for who asks many at once: one at a time is asked by
 * conclave_bank_deposit() and its neighbours. */
#ifndef CONCLAVE_CLIENTS_LIBRARY_BANK_H
#define CONCLAVE_CLIENTS_LIBRARY_BANK_H

#include "clients/library/library.h"

struct bank_change {
    enum message_type type; /* MESSAGE_BANK_DEPOSIT, _WITHDRAW or _TRANSFER */
    uint64_t node, amount;
    const char *account, *key; /* borrowed */
    uint64_t to_node;          /* of a transfer, and */
    const char *to;            /* borrowed: to whom */
};

/* Makes the request, whose answer is a MESSAGE_BANK_ACCOUNT. */
struct message *bank_request(const struct bank_change *change);

#endif
