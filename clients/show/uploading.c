#include "clients/show/uploading.h"

#include "clients/ask/stored.h"
#include "clients/show/bar.h"
#include "clients/show/render.h"
#include "shared/base/clock.h"

static void draw(void *context, uint64_t done, uint64_t total)
{
    bar_draw_bytes(context, done, total, clock_now_us());
}

static void say(const struct content *content, const struct wire_value_row *row, const char *what,
                bool was_there, uint64_t took_us)
{
    char size[RENDER_SIZE_MAX], at[STORED_TEXT_MAX];
    render_size(content->len, size);
    stored_text(row->sha256, at);
    if (was_there)
        cli_note("%s, %s, uploaded before as %s", what, size, at);
    else
        cli_note("%s, %s, uploaded in %.1fs as %s", what, size, (double)took_us / SECOND_US, at);
}

int upload_shown(struct cli *cli, const struct content *content, const char *name, const char *what,
                 struct message **value)
{
    struct bar bar;
    struct upload_watch watch = {.progress = draw, .context = &bar};
    uint64_t began_us = clock_now_us();
    bar_begin(&bar, began_us);
    int code = upload(&cli->connection, content, name, &watch, value);
    bar_erase(&bar);
    if (!code && what)
        say(content, &(*value)->as.value.values.at[0], what, watch.was_there,
            clock_now_us() - began_us);
    cli_told(cli, code);
    if (code == EXIT_TIMEOUT || code >= 128)
        cli_note("what was uploaded stays for an hour; the same command continues from there");
    return code;
}
