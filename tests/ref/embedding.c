#include "ref/embedding.h"

void br_ref_embedding(const br_ref_embedding_params *params, double *y)
{
    for (size_t i = 0; i < params->pictures * params->length; i++) {
        double last = (double)(params->vocabulary + params->extra_count) - 1, token = params->tokens[i];
        size_t row = (size_t)(token < 0 ? 0 : token > last ? last : token);
        const float *from = row < params->vocabulary ? params->table + row * params->width
                                                     : params->extra + (row - params->vocabulary) * params->width;
        for (size_t d = 0; d < params->width; d++)
            *y++ = from[d] + (params->positions ? (double)params->positions[i % params->length * params->width + d] : 0);
    }
}
