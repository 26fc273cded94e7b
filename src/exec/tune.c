#include "exec/tune.h"

#include "base/clock.h"
#include "exec/attention_trial.h"
#include "exec/trial.h"
#include "ops/gemm.h"

/* As the class of device suggests unless another one is faster by this: measurements of a millisecond differ that much. */
#define GAIN_MIN 1.05

/* Of a UNet at 64 × 64, 32 × 32 and 8 × 8 latents: one for each br_gemm_shape. The odd rows have tiles with an edge. The last is for BR_TUNING_BLOCKS. */
static const struct {
    const char *name;
    int m, n, k, repeats;
} shapes[BR_TUNING_BLOCKS + 1] = {
    {"large", 4095, 640, 640, 4}, {"medium", 511, 640, 1280, 8}, {"small", 127, 640, 2560, 16}, {"q8_0", 1023, 640, 1280, 4}};
/* Of BR_TUNING_ATTENTION: a UNet's at 32 × 32 latents, with rows and keys that are no whole blocks. */
#define ATTENTION_QUERIES 1151
#define ATTENTION_KEYS 980
#define ATTENTION_KEYS_MIN 43 /* more than a block of the form for matrix units */
#define ATTENTION_REPEATS 4
/* A block's numbers, which a depth of BR_TUNING_BLOCKS is a multiple of. */
#define BLOCK 32

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

/* Its rows, which follow one another. */
static br_tuning_row *rows_of(br_tuning *tuning, int kind, int *out_count)
{
    br_tuning_row *first = NULL;
    *out_count = 0;
    for (int i = 0; i < tuning->count; i++)
        if (tuning->rows[i].kind == kind) {
            first = first ? first : &tuning->rows[i];
            ++*out_count;
        }
    return first;
}

static void decide_shape(br_tuning *tuning, int shape)
{
    int count;
    br_tuning_row *rows = rows_of(tuning, shape, &count);
    if (count < BR_VK_TUNED_TILES)
        return;
    int best = br_tuning_pick(rows, BR_VK_TUNED_TILES);
    tuning->tuned.tile[shape] = rows[best].right ? (uint8_t)(best + 1) : 0;
    if (count == BR_VK_TUNED_TILES)
        return;
    br_tuning_row *matrix = &rows[BR_TUNING_MATRIX], pair[] = {rows[best], *matrix};
    pair[0].is_default = !matrix->is_default;
    matrix->chosen = br_tuning_pick(pair, 2) == 1;
    if (matrix->right || rows[best].right)
        tuning->tuned.matrix[shape] = matrix->chosen ? BR_VK_ON : BR_VK_OFF;
}

static void refuse_wrong_matrix(br_tuning *tuning)
{
    bool wrong = false, other_right = false;
    for (int i = 0; i < tuning->count; i++) {
        const br_tuning_row *row = &tuning->rows[i];
        bool matrix = row->kind < BR_TUNING_BLOCKS && row->form == BR_TUNING_MATRIX;
        wrong = wrong || (matrix && !row->right);
        other_right = other_right || (!matrix && row->right && row->kind != BR_TUNING_ATTENTION);
    }
    if (!wrong || !other_right)
        return;
    for (int i = 0; i < tuning->count; i++)
        if (tuning->rows[i].kind < BR_TUNING_BLOCKS && tuning->rows[i].form == BR_TUNING_MATRIX)
            tuning->rows[i].chosen = false;
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        tuning->tuned.matrix[shape] = BR_VK_OFF;
}

/* Where time was up before the last form, that one is not used. */
static void decide_attention(br_tuning *tuning)
{
    int count;
    br_tuning_row *rows = rows_of(tuning, BR_TUNING_ATTENTION, &count);
    if (count < 2)
        return;
    int best = br_tuning_pick(rows, count);
    if (rows[best].right)
        tuning->tuned.attention = (uint8_t)(rows[best].form + 1);
}

void br_tuning_decide(br_tuning *tuning)
{
    tuning->tuned = (br_vk_tuned){0};
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        decide_shape(tuning, shape);
    refuse_wrong_matrix(tuning);
    decide_attention(tuning);
    int count;
    br_tuning_row *rows = rows_of(tuning, BR_TUNING_BLOCKS, &count);
    if (count < BR_TUNING_BLOCK_FORMS)
        return;
    int best = br_tuning_pick(rows, BR_TUNING_BLOCK_FORMS);
    if (rows[best].right)
        tuning->tuned.dot = best == BR_TUNING_DOT ? BR_VK_ON : BR_VK_OFF;
}

typedef struct search {
    const br_tuning_params *params;
    br_vk_caps untuned;
    double began;
    br_tuning *tuning;
} search;

/* A candidate that cannot be built or that loses its way is one that is not chosen; a lost device is the end. Consumes `status`. */
static br_status add_row(search *it, br_tuning_row row, const br_trial_result *result, br_status status)
{
    if (br_status_code(status) == BR_ERROR_DEVICE_LOST)
        return status;
    if (!status) {
        row.error = result->error;
        row.right = result->right;
        row.gflops = result->gflops;
    }
    br_status_free(status);
    it->tuning->rows[it->tuning->count++] = row;
    return NULL;
}

