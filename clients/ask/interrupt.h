/* interrupt.h - SIGINT and SIGTERM as something to poll for, so that a command ends in order. */
#ifndef CONCLAVE_CLIENTS_INTERRUPT_H
#define CONCLAVE_CLIENTS_INTERRUPT_H

/* Takes both signals over. A second SIGINT ends the process at once, whatever it is doing. Call
 * once.
 */
void interrupt_open(void);

/* Becomes readable with the first signal and stays so. */
int interrupt_fd(void);

/* Returns the signal that came, 0 while none did. */
int interrupt_seen(void);

/* Gives the signals back to their default, in a forked child that goes on to exec. */
void interrupt_reset(void);

#endif
