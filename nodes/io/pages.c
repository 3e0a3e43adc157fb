#include "nodes/io/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared/base/error.h"
#include "shared/base/large.h"
#include "shared/base/mutant.h"
#include "shared/base/slice.h"

_Static_assert(sizeof(void *) == 8, "the layout below is that of 64-bit machines");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "likewise: of little-endian ones");

#define MAGIC          UINT32_C(0xBEEFC0DE)
#define DATA_VERSION   1
#define METAS          2
#define PAGE_HEAD      16
#define NODE_HEAD      8
#define DEPTH_MAX      32 /* LMDB's CURSOR_STACK */
#define PAGE_SIZE_MIN  512
#define PAGE_SIZE_MAX  65536
#define NO_PAGE        UINT64_MAX
#define KIND_BRANCH    UINT16_C(0x01) /* in a file, a page has no other flags than these */
#define KIND_LEAF      UINT16_C(0x02)
#define KIND_OVERFLOW  UINT16_C(0x04)
#define KIND_META      UINT16_C(0x08)
#define NODE_BIG       UINT16_C(0x01) /* the value lies on pages of its own */
#define NODE_DATABASE  UINT16_C(0x02) /* the value is a struct database */
#define DATABASE_PLAIN UINT16_C(0)
#define INTEGER_KEYS   UINT16_C(0x08) /* of the list of free pages */

struct database {
    uint32_t pad; /* of the list of free pages: the page size */
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
};
_Static_assert(sizeof(struct database) == 48, "as LMDB writes it");

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct database databases[2]; /* of free pages, of named databases */
    uint64_t last_page, transaction;
};

struct page_head {
    uint64_t number;
    uint16_t pad, flags, lower,
        upper; /* of an overflow page the last two are one number: its pages */
};

struct node {
    uint32_t low; /* of a leaf: the value's length; of a branch: a page number, with `flags` */
    uint16_t flags, key_len;
    const uint8_t *key, *value;
};

/* A tree on its way: the free list, the names of databases, or one of these. */
struct tree {
    struct slice name; /* at NULL: it has none */
    bool integers, names, free_list;
    uint64_t entries;
    struct slice last; /* the key before */
};

/* Keys of a subtree are not below `low`, and below `high`; at NULL: no bound. */
struct bounds {
    struct slice low, high;
};

struct walk {
    const uint8_t *at;
    uint64_t len, page_size, last_page;
    uint8_t *reached; /* a bit a page */
    size_t reached_bytes;
    pages_record_fn *each;
    void *context;
    struct pages_report *report;
    bool second_pass; /* over the free list: its pages are looked up, not walked */
};

