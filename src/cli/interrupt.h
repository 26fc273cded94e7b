/* Ctrl-C: the first asks for a clean end, the second ends the program as usual. */
#ifndef BR_CLI_INTERRUPT_H
#define BR_CLI_INTERRUPT_H

#include <stdbool.h>

#include "base/status.h"

/* From here on SIGINT and SIGTERM are noted instead of ending the program. */
void br_interrupt_init(void);
bool br_interrupted(void);
/* BR_ERROR_CANCELLED once there was an interrupt: for the places between long calls that have no callback. */
BR_MUST_CHECK br_status br_interrupt_check(void);

#endif
