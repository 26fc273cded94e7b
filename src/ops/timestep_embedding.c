#include "ops/timestep_embedding.h"

#include <inttypes.h>
#include <math.h>

#include "ops/elementwise.h"
#include "ops/step.h"

#define FACTORS BR_TIMESTEP_EMBEDDING_FACTORS

/* A factor for each bit of a frequency's index. */
#define HALF_MAX (1 << FACTORS)

/* So that even 4096 pairs each are counted in 32 bits; far beyond any batch. */
#define VALUES_MAX (1 << 16)

typedef struct br_timestep_embedding_attrs {
    bool own;
    int64_t dim;
    bool flip_sin_to_cos;
    float freq_shift, max_period;
} br_timestep_embedding_attrs;

static bool check_values(br_graph *graph, const char *name, br_value values)
{
    br_shape shape = br_graph_shape(graph, values);
    br_dtype dtype = br_graph_dtype(graph, values);
    if (dtype != BR_F32 || shape.rank != 2 || br_shape_count(shape) > VALUES_MAX)
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: values is %s %s, expected f32 [B, N] of at most %d", name,
                      br_dtype_name(dtype), br_shape_format(shape).text, VALUES_MAX);
    return !br_graph_failed(graph);
}

br_value br_op_timestep_embedding(br_graph *graph, const char *name, const br_timestep_embedding_params *params)
{
    bool own = params->values != BR_NONE; /* not the step's */
    br_value source = own ? params->values : params->step;
    if (source == BR_NONE || !(own ? check_values(graph, name, source) : br_step_check(graph, name, source)))
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
    br_shape shape = own ? br_graph_shape(graph, source) : br_shape_of(1, 1);
    shape.dim[1] *= params->dim;
    br_timestep_embedding_attrs attrs = {own, params->dim, params->flip_sin_to_cos, params->freq_shift, params->max_period};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_timestep_embedding,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {source},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{BR_F32, shape, BR_NONE}}});
}

br_status br_emit_timestep_embedding(br_emitter *emitter, const br_node *node)
{
    const br_timestep_embedding_attrs *attrs = node->attrs;
    uint64_t count = attrs->own ? (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->inputs[0])) : 1;
    br_timestep_embedding_push push = {
        .half_dim = (uint32_t)(attrs->dim / 2), .dim = (uint32_t)attrs->dim, .cos_first = attrs->flip_sin_to_cos};
    push.total = (uint32_t)count * (push.half_dim + push.dim % 2);
    double step = -log((double)attrs->max_period) / ((double)push.half_dim - (double)attrs->freq_shift);
    for (int k = 0; k < FACTORS; k++) {
        double factor = fmin(exp(step * (double)(1 << k)), 1 - 0x1p-53); /* below 1 also where it rounds to 1 */
        double upper = floor(ldexp(factor, 32));
        push.factor_hi[k] = (uint32_t)upper;
        push.factor_lo[k] = (uint32_t)ldexp(ldexp(factor, 32) - upper, 32);
    }
    br_slice pieces[] = {
        [BR_TIMESTEP_EMBEDDING_TIMES] = {br_emit_whole(emitter, node->inputs[0], BR_VK_READ), 0},
        [BR_TIMESTEP_EMBEDDING_Y] = {br_emit_whole(emitter, node->outputs[0], BR_VK_WRITE), 0},
    };
    /* Two polynomials of nine operations and the angle. */
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = BR_SHADER_TIMESTEP_EMBEDDING,
                                                                 .pieces = pieces,
                                                                 .piece_count = 2,
                                                                 .push = &push,
                                                                 .push_size = sizeof push,
                                                                 .items = push.total,
                                                                 .vector = 1,
                                                                 .spec_count = 1,
                                                                 .spec = {attrs->own},
                                                                 .flops = 20 * count * push.half_dim});
}