static int damaged(struct walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int damaged(struct walk *walk, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(walk->report->why, sizeof walk->report->why, format, args);
    va_end(args);
    return ERR_CORRUPT;
}

/* --- pages --- */

static bool test_page(const struct walk *walk, uint64_t number)
{
    return walk->reached[number / 8] & (1u << number % 8);
}

static void mark_page(struct walk *walk, uint64_t number)
{
    walk->reached[number / 8] |= (uint8_t)(1u << number % 8);
}

/* Reaches `n` pages from `number` on, for the first time. */
static int reach(struct walk *walk, uint64_t number, uint64_t n, const uint8_t **page)
{
    if (number < METAS || number > walk->last_page || n > walk->last_page - number + 1)
        return damaged(walk, "page %" PRIu64 " is named, the last one is %" PRIu64, number,
                       walk->last_page);
    if ((number + n) * walk->page_size > walk->len)
        return damaged(walk, "it is cut off: page %" PRIu64 " is beyond its end", number + n - 1);
    for (uint64_t i = 0; i < n; i++) {
        if (test_page(walk, number + i) && !walk->second_pass)
            return damaged(walk, "page %" PRIu64 " is named twice", number + i);
        mark_page(walk, number + i);
    }
    walk->report->n_pages += walk->second_pass ? 0 : n;
    *page = walk->at + number * walk->page_size;
    return OK;
}

static struct page_head head_of(const uint8_t *page)
{
    struct page_head head;
    memcpy(&head, page, sizeof head);
    return head;
}

/* --- nodes --- */

static int read_node(struct walk *walk, const uint8_t *page, size_t i, bool leaf, struct node *out)
{
    struct page_head head = head_of(page);
    uint16_t offset, words[4];
    memcpy(&offset, page + PAGE_HEAD + 2 * i, sizeof offset);
    if (offset < head.upper || (uint64_t)offset + NODE_HEAD > walk->page_size)
        return damaged(walk, "page %" PRIu64 ": a node is outside of it", head.number);
    memcpy(words, page + offset, sizeof words);
    *out = (struct node){.low = (uint32_t)words[1] << 16 | words[0],
                         .flags = words[2],
                         .key_len = words[3],
                         .key = page + offset + NODE_HEAD};
    out->value = out->key + out->key_len;
    /* LMDB would believe others: that a node has duplicates, say, which ours never have. */
    if (leaf && out->flags != 0 && out->flags != NODE_BIG && out->flags != NODE_DATABASE)
        return damaged(walk, "page %" PRIu64 ": a node of an unknown kind", head.number);
    uint64_t value = !leaf ? 0 : out->flags & NODE_BIG ? sizeof(uint64_t) : out->low;
    if ((uint64_t)offset + NODE_HEAD + out->key_len + value > walk->page_size)
        return damaged(walk, "page %" PRIu64 ": a node reaches beyond it", head.number);
    return OK;
}

static int compare(const struct tree *tree, struct slice a, struct slice b)
{
    if (tree->integers) {
        uint64_t x, y;
        memcpy(&x, a.at, sizeof x);
        memcpy(&y, b.at, sizeof y);
        return x < y ? -1 : x > y;
    }
    return slice_order(a, b);
}

static int check_key(struct walk *walk, struct tree *tree, uint64_t number, struct slice key,
                     const struct bounds *bounds)
{
    if (tree->integers && key.len != sizeof(uint64_t))
        return damaged(walk, "page %" PRIu64 ": a key has %zu bytes", number, key.len);
    if ((tree->last.at && compare(tree, tree->last, key) >= 0) ||
        (bounds->low.at && compare(tree, key, bounds->low) < 0) ||
        (bounds->high.at && compare(tree, key, bounds->high) >= 0))
        return damaged(walk, "page %" PRIu64 ": its keys are not in order", number);
    tree->last = key;
    return OK;
}

/* The value of a leaf's node, on pages of its own where it is large. */
static int read_value(struct walk *walk, const struct node *node, struct slice *out)
{
    *out = (struct slice){node->value, node->low};
    if (!(node->flags & NODE_BIG))
        return OK;
    uint64_t number, n = (PAGE_HEAD + (uint64_t)node->low + walk->page_size - 1) / walk->page_size;
    const uint8_t *page, *more;
    memcpy(&number, node->value, sizeof number);
    int error = reach(walk, number, 1, &page);
    if (error)
        return error;
    struct page_head head = head_of(page);
    uint32_t length;
    memcpy(&length, page + offsetof(struct page_head, lower), sizeof length);
    /* A shorter value may have taken the place of a longer one. */
    if (head.number != number || head.flags != KIND_OVERFLOW || length < n)
        return damaged(walk, "page %" PRIu64 " is not the value that it should be", number);
    if (length > 1)
        error = reach(walk, number + 1, length - 1, &more);
    if (error)
        return error;
    out->at = page + PAGE_HEAD;
    large_will_read(out->at, out->len);
    return OK;
}

/* --- trees --- */

static int walk_tree(struct walk *walk, const struct database *database, struct tree *tree);

/* Pages that are free: none of them may be in use, or free twice. */
static int take_free(struct walk *walk, struct slice list)
{
    uint64_t n;
    if (list.len < sizeof n)
        return damaged(walk, "the list of free pages is cut short");
    memcpy(&n, list.at, sizeof n);
    if (n >= list.len / sizeof n)
        return damaged(walk, "the list of free pages is cut short");
    uint64_t before = UINT64_MAX;
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t number;
        memcpy(&number, list.at + i * sizeof number, sizeof number);
        /* LMDB takes neighbours in the list for neighbours in the file. */
        if (number >= before)
            return damaged(walk, "the list of free pages is not in order");
        before = number;
        if (number < METAS || number > walk->last_page || test_page(walk, number))
            return damaged(walk, "page %" PRIu64 " is listed as free, but it is not", number);
        mark_page(walk, number);
    }
    return OK;
}

