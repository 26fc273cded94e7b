#include "exec/tune.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "exec/stage.h"
#include "ops/gemm.h"

/* As the class of device suggests unless another one is faster by this: measurements of a millisecond differ that much. */
#define GAIN_MIN 1.05
#define RUNS 5
/* Elements of the result that the host computes too: whole columns of tiles and their edges are among them, since the step is odd. */
#define SAMPLES 509
/* ‖result − host's‖ / ‖host's‖ over the samples: what docs/DESIGN.md allows an op, and half a unit of 11 bits. */
#define ERROR_F32 1e-5
#define ERROR_F16 (1e-5 + 1.0 / 2048)

/* Of a UNet at 64 × 64, 32 × 32 and 8 × 8 latents: one for each br_gemm_shape. The odd rows have tiles with an edge. They are repeated within one submission,
 * whose own cost would hide them; so would the last result's way to the host's memory. */
static const struct {
    const char *name;
    int m, n, k, repeats;
} shapes[BR_VK_TUNED_SHAPES] = {{"large", 4095, 640, 640, 4}, {"medium", 511, 640, 1280, 8}, {"small", 127, 320, 1280, 64}};

int br_tuning_pick(br_tuning_row *rows, int count)
{
    int best = 0;
    for (int i = 0; i < count; i++)
        if (rows[i].is_default)
            best = i;
    double gain = rows[best].right ? GAIN_MIN : 0, rate = rows[best].right ? rows[best].gflops : 0;
    for (int i = 0; i < count; i++)
        if (rows[i].right && rows[i].gflops > rate * gain) {
            best = i;
            rate = rows[i].gflops;
            gain = 1;
        }
    rows[best].chosen = true;
    return best;
}

typedef struct product {
    br_value x, w, y;
    br_stage stage;
    br_vk_buffer *arena;
} product;

static void finish(product *it)
{
    br_stage_finish(&it->stage);
    br_vk_buffer_destroy(it->arena);
}

static br_status begin(const br_tuning_params *params, const br_vk_caps *caps, const br_tuning_row *row, int repeats, product *it)
{
    br_dtype dtype = caps->f16_storage ? BR_F16 : BR_F32;
    br_graph graph;
    br_program *program;
    *it = (product){0};
    br_graph_init(&graph);
    it->x = br_graph_input(&graph, "x", dtype, br_shape_of(row->m, row->k));
    it->w = br_graph_input(&graph, "w", dtype, br_shape_of(row->n, row->k));
    for (int i = 0; i < repeats; i++)
        it->y =
            br_op_linear(&graph, "product", &(br_linear_params){.x = it->x, .weight = it->w, .bias = BR_NONE, .residual = BR_NONE});
    br_graph_output(&graph, it->y, "y");
    BR_TRY(br_program_create(&graph, "tuning", caps, &program));
    br_status status =
        br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE,
                            program->plan.arena_bytes > 0 ? (uint64_t)program->plan.arena_bytes : 256, "tuning", &it->arena);
    if (status) {
        br_program_destroy(program);
        return status;
    }
    return br_stage_init(&(br_stage_params){.device = params->device, .program = program, .arena = it->arena}, &it->stage);
}

/* Multiples of 1/32 in [-1, 1): 16-bit floats hold them. */
static float number(uint32_t index, uint32_t seed)
{
    uint32_t h = index * UINT32_C(0x9e3779b1) ^ seed;
    h = (h ^ h >> 15) * UINT32_C(0x85ebca77);
    return (float)((int)(h >> 26) - 32) / 32;
}

static br_status write(product *it, br_value value, uint32_t seed, int64_t count)
{
    float *data = malloc((size_t)count * sizeof *data);
    if (!data)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
    for (int64_t i = 0; i < count; i++)
        data[i] = number((uint32_t)i, seed);
    br_status status = br_stage_write_floats(&it->stage, value, data, count);
    free(data);
    return status;
}

/* Memory that is used again may still hold the right result of the candidate before. */
static br_status poison(product *it, int64_t count)
{
    float *data = malloc((size_t)count * sizeof *data);
    if (!data)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
    for (int64_t i = 0; i < count; i++)
        data[i] = NAN;
    br_status status = br_stage_write_floats(&it->stage, it->y, data, count);
    free(data);
    return status;
}

