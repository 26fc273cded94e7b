/* The copies of the model's output combined, and rescaled to the conditional output's standard deviation (unbiased, as torch.std). */
#ifndef BR_REF_GUIDANCE_H
#define BR_REF_GUIDANCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_ref_guidance_params {
    const float *out; /* [copies, batch, count] */
    size_t batch, count;
    int copies; /* 2 or 3 */
    bool rescale;
    double guidance, image_guidance, factor;
} br_ref_guidance_params;

/* y[batch, count] */
void br_ref_guidance(const br_ref_guidance_params *params, double *y);

#endif
