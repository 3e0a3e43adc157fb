#include "clients/web/routes.h"

#include <string.h>

#include "clients/ask/jobspec.h"
#include "shared/base/error.h"

const struct route routes[] = {{"GET", "/", GUARD_PAGE, page_get},
                               {"GET", "/page.css", GUARD_PAGE, page_get},
                               {"GET", "/page.js", GUARD_PAGE, page_get},
                               {"GET", "/job.js", GUARD_PAGE, page_get},
                               {"GET", "/icon.svg", GUARD_PAGE, page_get},
                               {"GET", "/metrics", GUARD_READ, metrics_get},
                               {"GET", "/api/status", GUARD_READ, status_get},
                               {"GET", "/api/events", GUARD_READ, events_get},
                               {"GET", "/api/jobs", GUARD_READ, jobs_list},
                               {"POST", "/api/jobs", GUARD_CHANGE, jobs_submit},
                               {"GET", "/api/jobs/*", GUARD_READ, job_show},
                               {"GET", "/api/jobs/*/result", GUARD_READ, job_result},
                               {"GET", "/api/jobs/*/explain", GUARD_READ, job_explain},
                               {"GET", "/api/jobs/*/tasks", GUARD_READ, job_tasks},
                               {"GET", "/api/jobs/*/output", GUARD_READ, job_output},
                               {"POST", "/api/jobs/*/cancel", GUARD_CHANGE, job_cancel},
                               {0}};

/* Whether the path is of that form; what stands for the * in *id. */
static bool fits(const char *form, const char *path, struct slice *id)
{
    size_t before = strcspn(form, "*");
    *id = (struct slice){0};
    if (!form[before])
        return !strcmp(form, path);
    if (strncmp(form, path, before))
        return false;
    *id = (struct slice){(const uint8_t *)path + before, strcspn(path + before, "/")};
    return !strcmp(path + before + id->len, form + before + 1);
}

enum route_fault route_find(const char *method, const char *path, const struct route **out,
                            job_id_t *job)
{
    enum route_fault fault = ROUTE_NO_PATH;
    if (!strcmp(method, "HEAD"))
        method = "GET";
    *job = JOB_NONE;
    for (const struct route *route = routes; route->method; route++) {
        struct slice id;
        if (!fits(route->path, path, &id))
            continue;
        fault = ROUTE_NO_METHOD;
        if (strcmp(route->method, method))
            continue;
        *out = route;
        bool is_id = !id.at || (!parse_job_id(id, job) && *job);
        return is_id ? ROUTE_FOUND : ROUTE_NO_JOB;
    }
    return fault;
}
