#include "pipeline/shaders.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "exec/compiled.h"
#include "pipeline/pipeline.h"
#include "pipeline/request.h"

enum { STAGE_TEXT, STAGE_UNET, STAGE_VAE, STAGE_ENCODE };

typedef struct shader_entry {
    br_vk_pipeline_params pipeline;
    br_shader_info info;
} shader_entry;

typedef struct shader_lister {
    const br_shaders_params *params;
    br_arena *arena;       /* of the list */
    shader_entry *entries; /* owned */
    int count, capacity;
} shader_lister;

const char *br_shaders_stage_name(int stage)
{
    static const char *const names[BR_SHADER_STAGE_COUNT] = {"text", "unet", "vae", "encode"};
    return stage >= 0 && stage < BR_SHADER_STAGE_COUNT ? names[stage] : NULL;
}

static br_status no_memory(void)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while listing shaders");
}

static bool same(const br_vk_pipeline_params *a, const br_vk_pipeline_params *b)
{
    return a->words == b->words && a->binding_count == b->binding_count && a->push_size == b->push_size &&
           a->spec_count == b->spec_count && a->subgroup_size == b->subgroup_size &&
           memcmp(a->spec, b->spec, a->spec_count * sizeof a->spec[0]) == 0;
}

static br_status find_entry(shader_lister *lister, const br_op_dispatch *dispatch, br_shader_info **out_info)
{
    br_vk_pipeline_params pipeline = br_program_pipeline(dispatch);
    for (int i = 0; i < lister->count; i++)
        if (same(&lister->entries[i].pipeline, &pipeline)) {
            *out_info = &lister->entries[i].info;
            return NULL;
        }
    if (lister->count == lister->capacity) {
        int capacity = lister->capacity ? 2 * lister->capacity : 64;
        shader_entry *entries = realloc(lister->entries, (size_t)capacity * sizeof *entries);
        if (!entries)
            return no_memory();
        lister->entries = entries;
        lister->capacity = capacity;
    }
    shader_entry *entry = &lister->entries[lister->count++];
    *entry = (shader_entry){.pipeline = pipeline,
                            .info = {.shader = pipeline.name,
                                     .binding_count = pipeline.binding_count,
                                     .push_bytes = pipeline.push_size,
                                     .spirv = pipeline.words,
                                     .spirv_bytes = pipeline.size,
                                     .layer = br_arena_strdup(lister->arena, dispatch->name)}};
    *out_info = &entry->info;
    return entry->info.layer ? NULL : no_memory();
}

/* `program` may be NULL: the model has no such stage. */
static br_status count_program(shader_lister *lister, const br_program *program, int stage)
{
    for (int i = 0; program && i < program->dispatch_count; i++) {
        br_shader_info *info;
        BR_TRY(find_entry(lister, &program->dispatches[i], &info));
        info->dispatches[stage]++;
        info->flops[stage] += (double)program->dispatches[i].flops;
    }
    return NULL;
}

static br_status count_encoder(shader_lister *lister, const br_pipeline_dtypes *dtypes, const br_request *request)
{
    br_graph graph;
    br_encode_graph values;
    br_program *program;
    br_graph_init(&graph);
    br_graph_build_encode(&graph, br_pipeline_vae(lister->params->model), dtypes->vae, request->height, request->width, &values);
    BR_TRY(br_program_create(&graph, "VAE encoder", br_vk_device_caps(lister->params->device), &program));
    br_status status = count_program(lister, program, STAGE_ENCODE);
    br_program_destroy(program);
    return status;
}

static br_status count_all(shader_lister *lister, br_shader_list *list)
{
    const br_shaders_params *params = lister->params;
    const br_vk_caps *caps = br_vk_device_caps(params->device);
    br_pipeline_dtypes dtypes;
    br_pipeline_programs programs;
    br_request request;
    br_generate_params generate = {.prompt = "", .width = params->width, .height = params->height, .batch_size = params->batch};
    BR_TRY(br_request_resolve(params->model, &generate, &request));
    BR_TRY(br_pipeline_choose_dtypes(params->model, caps, params->precision, &dtypes));
    BR_TRY(br_pipeline_plan(params->model, caps, &dtypes, &request.size, &programs));
    br_status status = NULL;
    for (int i = 0; i < BR_MODEL_TEXT_MAX && !status; i++)
        status = count_program(lister, programs.text[i], STAGE_TEXT);
    if (!status)
        status = count_program(lister, programs.cross, STAGE_UNET);
    if (!status)
        status = count_program(lister, programs.denoise, STAGE_UNET);
    if (!status)
        status = count_program(lister, programs.decode, STAGE_VAE);
    br_pipeline_programs_finish(&programs);
    BR_TRY(status);
    list->width = request.width;
    list->height = request.height;
    list->batch_size = request.size.batch;
    list->dtype = br_dtype_name(dtypes.unet.activations);
    return count_encoder(lister, &dtypes, &request);
}

static void name_constants(shader_entry *entry, const br_compiled *compiled)
{
    static const char *const unnamed[BR_VK_SPEC_MAX] = {"#0", "#1", "#2",  "#3",  "#4",  "#5",  "#6",  "#7",
                                                        "#8", "#9", "#10", "#11", "#12", "#13", "#14", "#15"};
    const char *const *names = compiled->constant_names;
    entry->info.constant_count = (int)entry->pipeline.spec_count;
    for (uint32_t i = 0; i < entry->pipeline.spec_count; i++)
        entry->info.constants[i] = (br_shader_constant){names[i] ? names[i] : unnamed[i], entry->pipeline.spec[i]};
}

