#include "clients/command/monitor_top.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/show/keyboard.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"

#define ASK_US  (1000 * MS_US) /* how often the jobs are read */
#define WAIT_US (2 * SECOND_US)

static int about_jobs, about_opened, about_explanation; /* contexts of calls */

void monitor_top_begin(struct monitor_top *it, struct cli *cli, uint64_t now_us)
{
    *it = (struct monitor_top){.cli = cli, .drawn_us = now_us};
    it->screen = !cli->json && terminal_obeys(STDOUT_FILENO);
    if (it->screen)
        keyboard_open();
}

void monitor_top_end(struct monitor_top *it)
{
    message_drop(&it->opened);
    if (it->screen)
        keyboard_close();
}

/* --- asking --- */

/* Without a coordinator an answer fails, and the next time it is asked again. */
static void start(struct monitor_top *it, struct message *request, void *about)
{
    client_start(cli_client(it->cli), request, CLIENT_ONCE, 0, clock_now_us() + WAIT_US, about);
}

static void ask_jobs(struct monitor_top *it, job_id_t after)
{
    struct message *request = message_new(MESSAGE_JOB_LIST);
    request->as.job_list.after = it->after = after;
    it->asking = true;
    start(it, request, &about_jobs);
}

static void ask_opened(struct monitor_top *it)
{
    struct message *request = message_new(MESSAGE_JOB_GET);
    request->as.job_get.job = it->top.opened;
    start(it, request, &about_opened);
    request = message_new(MESSAGE_JOB_EXPLAIN);
    request->as.job_explain.job = it->top.opened;
    start(it, request, &about_explanation);
}

static void take_jobs(struct monitor_top *it, const struct message *reply)
{
    it->asking = false;
    if (!reply || reply->type != MESSAGE_JOB_PAGE)
        return;
    const struct wire_job_page *page = &reply->as.job_page;
    job_id_t last = page->after > it->after ? page->after : it->after;
    for (size_t i = 0; i < page->jobs.n; i++) {
        top_take_job(&it->top, &page->jobs.at[i]);
        last = page->jobs.at[i].job > last ? page->jobs.at[i].job : last;
    }
    if (page->more && last > it->after)
        ask_jobs(it, last);
}

static void take(struct monitor_top *it, struct client_call *call)
{
    struct message *reply = call->outcome ? NULL : call->reply;
    if (call->context == &about_jobs) {
        take_jobs(it, reply);
    } else if (call->context == &about_opened && reply && reply->type == MESSAGE_JOB &&
               reply->as.job.jobs.n == 1) {
        message_drop(&it->opened);
        it->opened = message_ref(reply);
    } else if (call->context == &about_explanation && reply && it->opened &&
               reply->type == MESSAGE_EXPLANATION &&
               it->opened->as.job.jobs.at[0].job == it->top.opened) {
        top_take_details(&it->top, &it->opened->as.job.jobs.at[0], reply->as.explanation.text);
    }
}

/* Returns whether an answer came. */
static bool talk(struct monitor_top *it, uint64_t now_us)
{
    struct client *client = cli_client(it->cli);
    bool any = false;
    if (now_us - it->asked_us >= ASK_US) {
        it->asked_us = now_us;
        if (!it->asking)
            ask_jobs(it, top_after(&it->top));
        if (it->top.opened)
            ask_opened(it);
    }
    (void)client_work(client, now_us);
    for (struct client_call *call; (call = client_finished(client)); any = true) {
        take(it, call);
        client_call_drop(&call);
    }
    return any;
}

/* --- drawing --- */

static void redraw(struct monitor_top *it, uint64_t now_us)
{
    char *text = NULL, *shown = NULL;
    size_t size = 0, shown_size = 0;
    FILE *memory = open_memstream(&text, &size), *screen = open_memstream(&shown, &shown_size);
    if (!memory || !screen)
        panic("no memory for the screen");
    top_draw(&it->top, terminal_columns(STDOUT_FILENO), terminal_rows(STDOUT_FILENO), now_us,
             memory);
    fclose(memory);
    fputs("\033[H", screen);
    for (const char *at = text; *at; at++) { /* what was longer before is erased */
        if (*at == '\n')
            fputs("\033[K", screen);
        fputc(*at, screen);
    }
    fputs("\033[J", screen);
    fclose(screen);
    it->failed = !keyboard_show(shown, shown_size);
    free(shown);
    free(text);
}

/* Returns whether one was pressed. */
static bool take_keys(struct monitor_top *it)
{
    bool any = false;
    for (int key; (key = keyboard_next()) != KEY_NONE; any = true) {
        job_id_t opened = it->top.opened;
        it->ended = it->ended || !top_press(&it->top, key);
        if (it->top.opened != opened)
            it->asked_us = 0;
    }
    return any;
}

unsigned monitor_top_turn(struct monitor_top *it, uint64_t now_us)
{
    bool due = now_us - it->drawn_us >= TOP_MS * MS_US, changed = false;
    if (it->screen) {
        changed = take_keys(it);
        changed = talk(it, now_us) || changed;
        changed = keyboard_resized() || changed;
    }
    if (due) {
        top_sample(&it->top, now_us);
        it->drawn_us = now_us;
    }
    if (it->screen && (due || changed))
        redraw(it, now_us);
    else if (due && it->cli->json)
        cli_print_json(it->cli, top_json(&it->top, now_us));
    else if (due)
        top_print(&it->top, now_us, stdout);
    fflush(stdout);
    return due;
}
