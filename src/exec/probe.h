/* What a profile wants to know of a program: its dispatches and the life of the values in its arena. */
#ifndef BR_EXEC_PROBE_H
#define BR_EXEC_PROBE_H

#include "exec/program.h"
#include "prof/profile.h"

BR_MUST_CHECK br_status br_probe_program(br_profile *profile, const br_program *program, int *out_index);

#endif
