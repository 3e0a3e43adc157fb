/* standard.h - descriptors 0, 1 and 2 of a program that was started without some of them. */
#ifndef CONCLAVE_BASE_STANDARD_H
#define CONCLAVE_BASE_STANDARD_H

/* Takes the numbers of those that are closed (`conclave ... >&-`), so that no socket and no file
 * gets one of them: what is printed would go into it. Reading from or writing to what was closed
 * stays the error EBADF. At the start of main(), before anything is opened. */
void standard_take(void);

#endif
