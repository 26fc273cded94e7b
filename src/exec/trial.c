#include "exec/trial.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/f16.h"
#include "exec/repack.h"
#include "exec/stage.h"
#include "ops/op.h"
#include "weights/quant_blocks.h"

#define RUNS 5
/* Elements of the result that the host computes too: row s · (M − 1) / (SAMPLES − 1), and of the row the part s · golden ratio mod 1. Such points lie evenly in
 * both directions, so that each of the 160 tiles that an output has by the larger forms has some, the last row among them. */
#define SAMPLES 509
#define GOLDEN UINT32_C(0x9e3779b1) /* of 2^32 */
/* ‖result − host's‖ / ‖host's‖ over the samples: what docs/DESIGN.md allows an op, and half a unit of 11 bits. */
#define ERROR_F32 1e-5
#define ERROR_F16 (1e-5 + 1.0 / 2048)

typedef struct product {
    const br_trial_params *params;
    br_value x, w, y;
    br_stage stage;
    br_vk_buffer *arena;
} product;

static void finish(product *it)
{
    br_stage_finish(&it->stage);
    br_vk_buffer_destroy(it->arena);
}

static br_status begin(const br_trial_params *params, product *it)
{
    br_graph graph;
    br_program *program;
    *it = (product){.params = params};
    br_graph_init(&graph);
    /* Weights, both: those lie in the device's own memory. */
    it->x = br_graph_weight(&graph, "x", params->x, br_shape_of(params->m, params->k), BR_WEIGHT_PLAIN);
    it->w = br_graph_weight(&graph, "w", params->w, br_shape_of(params->n, params->k), BR_WEIGHT_PLAIN);
    for (int i = 0; i < params->repeats; i++)
        it->y =
            br_op_linear(&graph, "product", &(br_linear_params){.x = it->x, .weight = it->w, .bias = BR_NONE, .residual = BR_NONE});
    br_graph_output(&graph, it->y, "y");
    BR_TRY(br_program_create(&graph, "tuning", params->caps, &program));
    br_status status =
        br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE,
                            program->plan.arena_bytes > 0 ? (uint64_t)program->plan.arena_bytes : 256, "tuning", &it->arena);
    if (status) {
        br_program_destroy(program);
        return status;
    }
    return br_stage_init(&(br_stage_params){.device = params->device, .program = program, .arena = it->arena}, &it->stage);
}

static uint32_t scramble(int64_t index, uint32_t seed)
{
    uint32_t h = (uint32_t)index * GOLDEN ^ seed;
    return (h ^ h >> 15) * UINT32_C(0x85ebca77);
}

/* Multiples of 1/32 in [-1, 1): 16-bit floats hold them. */
static float number(int64_t index, uint32_t seed)
{
    return (float)((int)(scramble(index, seed) >> 26) - 32) / 32;
}

/* Beside blocks: (q + δ) · unit, q whole, |δ| <= 3/8, one of 32 neighbours ±127 · unit. A device that packs x gets q whatever its division rounds to, so
 * that the sums of what it `packed` are exact but for f32 additions; δ tells that it did pack. 16-bit floats hold all of them. */
static float x_at(const br_trial_params *params, int64_t at, bool packed)
{
    if (params->w != BR_Q8_0)
        return number(at, 1);
    uint32_t h = scramble(at, 1);
    int64_t block = at / BR_QUANT_BLOCK;
    float unit = ldexpf(1, -7 - (int)(block % 3));
    if (at % BR_QUANT_BLOCK == block % BR_QUANT_BLOCK)
        return h & 1 ? 127 * unit : -127 * unit;
    float whole = (float)((int)(h % 253) - 126), shift = (float)((int)(h / 253 % 7) - 3) / 8;
    return (packed ? whole : whole + shift) * unit;
}

static int q8_0_at(int64_t at)
{
    return (int)(scramble(at, 2) >> 8) % 255 - 127;
}

/* Of the block that `at` is in; 16-bit floats hold it. */
static float q8_0_scale(int64_t at)
{
    return (float)(8 + at / BR_QUANT_BLOCK % 5) / 1024;
}

static float w_at(const br_trial_params *params, int64_t at)
{
    return params->w == BR_Q8_0 ? q8_0_scale(at) * (float)q8_0_at(at) : number(at, 2);
}

static br_status no_memory(void)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
}

