#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/work/spawner_run.h"

#define NEVER        UINT64_MAX
#define STDIN_MEMORY MIB_BYTES       /* a longer one is a file without a name */
#define COPY_BYTES   (8 * MIB_BYTES) /* between two looks at the node: a moment of a slow disk */
/* Where an input stands that the environment cannot hold; no pattern without a point takes it. */
#define INPUT_FILE  ".conclave-input"
#define INPUT_NAMES 10 /* of which the user may have some */

/* --- its stdin --- */

/* A file that nobody else knows; -1 with errno. */
static int open_nameless(const char *dir, uint64_t len)
{
    char path[SPAWNER_PATH_ROOM];
    int fd = len <= STDIN_MEMORY ? memfd_create("stdin", MFD_CLOEXEC)
                                 : open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0 || len <= STDIN_MEMORY)
        return fd;
    text_format(path, sizeof path, "%s/stdin-XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static void take_stdin(struct run *run)
{
    uint64_t len = run->order.stdin_len;
    run->stdin_fd = open_nameless(run->spawner->config.outputs, len);
    if (run->stdin_fd < 0)
        run_fail(run, COMMAND_NOT_STARTED, "cannot open its stdin", errno);
    int error = spawner_take_bytes(run->spawner, len, run->stdin_fd);
    if (!error && run->stdin_fd >= 0 && lseek(run->stdin_fd, 0, SEEK_SET))
        error = errno;
    if (error)
        run_fail(run, COMMAND_NOT_STARTED, "cannot write its stdin", error);
}

/* When all inputs are where they belong: nothing of the command runs yet that could move them. */
static void open_stdin(struct run *run)
{
    const struct command *command = &run->order.command;
    if (run->result->end != COMMAND_EXIT || run->stdin_fd >= 0)
        return;
    if (command->stdin_input)
        run->stdin_fd = openat(run->scratch.fd, command->inputs[command->stdin_input - 1].name,
                               O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    else
        run->stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (run->stdin_fd < 0)
        run_fail(run, COMMAND_NOT_STARTED, "cannot open its stdin", errno);
}

/* --- files --- */

/* A cancel is seen when nothing else is to come from the node before it. */
static void look_at_node(struct run *run, size_t input)
{
    struct pollfd item = {.fd = run->spawner->fd, .events = POLLIN};
    uint64_t serial = 0;
    for (size_t i = input; i < run->order.command.n_inputs; i++)
        if (run->order.input_lens[i] != NEVER)
            return;
    if (run->node_gone || poll(&item, 1, 0) <= 0)
        return;
    run->node_gone = !spawner_take_cancel(run->spawner, &serial);
    if (run->node_gone)
        run_fail(run, COMMAND_KILLED, "", 0);
    else if (serial == run->spawner->serial)
        run_fail(run, COMMAND_CANCELLED, "", 0);
}

/* Within the kernel, where the disk may share the blocks; or else through this process. */
static ssize_t copy_some(int from, off_t *offset, int to, size_t len)
{
    static uint8_t buffer[64 * KIB_BYTES];
    ssize_t n = copy_file_range(from, offset, to, NULL, len, 0);
    if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS &&
                   errno != EPERM))
        return n;
    n = pread(from, buffer, len < sizeof buffer ? len : sizeof buffer, *offset);
    if (n > 0)
        n = write(to, buffer, (size_t)n);
    *offset += n > 0 ? n : 0;
    return n;
}

static int copy_slice(struct run *run, size_t input, const struct command_slice *slice, int to)
{
    int error = 0, from = open(slice->path, O_RDONLY | O_CLOEXEC);
    off_t at = (off_t)slice->offset;
    if (from < 0)
        return errno;
    for (uint64_t left = slice->len; left && !error && run->result->end == COMMAND_EXIT;) {
        ssize_t n = copy_some(from, &at, to, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
        if (n == 0 && slice->len != NEVER)
            error = EIO; /* it is shorter than it was */
        else if (n < 0 && errno != EINTR)
            error = errno;
        if (n == 0)
            break;
        left -= n > 0 && left != NEVER ? (uint64_t)n : 0;
        look_at_node(run, input);
    }
    close(from);
    return error;
}

/* What was sent along is taken even when it has no more use: the next frame lies behind it. */
static void prepare_input(struct run *run, size_t i)
{
    const struct command_input *input = &run->order.command.inputs[i];
    uint64_t len = run->order.input_lens[i];
    char what[TEXT_MAX];
    int error = 0, fd = -1;
    if (run->result->end == COMMAND_EXIT && run->scratch.fd >= 0) {
        fd = scratch_put(&run->scratch, input->name);
        error = fd < 0 ? errno : 0;
    }
    if (len != NEVER) {
        int taken = spawner_take_bytes(run->spawner, len, fd);
        error = error ? error : taken;
    }
    for (size_t j = 0; fd >= 0 && j < input->bytes.n_slices && !error; j++)
        error = copy_slice(run, i, &input->bytes.slices[j], fd);
    if (fd >= 0) {
        int ended = scratch_put_end(&run->scratch, fd, input->executable);
        error = error ? error : ended;
    }
    text_format(what, sizeof what, "cannot put %.200s into its scratch directory", input->name);
    if (error)
        run_fail(run, COMMAND_NOT_STARTED, what, error);
}

void inputs_prepare(struct run *run)
{
    run->stdin_fd = -1;
    if (run->order.stdin_len != NEVER)
        take_stdin(run);
    for (size_t i = 0; i < run->order.command.n_inputs; i++)
        prepare_input(run, i);
    open_stdin(run);
}

/* --- an input that the environment cannot hold --- */

bool input_to_file(struct run *run)
{
    const char *input = run->order.command.input;
    int fd = -1, error;
    for (int i = 0; i < INPUT_NAMES && fd < 0; i++) {
        text_format(run->input_name, sizeof run->input_name, i ? INPUT_FILE "-%d" : INPUT_FILE, i);
        fd = scratch_put(&run->scratch, run->input_name);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    error = fd < 0 ? errno : scratch_write(fd, (const uint8_t *)input, strlen(input));
    if (fd >= 0) {
        int ended = scratch_put_end(&run->scratch, fd, false);
        error = error ? error : ended;
    }
    if (error)
        run_fail(run, COMMAND_NOT_STARTED, "cannot put its input into its scratch directory",
                 error);
    return !error;
}
