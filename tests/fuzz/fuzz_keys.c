/* fuzz_keys.c - libFuzzer on key files and lists of keys (X11): whatever the bytes are, reading
 * ends, an error says why in one line without a secret, and what is taken is within its limits.
 *
 *   make test-fuzz FUZZ=keys FUZZ_SECONDS=60
 */
#include <assert.h>
#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/bus/allowed.h"
#include "tests/fuzz/reader.h"

static void read_access(const uint8_t *at, size_t len)
{
    struct access *access = NULL;
    struct text why = {0};
    char *bytes = secret_new(len + 1);
    memcpy(bytes, at, len);
    int error = access_parse(bytes, len, "file", &access, &why);
    assert(!error == (access != NULL) && !error == !why.len);
    if (access) {
        char derived[KEY_TEXT_MAX];
        secret_derive(access->secret_key, derived);
        assert(!strcmp(derived, access->public_key));
        assert(!memmem(bytes, len, access->secret_key, KEY_TEXT_LEN));
        assert((access->role == ROLE_node) == (access->node != NODE_NONE));
        assert(access->node <= NODES_MAX && access_name_is_valid(access->name));
        assert(access->n_brokers <= ACCESS_BROKERS_MAX);
        assert((access->role == ROLE_broker) <= (access->brokers_secret != NULL));
    }
    access_destroy(&access);
    secret_free(&bytes);
}

static void read_list(const uint8_t *at, size_t len)
{
    struct allowed *list = NULL;
    struct text why = {0};
    int error = allowed_parse((const char *)at, len, "file", &list, &why);
    assert(!error == (list != NULL) && !error == !why.len);
    for (size_t i = 0; list && i < list->n; i++) {
        const struct allowed_key *key = &list->at[i];
        assert(allowed_find(list, key->public_key, 0) == key);
        assert(key->role != ROLE_node || allowed_of_node(list, key->node, 0, 0));
    }
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (!len || len > ACCESS_FILE_BYTES)
        return 0;
    read_access(at, len);
    read_list(at, len);
    return 0;
}
