/* y[rows, a_width + b_width]: a's row, then b's. */
#ifndef BR_REF_CONCAT_H
#define BR_REF_CONCAT_H

#include <stdbool.h>
#include <stddef.h>

void br_ref_concat(const float *a, size_t a_width, const float *b, size_t b_width, size_t rows, double *y);

#endif
