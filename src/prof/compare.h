/* What changed between two profiles, of two runs or two devices. */
#ifndef BR_PROF_COMPARE_H
#define BR_PROF_COMPARE_H

#include <stdio.h>

#include "base/json.h"

typedef struct br_prof_compare_params {
    const char *before, *after; /* documents as br_prof_write_json writes them */
    int rows;                   /* lines of each table; 0: all */
} br_prof_compare_params;

/* By stage, op and layer, the largest change first. The caller owns *out_root. Errors: BR_ERROR_FORMAT for a file that is no profile. */
BR_MUST_CHECK br_status br_prof_compare(const br_prof_compare_params *params, json_t **out_root);
/* The same as text. */
BR_MUST_CHECK br_status br_prof_compare_print(const br_prof_compare_params *params, FILE *stream);

#endif
