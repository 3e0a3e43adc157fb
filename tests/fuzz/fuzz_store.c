/* fuzz_store.c - libFuzzer on the file of a node's store: a sound one, with bytes that are others.
 * The look before LMDB (pages.h) refuses it, or it can be opened and read to its end, record by
 * record, as a node does that starts.
 *
 * An input is a sequence of changes, four bytes each: a position (24 bits, of the file; the pages
 * come again and again) and the byte that is there instead. */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/core/records/record.h"
#include "nodes/io/disk_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/reader.h"
#include "tests/harness/tree.h"

#define PATH_ROOM   256
#define ENTRIES     40
#define CHANGES_MAX 64

static struct {
    char dir[PATH_ROOM], file[PATH_ROOM + 32];
    int fd;
    uint8_t *sound; /* the file as it was written */
    size_t len;
} store;

static void remove_store(void)
{
    tree_remove(store.dir);
    free(store.sound);
    store.sound = NULL;
}

/* Entries, a checkpoint, records and values, some of them on pages of their own. */
static void fill(struct disk *disk)
{
    struct message *noop = message_new(MESSAGE_ENTRY_NOOP), *head = message_new(MESSAGE_IMAGE_HEAD);
    struct blob *entry = codec_pack(noop), *part = codec_pack(head), *large = blob_new(9000);
    struct record_key key = record_key(RECORD_ACCOUNT);
    struct write record = {.kind = WRITE_RECORD, .entry = part, .key_len = key.len + 1};
    memset(large->at, 7, large->len);
    for (log_index_t index = 1; index <= ENTRIES; index++) {
        disk_begin(disk);
        disk_write(disk, &(struct write){.kind = WRITE_ENTRY,
                                         .term = 1,
                                         .index = index,
                                         .entry = index % 8 ? entry : large});
        record.key[0] = RECORD_ACCOUNT;
        record.key[1] = (uint8_t)index;
        disk_write(disk, &record);
        if (index == ENTRIES / 2)
            disk_write(disk, &(struct write){.kind = WRITE_CHECKPOINT,
                                             .term = 1,
                                             .index = index,
                                             .parts = &part,
                                             .n_parts = 1});
        disk_commit(disk);
    }
    disk_keep(disk, (struct value_id){1, 1}, entry);
    message_drop(&noop);
    message_drop(&head);
    blob_drop(&entry);
    blob_drop(&part);
    blob_drop(&large);
}

static void make_store(void)
{
    const char *tmp = getenv("TMPDIR");
    struct disk *disk;
    struct text why = {0};
    struct stat status;
    text_format(store.dir, sizeof store.dir, "%s/conclave-fuzz.XXXXXX", tmp ? tmp : "/tmp");
    assert(mkdtemp(store.dir));
    atexit(remove_store);
    int error = disk_open(store.dir, "conclave", 1, DURABILITY_OS, &disk, &why);
    assert(!error);
    fill(disk);
    disk_close(&disk);
    text_format(store.file, sizeof store.file, "%s/store/data.mdb", store.dir);
    store.fd = open(store.file, O_RDWR | O_CLOEXEC);
    assert(store.fd >= 0 && !fstat(store.fd, &status));
    store.len = (size_t)status.st_size;
    store.sound = mem_new(store.len, 1);
    assert(pread(store.fd, store.sound, store.len, 0) == (ssize_t)store.len);
}

static int take_part(void *context, struct slice part)
{
    (void)part;
    ++*(size_t *)context;
    return OK;
}

static int take_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    (void)index;
    (void)term;
    return take_part(context, entry);
}

static int take_record(void *context, struct slice key, struct slice value)
{
    (void)key;
    return take_part(context, value);
}

/* What the look has let pass is read as by a node that starts; LMDB believes every page. */
static void read_store(void)
{
    struct disk *disk = NULL;
    struct node_durable durable;
    struct text why = {0};
    size_t n = 0;
    uint64_t boots;
    struct sigaction bus, segv;
    /* A page that cannot be read ends a node with a message; here it is a finding. */
    sigaction(SIGBUS, NULL, &bus);
    sigaction(SIGSEGV, NULL, &segv);
    int error = disk_open(store.dir, NULL, 0, DURABILITY_OS, &disk, &why);
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGSEGV, &segv, NULL);
    if (!error && !disk_boots(disk, &boots, &why) && !disk_read_vote(disk, &durable, &why) &&
        !disk_read_log(disk, take_part, take_entry, &n, &why))
        disk_read_records(disk, take_record, &n, &why);
    disk_close(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct reader in = {at, len};
    struct pages_report report;
    size_t changed[CHANGES_MAX], n = 0;
    if (!store.sound)
        make_store();
    while (n < CHANGES_MAX && in.left) {
        size_t high = reader_byte(&in), middle = reader_byte(&in), low = reader_byte(&in);
        uint8_t byte = reader_byte(&in);
        changed[n] = (high << 16 | middle << 8 | low) % store.len;
        assert(pwrite(store.fd, &byte, 1, (off_t)changed[n++]) == 1);
    }
    if (!disk_verify_file(store.fd, &report)) {
        read_store(); /* which may write, too */
        assert(!ftruncate(store.fd, (off_t)store.len));
        assert(pwrite(store.fd, store.sound, store.len, 0) == (ssize_t)store.len);
    }
    for (size_t i = 0; i < n; i++)
        assert(pwrite(store.fd, &store.sound[changed[i]], 1, (off_t)changed[i]) == 1);
    return 0;
}
