#include "exec/attention_trial.h"

#include <math.h>
#include <stdlib.h>

#include "ops/op.h"

#define WIDTH BR_ATTENTION_TRIAL_WIDTH
#define HEADS 8
#define HEAD (WIDTH / HEADS)
/* Of the scores: with it they lie some 2 apart, so that maxima rise and weights differ. */
#define SCALE 1.0
/* As in exec/trial.c. */
#define SAMPLES 509
#define GOLDEN UINT32_C(0x9e3779b1)
/* ‖result − host's‖ / ‖host's‖: half a unit of 11 bits for the weights, and somewhat less for the result (tests/ops/attention.c). */
#define ERROR_MAX (1.5 / 2048)

enum { Q, K, V, INPUTS };

typedef struct attention {
    const br_attention_trial_params *params;
    br_value inputs[INPUTS], y;
    float *numbers[INPUTS]; /* owned */
    br_stage stage;
    br_vk_buffer *arena;
} attention;

static int64_t count_of(const attention *it, int input)
{
    return (int64_t)(input == Q ? it->params->queries : it->params->keys) * WIDTH;
}

static void finish(attention *it)
{
    br_stage_finish(&it->stage);
    br_vk_buffer_destroy(it->arena);
    for (int i = 0; i < INPUTS; i++)
        free(it->numbers[i]);
}

static br_status begin(const br_attention_trial_params *params, attention *it)
{
    static const char *const names[INPUTS] = {"q", "k", "v"};
    br_graph graph;
    br_program *program;
    *it = (attention){.params = params};
    br_graph_init(&graph);
    for (int i = 0; i < INPUTS; i++)
        it->inputs[i] = br_graph_weight(&graph, names[i], BR_F16, br_shape_of(1, count_of(it, i) / WIDTH, WIDTH), BR_WEIGHT_PLAIN);
    for (int i = 0; i < params->repeats; i++)
        it->y =
            br_op_attention(&graph, "attention",
                            &(br_attention_params){
                                .q = it->inputs[Q], .k = it->inputs[K], .v = it->inputs[V], .heads = HEADS, .scale = (float)SCALE});
    br_graph_output(&graph, it->y, "y");
    BR_TRY(br_program_create(&graph, "tuning", params->caps, &program));
    br_status status =
        program->dispatches[0].shader == params->shader
            ? br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE,
                                  program->plan.arena_bytes > 0 ? (uint64_t)program->plan.arena_bytes : 256, "tuning", &it->arena)
            : br_fail(BR_ERROR_UNSUPPORTED, "attention does not take that form");
    if (status) {
        br_program_destroy(program);
        return status;
    }
    return br_stage_init(&(br_stage_params){.device = params->device, .program = program, .arena = it->arena}, &it->stage);
}

/* Multiples of 1/32 in [-1, 1), which 16-bit floats hold. */
static float number(int64_t index, uint32_t seed)
{
    uint32_t h = (uint32_t)index * GOLDEN ^ seed * UINT32_C(0x85ebca77);
    h = (h ^ h >> 15) * UINT32_C(0xc2b2ae3d);
    return (float)((int)(h >> 26) - 32) / 32;
}

static br_status write_inputs(attention *it)
{
    for (int i = 0; i < INPUTS; i++) {
        it->numbers[i] = malloc((size_t)count_of(it, i) * sizeof(float));
        if (!it->numbers[i])
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
        for (int64_t at = 0; at < count_of(it, i); at++)
            it->numbers[i][at] = number(at, (uint32_t)i + 1);
        BR_TRY(br_stage_write_floats(&it->stage, it->inputs[i], it->numbers[i], count_of(it, i)));
    }
    return NULL;
}

/* Column `column` of row `row`, by a softmax in two passes. */
static double expected(const attention *it, int64_t row, int64_t column)
{
    int64_t head = column / HEAD * HEAD;
    const float *q = it->numbers[Q] + row * WIDTH + head;
    double highest = -INFINITY, total = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t key = 0; key < it->params->keys; key++) {
            double score = 0;
            for (int i = 0; i < HEAD; i++)
                score += (double)q[i] * (double)it->numbers[K][key * WIDTH + head + i];
            score *= SCALE;
            highest = fmax(highest, score);
            if (pass == 0)
                continue;
            double weight = exp(score - highest);
            total += weight;
            sum += weight * (double)it->numbers[V][key * WIDTH + column];
        }
    return sum / total;
}

static br_status compare(attention *it, br_trial_result *result)
{
    int64_t count = count_of(it, Q), rows = it->params->queries;
    float *y = malloc((size_t)count * sizeof *y);
    if (!y)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for tuning");
    br_status status = br_stage_read_floats(&it->stage, it->y, y, count);
    double wrong = 0, norm = 0;
    for (int64_t s = 0; s < SAMPLES && !status; s++) {
        int64_t row = s * (rows - 1) / (SAMPLES - 1), column = (int64_t)((uint64_t)((uint32_t)s * GOLDEN) * WIDTH >> 32);
        double want = expected(it, row, column), got = y[row * WIDTH + column];
        wrong += (got - want) * (got - want);
        norm += want * want;
    }
    free(y);
    result->error = sqrt(wrong / norm);
    result->right = result->error <= ERROR_MAX;
    return status;
}

br_status br_attention_trial_run(const br_attention_trial_params *params, br_trial_result *out_result)
{
    attention it;
    double seconds;
    *out_result = (br_trial_result){0};
    br_status status = begin(params, &it);
    if (status)
        goto fail;
    BR_TRY_GOTO(write_inputs(&it));
    BR_TRY_GOTO(br_trial_poison(&it.stage, it.y, count_of(&it, Q)));
    BR_TRY_GOTO(br_stage_run(&it.stage));
    BR_TRY_GOTO(compare(&it, out_result));
    if (out_result->right) {
        BR_TRY_GOTO(br_trial_time(&it.stage, &seconds));
        out_result->gflops = 4e-9 * params->queries * params->keys * WIDTH * params->repeats / seconds;
    }
fail:
    finish(&it);
    return status;
}
