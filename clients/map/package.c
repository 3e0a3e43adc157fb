#include "clients/map/package.h"

#include <inttypes.h>

int map_package_make(struct map_package *package, struct message *spec, struct inputs *inputs,
                     const struct option_list *uploads, struct text *why)
{
    *package = (struct map_package){.spec = spec,
                                    .inputs = inputs,
                                    .tasks.spool.fd = -1,
                                    .files.spool.fd = -1};
    task_files_begin(&package->task_files);
    int error = task_files_upload(&package->task_files, uploads, spec, why);
    if (!error)
        error = map_job_content(spec, inputs, &package->task_files, &package->tasks, why);
    return error ? error : task_files_content(&package->task_files, &package->files, why);
}

/* The first item is the specification. */
uint64_t map_package_tasks(const struct map_package *package)
{
    return package->tasks.items - 1;
}

static int put(const struct uploader *uploader, const struct content *content, const char *name,
               const char *what, struct map_submit *submit)
{
    struct message *value = NULL;
    int code = uploader->put(uploader->context, content, name, what, &value);
    if (!code)
        submit->values[submit->n_values++] = value->as.value.values.at[0].value;
    message_drop(&value);
    return code;
}

int map_package_send(struct conclave *cluster, const struct map_package *package, const char *name,
                     const char *key, const struct uploader *uploader, struct message **job)
{
    const struct content *tasks = &package->tasks;
    char argument[JOB_SPEC_MAX + 1];
    struct map_submit files = {0},
                      submit = {.kind = "map",
                                .spec = argument,
                                .key = key,
                                .commands = true,
                                .options = map_job_options(&package->spec->as.task_spec)};
    struct text what = {0};
    text_format(argument, sizeof argument, "%" PRIu64 " %zu %" PRIu64, map_package_tasks(package),
                tasks->n_segments, tasks->len);
    /* The same words again mean the same stored value: what is there is not sent again. */
    inputs_describe(package->inputs, &what);
    /* Files first: tasks without them are of no use. */
    int code = package->files.len ? put(uploader, &package->files, name, "files", &files) : EXIT_OK;
    if (!code)
        code = put(uploader, tasks, name, what.at, &submit);
    cluster->unanswered = false; /* until now no job was asked for */
    if (code)
        return code;
    if (files.n_values)
        submit.values[submit.n_values++] = files.values[0];
    return map_job_submit(cluster, &submit, job);
}

void map_package_clear(struct map_package *package)
{
    task_files_clear(&package->task_files);
    content_clear(&package->tasks);
    content_clear(&package->files);
}
