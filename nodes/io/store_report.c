#include "nodes/io/store_report.h"

#include "shared/base/error.h"

bool store_report_is_lost(const struct store_report *report)
{
    bool too_far = report->kind == STORE_READ && report->error == ERR_RANGE;
    return report->error && !too_far;
}

bool store_report_event(const struct store_report *report, node_id_t self, struct event *event)
{
    *event = (struct event){0};
    switch (report->kind) {
    case STORE_PERSISTED:
        event->kind = EVENT_PERSISTED;
        event->persisted = report->seq;
        return true;
    case STORE_KEPT:
        event->kind = report->error ? EVENT_VALUE_FAILED : EVENT_VALUE_KEPT;
        event->value.user = report->user;
        event->value.id = report->id;
        event->value.from = self;
        return true;
    case STORE_LISTED:
        event->kind = EVENT_VALUES_LISTED;
        event->listed.ids = report->ids;
        event->listed.n = report->n;
        event->listed.end = report->end;
        return true;
    case STORE_SPACE:
        event->kind = EVENT_SPACE;
        event->full = report->full;
        return true;
    case STORE_SPILLED:
        event->kind = EVENT_SPILLED;
        event->spilled =
            (struct spill_end){report->step, report->id, report->seq, report->error == OK};
        return true;
    case STORE_READ:
    case STORE_SCRUBBED:
        event->kind = EVENT_VALUE_LOST;
        event->value.id = report->id;
        return store_report_is_lost(report);
    }
    return false;
}