static br_status try_candidate(search *it, const br_vk_caps *caps, br_tuning_row row)
{
    bool blocks = row.kind == BR_TUNING_BLOCKS;
    br_dtype dtype = caps->f16_storage ? BR_F16 : BR_F32;
    br_trial_result result;
    if (br_clock_seconds() - it->began >= it->params->seconds)
        return NULL;
    row.shape = shapes[row.kind].name;
    row.m = shapes[row.kind].m;
    row.n = shapes[row.kind].n;
    row.k = shapes[row.kind].k / it->params->divisor;
    row.error = -1;
    if (blocks)
        row.k = row.k < BLOCK ? BLOCK : row.k / BLOCK * BLOCK;
    br_status status = br_trial_run(&(br_trial_params){.device = it->params->device,
                                                       .caps = caps,
                                                       .m = row.m,
                                                       .n = row.n,
                                                       .k = row.k,
                                                       .repeats = shapes[row.kind].repeats / it->params->divisor + 1,
                                                       .x = dtype,
                                                       .w = blocks ? BR_Q8_0 : dtype,
                                                       .packs = blocks && row.form == BR_TUNING_DOT},
                                    &result);
    return add_row(it, row, &result, status);
}

static br_status search_shape(search *it, int shape)
{
    br_gemm_shape found;
    br_vk_caps caps = it->untuned;
    uint64_t m = (uint64_t)shapes[shape].m, n = (uint64_t)shapes[shape].n;
    uint64_t k = (uint64_t)(shapes[shape].k / it->params->divisor);
    if (!br_gemm_shape_of(&caps, m, n, &found) || (int)found != shape)
        return NULL;
    br_gemm_tile usual = br_gemm_tile_choose(&caps, m, n, k);
    caps.tuned.matrix[shape] = BR_VK_OFF;
    for (int tile = 0; tile < BR_GEMM_TILE_COUNT; tile++) {
        caps.tuned.tile[shape] = (uint8_t)(tile + 1);
        br_gemm_tile candidate = br_gemm_tile_choose(&caps, m, n, k);
        BR_TRY(try_candidate(it, &caps,
                             (br_tuning_row){.kind = shape,
                                             .form = tile,
                                             .candidate = br_gemm_tile_name(tile),
                                             .is_default = br_gemm_tile_m(candidate) == br_gemm_tile_m(usual) &&
                                                           br_gemm_tile_n(candidate) == br_gemm_tile_n(usual)}));
    }
    caps.tuned.matrix[shape] = BR_VK_ON;
    if (!br_gemm_tile_choose_matrix(&caps, m, n, k, &usual))
        return NULL;
    return try_candidate(
        it, &caps,
        (br_tuning_row){.kind = shape, .form = BR_TUNING_MATRIX, .candidate = "matrix", .is_default = caps.prefer_matrix});
}

static br_status search_blocks(search *it)
{
    static const char *const names[BR_TUNING_BLOCK_FORMS] = {"plain", "integer dot"};
    br_vk_caps caps = it->untuned;
    /* 8-bit activations cost precision: where no driver claims the instruction, being faster is not reason enough. */
    if (!caps.integer_dot || !caps.integer_dot_fast)
        return NULL;
    for (int form = 0; form < BR_TUNING_BLOCK_FORMS; form++) {
        bool dot = form == BR_TUNING_DOT;
        caps.tuned.dot = dot ? BR_VK_ON : BR_VK_OFF;
        BR_TRY(try_candidate(
            it, &caps,
            (br_tuning_row){
                .kind = BR_TUNING_BLOCKS, .form = form, .candidate = names[form], .is_default = caps.integer_dot_fast == dot}));
    }
    return NULL;
}

static br_status search_attention(search *it)
{
    static const struct {
        const char *name;
        br_shader_id shader;
    } forms[BR_TUNING_ATTENTION_FORMS] = {{"ordinary", BR_SHADER_ATTENTION_F16},
                                          {"matrix", BR_SHADER_ATTENTION_MATRIX_F16},
                                          {"reduce", BR_SHADER_ATTENTION_REDUCE_F16}};
    br_vk_caps caps = it->untuned;
    if (!caps.cooperative_matrix || !caps.f16_storage)
        return NULL;
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        caps.tuned.matrix[shape] = BR_VK_ON;
    bool reduce = caps.matrix_reduce && caps.prefer_reduce;
    int usual = !caps.prefer_matrix ? BR_VK_ATTENTION_ORDINARY : reduce ? BR_VK_ATTENTION_REDUCE : BR_VK_ATTENTION_MATRIX;
    for (int form = 0; form < BR_TUNING_ATTENTION_FORMS && br_clock_seconds() - it->began < it->params->seconds; form++) {
        caps.tuned.attention = (uint8_t)(form + 1);
        br_tuning_row row = {.kind = BR_TUNING_ATTENTION,
                             .form = form,
                             .shape = "attention",
                             .candidate = forms[form].name,
                             .is_default = form + 1 == usual,
                             .m = ATTENTION_QUERIES,
                             .n = BR_ATTENTION_TRIAL_WIDTH,
                             .k = ATTENTION_KEYS / it->params->divisor + ATTENTION_KEYS_MIN,
                             .error = -1};
        br_trial_result result = {0};
        br_status status =
            br_attention_trial_run(&(br_attention_trial_params){.device = it->params->device,
                                                                .caps = &caps,
                                                                .shader = forms[form].shader,
                                                                .queries = row.m,
                                                                .keys = row.k,
                                                                .repeats = ATTENTION_REPEATS / it->params->divisor + 1},
                                   &result);
        if (br_status_code(status) == BR_ERROR_UNSUPPORTED)
            br_status_free(status);
        else
            BR_TRY(add_row(it, row, &result, status));
    }
    return NULL;
}

br_status br_tuning_search(const br_tuning_params *params, br_tuning *out_tuning)
{
    search it = {.params = params, .untuned = *params->caps, .began = br_clock_seconds(), .tuning = out_tuning};
    *out_tuning = (br_tuning){0};
    it.untuned.tuned = (br_vk_tuned){0};
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        BR_TRY(search_shape(&it, shape));
    BR_TRY(search_attention(&it));
    BR_TRY(search_blocks(&it));
    br_tuning_decide(out_tuning);
    out_tuning->seconds = br_clock_seconds() - it.began;
    return NULL;
}
