#include "vk/pipeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vk/handles.h"
#include "vk/pipeline_cache.h"
#include "vk/pipeline_table.h"
#include "vk/recorder.h"

/* A program has a few hundred pipelines. */
#define BUCKETS 256
/* Threads that build in the background. Drivers take tens of megabytes for each, and a model has a few dozen pipelines. */
#define BUILDERS_MAX 8

typedef struct shader_module {
    struct shader_module *next; /* owned */
    const uint32_t *words;      /* borrowed; the identity */
    VkShaderModule handle;      /* owned */
} shader_module;

typedef struct pipeline_layout {
    struct pipeline_layout *next; /* owned */
    uint32_t binding_count, push_size;
    VkPipelineLayout handle; /* owned */
} pipeline_layout;

struct br_vk_pipelines {
    br_errands *builders; /* owned */
    br_vk_pipeline_cache cache;
    br_vk_pipeline *buckets[BUCKETS];                         /* owned */
    shader_module *modules;                                   /* owned */
    pipeline_layout *layouts;                                 /* owned */
    VkDescriptorSetLayout set_layouts[BR_VK_BINDING_MAX + 1]; /* owned; by number of bindings, created when first asked for */
};

br_status br_vk_pipelines_create(br_vk_device *device, const char *cache_dir)
{
    device->pipelines = calloc(1, sizeof *device->pipelines);
    if (!device->pipelines)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    int threads = br_cpu_count() - 1; /* the caller's thread loads weights meanwhile, or builds what it needs at once */
    threads = threads < 1 ? 1 : threads > BUILDERS_MAX ? BUILDERS_MAX : threads;
    BR_TRY(br_errands_create(threads, &device->pipelines->builders));
    return br_vk_pipeline_cache_init(device, cache_dir, &device->pipelines->cache);
}

void br_vk_pipelines_destroy(br_vk_device *device)
{
    br_vk_pipelines *pipelines = device->pipelines;
    if (!pipelines)
        return;
    br_errands_destroy(pipelines->builders);
    br_vk_pipeline_cache_finish(device, &pipelines->cache);
    for (size_t i = 0; i < BUCKETS; i++)
        for (br_vk_pipeline *p = pipelines->buckets[i], *next; p; p = next) {
            next = p->next;
            device->fn.vkDestroyPipeline(device->handle, p->handle, NULL);
            br_status_free(p->failure);
            free(p);
        }
    for (shader_module *m = pipelines->modules, *next; m; m = next) {
        next = m->next;
        device->fn.vkDestroyShaderModule(device->handle, m->handle, NULL);
        free(m);
    }
    for (pipeline_layout *l = pipelines->layouts, *next; l; l = next) {
        next = l->next;
        device->fn.vkDestroyPipelineLayout(device->handle, l->handle, NULL);
        free(l);
    }
    for (size_t i = 0; i <= BR_VK_BINDING_MAX; i++)
        if (pipelines->set_layouts[i])
            device->fn.vkDestroyDescriptorSetLayout(device->handle, pipelines->set_layouts[i], NULL);
    free(pipelines);
    device->pipelines = NULL;
}

static br_status get_module(br_vk_device *device, const br_vk_pipeline_params *params, VkShaderModule *out_module)
{
    br_vk_pipelines *pipelines = device->pipelines;
    for (shader_module *m = pipelines->modules; m; m = m->next)
        if (m->words == params->words) {
            *out_module = m->handle;
            return NULL;
        }
    shader_module *module = calloc(1, sizeof *module);
    if (!module)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    VkShaderModuleCreateInfo info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = params->size, .pCode = params->words};
    br_status status = BR_VK(device->fn.vkCreateShaderModule(device->handle, &info, NULL, &module->handle));
    if (status) {
        free(module);
        return status;
    }
    br_vk_device_set_name(device, VK_OBJECT_TYPE_SHADER_MODULE, (uint64_t)module->handle, params->name);
    module->words = params->words;
    module->next = pipelines->modules;
    pipelines->modules = module;
    *out_module = module->handle;
    return NULL;
}