static br_status compare(product *it, br_tuning_row *row)
{
    int64_t count = (int64_t)row->m * row->n;
    float *y = malloc((size_t)count * sizeof *y);
    if (!y)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
    br_status status = br_stage_read_floats(&it->stage, it->y, y, count);
    double wrong = 0, norm = 0;
    for (int64_t s = 0; s < SAMPLES && !status; s++) {
        int64_t at = s * (count / SAMPLES | 1) % count, i = at / row->n, j = at % row->n;
        double sum = 0;
        for (int k = 0; k < row->k; k++)
            sum += (double)number((uint32_t)(i * row->k + k), 1) * (double)number((uint32_t)(j * row->k + k), 2);
        wrong += (y[at] - sum) * (y[at] - sum);
        norm += sum * sum;
    }
    free(y);
    row->error = sqrt(wrong / norm);
    row->right = row->error <= (br_graph_dtype(it->stage.program->graph, it->y) == BR_F16 ? ERROR_F16 : ERROR_F32);
    return status;
}

static br_status measure(const br_tuning_params *params, const br_vk_caps *caps, int repeats, br_tuning_row *row)
{
    product it;
    double best = INFINITY;
    br_status status = begin(params, caps, row, repeats, &it);
    if (status)
        goto fail;
    BR_TRY_GOTO(write(&it, it.x, 1, (int64_t)row->m * row->k));
    BR_TRY_GOTO(write(&it, it.w, 2, (int64_t)row->n * row->k));
    BR_TRY_GOTO(poison(&it, (int64_t)row->m * row->n));
    BR_TRY_GOTO(br_stage_run(&it.stage));
    BR_TRY_GOTO(compare(&it, row));
    for (int i = 0; i < RUNS && row->right; i++) {
        double began = br_clock_seconds();
        BR_TRY_GOTO(br_stage_run(&it.stage));
        best = fmin(best, br_clock_seconds() - began);
    }
    row->gflops = row->right ? (double)it.stage.program->flops / best * 1e-9 : 0;
fail:
    finish(&it);
    return status;
}

/* A candidate that cannot be built or that loses its way is one that is not chosen; a lost device is the end. */
static br_status try_candidate(const br_tuning_params *params, int shape, int tile, br_tuning_row *row)
{
    br_vk_caps caps = *params->caps;
    caps.tuned_tile[shape] = (uint8_t)(tile + 1);
    br_status status = measure(params, &caps, shapes[shape].repeats / params->divisor + 1, row);
    if (br_status_code(status) == BR_ERROR_DEVICE_LOST)
        return status;
    br_status_free(status);
    return NULL;
}

br_status br_tuning_search(const br_tuning_params *params, br_tuning *out_tuning)
{
    double began = br_clock_seconds();
    *out_tuning = (br_tuning){0};
    br_vk_caps untuned = *params->caps;
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        untuned.tuned_tile[shape] = 0;
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES && br_clock_seconds() - began < params->seconds; shape++) {
        br_gemm_shape found;
        int m = shapes[shape].m, n = shapes[shape].n, k = shapes[shape].k / params->divisor;
        if (!br_gemm_shape_of(&untuned, (uint64_t)m, (uint64_t)n, &found) || (int)found != shape)
            continue;
        br_gemm_tile usual = br_gemm_tile_choose(&untuned, (uint64_t)m, (uint64_t)n);
        br_tuning_row *rows = &out_tuning->rows[out_tuning->count];
        for (int tile = 0; tile < BR_GEMM_TILES; tile++) {
            br_vk_caps caps = untuned;
            caps.tuned_tile[shape] = (uint8_t)(tile + 1);
            br_gemm_tile candidate = br_gemm_tile_choose(&caps, (uint64_t)m, (uint64_t)n);
            rows[tile] = (br_tuning_row){.shape = shapes[shape].name,
                                         .m = m,
                                         .n = n,
                                         .k = k,
                                         .candidate = br_gemm_tile_name(tile),
                                         .error = -1,
                                         .is_default = br_gemm_tile_m(candidate) == br_gemm_tile_m(usual) &&
                                                       br_gemm_tile_n(candidate) == br_gemm_tile_n(usual)};
            out_tuning->count++;
            BR_TRY(try_candidate(&(br_tuning_params){params->device, &untuned, params->seconds, params->divisor}, shape, tile,
                                 &rows[tile]));
        }
        int best = br_tuning_pick(rows, BR_GEMM_TILES);
        out_tuning->tile[shape] = rows[best].right ? (uint8_t)(best + 1) : 0;
    }
    out_tuning->seconds = br_clock_seconds() - began;
    return NULL;
}
