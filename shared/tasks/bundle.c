#include "shared/tasks/bundle.h"

#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/slice.h"

_Static_assert((2 * TASK_OUTPUT_MAX_BYTES + TASK_FILES_MAX_BYTES) / BUNDLE_PIECE_BYTES + 1 ==
                   BUNDLE_PIECES_MAX,
               "pieces of a bundle");
_Static_assert((BUNDLE_ITEM_BYTES + TASK_PATH_MAX) * TASK_FILES_MAX <= BUNDLE_PIECE_BYTES,
               "the list of files of a bundle");

size_t bundle_file_put(uint8_t *at, const struct bundle_file *file)
{
    size_t len = BUNDLE_ITEM_BYTES + file->path.len;
    size_t at_body = bytes_put_part(at, NULL, 0);
    for (int byte = 0; byte < BYTES_LENGTH; byte++)
        at[byte] = (uint8_t)((len - BYTES_LENGTH) >> 8 * byte);
    bytes_put_le64(at + at_body, file->len);
    memcpy(at + at_body + 8, file->sha256, HASH_BYTES);
    at[at_body + 8 + HASH_BYTES] = file->executable;
    if (file->path.len)
        slice_copy(at + BUNDLE_ITEM_BYTES, file->path);
    return len;
}

bool bundle_file_take(struct slice *rest, struct bundle_file *file)
{
    struct slice left = *rest, item;
    const size_t fixed = BUNDLE_ITEM_BYTES - BYTES_LENGTH;
    if (!bytes_take_part(&left, &item) || item.len < fixed || item.at[8 + HASH_BYTES] > 1)
        return false;
    file->len = bytes_get_le64(item.at);
    memcpy(file->sha256, item.at + 8, HASH_BYTES);
    file->executable = item.at[8 + HASH_BYTES];
    file->path = (struct slice){item.at + fixed, item.len - fixed};
    *rest = left;
    return true;
}

uint64_t bundle_pieces(uint64_t len)
{
    return len / BUNDLE_PIECE_BYTES + (len % BUNDLE_PIECE_BYTES > 0);
}

uint64_t bundle_piece_bytes(uint64_t len, uint64_t piece)
{
    uint64_t rest = len - piece * BUNDLE_PIECE_BYTES;
    return rest < BUNDLE_PIECE_BYTES ? rest : BUNDLE_PIECE_BYTES;
}
