#include "clients/local/supervised.h"

#include <string.h>
#include <unistd.h>

#include "clients/ask/entry.h"
#include "clients/local/local.h"
#include "shared/base/error.h"

#define REPORT    "supervisor.json"
#define LOCALHOST "127.0.0.1"

/* --- writing --- */

static json_t *number_or_null(int64_t number, int64_t none)
{
    return number == none ? json_null() : json_integer(number);
}

static json_t *render(const struct child *child)
{
    char shown[TEXT_MAX];
    return json_pack("{s:s, s:o, s:o, s:i, s:o, s:o}", "name", child->name, "node",
                     number_or_null(child->node, 0), "pid", number_or_null(child->pid, 0), "tries",
                     (int)child->tries, "exit", number_or_null(child->exit_code, -1), "trouble",
                     child->trouble[0]
                         ? json_string(text_escape(shown, sizeof shown, slice_of(child->trouble)))
                         : json_null());
}

int supervised_write(const char *dir, uint64_t port, uint64_t brokers, bool served,
                     const struct child *children, size_t n, char *why)
{
    json_t *processes = json_array();
    for (size_t i = 0; i < n; i++)
        if (children[i].log[0])
            json_array_append_new(processes, render(&children[i]));
    json_t *report =
        json_pack("{s:i, s:I, s:I, s:b, s:o}", "pid", (int)getpid(), "port", (json_int_t)port,
                  "brokers", (json_int_t)brokers, "served", (int)served, "processes", processes);
    return local_put_json(dir, REPORT, report, why);
}

void supervised_forget(const char *dir)
{
    char path[LOCAL_PATH_MAX];
    if (!local_path(dir, REPORT, path))
        unlink(path);
}

/* --- reading --- */

/* Another cluster may be asked about than the one in the directory at hand. */
static bool is_asked(const json_t *report, const struct addresses *brokers)
{
    json_int_t port = json_integer_value(json_object_get(report, "port")),
               n = json_integer_value(json_object_get(report, "brokers"));
    for (size_t i = 0; i < brokers->n; i++) {
        const struct address *it = &brokers->at[i];
        bool local = !strcmp(it->host, LOCALHOST) || !strcmp(it->host, "localhost");
        if (local && it->port >= port && it->port < port + 2 * n && (it->port - port) % 2 == 0)
            return true;
    }
    return false;
}

json_t *supervised_read(const char *dir, const struct addresses *brokers)
{
    char path[LOCAL_PATH_MAX];
    if (local_path(dir, REPORT, path) || local_holder(dir) <= 0)
        return NULL;
    json_t *report = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (report && brokers && !is_asked(report, brokers)) {
        json_decref(report);
        report = NULL;
    }
    return report;
}

json_t *supervised_find(const char *dir, const struct addresses *brokers)
{
    char nearest[ENTRY_PATH_MAX];
    struct text why = {0};
    if (dir)
        return supervised_read(dir, NULL);
    return entry_nearest(LOCAL_LOCK, nearest, &why) ? NULL : supervised_read(nearest, brokers);
}

json_t *supervised_troubles(const json_t *supervised)
{
    char line[TEXT_MAX];
    bool runs;
    json_t *lines = json_array();
    for (size_t at = 0; supervised_next(supervised, &at, line, &runs);)
        json_array_append_new(lines, json_string(line));
    return lines;
}

bool supervised_served(const json_t *supervised)
{
    return json_is_true(json_object_get(supervised, "served"));
}

bool supervised_next(const json_t *supervised, size_t *at, char *line, bool *runs)
{
    const json_t *processes = json_object_get(supervised, "processes");
    while (*at < json_array_size(processes)) {
        const json_t *process = json_array_get(processes, (*at)++);
        const char *trouble = json_string_value(json_object_get(process, "trouble"));
        if (!trouble)
            continue;
        text_escape(line, TEXT_MAX, slice_of(trouble));
        *runs = json_is_integer(json_object_get(process, "pid"));
        return true;
    }
    return false;
}
