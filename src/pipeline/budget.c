#include "pipeline/budget.h"

/* Tiles are tried in this order; smaller ones than the last would show. Latent pixels along a side. */
static const int tile_sides[] = {256, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40, 32, 24, 16};
#define TILE_COUNT (int)(sizeof tile_sides / sizeof *tile_sides)

/* Of all programs. */
typedef struct needs {
    uint64_t outside; /* what goes in and out, and what the allocator leaves unused */
    uint64_t weights, arena, encode_arena;
    uint64_t least; /* of a pool */
} needs;

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t align_up(uint64_t bytes)
{
    return (bytes + BR_VK_BUFFER_ALIGNMENT - 1) / BR_VK_BUFFER_ALIGNMENT * BR_VK_BUFFER_ALIGNMENT;
}

static br_status add_program(const br_program *program, needs *to)
{
    br_cut_need need;
    const br_graph *graph = program->graph;
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        if (info->alias != BR_NONE || info->kind == BR_VALUE_TEMP)
            continue;
        *(info->kind == BR_VALUE_WEIGHT ? &to->weights : &to->outside) += align_up((uint64_t)br_graph_bytes(graph, i));
    }
    BR_TRY(br_cut_find_need(program, &need));
    to->least = larger(to->least, need.least);
    return NULL;
}

static br_status find_needs(const br_vk_caps *caps, const br_pipeline_programs *programs, needs *out_needs)
{
    needs all = {.outside = br_vk_spare_bytes(caps)};
    const br_program *list[] = {programs->text[0], programs->text[1], programs->cross, programs->denoise, programs->decode};
    for (int i = 0; i < (int)(sizeof list / sizeof *list); i++) {
        if (!list[i])
            continue;
        BR_TRY(add_program(list[i], &all));
        all.arena = larger(all.arena, align_up((uint64_t)list[i]->plan.arena_bytes));
    }
    if (programs->encode) {
        BR_TRY(add_program(programs->encode, &all));
        all.encode_arena = align_up((uint64_t)programs->encode->plan.arena_bytes);
    }
    *out_needs = all;
    return NULL;
}

/* Whether a program finds a place in a pool, the first bank of which is all there is for its arena. */
br_status br_budget_fits(const br_vk_caps *caps, const br_program *program, uint64_t pool, bool *out_fits)
{
    br_cut cut;
    *out_fits = true;
    if (!program)
        return NULL;
    br_status status =
        br_cut_init(&(br_cut_params){.program = program, .pool_bytes = pool, .bank_bytes = br_pool_bank_bytes(caps, pool)}, &cut);
    *out_fits = !status;
    if (!status)
        br_cut_finish(&cut);
    if (br_status_code(status) != BR_ERROR_OUT_OF_DEVICE_MEMORY)
        return status;
    br_status_free(status);
    return NULL;
}

static br_status refuse(const br_budget_params *params, const br_picture_size *size, uint64_t least)
{
    int factor = br_vae_factor(&params->model->vae);
    return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY,
                   "a memory budget of %.1f MiB is too small for %s at %dx%d, %d at once: expected at least %.1f MiB",
                   (double)params->bytes / (1 << 20), params->model->path, size->width * factor, size->height * factor, size->batch,
                   (double)least / (1 << 20));
}

static bool shrink(const br_picture_size *size, int *tile)
{
    int next = 0, now = *tile ? *tile : size->height > size->width ? size->height : size->width;
    while (next < TILE_COUNT && tile_sides[next] >= now)
        next++;
    if (next == TILE_COUNT)
        return false;
    *tile = tile_sides[next];
    return true;
}

bool br_budget_shrink_encoder(br_picture_size *size)
{
    return shrink(size, &size->encode_tile);
}

bool br_budget_shrink(br_picture_size *size)
{
    if (!shrink(size, &size->decode_tile))
        return false;
    size->encode_tile = size->decode_tile;
    return true;
}

/* The smallest budget of all: with the smallest tiles, unless they are the caller's. */
static br_status find_least(const br_budget_params *params, const br_picture_size *asked, br_budget *budget)
{
    br_picture_size size = *asked;
    br_pipeline_programs programs;
    needs all = {0};
    if (!asked->decode_tile)
        size.decode_tile = size.encode_tile = tile_sides[TILE_COUNT - 1];
    BR_TRY(br_pipeline_plan(params->model, params->caps, params->dtypes, &size, &programs));
    br_status status = find_needs(params->caps, &programs, &all);
    br_pipeline_programs_finish(&programs);
    budget->least_bytes = all.outside + all.least;
    return status;
}

/* Plans, and tells whether it fits. */
static br_status attempt(const br_budget_params *params, const br_picture_size *size, br_budget *budget,
                         br_pipeline_programs *programs, bool *out_fits)
{
    needs all;
    br_status status = NULL;
    *out_fits = false;
    BR_TRY(br_pipeline_plan(params->model, params->caps, params->dtypes, size, programs));
    BR_TRY_GOTO(find_needs(params->caps, programs, &all));
    uint64_t whole = all.outside + all.weights + all.arena + all.encode_arena;
    budget->whole_bytes = budget->whole_bytes ? budget->whole_bytes : whole;
    budget->whole = *out_fits = params->bytes == 0 || whole <= params->bytes;
    if (*out_fits || params->bytes < all.outside + all.least)
        return NULL;
    budget->pool_bytes = (params->bytes - all.outside) / BR_VK_BUFFER_ALIGNMENT * BR_VK_BUFFER_ALIGNMENT;
    const br_program *list[] = {programs->text[0], programs->text[1], programs->cross,
                                programs->denoise, programs->decode,  programs->encode};
    *out_fits = true;
    for (int i = 0; i < (int)(sizeof list / sizeof *list) && *out_fits; i++)
        BR_TRY_GOTO(br_budget_fits(params->caps, list[i], budget->pool_bytes, out_fits));
    return NULL;
fail:
    br_pipeline_programs_finish(programs);
    return status;
}

br_status br_budget_plan(const br_budget_params *params, br_picture_size *size, br_budget *out_budget,
                         br_pipeline_programs *out_programs)
{
    const br_picture_size asked = *size;
    br_budget budget = {0};
    bool fit = false;
    *out_programs = (br_pipeline_programs){0};
    if (params->bytes)
        BR_TRY(find_least(params, &asked, &budget));
    if (params->bytes < budget.least_bytes)
        return refuse(params, size, budget.least_bytes);
    do {
        br_pipeline_programs_finish(out_programs);
        BR_TRY(attempt(params, size, &budget, out_programs, &fit));
    } while (!fit && !asked.decode_tile && br_budget_shrink(size));
    *out_budget = budget;
    if (fit)
        return NULL;
    br_pipeline_programs_finish(out_programs);
    return refuse(params, size, budget.least_bytes);
}
