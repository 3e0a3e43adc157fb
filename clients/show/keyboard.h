/* keyboard.h - keys as they are pressed, and a screen of its own that leaves the old one as it was.
 */
#ifndef CONCLAVE_CLIENTS_KEYBOARD_H
#define CONCLAVE_CLIENTS_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>

/* Keys that are no character. */
enum {
    KEY_NONE = 0,
    KEY_ENTER = '\n',
    KEY_BACKSPACE = 127,
    KEY_ESCAPE = 27,
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT
};

/* Takes stdin, when it is a terminal, key by key, and stdout as a screen. keyboard_close() gives
 * both back; so does the process's end by exit(). */
void keyboard_open(void);
void keyboard_close(void);

/* Writes it to the screen, for as long as the terminal takes; a signal that ends the command ends
 * that. False: it cannot be written. */
bool keyboard_show(const char *text, size_t len);

/* Where keys come from; -1: nowhere. */
int keyboard_fd(void);

/* Returns the next key without waiting; KEY_NONE: there is none. */
int keyboard_next(void);

/* Whether the terminal's size has changed since this was asked. */
bool keyboard_resized(void);

#endif