static br_status get_set_layout(br_vk_device *device, uint32_t binding_count, VkDescriptorSetLayout *out_layout)
{
    VkDescriptorSetLayout *slot = &device->pipelines->set_layouts[binding_count];
    if (!*slot) {
        VkDescriptorSetLayoutBinding bindings[BR_VK_BINDING_MAX];
        for (uint32_t i = 0; i < binding_count; i++)
            bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                         .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                         .descriptorCount = 1,
                                                         .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
        VkDescriptorSetLayoutCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = binding_count,
                                                .pBindings = bindings};
        BR_TRY(BR_VK(device->fn.vkCreateDescriptorSetLayout(device->handle, &info, NULL, slot)));
    }
    *out_layout = *slot;
    return NULL;
}

static br_status get_layout(br_vk_device *device, const br_vk_pipeline_params *params, VkDescriptorSetLayout set_layout,
                            VkPipelineLayout *out_layout)
{
    br_vk_pipelines *pipelines = device->pipelines;
    for (pipeline_layout *l = pipelines->layouts; l; l = l->next)
        if (l->binding_count == params->binding_count && l->push_size == params->push_size) {
            *out_layout = l->handle;
            return NULL;
        }
    pipeline_layout *layout = calloc(1, sizeof *layout);
    if (!layout)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = params->push_size};
    VkPipelineLayoutCreateInfo info = {
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,       .setLayoutCount = 1,          .pSetLayouts = &set_layout,
        .pushConstantRangeCount = params->push_size ? 1 : 0, .pPushConstantRanges = &push,
    };
    br_status status = BR_VK(device->fn.vkCreatePipelineLayout(device->handle, &info, NULL, &layout->handle));
    if (status) {
        free(layout);
        return status;
    }
    layout->binding_count = params->binding_count;
    layout->push_size = params->push_size;
    layout->next = pipelines->layouts;
    pipelines->layouts = layout;
    *out_layout = layout->handle;
    return NULL;
}

/* Touches nothing of the table: pipelines are built by several threads at a time. */
static void build(br_errand *errand)
{
    br_vk_pipeline *pipeline = (br_vk_pipeline *)errand;
    br_vk_device *device = pipeline->device;
    const br_vk_pipeline_params *params = &pipeline->params;
    VkSpecializationMapEntry entries[BR_VK_SPEC_MAX];
    for (uint32_t i = 0; i < params->spec_count; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = i * 4, .size = 4};
    VkSpecializationInfo spec = {
        .mapEntryCount = params->spec_count, .pMapEntries = entries, .dataSize = params->spec_count * 4, .pData = params->spec};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, .requiredSubgroupSize = params->subgroup_size};
    VkPipelineCreateFlags flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT; /* the recorder may cut a long dispatch into parts */
    if (device->capture_statistics)
        flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
    if (device->capture_representations)
        flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    /* A pipeline out of a cache may have lost what was to be captured. */
    VkPipelineCache cache = device->capture_statistics ? VK_NULL_HANDLE : device->pipelines->cache.handle;
    VkComputePipelineCreateInfo info = {
        VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = flags,
        .stage =
            {
                VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = params->subgroup_size ? &subgroup : NULL,
                .flags = params->subgroup_size ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = pipeline->module,
                .pName = "main",
                .pSpecializationInfo = params->spec_count ? &spec : NULL,
            },
        .layout = pipeline->layout,
    };
    pipeline->failure = BR_VK(device->fn.vkCreateComputePipelines(device->handle, cache, 1, &info, NULL, &pipeline->handle));
    if (!pipeline->failure)
        br_vk_device_set_name(device, VK_OBJECT_TYPE_PIPELINE, (uint64_t)pipeline->handle, params->name);
}

static bool same(const br_vk_pipeline_params *a, const br_vk_pipeline_params *b)
{
    return a->words == b->words && a->binding_count == b->binding_count && a->push_size == b->push_size &&
           a->spec_count == b->spec_count && a->subgroup_size == b->subgroup_size &&
           !memcmp(a->spec, b->spec, a->spec_count * sizeof a->spec[0]);
}

