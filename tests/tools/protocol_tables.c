/* Prints the tables of docs/protocol.md from the schema, as Markdown. protocol_tables.py puts them
 * into the document, and checks that they are there. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/wire/message.h"

/* The messages of one place, under one heading. The first `common` fields of each are the same and
 * are listed once. */
struct section {
    enum message_place place;
    const char *title, *note;
    size_t common;
};

static const struct section sections[] = {
    {PLACE_LINK, "Opening a connection", "On every plane between nodes but heartbeat.", 0},
    {PLACE_CONTROL, "Control plane", "Between nodes, after a HELLO.", 0},
    {PLACE_CHANNEL, "Channel plane", "All of them begin with the channel's header:", 6},
    {PLACE_REPLICATION, "Checkpoint plane", "Between nodes, after a HELLO.", 0},
    {PLACE_VALUE, "Value plane", "Between nodes, after a HELLO.", 0},
    {PLACE_FEED, "Heartbeat plane, and the broker's feed", "Published, never answered.", 0},
    {PLACE_REQUEST, "Requests of clients", "All of them begin with:", 2},
    {PLACE_REPLY, "Answers to clients", "`request` is that of the request.", 0},
    {PLACE_ENTRY, "Log entries",
     "Kept on disk in this form, and packed into `append`; no socket accepts them.", 0},
    {PLACE_CHECKPOINT, "Parts of a checkpoint",
     "Kept on disk in this form, and packed into `install`; no socket accepts them.", 0},
    {PLACE_CUT, "Parts of a snapshot",
     "Kept on disk and in files in this form, and packed into `snapshot_report`; no socket accepts "
     "them.",
     0},
    {PLACE_STORED, "Records of stored values", "Kept in values; no socket accepts them.", 0},
};

static void print_type(const struct field *field)
{
    static const char *const names[] = {"integer", "bool", "text", "bytes", "list"};
    printf("%s", names[field->kind]);
    if (field->kind == FIELD_LIST)
        printf(" of [%s](#%s)", field->record()->name, field->record()->name);
}

static void print_limit(const struct field *field)
{
    if (field->kind == FIELD_BOOL)
        return;
    if (field->kind == FIELD_U64 && field->max == UINT64_MAX)
        printf("64 bits");
    else if (field->kind == FIELD_U64 && field->max > 100000000 && !(field->max & (field->max + 1)))
        printf("%d bits", 64 - __builtin_clzll(field->max));
    else
        printf("%" PRIu64 "%s", field->max,
               field->kind == FIELD_STR || field->kind == FIELD_BIN ? " bytes" : "");
}

static void print_fields(const struct record *record, size_t from, size_t to)
{
    printf("\n| field | type | at most | need | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = from; i < to && i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        printf("| `%s` | ", field->name);
        print_type(field);
        printf(" | ");
        print_limit(field);
        printf(" | %s | %s |\n", field->required ? "required" : "optional", field->doc);
    }
}

static void print_section(const struct section *section)
{
    printf("\n### %s\n\n%s\n", section->title, section->note);
    bool common = section->common > 0;
    for (int type = 1; type < MESSAGE_TYPES; type++) {
        const struct message_kind *kind = message_kind((enum message_type)type);
        if (kind->place != section->place)
            continue;
        const struct record *record = kind->record();
        if (common)
            print_fields(record, 0, section->common);
        common = false;
        printf("\n#### %s\n\n%c%s.\n", kind->name, toupper(kind->doc[0]), kind->doc + 1);
        if (record->n_fields > section->common)
            print_fields(record, section->common, record->n_fields);
    }
}

/* Records, in the order in which messages use them. More than there is room for are an error: else
 * the document would lack their tables without a word. */
#define RECORDS_MAX 256
static const struct record *records[RECORDS_MAX];
static size_t n_records;

static void find_records(const struct record *record)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        if (field->kind != FIELD_LIST)
            continue;
        const struct record *inner = field->record();
        size_t at = 0;
        while (at < n_records && records[at] != inner)
            at++;
        if (at < n_records)
            continue;
        if (n_records == RECORDS_MAX) {
            fprintf(stderr, "more than %d records: raise RECORDS_MAX\n", RECORDS_MAX);
            exit(EXIT_FAILURE);
        }
        records[n_records++] = inner;
        find_records(inner);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        print_section(&sections[i]);
    for (int type = 1; type < MESSAGE_TYPES; type++)
        find_records(message_kind((enum message_type)type)->record());
    printf("\n### Records\n\nThe elements of lists, maps themselves.\n");
    for (size_t i = 0; i < n_records; i++) {
        printf("\n#### %s\n", records[i]->name);
        print_fields(records[i], 0, records[i]->n_fields);
    }
    return 0;
}
