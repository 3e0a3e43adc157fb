#include "shared/bus/owners.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/limits.h"
#include "shared/base/mutant.h"
#include "shared/bus/intake.h"

/* RFC 26: what a client vouches for its own key with is sealed with a nonce that begins so. */
#define NONCE_OF_VOUCH "VOUCH---"

struct owner {
    unsigned port;
    uint8_t key[KEY_BYTES];
};

/* By descriptor. Pages that no connection has used take no memory. */
static struct owner owners[FILES_MAX];
static _Atomic bool owned[FILES_MAX]; /* changed under the lock */
static unsigned ports[FILES_MAX];     /* for the thread of ZeroMQ */
static _Atomic int files_used;        /* above the highest descriptor that was accepted */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void owners_begin(int fd, unsigned port)
{
    ports[fd] = port;
    if (fd >= files_used)
        files_used = fd + 1;
}

static void note(int fd, const uint8_t *key)
{
    if (fd < 0 || fd >= files_used)
        return;
    pthread_mutex_lock(&lock);
    owners[fd].port = ports[fd];
    memcpy(owners[fd].key, key, KEY_BYTES);
    owned[fd] = true;
    pthread_mutex_unlock(&lock);
}

size_t owners_end(bool (*stays)(void *context, unsigned port, const uint8_t key[KEY_BYTES]),
                  void *context)
{
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (int fd = 0; fd < files_used; fd++) {
        if (!owned[fd] || stays(context, owners[fd].port, owners[fd].key) ||
            MUTANT(revoked_stay_connected))
            continue;
        shutdown(fd, SHUT_RDWR); /* libzmq reads the end, and closes */
        owned[fd] = false;
        n++;
    }
    pthread_mutex_unlock(&lock);
    return n;
}

int close(int fd)
{
    intake_end(fd);
    if (fd < 0 || fd >= FILES_MAX || !owned[fd])
        return (int)syscall(SYS_close, fd);
    pthread_mutex_lock(&lock);
    owned[fd] = false;
    int error = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return error;
}

int crypto_box_open(unsigned char *out, const unsigned char *in, unsigned long long len,
                    const unsigned char *nonce, const unsigned char *key,
                    const unsigned char *secret)
{
    int error = crypto_box_curve25519xsalsa20poly1305_open(out, in, len, nonce, key, secret);
    if (!error && !memcmp(nonce, NONCE_OF_VOUCH, sizeof NONCE_OF_VOUCH - 1))
        note(intake_reading(), key);
    return error;
}
