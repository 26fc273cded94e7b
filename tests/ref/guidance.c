#include "ref/guidance.h"

#include <math.h>

static double deviation(const double *values, size_t count)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sqrt(sum / (double)(count - 1));
}

void br_ref_guidance(const br_ref_guidance_params *params, double *y)
{
    size_t copy = params->batch * params->count;
    for (size_t b = 0; b < params->batch; b++) {
        const float *uncond = params->out + b * params->count, *next = uncond + copy, *last = uncond + 2 * copy;
        double *guided = y + b * params->count;
        /* The conditional output's deviation needs its doubles somewhere: y, before the guided output goes there. */
        const float *cond = params->copies == 3 ? last : next;
        for (size_t i = 0; i < params->count; i++)
            guided[i] = cond[i];
        double wanted = params->rescale ? deviation(guided, params->count) : 0;
        for (size_t i = 0; i < params->count; i++) {
            double u = uncond[i], n = next[i];
            guided[i] = params->copies == 3 ? u + params->guidance * (last[i] - n) + params->image_guidance * (n - u)
                                            : u + params->guidance * (n - u);
        }
        if (!params->rescale)
            continue;
        double found = deviation(guided, params->count);
        for (size_t i = 0; i < params->count; i++)
            guided[i] = params->factor * guided[i] * (wanted / found) + (1 - params->factor) * guided[i];
    }
}
