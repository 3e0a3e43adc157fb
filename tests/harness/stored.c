#include "tests/harness/stored.h"

static void apply(struct state *state, term_t term, struct message *entry)
{
    state_apply(state, state->applied + 1, term, entry);
    message_drop(&entry);
}

void stored_fill(struct state *state, term_t term)
{
    static const uint8_t hash[HASH_BYTES] = {8, 9};
    for (uint64_t i = 0; i < 2; i++) {
        struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
        entry->as.entry_value_begun = (struct wire_entry_value_begun){
            .owner = message_text(entry, "alice"),
            .sha256 = message_copy(entry, (struct slice){hash, sizeof hash}),
            .len = 30,
            .format = message_text(entry, i ? "bytes" : "integers"),
            .name = message_text(entry, "numbers.txt"),
            .time_ms = 900};
        apply(state, term, entry);
        entry = message_new(MESSAGE_ENTRY_VALUE_AGED);
        entry->as.entry_value_aged.elapsed_ms = 5000;
        apply(state, term, entry);
    }
    job_id_t value = state->stored.at[0]->id;
    for (uint64_t i = 1; i <= 2; i++) {
        struct message *entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
        entry->as.entry_value_segment = (struct wire_entry_value_segment){
            .value = value,
            .segment = i,
            .op = stored_op(term, i),
            .len = 10 * i,
            .sha256 = message_copy(entry, (struct slice){hash, sizeof hash}),
            .items = 3};
        apply(state, term, entry);
    }
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    entry->as.entry_value_whole.value = value;
    apply(state, term, entry);
    entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, "naming"),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "40")};
    entry->as.entry_job_submitted.inputs.n = 1;
    entry->as.entry_job_submitted.inputs.at = message_room(entry, 1, sizeof(struct wire_value_ref));
    entry->as.entry_job_submitted.inputs.at[0].value = value;
    apply(state, term, entry);
}