static br_status write_x(product *it)
{
    int64_t count = (int64_t)it->params->m * it->params->k;
    float *data = malloc((size_t)count * sizeof *data);
    if (!data)
        return no_memory();
    for (int64_t i = 0; i < count; i++)
        data[i] = x_at(it->params, i, false);
    br_status status = br_stage_write_floats(&it->stage, it->x, data, count);
    free(data);
    return status;
}

static br_status write_blocks(product *it)
{
    int64_t n = it->params->n, k = it->params->k, row_bytes = br_dtype_row_bytes(BR_Q8_0, k);
    br_block_q8_0 *row = malloc((size_t)(k / BR_QUANT_BLOCK) * sizeof *row);
    uint32_t *words = malloc((size_t)(n * row_bytes));
    br_status status = row && words ? NULL : no_memory();
    for (int64_t i = 0; i < n && !status; i++) {
        for (int64_t at = i * k; at < (i + 1) * k; at++) {
            br_block_q8_0 *block = &row[(at - i * k) / BR_QUANT_BLOCK];
            block->d = br_f32_to_f16(q8_0_scale(at));
            block->qs[at % BR_QUANT_BLOCK] = (int8_t)q8_0_at(at);
        }
        br_repack_row(BR_Q8_0, (const uint8_t *)row, k, words + i * row_bytes / 4);
    }
    if (!status)
        status = br_stage_write(&it->stage, it->w, words, (uint64_t)(n * row_bytes));
    free(row);
    free(words);
    return status;
}

static br_status write_w(product *it)
{
    if (it->params->w == BR_Q8_0)
        return write_blocks(it);
    int64_t count = (int64_t)it->params->n * it->params->k;
    float *data = malloc((size_t)count * sizeof *data);
    if (!data)
        return no_memory();
    for (int64_t i = 0; i < count; i++)
        data[i] = w_at(it->params, i);
    br_status status = br_stage_write_floats(&it->stage, it->w, data, count);
    free(data);
    return status;
}

br_status br_trial_poison(br_stage *stage, br_value y, int64_t count)
{
    float *data = malloc((size_t)count * sizeof *data);
    if (!data)
        return no_memory();
    for (int64_t i = 0; i < count; i++)
        data[i] = NAN;
    br_status status = br_stage_write_floats(stage, y, data, count);
    free(data);
    return status;
}

br_status br_trial_time(br_stage *stage, double *out_seconds)
{
    *out_seconds = INFINITY;
    for (int i = 0; i < RUNS; i++) {
        double began = br_clock_seconds();
        BR_TRY(br_stage_run(stage));
        *out_seconds = fmin(*out_seconds, br_clock_seconds() - began);
    }
    return NULL;
}

static br_status compare(product *it, br_trial_result *result)
{
    const br_trial_params *params = it->params;
    int64_t count = (int64_t)params->m * params->n;
    float *y = malloc((size_t)count * sizeof *y);
    if (!y)
        return no_memory();
    br_status status = br_stage_read_floats(&it->stage, it->y, y, count);
    double wrong = 0, norm = 0;
    for (int64_t s = 0; s < SAMPLES && !status; s++) {
        int64_t i = s * (params->m - 1) / (SAMPLES - 1),
                j = (int64_t)((uint64_t)((uint32_t)s * GOLDEN) * (uint64_t)params->n >> 32);
        float got = y[i * params->n + j];
        double sum = 0;
        for (int64_t k = 0; k < params->k; k++)
            sum += (double)x_at(params, i * params->k + k, params->packs) * (double)w_at(params, j * params->k + k);
        wrong += (got - sum) * (got - sum);
        norm += sum * sum;
    }
    free(y);
    result->error = sqrt(wrong / norm);
    result->right = result->error <= (params->x == BR_F16 ? ERROR_F16 : ERROR_F32);
    return status;
}

br_status br_trial_run(const br_trial_params *params, br_trial_result *out_result)
{
    product it;
    double seconds;
    *out_result = (br_trial_result){0};
    br_status status = begin(params, &it);
    if (status)
        goto fail;
    BR_TRY_GOTO(write_x(&it));
    BR_TRY_GOTO(write_w(&it));
    BR_TRY_GOTO(br_trial_poison(&it.stage, it.y, (int64_t)params->m * params->n));
    BR_TRY_GOTO(br_stage_run(&it.stage));
    BR_TRY_GOTO(compare(&it, out_result));
    if (out_result->right) {
        BR_TRY_GOTO(br_trial_time(&it.stage, &seconds));
        out_result->gflops = 2e-9 * params->m * params->n * params->k * params->repeats / seconds;
    }
fail:
    finish(&it);
    return status;
}
