/* Stable Diffusion 1.5 at its real size, planned for the minimum device and for a large one: parameters, FLOPs, and that every dispatch keeps within
 * the limits (br_emit_dispatch refuses one that does not). No weights and no Vulkan are needed. */
#include <math.h>

#include "exec/program.h"
#include "pipeline/architecture.h"
#include "pipeline/pipeline.h"
#include "support/test.h"

static br_vk_caps device(uint64_t max_storage_range, uint32_t max_shared, uint32_t max_invocations)
{
    return (br_vk_caps){.type = VK_PHYSICAL_DEVICE_TYPE_OTHER,
                        .max_storage_range = max_storage_range,
                        .max_buffer_size = (uint64_t)4 << 30,
                        .max_groups = {65535, 65535, 65535},
                        .max_group_size = {max_invocations, max_invocations, 64},
                        .max_invocations = max_invocations,
                        .max_shared = max_shared,
                        .max_push = 128,
                        .max_storage_buffers = 6,
                        .storage_alignment = 256,
                        .subgroup_size = 4,
                        .subgroup_min = 4,
                        .subgroup_max = 4,
                        .f16_storage = true};
}

static json_t *read(const char *name)
{
    char path[128];
    json_t *config;
    snprintf(path, sizeof path, "tests/data/architectures/%s.json", name);
    assert_status_ok(br_json_read(br_test_path(path), 1 << 16, &config));
    return config;
}

static uint64_t parameters(const br_graph *graph)
{
    uint64_t count = 0;
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].kind == BR_VALUE_WEIGHT && graph->values[i].alias == BR_NONE)
            count += (uint64_t)br_shape_count(graph->values[i].shape);
    return count;
}

static br_program *plan(br_graph *graph, const char *name, const br_vk_caps *caps)
{
    br_program *program;
    assert_status_ok(br_program_create(graph, name, caps, &program));
    assert_true(program->plan.arena_bytes >= program->plan.lower_bound_bytes);
    print_message("  %-8s range %6.0f MiB: %4d dispatches, %8.3f GFLOP, arena %7.1f MiB (lower bound %7.1f), %11llu parameters\n",
                  name, (double)caps->max_storage_range / (1 << 20), program->dispatch_count, (double)program->flops * 1e-9,
                  (double)program->plan.arena_bytes / (1 << 20), (double)program->plan.lower_bound_bytes / (1 << 20),
                  (unsigned long long)parameters(program->graph));
    return program;
}

/* Counts published for SD 1.5: 859,520,964 parameters in the UNet, 49,490,199 in the VAE's decoder (83,653,863 in all), 123,060,480 in the text encoder.
 * FLOPs: the table in docs/performance.md; only matrix products, convolutions and attention count there, so ours are a little higher. */
#define UNET_PARAMETERS 859520964u
#define TEXT_PARAMETERS 123060480u
/* SD 2.1's, of stabilityai/stable-diffusion-2-1. */
#define SD21_UNET_PARAMETERS 865910724u
#define SDXL_UNET_PARAMETERS 2567463684u
/* The states before the last layer: without its weights and those of the norm after it. */
#define SDXL_TEXT_PARAMETERS (TEXT_PARAMETERS - 7087872u - 1536u)
#define SD21_TEXT_PARAMETERS 340387840u
#define UNET_FLOPS 0.803e12
#define DECODER_FLOPS 2.51e12
#define FLOPS_TOLERANCE 0.02
/* Activations of the decoder: what is asked of a device, and x and the shortcut of the block that narrows, 128 and 64 MiB, hold most of it. */
#define DECODER_F16_BYTES 256000000

static void check_all(const br_vk_caps *caps, br_graph_dtypes dtypes)
{
    br_graph graph;
    br_unet_config unet;
    json_t *config = read("sd15_unet");
    assert_status_ok(br_unet_config_read(config, "sd15_unet.json", &unet));
    json_decref(config);
    br_denoise_graph denoise;
    br_cross_graph cross;
    br_denoise_params params = {.unet = &unet, .dtypes = dtypes, .batch = 1, .copies = 2, .height = 64, .width = 64, .tokens = 77};
    br_graph_init(&graph);
    br_graph_build_cross(&graph, &params, &cross);
    br_program *once = plan(&graph, "cross", caps);
    br_graph_init(&graph);
    br_graph_build_denoise(&graph, &params, &denoise);
    br_program *program = plan(&graph, "unet", caps);
    assert_int_equal(parameters(once->graph) + parameters(program->graph), UNET_PARAMETERS);
    assert_true(fabs((double)(once->flops + program->flops) / (2 * UNET_FLOPS) - 1) < FLOPS_TOLERANCE);
    br_program_destroy(once);
    br_program_destroy(program);

    br_vae_config vae;
    config = read("sd15_vae");
    assert_status_ok(br_vae_config_read(config, "sd15_vae.json", &vae));
    json_decref(config);
    assert_int_equal(br_vae_factor(&vae), 8);
    br_decode_graph decode;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, (br_graph_vae){.config = &vae}, dtypes, 64, 64, &decode);
    program = plan(&graph, "decoder", caps);
    assert_true(fabs((double)program->flops / DECODER_FLOPS - 1) < FLOPS_TOLERANCE);
    assert_int_equal(program->plan.arena_bytes, program->plan.lower_bound_bytes);
    assert_true(program->plan.arena_bytes <= (dtypes.activations == BR_F16 ? DECODER_F16_BYTES : 2 * DECODER_F16_BYTES));
    br_program_destroy(program);

    br_clip_text_config clip;
    config = read("sd15_text_encoder");
    assert_status_ok(br_clip_text_config_read(config, "sd15_text_encoder.json", &clip));
    json_decref(config);
    br_text_graph text;
    br_graph_init(&graph);
    br_graph_build_text(&graph, &(br_text_params){.config = &clip, .dtypes = dtypes, .batch = 2, .norm = true}, &text);
    program = plan(&graph, "text", caps);
    assert_int_equal(parameters(program->graph), TEXT_PARAMETERS);
    br_program_destroy(program);
}

