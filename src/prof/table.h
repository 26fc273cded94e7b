/* A profile as text for a terminal. */
#ifndef BR_PROF_TABLE_H
#define BR_PROF_TABLE_H

#include <stdio.h>

#include "prof/profile.h"

/* By stage, layer, op, shader and dispatch; at most `rows` lines of each (0: all). */
BR_MUST_CHECK br_status br_prof_print(const br_profile *profile, FILE *stream, int rows);

#endif
