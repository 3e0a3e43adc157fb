/* fuzz_snapshot.c - libFuzzer on snapshots as files (X11): whatever the bytes are, loading ends;
 * what was loaded can be verified, and is the same after a way through JSON and through a
 * container.
 *
 *   make test-fuzz FUZZ_SECONDS=60
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/snapshot_json.h"
#include "shared/snapshot/pack.h"
#include "clients/command/snapshot_restore.h"
#include "shared/snapshot/verify.h"
#include "shared/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* Reports are cut into parts again when they are packed, so that is no difference. */
static char *dump(struct snapshot_model *model)
{
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        model->nodes[id].about.parts = 0;
    json_t *object = snapshot_json(model, (struct snapshot_json_parts){.checkpoint = true});
    char *text = json_dumps(object, JSON_SORT_KEYS);
    json_decref(object);
    assert(text);
    return text;
}

static void again(struct snapshot_model *model)
{
    struct snapshot_model *copy = NULL;
    struct text why = {0};
    char *first = dump(model);
    assert(snapshot_load_any(slice_of(first), &copy, &why) == OK);
    char *second = dump(copy);
    assert(!strcmp(first, second));
    struct blob *packed = snapshot_pack(model, 0);
    blob_drop(&packed); /* rows of the greatest length may not fit a part */
    free(first);
    free(second);
    snapshot_model_destroy(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct snapshot_model *model;
    struct findings findings;
    struct restore_notes notes = {0};
    struct text why = {0};
    int error = snapshot_load_any((struct slice){at, len}, &model, &why);
    assert(!error == (model != NULL) && !error == !why.len);
    if (!model)
        return 0;
    again(model);
    snapshot_verify(model, &(uint64_t){2100}, &findings);
    findings_clear(&findings);
    snapshot_losses(model, &notes);
    snapshot_settle(model, &(struct snapshot_values){0}, &notes);
    restore_notes_clear(&notes);
    snapshot_model_destroy(&model);
    return 0;
}
