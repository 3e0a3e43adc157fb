/* inputs_csv.c - rows of a table with a header: RFC 4180, with LF or CRLF, after a byte order mark
 * or without one. Each column is an input. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/map/inputs_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

struct row {
    char *at;
    size_t len, size;
    size_t n, ends[TASK_INPUTS_MAX]; /* of the fields in `at` */
};

struct csv {
    struct lines lines; /* the file; rows are read from it byte by byte */
    struct row row, header;
    uint64_t row_line; /* where the row begins */
};

static int complain(const struct csv *csv, int error, const char *what, struct text *why)
{
    char shown[TEXT_MAX / 4];
    text_add(why, "%s:%" PRIu64 ": %s", text_escape(shown, sizeof shown, slice_of(csv->lines.name)),
             csv->row_line, what);
    return error;
}

static int add_byte(struct csv *csv, int byte, struct text *why)
{
    struct row *row = &csv->row;
    if (row->len == TASK_RECORD_MAX)
        return complain(csv, ERR_TOO_BIG, "the row has more than 1 MiB; is a quote open?", why);
    if (row->len == row->size) {
        row->size = 2 * row->size + 256;
        row->at = mem_grow(row->at, row->size, 1);
    }
    row->at[row->len++] = (char)byte;
    return OK;
}

/* Reads what is within quotes, after the first one. */
static int read_quoted(struct csv *csv, struct text *why)
{
    FILE *file = csv->lines.file;
    for (;;) {
        int byte = getc_unlocked(file);
        if (byte == EOF)
            return complain(csv, ERR_MALFORMED, "a quote is opened in this row and never closed",
                            why);
        csv->lines.line += byte == '\n';
        if (byte == '"') {
            int next = getc_unlocked(file);
            if (next != '"') {
                ungetc(next, file);
                return OK;
            }
        }
        int error = add_byte(csv, byte, why);
        if (error)
            return error;
    }
}

/* Reads a field with what ends it, which is stored. */
static int read_field(struct csv *csv, int *end, struct text *why)
{
    FILE *file = csv->lines.file;
    int byte = getc_unlocked(file), error = OK;
    bool quoted = byte == '"';
    if (quoted) {
        error = read_quoted(csv, why);
        byte = getc_unlocked(file);
    }
    for (; !error && byte != ',' && byte != '\n' && byte != EOF; byte = getc_unlocked(file)) {
        if (byte == '\r') {
            int next = getc_unlocked(file);
            if (next == '\n' || next == EOF) {
                byte = next;
                break;
            }
            ungetc(next, file);
        }
        if (quoted || byte == '"')
            return complain(csv, ERR_MALFORMED,
                            "a quote is within a field: put quotes around the whole field, and "
                            "write \"\" for each quote in it",
                            why);
        error = add_byte(csv, byte, why);
    }
    *end = byte;
    return error;
}

/* Reads a row that is not empty. ERR_NOT_FOUND at the end of the file. */
static int read_row(struct csv *csv, struct text *why)
{
    struct row *row = &csv->row;
    int end, byte;
    do {
        csv->row_line = ++csv->lines.line;
        byte = getc_unlocked(csv->lines.file);
        if (byte == '\r') {
            byte = getc_unlocked(csv->lines.file);
            if (byte != '\n') {
                ungetc(byte, csv->lines.file);
                byte = '\r';
            }
        }
    } while (byte == '\n');
    if (byte == EOF && ferror(csv->lines.file))
        return complain(csv, ERR_IO, strerror(errno), why);
    if (byte == EOF)
        return ERR_NOT_FOUND;
    ungetc(byte, csv->lines.file);
    row->len = row->n = 0;
    do {
        if (row->n == TASK_INPUTS_MAX)
            return complain(csv, ERR_TOO_BIG, "the row has more than 64 fields", why);
        int error = read_field(csv, &end, why);
        if (error)
            return error;
        row->ends[row->n++] = row->len;
    } while (end == ',');
    return OK;
}

static struct slice field(const struct row *row, size_t i)
{
    size_t from = i ? row->ends[i - 1] : 0;
    return (struct slice){(const uint8_t *)row->at + from, row->ends[i] - from};
}

static void skip_mark(FILE *file)
{
    static const int mark[] = {0xef, 0xbb, 0xbf};
    for (int i = 0; i < 3; i++) {
        int byte = getc_unlocked(file);
        if (byte == mark[i])
            continue;
        ungetc(byte, file);
        if (i) /* a file that begins like a mark is one that is no text: its row says so */
            rewind(file);
        return;
    }
}

static int open_csv(struct inputs *inputs, const struct inputs_request *request, struct text *why)
{
    struct csv *csv = inputs->own = mem_new(1, sizeof *csv);
    int error = lines_open(&csv->lines, request->csv, why);
    if (error)
        return error;
    skip_mark(csv->lines.file);
    error = read_row(csv, why);
    if (error == ERR_NOT_FOUND)
        return complain(csv, ERR_MALFORMED, "the first line must name the columns", why);
    if (error)
        return error;
    csv->header = csv->row;
    csv->row = (struct row){0};
    inputs->n_inputs = csv->header.n;
    inputs->names = mem_new(csv->header.n, sizeof *inputs->names);
    for (size_t i = 0; i < csv->header.n; i++)
        inputs->names[i] = field(&csv->header, i);
    char shown[TEXT_MAX / 8];
    text_format(inputs->what, sizeof inputs->what, "rows of %s",
                text_escape(shown, sizeof shown, slice_of(csv->lines.name)));
    return OK;
}

static int next(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct csv *csv = inputs->own;
    char what[TEXT_MAX / 4], shown[TEXT_MAX / 4];
    int error = read_row(csv, why);
    if (error)
        return error;
    if (csv->row.n != inputs->n_inputs) {
        text_format(what, sizeof what, "%zu field%s, but the header names %zu", csv->row.n,
                    csv->row.n == 1 ? "" : "s", inputs->n_inputs);
        return complain(csv, ERR_MALFORMED, what, why);
    }
    for (size_t i = 0; i < csv->row.n; i++)
        out->inputs[i] = field(&csv->row, i);
    text_format(inputs->where, sizeof inputs->where, "%s:%" PRIu64 ": ",
                text_escape(shown, sizeof shown, slice_of(csv->lines.name)), csv->row_line);
    return OK;
}

static void close_csv(struct inputs *inputs)
{
    struct csv *csv = inputs->own;
    lines_close(&csv->lines);
    free(csv->row.at);
    free(csv->header.at);
    free(csv);
}

const struct inputs_form inputs_csv = {"--csv", open_csv, next, close_csv};
