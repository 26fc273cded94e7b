/* x = mask * x + (1 - mask) * (signal * known + level * noise); mask[rows], the others [rows, channels] */
#ifndef BR_REF_KEEP_H
#define BR_REF_KEEP_H

#include <stddef.h>

typedef struct br_ref_keep_params {
    const float *mask, *known, *noise;
    size_t rows, channels;
    double signal, level;
} br_ref_keep_params;

void br_ref_keep(const br_ref_keep_params *params, double *x);

#endif
