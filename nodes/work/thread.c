#include "nodes/work/thread.h"

#include <string.h>

#include "shared/base/error.h"

pthread_t thread_start(const char *name, size_t stack_bytes, void *(*run)(void *), void *argument)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    int number = pthread_create(&thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    if (number)
        panic("cannot start the %s thread: %s", name, strerror(number));
    return thread;
}
