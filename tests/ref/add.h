/* y = a + b */
#ifndef BR_REF_ADD_H
#define BR_REF_ADD_H

#include <stdbool.h>
#include <stddef.h>

void br_ref_add(const float *a, const float *b, size_t count, double *y);

#endif
