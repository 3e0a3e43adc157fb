/* map.c - commands over inputs: libconclave. What is sent is what `conclave map` sends
 * (clients/map/package.h). */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/upload.h"
#include "clients/library/library.h"
#include "clients/map/package.h"
#include "clients/map/request.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define TIME_LIMIT_MIN_US (100 * MS_US) /* as the command line has it: less is a slip */

/* --- what is asked for --- */

static struct option_list list_of(const char *const *texts)
{
    struct option_list list = {.at = (const char **)(uintptr_t)texts};
    while (texts && texts[list.n])
        list.n++;
    return list;
}

/* The numbers of a request, as they may be. */
static int check_numbers(struct conclave *cluster, const struct conclave_map *map)
{
    const struct {
        const char *name;
        uint64_t value, least, most;
    } numbers[] = {{"retries", map->retries, 0, TASK_RETRIES_MAX},
                   {"retry_delay_us", map->retry_delay_us, 0, TASK_DELAY_MAX_US},
                   {"time_limit_us", map->time_limit_us, map->time_limit_us ? TIME_LIMIT_MIN_US : 0,
                    TIME_NEVER_US},
                   {"slots", map->slots, 0, TASK_SLOTS_MAX},
                   {"max_output", map->max_output, 0, TASK_OUTPUT_MAX_BYTES},
                   {"max_fails", map->max_fails, 0, MAP_TASKS_MAX},
                   {"max_fails_percent", map->max_fails_percent, 0, map->max_fails ? 0 : 100}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value < numbers[i].least || numbers[i].value > numbers[i].most)
            return connection_fail(cluster, EXIT_USAGE,
                                   "%s: %llu is not allowed; it takes %llu to %llu",
                                   numbers[i].name, (unsigned long long)numbers[i].value,
                                   (unsigned long long)numbers[i].least,
                                   (unsigned long long)numbers[i].most);
    return EXIT_OK;
}

static int check_texts(struct conclave *cluster, const struct conclave_map *map)
{
    struct option_list env = list_of(map->env);
    char shown[TEXT_MAX / 4];
    if (!map->inputs || !map->n_inputs)
        return connection_fail(cluster, EXIT_USAGE, "there are no inputs, and so no tasks");
    if ((map->command && map->command[0]) == (map->shell != NULL))
        return connection_fail(cluster, EXIT_USAGE, "either a command or a line for a shell");
    if (map->name && (strlen(map->name) > TASK_NAME_MAX || !text_is_utf8(slice_of(map->name))))
        return connection_fail(cluster, EXIT_USAGE, "a name is UTF-8 text of at most %d bytes",
                               TASK_NAME_MAX);
    for (size_t i = 0; i < env.n; i++)
        if (!strchr(env.at[i], '='))
            return connection_fail(cluster, EXIT_USAGE, "env: '%s' is not NAME=VALUE",
                                   text_escape(shown, sizeof shown, slice_of(env.at[i])));
    return EXIT_OK;
}

static void ask_for(const struct conclave_map *map, char fails[TEXT_MAX],
                    struct map_request *request)
{
    struct option_list command = list_of(map->command);
    *request = (struct map_request){
        .inputs = {.given = map->inputs,
                   .n_given = map->n_inputs,
                   .per_task = map->inputs_per_task ? map->inputs_per_task : 1},
        .shell = map->shell,
        .argv = (char **)(uintptr_t)command.at,
        .n_argv = command.n,
        .name = map->name,
        .max_fails = map->max_fails || map->max_fails_percent ? fails : NULL,
        .retries = map->retries,
        .retry_delay_us = map->retry_delay_us ? map->retry_delay_us : SECOND_US,
        .time_limit_us = map->time_limit_us ? map->time_limit_us : TIME_NEVER_US,
        .slots = map->slots ? map->slots : 1,
        .max_output = map->max_output ? map->max_output : TASK_OUTPUT_DEFAULT_BYTES,
        .on_stdin = map->on_stdin,
        .at_most_once = map->at_most_once,
        .speculate = map->speculate,
        .env = list_of(map->env),
        .uploads = list_of(map->uploads),
        .collect = list_of(map->collect)};
    text_format(fails, TEXT_MAX, "%llu%s",
                (unsigned long long)(map->max_fails ? map->max_fails : map->max_fails_percent),
                map->max_fails ? "" : "%");
}

/* --- on its way --- */

static int send_it(struct conclave *cluster, const struct map_request *request, const char *key,
                   struct message *spec, struct inputs *inputs, struct conclave_job *job)
{
    const struct uploader uploader = uploader_of(cluster);
    struct map_package *package = mem_new(1, sizeof *package);
    struct message *reply = NULL;
    struct text why = {0};
    int code = map_package_make(package, spec, inputs, &request->uploads, &why)
                   ? connection_fail(cluster, EXIT_USAGE, "%s", why.at)
                   : map_package_send(cluster, package, request->name, key, &uploader, &reply);
    if (!code)
        library_job(&reply->as.job.jobs.at[0], job);
    message_drop(&reply);
    map_package_clear(package);
    free(package);
    return code;
}

int conclave_map_submit(struct conclave *cluster, const struct conclave_map *given,
                        struct conclave_job *job)
{
    struct conclave_map map = {0};
    struct map_request request;
    struct inputs *inputs = NULL;
    struct message *spec = NULL;
    struct text why = {0};
    char key[JOB_KEY_TEXT_MAX], fails[TEXT_MAX];
    *job = (struct conclave_job){0};
    memcpy(&map, given, given->size < sizeof map ? given->size : sizeof map);
    int code = check_texts(cluster, &map);
    code = code ? code : check_numbers(cluster, &map);
    code = code ? code : library_key(cluster, map.key, key);
    if (code)
        return code;
    ask_for(&map, fails, &request);
    if (inputs_open(&request.inputs, &inputs, &why) || map_spec(&request, inputs, &spec, &why))
        code = connection_fail(cluster, EXIT_USAGE, "%s", why.at);
    else
        code = send_it(cluster, &request, key, spec, inputs, job);
    message_drop(&spec);
    inputs_destroy(&inputs);
    return code;
}
