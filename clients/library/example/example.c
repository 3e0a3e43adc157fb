/* example.c - submits a job, waits for it and prints the result; then puts and reads a value. Built
 * and run by a test, and shown by docs/clients.md:
 *
 *   cc example.c $(pkg-config --cflags --libs conclave) -o example && ./example 20 */
#include <conclave.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(struct conclave *cluster, int error)
{
    fprintf(stderr, "example: %s: %s\n", conclave_error_name(error), conclave_reason(cluster));
    conclave_close(&cluster);
    return error;
}

int main(int argc, char **argv)
{
    struct conclave *cluster = conclave_open(NULL);
    struct conclave_job job;
    char *result, *value;
    size_t len;
    int error = conclave_submit(cluster, "factorial", argc > 1 ? argv[1] : "10", NULL, &job);
    if (!error)
        error = conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job);
    if (!error)
        error = conclave_result(cluster, job.id, &result, &len);
    if (error)
        return fail(cluster, error);
    printf("%s\n", result);
    free(result);
    error = conclave_kv_put(cluster, 1, "colour", "red", NULL, NULL);
    if (!error)
        error = conclave_kv_get(cluster, 1, "colour", &value);
    if (error)
        return fail(cluster, error);
    printf("colour %s\n", value);
    free(value);
    conclave_close(&cluster);
    return 0;
}