static int take_record(struct walk *walk, struct tree *tree, const struct node *node,
                       uint64_t number)
{
    struct slice key = {node->key, node->key_len}, value;
    int error = read_value(walk, node, &value);
    tree->entries++;
    if (error)
        return error;
    if (tree->free_list)
        return walk->second_pass ? take_free(walk, value) : OK;
    if (tree->names) {
        struct database database;
        struct tree named = {.name = key};
        if (!(node->flags & NODE_DATABASE) || value.len != sizeof database)
            return damaged(walk, "page %" PRIu64 ": a record is not a database", number);
        memcpy(&database, value.at, sizeof database);
        if (database.flags != DATABASE_PLAIN)
            return damaged(walk, "page %" PRIu64 ": a database of an unknown kind", number);
        return walk_tree(walk, &database, &named);
    }
    if (node->flags & NODE_DATABASE)
        return damaged(walk, "page %" PRIu64 ": a database where a record should be", number);
    if (walk->each && !walk->each(walk->context, tree->name, key, value))
        return damaged(walk, "page %" PRIu64 ": the checksum of a record in '%.*s' is wrong",
                       number, (int)tree->name.len, (const char *)tree->name.at);
    return OK;
}

static int walk_page(struct walk *walk, struct tree *tree, uint64_t number, unsigned levels,
                     const struct bounds *bounds);

static int walk_branch(struct walk *walk, struct tree *tree, const uint8_t *page, unsigned levels,
                       const struct bounds *bounds)
{
    struct page_head head = head_of(page);
    size_t n = (size_t)(head.lower - PAGE_HEAD) / 2;
    struct slice low = bounds->low; /* the first key of a branch is not kept */
    for (size_t i = 0; i < n; i++) {
        struct node node, next;
        int error = read_node(walk, page, i, false, &node);
        if (!error && i + 1 < n)
            error = read_node(walk, page, i + 1, false, &next);
        if (error)
            return error;
        struct slice high = bounds->high;
        if (i + 1 < n)
            high = (struct slice){next.key, next.key_len};
        if (i + 1 < n && tree->integers && high.len != sizeof(uint64_t))
            return damaged(walk, "page %" PRIu64 ": a key has %zu bytes", head.number, high.len);
        uint64_t child = (uint64_t)node.flags << 32 | node.low;
        error = walk_page(walk, tree, child, levels - 1, &(struct bounds){low, high});
        if (error)
            return error;
        low = high;
    }
    return OK;
}

static int walk_page(struct walk *walk, struct tree *tree, uint64_t number, unsigned levels,
                     const struct bounds *bounds)
{
    const uint8_t *page;
    int error = reach(walk, number, 1, &page);
    if (error)
        return error;
    struct page_head head = head_of(page);
    uint16_t kind = levels > 1 ? KIND_BRANCH : KIND_LEAF;
    if (head.number != number || head.flags != kind)
        return damaged(walk, "page %" PRIu64 " is not what it should be", number);
    if (head.lower <= PAGE_HEAD || head.lower % 2 || head.lower > head.upper ||
        head.upper > walk->page_size)
        return damaged(walk, "page %" PRIu64 ": its bounds are wrong", number);
    if (kind == KIND_BRANCH)
        return walk_branch(walk, tree, page, levels, bounds);
    size_t n = (size_t)(head.lower - PAGE_HEAD) / 2;
    for (size_t i = 0; i < n && !error; i++) {
        struct node node;
        error = read_node(walk, page, i, true, &node);
        if (!error)
            error = check_key(walk, tree, number, (struct slice){node.key, node.key_len}, bounds);
        if (!error)
            error = take_record(walk, tree, &node, number);
    }
    return error;
}

