#include "nodes/io/tool.h"

#include <stdio.h>
#include <string.h>

#include "nodes/io/inspect.h"
#include "nodes/io/recover.h"
#include "nodes/io/restore.h"
#include "shared/base/error.h"

static int end(int error, const struct text *why)
{
    if (error)
        fprintf(stderr, "conclave-node: %s\n", why->at);
    return exit_code_of(error);
}

static int inspect(char **words)
{
    inspect_print(words[1], stdout);
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int refound(char **words)
{
    struct text why = {0};
    uint64_t term;
    int error = parse_u64(slice_of(words[2]), TERM_MAX, &term);
    if (error)
        text_add(&why, "refound: the term is a number up to %llu", (unsigned long long)TERM_MAX);
    else
        error = recover_refound(words[1], term, &why);
    return end(error, &why);
}

static int adopt(char **words)
{
    struct text why = {0};
    uint64_t id;
    bool damaged = words[4] && !strcmp(words[4], "damaged");
    int error = parse_u64(slice_of(words[3]), NODES_MAX, &id);
    if (error || !id || (words[4] && !damaged)) {
        text_add(&why, "adopt: a node's id is a number from 1 to %d; `damaged` may follow",
                 NODES_MAX);
        error = ERR_MALFORMED;
    } else {
        error = recover_adopt(words[1], words[2], (node_id_t)id, damaged, &why);
    }
    return end(error, &why);
}

static int ledger(char **words)
{
    struct text why = {0};
    int error = restore_ledger(words[1], words[2], &why);
    return end(error, &why);
}

int tool_run(int n_words, char **words)
{
    static const struct tool {
        const char *name;
        int least, most; /* words, with the name */
        int (*run)(char **words);
    } tools[] = {{"inspect", 2, 2, inspect},
                 {"refound", 3, 3, refound},
                 {"adopt", 4, 5, adopt},
                 {"ledger", 3, 3, ledger}};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        if (n_words < 1 || strcmp(words[0], tools[i].name))
            continue;
        if (n_words >= tools[i].least && n_words <= tools[i].most)
            return tools[i].run(words);
        fprintf(stderr, "conclave-node: %s: wrong number of arguments\n", words[0]);
        return EXIT_USAGE;
    }
    return -1;
}