static size_t bucket_of(const br_vk_pipeline_params *params)
{
    uint64_t hash = (uint64_t)(uintptr_t)params->words >> 4;
    for (uint32_t i = 0; i < params->spec_count; i++)
        hash = (hash ^ params->spec[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 32 ^ hash) % BUCKETS;
}

static br_status check_params(const br_vk_device *device, const br_vk_pipeline_params *params)
{
    const br_vk_caps *caps = &device->caps;
    if (params->binding_count > BR_VK_BINDING_MAX || params->binding_count > caps->max_storage_buffers)
        return br_fail(BR_ERROR_UNSUPPORTED, "shader %s: %" PRIu32 " storage buffers, at most %" PRIu32 " can be bound",
                       params->name, params->binding_count,
                       caps->max_storage_buffers < BR_VK_BINDING_MAX ? caps->max_storage_buffers : BR_VK_BINDING_MAX);
    if (params->push_size > caps->max_push || params->push_size % 4 != 0)
        return br_fail(BR_ERROR_UNSUPPORTED,
                       "shader %s: %" PRIu32 " bytes of push constants, expected a multiple of 4 up to %" PRIu32, params->name,
                       params->push_size, caps->max_push);
    if (params->spec_count > BR_VK_SPEC_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "shader %s: %" PRIu32 " specialization constants, at most %d", params->name,
                       params->spec_count, BR_VK_SPEC_MAX);
    if (params->subgroup_size &&
        (!caps->subgroup_size_control || params->subgroup_size < caps->subgroup_min || params->subgroup_size > caps->subgroup_max))
        return br_fail(BR_ERROR_UNSUPPORTED, "shader %s: the device cannot be asked for subgroups of %" PRIu32, params->name,
                       params->subgroup_size);
    return NULL;
}

/* The table's entry for these parameters, made if need be, not yet built. */
static br_status get_entry(br_vk_device *device, const br_vk_pipeline_params *params, br_vk_pipeline **out_pipeline, bool *out_new)
{
    br_vk_pipeline **bucket = &device->pipelines->buckets[bucket_of(params)];
    *out_new = false;
    for (br_vk_pipeline *p = *bucket; p; p = p->next)
        if (same(&p->params, params)) {
            *out_pipeline = p;
            return NULL;
        }
    br_status status = NULL;
    BR_TRY(check_params(device, params));
    br_vk_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    pipeline->building.run = build;
    pipeline->device = device;
    pipeline->params = *params;
    BR_TRY_GOTO(get_module(device, params, &pipeline->module));
    BR_TRY_GOTO(get_set_layout(device, params->binding_count, &pipeline->set_layout));
    BR_TRY_GOTO(get_layout(device, params, pipeline->set_layout, &pipeline->layout));
    pipeline->next = *bucket;
    *bucket = pipeline;
    *out_pipeline = pipeline;
    *out_new = true;
    return NULL;
fail:
    free(pipeline);
    return br_status_prefix(status, "shader %s on %s", params->name, device->caps.name);
}

void br_vk_device_expect_pipeline(br_vk_device *device, const br_vk_pipeline_params *params)
{
    br_vk_pipeline *pipeline;
    bool is_new;
    br_status status = get_entry(device, params, &pipeline, &is_new);
    if (!status && is_new)
        br_errands_add(device->pipelines->builders, &pipeline->building);
    br_status_free(status);
}

static void take_out(br_vk_device *device, br_vk_pipeline *pipeline)
{
    br_vk_pipeline **link = &device->pipelines->buckets[bucket_of(&pipeline->params)];
    while (*link != pipeline)
        link = &(*link)->next;
    *link = pipeline->next;
    free(pipeline);
}

br_status br_vk_device_pipeline(br_vk_device *device, const br_vk_pipeline_params *params, const br_vk_pipeline **out_pipeline)
{
    br_vk_pipeline *pipeline;
    bool is_new;
    *out_pipeline = NULL;
    BR_TRY(get_entry(device, params, &pipeline, &is_new));
    br_errands_finish_one(device->pipelines->builders, &pipeline->building);
    if (pipeline->failure) {
        br_status status = br_status_prefix(pipeline->failure, "shader %s on %s", params->name, device->caps.name);
        take_out(device, pipeline);
        return status;
    }
    device->counters->pipelines += !pipeline->counted;
    pipeline->counted = true;
    *out_pipeline = pipeline;
    return NULL;
}
