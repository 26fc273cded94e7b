#include "ref/attention.h"

#include <math.h>
#include <stdlib.h>

static void attend_row(const br_ref_attention_params *p, const float *q, const float *k, const float *v, int key_count,
                       double *weights, double *out_y)
{
    int width = p->heads * p->head_width;
    double maximum = -INFINITY, sum = 0;
    for (int key = 0; key < key_count; key++) {
        double product = 0;
        for (int i = 0; i < p->head_width; i++)
            product += (double)q[i] * k[key * width + i];
        weights[key] = product * p->scale;
        maximum = fmax(maximum, weights[key]);
    }
    for (int key = 0; key < key_count; key++) {
        weights[key] = exp(weights[key] - maximum);
        sum += weights[key];
    }
    for (int i = 0; i < p->head_width; i++) {
        out_y[i] = 0;
        for (int key = 0; key < key_count; key++)
            out_y[i] += weights[key] / sum * v[key * width + i];
    }
}

void br_ref_attention(const br_ref_attention_params *p, double *out_y)
{
    int width = p->heads * p->head_width;
    double *weights = malloc((size_t)p->keys * sizeof *weights);
    for (int picture = 0; picture < p->pictures; picture++)
        for (int row = 0; row < p->queries; row++)
            for (int head = 0; head < p->heads; head++) {
                int at = (picture * p->queries + row) * width + head * p->head_width;
                int from = picture * p->keys * width + head * p->head_width;
                attend_row(p, p->q + at, p->k + from, p->v + from, p->causal ? row + 1 : p->keys, weights, out_y + at);
            }
    free(weights);
}
