/* routes.h - the table of what can be asked for over HTTP. */
#ifndef CONCLAVE_CLIENTS_ROUTES_H
#define CONCLAVE_CLIENTS_ROUTES_H

#include "clients/web/http.h"

struct route {
    const char *method;
    const char *path; /* a * stands for a job's id */
    enum guard_need need;
    void (*handle)(struct request *request);
};

/* The table, ended by a row without a method. */
extern const struct route routes[];

enum route_fault { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD, ROUTE_NO_JOB };

/* Finds the row of a request, and the job in its path. HEAD is GET. */
enum route_fault route_find(const char *method, const char *path, const struct route **out,
                            job_id_t *job);

/* The handlers. */
void page_get(struct request *request);
void metrics_get(struct request *request);
void status_get(struct request *request);
void events_get(struct request *request);
void jobs_list(struct request *request);
void jobs_submit(struct request *request);
void job_show(struct request *request);
void job_result(struct request *request);
void job_explain(struct request *request);
void job_tasks(struct request *request);
void job_output(struct request *request);
void job_cancel(struct request *request);

#endif
