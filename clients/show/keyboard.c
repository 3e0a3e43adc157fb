#include "clients/show/keyboard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"

/* Written at once: a terminal that can be written to has about that room. */
#define PIECE_BYTES 256

#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"

static struct termios before, raw;
static bool open, has_keys, ended;
static volatile sig_atomic_t resized;

static void on_resize(int number)
{
    (void)number;
    resized = 1;
}

/* --- signals: only calls that a handler may make --- */

static void say(const char *text)
{
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void)written; /* the terminal is gone: nobody looks */
}

/* A terminal that nobody reads is full, and would be waited for: what it has not shown is dropped.
 */
static void make_room(void)
{
    struct pollfd item = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&item, 1, 0) == 0)
        tcflush(STDOUT_FILENO, TCOFLUSH);
}

static void give_back(void)
{
    make_room();
    say(SCREEN_END);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Ctrl-Z: whoever looks at the terminal meanwhile finds it as it was. */
static void on_stop(int number)
{
    int saved = errno;
    (void)number;
    give_back();
    raise(SIGSTOP);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    say(SCREEN_BEGIN);
    resized = 1;
    errno = saved;
}

static void on_end(int number)
{
    give_back();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_signals(void)
{
    /* A terminal that is slow is written to when it changes its size: that is no failed write. */
    const struct {
        int number;
        void (*handler)(int number);
    } signals[] = {{SIGWINCH, on_resize}, {SIGTSTP, on_stop}, {SIGHUP, on_end}, {SIGQUIT, on_end}};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action = {.sa_handler = signals[i].handler, .sa_flags = SA_RESTART}, old;
        sigaction(signals[i].number, &action, &old);
        if (old.sa_handler == SIG_IGN) /* nohup, or a shell without jobs */
            sigaction(signals[i].number, &old, NULL);
    }
}

void keyboard_open(void)
{
    static bool registered;
    has_keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    if (has_keys) {
        raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    watch_signals();
    fputs(SCREEN_BEGIN, stdout);
    fflush(stdout);
    open = true;
    if (!registered)
        atexit(keyboard_close);
    registered = true;
}

void keyboard_close(void)
{
    if (!open)
        return;
    open = false;
    signal(SIGTSTP, SIG_DFL);
    make_room();
    fputs(SCREEN_END, stdout);
    fflush(stdout);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool keyboard_show(const char *text, size_t len)
{
    while (len && !interrupt_seen()) {
        struct pollfd items[] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                                 {.fd = interrupt_fd(), .events = POLLIN}};
        if (poll(items, 2, -1) < 0 || !items[0].revents)
            continue; /* a signal */
        ssize_t n = write(STDOUT_FILENO, text, len < PIECE_BYTES ? len : PIECE_BYTES);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

int keyboard_fd(void)
{
    return has_keys && !ended ? STDIN_FILENO : -1;
}

static int next_byte(void)
{
    unsigned char byte;
    struct pollfd item = {.fd = keyboard_fd(), .events = POLLIN};
    if (item.fd < 0 || poll(&item, 1, 0) <= 0)
        return KEY_NONE;
    if (read(STDIN_FILENO, &byte, 1) == 1)
        return byte;
    ended = true; /* the terminal is gone */
    return KEY_NONE;
}

/* Arrows come as ESC [ A to D, or as ESC O A to D, in one piece. */
int keyboard_next(void)
{
    static const int arrows[] = {KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT};
    int key = next_byte();
    if (key == '\r')
        return KEY_ENTER;
    if (key == '\b')
        return KEY_BACKSPACE;
    if (key != KEY_ESCAPE)
        return key;
    int next = next_byte();
    if (next != '[' && next != 'O')
        return KEY_ESCAPE;
    int last = next_byte();
    return last >= 'A' && last <= 'D' ? arrows[last - 'A'] : KEY_ESCAPE;
}

bool keyboard_resized(void)
{
    bool was = resized;
    resized = 0;
    return was;
}
