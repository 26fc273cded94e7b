#include "ref/group_norm.h"

#include <math.h>

static void normalise(const br_ref_group_norm_params *p, size_t picture, size_t group, double *y)
{
    size_t width = p->channels / p->groups, base = picture * p->rows * p->channels + group * width;
    double sum = 0, squares = 0, count = (double)(p->rows * width);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < width; c++)
            sum += p->x[base + r * p->channels + c];
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < width; c++) {
            double d = p->x[base + r * p->channels + c] - sum / count;
            squares += d * d;
        }
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < width; c++) {
            size_t i = base + r * p->channels + c;
            double v = (p->x[i] - sum / count) / sqrt(squares / count + p->eps);
            v = v * p->gamma[group * width + c] + p->beta[group * width + c];
            y[i] = p->silu ? v / (1 + exp(-v)) : v;
        }
}

void br_ref_group_norm(const br_ref_group_norm_params *params, double *y)
{
    for (size_t b = 0; b < params->pictures; b++)
        for (size_t g = 0; g < params->groups; g++)
            normalise(params, b, g, y);
}
