/* Trace files: read, run, compare, write. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "tests/harness/stage.h"
#include "tests/harness/trace.h"

struct lines {
    char **at; /* owned, each without its end of line */
    size_t n, size;
};

static void add_line(struct lines *lines, const char *at, size_t len)
{
    if (lines->n == lines->size) {
        lines->size = lines->size ? 2 * lines->size : 64;
        lines->at = mem_grow(lines->at, lines->size, sizeof *lines->at);
    }
    char *copy = mem_new(len + 1, 1);
    memcpy(copy, at, len);
    lines->at[lines->n++] = copy;
}

static void free_lines(struct lines *lines)
{
    while (lines->n)
        free(lines->at[--lines->n]);
    free(lines->at);
    *lines = (struct lines){0};
}

static bool read_lines(const char *path, struct lines *lines)
{
    char line[4096];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, file))
        add_line(lines, line, strcspn(line, "\n"));
    fclose(file);
    return true;
}

static void split_lines(const char *text, struct lines *lines)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        add_line(lines, text, (size_t)(end - text));
    if (!lines->n)
        add_line(lines, "ok", 2);
}

/* --- what is told otherwise --- */

/* The lines that differ, between those that are the same at the beginning and at the end. */
static bool compare(const char *path, size_t number, char **expected, size_t n,
                    const struct lines *told)
{
    size_t same = 0, tail = 0;
    while (same < n && same < told->n && !strcmp(expected[same], told->at[same]))
        same++;
    while (tail + same < n && tail + same < told->n &&
           !strcmp(expected[n - tail - 1], told->at[told->n - tail - 1]))
        tail++;
    if (same == n && same == told->n)
        return true;
    fprintf(stderr, "%s:%zu: told otherwise (TRACE_REWRITE=1 writes it into the file)\n", path,
            number + same);
    for (size_t i = same; i < n - tail; i++)
        fprintf(stderr, "-%s\n", expected[i]);
    for (size_t i = same; i < told->n - tail; i++)
        fprintf(stderr, "+%s\n", told->at[i]);
    return false;
}

/* --- running --- */

/* Runs the commands from line `at` on; returns the line after the dashes. 0: a
 * command is wrong. */
static size_t run_commands(const char *path, const struct lines *file, size_t at,
                           struct stage **stage, struct lines *out)
{
    char command[4096];
    for (; at < file->n && strcmp(file->at[at], "----"); at++) {
        const char *line = file->at[at];
        add_line(out, line, strlen(line));
        if (line[0] == '#' || !line[0])
            continue;
        snprintf(command, sizeof command, "%s", line);
        if (!trace_command(stage, command)) {
            fprintf(stderr, "%s:%zu: no such command: %s\n", path, at + 1, line);
            return 0;
        }
    }
    if (at < file->n)
        add_line(out, "----", 4);
    return at + 1;
}

/* Fills `out` with the file as it is told now. False when a command is wrong; *same: it is told as
 * the file has it. */
static bool run(const char *path, const struct lines *file, struct lines *out, bool *same)
{
    struct stage *stage = NULL;
    size_t at = 0;
    *same = true;
    while (at < file->n && (at = run_commands(path, file, at, &stage, out)) && at <= file->n) {
        struct lines told = {0};
        size_t n = 0;
        while (at + n < file->n && file->at[at + n][0])
            n++;
        split_lines(stage ? stage->story : "", &told);
        *same = compare(path, at + 1, file->at + at, n, &told) && *same;
        for (size_t i = 0; i < told.n; i++)
            add_line(out, told.at[i], strlen(told.at[i]));
        free_lines(&told);
        if (stage)
            stage_forget_story(stage);
        at += n;
    }
    if (stage)
        stage_free(&stage);
    return at > 0;
}

bool trace_check(const char *path)
{
    struct lines file = {0}, out = {0};
    bool same;
    bool right = read_lines(path, &file) && run(path, &file, &out, &same) && same;
    free_lines(&file);
    free_lines(&out);
    return right;
}

bool trace_rewrite(const char *path)
{
    struct lines file = {0}, out = {0};
    bool same;
    FILE *to = read_lines(path, &file) && run(path, &file, &out, &same) ? fopen(path, "w") : NULL;
    for (size_t i = 0; to && i < out.n; i++)
        fprintf(to, "%s\n", out.at[i]);
    bool right = to && !fclose(to);
    free_lines(&file);
    free_lines(&out);
    return right;
}
