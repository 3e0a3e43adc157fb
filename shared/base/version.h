/* version.h - the version of all programs of this tree. */
#ifndef CONCLAVE_BASE_VERSION_H
#define CONCLAVE_BASE_VERSION_H

#define CONCLAVE_VERSION "0.1.0"

#endif
