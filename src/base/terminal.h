/* What a stream is connected to. */
#ifndef BR_BASE_TERMINAL_H
#define BR_BASE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Whether a person reads `stream` as it is written, on a screen that understands cursor movement. */
bool br_terminal_is(FILE *stream);
/* Its width in characters; 80 when it does not say. */
int br_terminal_columns(FILE *stream);

#endif