static int walk_tree(struct walk *walk, const struct database *database, struct tree *tree)
{
    if (database->root == NO_PAGE)
        return database->entries ? damaged(walk, "a database has lost its pages") : OK;
    if (database->depth < 1 || database->depth > DEPTH_MAX)
        return damaged(walk, "a database has %u levels", (unsigned)database->depth);
    int error = walk_page(walk, tree, database->root, database->depth, &(struct bounds){0});
    if (!error && tree->entries != database->entries)
        return damaged(walk, "a database has %" PRIu64 " records of %" PRIu64, tree->entries,
                       database->entries);
    return error;
}

/* --- the file --- */

static int read_meta(struct walk *walk, unsigned i, struct meta *out)
{
    const uint8_t *page = walk->at + i * walk->page_size;
    if (walk->len < i * walk->page_size + PAGE_HEAD + sizeof *out)
        return damaged(walk, "it is cut off: page %u is beyond its end", i);
    memcpy(out, page + PAGE_HEAD, sizeof *out);
    struct page_head head = head_of(page);
    if (head.number != i || head.flags != KIND_META || out->magic != MAGIC ||
        out->version != DATA_VERSION || out->databases[0].flags != INTEGER_KEYS ||
        out->databases[1].flags != DATABASE_PLAIN)
        return damaged(walk, "page %u, which says where everything is, cannot be read", i);
    return OK;
}

static int walk_all(struct walk *walk)
{
    struct meta metas[METAS];
    int error = read_meta(walk, 0, &metas[0]);
    if (error)
        return error;
    walk->page_size = metas[0].databases[0].pad;
    if (walk->page_size < PAGE_SIZE_MIN || walk->page_size > PAGE_SIZE_MAX ||
        walk->page_size & (walk->page_size - 1))
        return damaged(walk, "page 0 says that pages have %" PRIu64 " bytes", walk->page_size);
    error = read_meta(walk, 1, &metas[1]);
    if (error)
        return error;
    if (metas[1].databases[0].pad != metas[0].databases[0].pad)
        return damaged(walk, "pages 0 and 1 say different sizes of a page");
    const struct meta *meta = &metas[metas[1].transaction > metas[0].transaction];
    walk->last_page = meta->last_page;
    if (walk->last_page < METAS - 1 || walk->last_page >= meta->map_size / walk->page_size)
        return damaged(walk, "its last page is said to be %" PRIu64, walk->last_page);
    if (MUTANT(file_must_be_long) && (walk->last_page + 1) * walk->page_size > walk->len)
        return damaged(walk, "it is shorter than it was");
    walk->reached_bytes = walk->last_page / 8 + 1;
    walk->reached = mmap(NULL, walk->reached_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (walk->reached == MAP_FAILED)
        return damaged(walk, "its last page is said to be %" PRIu64, walk->last_page);
    struct tree list = {.free_list = true, .integers = true}, names = {.names = true}, again = list;
    error = walk_tree(walk, &meta->databases[0], &list);
    if (!error)
        error = walk_tree(walk, &meta->databases[1], &names);
    walk->second_pass = true;
    if (!error)
        error = walk_tree(walk, &meta->databases[0], &again);
    munmap(walk->reached, walk->reached_bytes);
    return error;
}

int pages_walk(int fd, pages_record_fn *each, void *context, struct pages_report *report)
{
    struct stat status;
    struct walk walk = {.each = each, .context = context, .report = report};
    *report = (struct pages_report){0};
    if (fstat(fd, &status)) {
        damaged(&walk, "it cannot be read: %s", strerror(errno));
        return ERR_IO;
    }
    walk.len = (uint64_t)status.st_size;
    if (!walk.len)
        return damaged(&walk, "it is empty");
    walk.page_size = PAGE_SIZE_MIN; /* until page 0 says it */
    void *at = mmap(NULL, walk.len, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        damaged(&walk, "it cannot be read: %s", strerror(errno));
        return ERR_IO;
    }
    walk.at = at;
    int error = walk_all(&walk);
    munmap(at, walk.len);
    return error;
}
