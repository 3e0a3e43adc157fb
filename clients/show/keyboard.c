#include "clients/show/keyboard.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"

static struct termios before;
static bool open, has_keys, ended;
static volatile sig_atomic_t resized;

static void on_resize(int number)
{
    (void)number;
    resized = 1;
}

void keyboard_open(void)
{
    static bool registered;
    has_keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    if (has_keys) {
        struct termios now = before;
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        now.c_cc[VMIN] = 0;
        now.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &now);
    }
    struct sigaction action = {.sa_handler = on_resize};
    sigaction(SIGWINCH, &action, NULL);
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
    fputs(SCREEN_END, stdout);
    fflush(stdout);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
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