static void test_minimum_device(void **state)
{
    (void)state;
    br_vk_caps caps = device((uint64_t)128 << 20, 16 << 10, 256);
    check_all(&caps, (br_graph_dtypes){BR_F32, BR_F32});
}

static void test_small_ranges(void **state)
{
    (void)state;
    br_vk_caps caps = device((uint64_t)32 << 20, 16 << 10, 128);
    check_all(&caps, (br_graph_dtypes){BR_F16, BR_F16});
}

static void test_large_device(void **state)
{
    (void)state;
    br_vk_caps caps = device((uint64_t)4 << 30, 64 << 10, 1024);
    check_all(&caps, (br_graph_dtypes){BR_F16, BR_F16});
}

/* Where large pictures are convolved by Winograd's algorithm, which wants scratch memory. */
static void test_cpu_device(void **state)
{
    (void)state;
    br_vk_caps caps = device((uint64_t)128 << 20, 32 << 10, 1024);
    caps.type = VK_PHYSICAL_DEVICE_TYPE_CPU;
    caps.subgroup_size = caps.subgroup_min = caps.subgroup_max = 8;
    caps.subgroup_shuffle = true;
    check_all(&caps, (br_graph_dtypes){BR_F16, BR_F16});
}

/* The shapes that ship by name are those of the published files. */
static void test_named(void **state)
{
    (void)state;
    static const uint64_t unets[] = {UNET_PARAMETERS, SD21_UNET_PARAMETERS, SDXL_UNET_PARAMETERS};
    static const uint64_t texts[] = {TEXT_PARAMETERS, SD21_TEXT_PARAMETERS, SDXL_TEXT_PARAMETERS};
    const br_log silent = {0};
    for (int i = 0; i < 3; i++) {
        br_model *model;
        br_pipeline_dtypes dtypes;
        br_pipeline_programs programs;
        br_vk_caps caps = device((uint64_t)4 << 30, 64 << 10, 1024);
        assert_status_ok(br_model_load_architecture(br_architecture_name(i), &silent, &model));
        assert_status_ok(br_pipeline_choose_dtypes(model, &caps, BR_PRECISION_AUTO, &dtypes));
        assert_true(dtypes.f16);
        assert_int_equal(dtypes.unet.matrices, BR_F16);
        assert_status_ok(br_pipeline_plan(model, &caps, &dtypes,
                                          &(br_picture_size){.height = 8, .width = 8, .batch = 1, .copies = 2}, &programs));
        assert_int_equal(parameters(programs.cross->graph) + parameters(programs.denoise->graph), unets[i]);
        assert_int_equal(parameters(programs.text[BR_COMPONENT_TEXT]->graph), texts[i]);
        br_pipeline_programs_finish(&programs);
        assert_status(br_model_check_drawable(model), BR_ERROR_UNSUPPORTED, br_architecture_name(i));
        br_model_unload(model);
    }
    br_model *model;
    assert_status(br_model_load_architecture("sd16", &silent, &model), BR_ERROR_NOT_FOUND, "sd15, sd21, sdxl");
    assert_null(model);
}

/* Steps of all sizes take as little as their values do where most are alive. Divided depths leave small pictures many short-lived values. */
static void test_tight(void **state)
{
    (void)state;
    static const VkPhysicalDeviceType types[] = {VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU};
    static const int sides[] = {8, 16, 24, 32, 41, 56, 96};
    br_model *model;
    assert_status_ok(br_model_load_architecture("sd15", &(br_log){0}, &model));
    for (int f32 = 0; f32 < 2; f32++)
        for (int type = 0; type < 2; type++)
            for (size_t i = 0; i < 2 * sizeof sides / sizeof sides[0]; i++) {
                br_pipeline_dtypes dtypes;
                br_pipeline_programs programs;
                br_vk_caps caps = device((uint64_t)4 << 30, 64 << 10, 1024);
                caps.type = types[type];
                assert_status_ok(br_pipeline_choose_dtypes(model, &caps, f32 ? BR_PRECISION_F32 : BR_PRECISION_F16, &dtypes));
                br_picture_size size = {.height = sides[i / 2], .width = sides[i / 2], .batch = i % 2 ? 3 : 1, .copies = 2};
                assert_status_ok(br_pipeline_plan(model, &caps, &dtypes, &size, &programs));
                const br_plan *step = &programs.denoise->plan;
                if (step->arena_bytes != step->lower_bound_bytes)
                    fail_msg("a step of %d pictures of %d × %d: an arena of %lld bytes, %lld would do", (int)size.batch,
                             sides[i / 2], sides[i / 2], (long long)step->arena_bytes, (long long)step->lower_bound_bytes);
                br_pipeline_programs_finish(&programs);
            }
    br_model_unload(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum_device), cmocka_unit_test(test_small_ranges), cmocka_unit_test(test_large_device),
        cmocka_unit_test(test_cpu_device),     cmocka_unit_test(test_named),        cmocka_unit_test(test_tight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
