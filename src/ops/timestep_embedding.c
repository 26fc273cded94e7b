#include "ops/timestep_embedding.h"

#include <inttypes.h>
#include <math.h>

#include "ops/elementwise.h"
#include "ops/step.h"

#define FACTORS BR_TIMESTEP_EMBEDDING_FACTORS

/* A factor for each bit of a frequency's index. */
#define HALF_MAX (1 << FACTORS)

typedef struct br_timestep_embedding_attrs {
    int64_t dim;
    bool flip_sin_to_cos;
    float freq_shift, max_period;
} br_timestep_embedding_attrs;

br_value br_op_timestep_embedding(br_graph *graph, const char *name, const br_timestep_embedding_params *params)
{
    if (params->step == BR_NONE || !br_step_check(graph, name, params->step))
        return BR_NONE;
    int64_t half = params->dim / 2;
    if (half < 1 || half > HALF_MAX)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: timestep embedding of %" PRId64 " numbers, expected 2 to %d", name,
                             params->dim, 2 * HALF_MAX);
    if (!((double)half - (double)params->freq_shift > 0))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: freq_shift is %g, expected less than %" PRId64, name,
                             (double)params->freq_shift, half);
    if (!(params->max_period > 1 && isfinite(params->max_period)))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: max_period is %g, expected more than 1", name,
                             (double)params->max_period);
    br_timestep_embedding_attrs attrs = {params->dim, params->flip_sin_to_cos, params->freq_shift, params->max_period};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_timestep_embedding,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {params->step},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{BR_F32, br_shape_of(1, params->dim), BR_NONE}}});
}

br_status br_emit_timestep_embedding(br_emitter *emitter, const br_node *node)
{
    const br_timestep_embedding_attrs *attrs = node->attrs;
    br_timestep_embedding_push push = {
        .half_dim = (uint32_t)(attrs->dim / 2), .dim = (uint32_t)attrs->dim, .cos_first = attrs->flip_sin_to_cos};
    double step = -log((double)attrs->max_period) / ((double)push.half_dim - (double)attrs->freq_shift);
    for (int k = 0; k < FACTORS; k++) {
        double factor = fmin(exp(step * (double)(1 << k)), 1 - 0x1p-53); /* below 1 also where it rounds to 1 */
        double upper = floor(ldexp(factor, 32));
        push.factor_hi[k] = (uint32_t)upper;
        push.factor_lo[k] = (uint32_t)ldexp(ldexp(factor, 32) - upper, 32);
    }
    br_slice pieces[] = {
        [BR_TIMESTEP_EMBEDDING_STEP] = {br_emit_whole(emitter, node->inputs[0], BR_VK_READ), 0},
        [BR_TIMESTEP_EMBEDDING_Y] = {br_emit_whole(emitter, node->outputs[0], BR_VK_WRITE), 0},
    };
    /* Two polynomials of nine operations and the angle. */
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = BR_SHADER_TIMESTEP_EMBEDDING,
                                                                 .pieces = pieces,
                                                                 .piece_count = 2,
                                                                 .push = &push,
                                                                 .push_size = sizeof push,
                                                                 .items = push.half_dim + push.dim % 2,
                                                                 .vector = 1,
                                                                 .flops = 20 * (uint64_t)push.half_dim});
}