static br_status copy_executable(shader_lister *lister, const br_vk_executable *from, br_shader_executable *to, double *numbers)
{
    br_arena *arena = lister->arena;
    const char *driver = br_vk_device_caps(lister->params->device)->driver;
    br_shader_statistic *statistics = br_arena_alloc(arena, (from->statistic_count + 1) * sizeof *statistics);
    br_shader_representation *texts = br_arena_alloc(arena, (from->representation_count + 1) * sizeof *texts);
    *to = (br_shader_executable){.name = br_arena_strdup(arena, from->name),
                                 .description = br_arena_strdup(arena, from->description),
                                 .subgroup_size = from->subgroup_size,
                                 .statistics = statistics,
                                 .representations = texts};
    if (!to->name || !to->description || !statistics || !texts)
        return no_memory();
    for (uint32_t i = 0; i < from->statistic_count; i++) {
        const br_vk_statistic *statistic = &from->statistics[i];
        statistics[i] = (br_shader_statistic){.name = br_arena_strdup(arena, statistic->name),
                                              .description = br_arena_strdup(arena, statistic->description),
                                              .value = statistic->value,
                                              .is_float = statistic->format == BR_VK_STATISTIC_FLOAT};
        if (!statistics[i].name || !statistics[i].description)
            return no_memory();
        to->statistic_count++;
        br_shaders_count_statistic(driver, &statistics[i], numbers);
    }
    for (uint32_t i = 0; i < from->representation_count; i++) {
        const br_vk_representation *text = &from->representations[i];
        char *data = br_arena_alloc(arena, text->size + 1);
        texts[i] = (br_shader_representation){.name = br_arena_strdup(arena, text->name),
                                              .description = br_arena_strdup(arena, text->description),
                                              .is_text = text->is_text,
                                              .data = data,
                                              .size = text->size};
        if (!texts[i].name || !texts[i].description || !data)
            return no_memory();
        memcpy(data, text->data, text->size);
        to->representation_count++;
    }
    return NULL;
}

static br_status build_entry(shader_lister *lister, shader_entry *entry)
{
    br_shader_info *info = &entry->info;
    br_compiled compiled;
    BR_TRY(br_compiled_init(lister->params->device, &entry->pipeline, &compiled));
    info->compile_seconds = compiled.seconds;
    name_constants(entry, &compiled);
    for (int i = 0; i < BR_SHADER_NUMBER_COUNT; i++)
        info->numbers[i] = NAN;
    br_status status = NULL;
    uint32_t count = compiled.executables.count;
    br_shader_executable *copies = br_arena_alloc(lister->arena, (count + 1) * sizeof *copies);
    if (!copies)
        status = no_memory();
    for (uint32_t i = 0; i < count && !status; i++)
        status = copy_executable(lister, &compiled.executables.items[i], &copies[i], info->numbers);
    info->executables = copies;
    info->executable_count = (int)count;
    br_compiled_finish(&compiled);
    return status;
}

static double work(const br_shader_info *info)
{
    double all = 0;
    for (int i = 0; i < BR_SHADER_STAGE_COUNT; i++)
        all += info->flops[i];
    return all;
}

/* Most work first; then by name and constants, so that the order is always the same. */
static int by_work(const void *a, const void *b)
{
    const shader_entry *left = a, *right = b;
    double left_work = work(&left->info), right_work = work(&right->info);
    if (left_work != right_work)
        return left_work < right_work ? 1 : -1;
    int order = strcmp(left->pipeline.name, right->pipeline.name);
    for (uint32_t i = 0; !order && i < BR_VK_SPEC_MAX; i++)
        order = (left->pipeline.spec[i] > right->pipeline.spec[i]) - (left->pipeline.spec[i] < right->pipeline.spec[i]);
    return order;
}

br_status br_shaders_list(const br_shaders_params *params, br_shader_list *out_list)
{
    *out_list = (br_shader_list){0};
    br_status status = NULL;
    br_arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return no_memory();
    out_list->storage = arena;
    shader_lister lister = {.params = params, .arena = arena};
    const br_vk_caps *caps = br_vk_device_caps(params->device);
    snprintf(out_list->device, sizeof out_list->device, "%s", caps->name);
    snprintf(out_list->driver, sizeof out_list->driver, "%s%s%s", caps->driver, *caps->driver_info ? ", " : "", caps->driver_info);
    out_list->has_statistics = caps->executable_properties;
    BR_TRY_GOTO(count_all(&lister, out_list));
    qsort(lister.entries, (size_t)lister.count, sizeof *lister.entries, by_work);
    out_list->shaders = br_arena_alloc(arena, (size_t)(lister.count + 1) * sizeof *out_list->shaders);
    if (!out_list->shaders)
        BR_TRY_GOTO(no_memory());
    for (int i = 0; i < lister.count; i++) {
        BR_TRY_GOTO(build_entry(&lister, &lister.entries[i]));
        out_list->shaders[out_list->count++] = lister.entries[i].info;
    }
    free(lister.entries);
    return NULL;
fail:
    free(lister.entries);
    br_shaders_list_finish(out_list);
    return status;
}

void br_shaders_list_finish(br_shader_list *list)
{
    if (list->storage)
        br_arena_finish(list->storage);
    free(list->storage);
    *list = (br_shader_list){0};
}
