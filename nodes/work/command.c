#include "nodes/work/command.h"

#include <stdlib.h>
#include <unistd.h>

const char *command_end_text(enum command_end end)
{
    static const char *const texts[] = {
#define X(symbol, text) [symbol] = text,
        COMMAND_ENDS(X)
#undef X
    };
    return (unsigned)end < COMMAND_ENDS_COUNT ? texts[end] : "unknown";
}

static void free_files(struct command_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i].path)
            unlink(files[i].path);
        free(files[i].path);
        free(files[i].name);
    }
    free(files);
}

void command_result_free(struct command_result *result)
{
    if (!result)
        return;
    for (int i = 0; i < COMMAND_STREAMS; i++) {
        blob_drop(&result->output[i].bytes);
        free_files(result->output[i].pieces, result->output[i].n_pieces);
    }
    free_files(result->files, result->n_files);
    blob_drop(&result->bundle.all.bytes);
    free_files(result->bundle.all.pieces, result->bundle.all.n_pieces);
    free(result);
}
