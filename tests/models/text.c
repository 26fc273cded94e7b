/* What the network is told: weighted states, long prompts, clip skip and textual inversion against a public implementation of AUTOMATIC1111's rules over
 * transformers (tests/data/prompts, written by tools/reference/prompts.py), and SDXL's two encoders, pooled text, sizes and pictures against
 * diffusers (tests/data/tiny/sdxl and sdxl_refiner).
 *
 * Tolerances are relative errors, fixed by the project: f32 1e-4 for states and one pass, 1e-3 for the loop and the picture; 16-bit storage 2e-3, 5e-3, 5e-2. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "image/image.h"
#include "pipeline/conditioning.h"
#include "pipeline/draw.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/scratch.h"
#include "support/test.h"
#include "weights/safetensors.h"

static br_test_device *device;

static br_model *open_model(const char *name)
{
    char path[128];
    const br_log silent = {0};
    br_model *model;
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(path)}, &silent, &model));
    return model;
}

/* The dump against a tensor of the file. */
static void hold(const char *dump, const br_weights *file, const char *name, double tolerance)
{
    size_t count;
    float *expected = br_test_values(file, name, &count);
    br_npy ours = br_test_dump(dump);
    assert_int_equal(ours.count, count);
    double error = br_test_relative_error_f32(ours.data, expected, count);
    print_message("  %-14s %-16s relative error %.2e (at most %.0e)\n", dump, name, error, tolerance);
    assert_true(error <= tolerance);
    br_npy_finish(&ours);
    test_free(expected);
}

/* Everything up to the denoise stage's inputs. */
static void tell(br_pipeline *pipeline, const br_generate_params *params, br_request *out_request)
{
    assert_status_ok(br_request_resolve(pipeline->model, params, out_request));
    const br_dump dump = {.folder = br_scratch_path("dump"), .request = out_request, .model = pipeline->model};
    assert_status_ok(br_dump_begin(&dump));
    assert_status_ok(br_pipeline_prepare(pipeline, &out_request->size));
    assert_status_ok(br_conditioning_write(pipeline, out_request, &dump));
}

static void check_state(const json_t *about, const br_weights *file)
{
    char path[128];
    br_model *model = open_model(json_string_value(json_object_get(about, "model")));
    const json_t *embeddings = json_object_get(about, "embeddings");
    for (size_t i = 0; i < json_array_size(embeddings); i++) {
        snprintf(path, sizeof path, "tests/data/prompts/%s.safetensors", json_string_value(json_array_get(embeddings, i)));
        assert_status_ok(br_embeddings_add(model, NULL, br_test_path(path)));
    }
    br_pipeline *pipeline;
    br_request request;
    assert_status_ok(br_pipeline_open(device->device, model, BR_PRECISION_F32, &pipeline));
    tell(pipeline,
         &(br_generate_params){.prompt = json_string_value(json_object_get(about, "prompt")),
                               .clip_skip = (int)json_integer_value(json_object_get(about, "clip_skip"))},
         &request);
    hold("text", file, json_string_value(json_object_get(about, "name")), 1e-4);
    br_npy negative = br_test_dump("text_uncond"), positive = br_test_dump("text"); /* as many chunks for a short one */
    assert_int_equal(negative.count, positive.count);
    br_npy_finish(&negative);
    br_npy_finish(&positive);
    br_pipeline_close(pipeline);
    br_model_unload(model);
}

static void test_states(void **state)
{
    (void)state;
    json_t *root;
    br_weights *file;
    assert_status_ok(br_json_read(br_test_path("tests/data/prompts/cases.json"), (size_t)4 << 20, &root));
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/prompts/states.safetensors"), &file));
    const json_t *states = json_object_get(root, "states");
    assert_true(json_array_size(states) >= 13);
    for (size_t i = 0; i < json_array_size(states); i++)
        check_state(json_array_get(states, i), file);
    br_weights_destroy(file);
    json_decref(root);
}

static void check_sdxl(br_precision precision, double stage, double pass, double loop)
{
    br_model *model = open_model("sdxl");
    br_weights *file;
    br_pipeline *pipeline;
    br_generation generation;
    size_t count;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/sdxl/expected.safetensors"), &file));
    assert_status_ok(br_pipeline_open(device->device, model, precision, &pipeline));
    const float *noise = br_test_values(file, "noise", &count);
    br_generate_params params = {.prompt = "a red cat",
                                 .negative_prompt = "blurry",
                                 .steps = 4,
                                 .guidance = 3,
                                 .width = 24,
                                 .height = 16,
                                 .init_noise = noise,
                                 .init_noise_count = (int64_t)count,
                                 .dump_dir = br_scratch_path("dump")};
    assert_status_ok(br_draw_pictures(pipeline, &params, &generation));
    br_generation_release(&generation);
    hold("text", file, "text", stage);
    hold("text_uncond", file, "text_uncond", stage);
    hold("pooled", file, "pooled", stage);
    hold("pooled_uncond", file, "pooled_uncond", stage);
    hold("eps_cond_000", file, "eps_cond", pass);
    hold("eps_uncond_000", file, "eps_uncond", pass);
    hold("latents", file, "latents", loop);
    size_t pixels;
    float *picture = (float *)br_test_values(file, "image", &pixels);
    for (size_t i = 0; i < pixels; i++)
        picture[i] = fminf(fmaxf(0.5f * picture[i] + 0.5f, 0), 1);
    br_npy ours = br_test_dump("image");
    assert_int_equal(ours.count, pixels);
    double error = br_test_relative_error_f32(ours.data, picture, pixels);
    print_message("  image relative error %.2e (at most %.0e)\n", error, loop);
    assert_true(error <= loop);
    br_npy_finish(&ours);
    test_free(picture);
    test_free((void *)noise);
    br_pipeline_close(pipeline);
    br_model_unload(model);
    br_weights_destroy(file);
}

static void test_sdxl(void **state)
{
    (void)state;
    check_sdxl(BR_PRECISION_F32, 1e-4, 1e-4, 1e-3);
}

static void test_sdxl_f16(void **state)
{
    (void)state;
    if (!device->caps->f16_storage) {
        print_message("%s has no 16-bit storage\n", device->caps->name);
        skip();
    }
    check_sdxl(BR_PRECISION_F16, 2e-3, 5e-3, 5e-2);
}

static void check_time_ids(const br_pipeline *pipeline, const float *expected, int count)
{
    float ids[2 * 6];
    assert_status_ok(br_stage_read_floats((br_stage *)&pipeline->denoise, pipeline->denoise_values.time_ids, ids, 2 * count));
    for (int i = 0; i < 2 * count; i++)
        assert_true(ids[i] == expected[i]);
}

static bool is_zero(const char *dump)
{
    br_npy npy = br_test_dump(dump);
    bool zero = true;
    for (int64_t i = 0; i < npy.count; i++)
        zero = zero && ((const float *)npy.data)[i] == 0;
    br_npy_finish(&npy);
    return zero;
}

/* Layers, sizes, and no negative prompt as against an empty one. */
static void test_sdxl_conditions(void **state)
{
    (void)state;
    br_model *model = open_model("sdxl");
    br_weights *file;
    br_pipeline *pipeline;
    br_request request;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/sdxl/expected.safetensors"), &file));
    assert_status_ok(br_pipeline_open(device->device, model, BR_PRECISION_F32, &pipeline));
    br_generate_params params = {.prompt = "a red cat", .width = 24, .height = 16, .clip_skip = 3};
    tell(pipeline, &params, &request);
    hold("text", file, "text_skip", 1e-4);
    assert_true(is_zero("text_uncond") && is_zero("pooled_uncond") && !is_zero("pooled"));
    check_time_ids(pipeline, (float[]){16, 24, 0, 0, 16, 24, 16, 24, 0, 0, 16, 24}, 6);
    params = (br_generate_params){.prompt = "a red cat BREAK blue",
                                  .negative_prompt = "",
                                  .width = 24,
                                  .height = 16,
                                  .original_width = 640,
                                  .original_height = 480,
                                  .crop_x = 5,
                                  .crop_y = 7,
                                  .target_width = 320,
                                  .target_height = 240};
    tell(pipeline, &params, &request);
    assert_int_equal(request.size.chunks, 2);
    assert_true(!is_zero("text_uncond") && !is_zero("pooled_uncond"));
    check_time_ids(pipeline, (float[]){480, 640, 7, 5, 240, 320, 480, 640, 7, 5, 240, 320}, 6);
    hold("pooled", file, "pooled", 1e-4); /* that of the first chunk */
    params.clip_skip = 4;
    assert_status(br_request_resolve(model, &params, &request), BR_ERROR_ARGUMENT,
                  "clip skip is 4, expected 1 to 3, the layers of text_encoder");
    br_pipeline_close(pipeline);
    br_model_unload(model);
    br_weights_destroy(file);
}

static void test_refiner(void **state)
{
    (void)state;
    br_model *model = open_model("sdxl_refiner");
    br_weights *file;
    br_pipeline *pipeline;
    br_request request;
    size_t count, uncond_count;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/sdxl_refiner/expected.safetensors"), &file));
    assert_status_ok(br_pipeline_open(device->device, model, BR_PRECISION_F32, &pipeline));
    br_generate_params params = {.prompt = "the blue sea", .negative_prompt = "red", .width = 16, .height = 16};
    tell(pipeline, &params, &request);
    hold("text", file, "text", 1e-4);
    hold("text_uncond", file, "text_uncond", 1e-4);
    hold("pooled", file, "pooled", 1e-4);
    hold("pooled_uncond", file, "pooled_uncond", 1e-4);
    const float *cond = br_test_values(file, "time_ids", &count), *uncond = br_test_values(file, "time_ids_uncond", &uncond_count);
    assert_int_equal(count, 5);
    assert_int_equal(uncond_count, 5);
    float both[10];
    memcpy(both, uncond, sizeof both / 2);
    memcpy(both + 5, cond, sizeof both / 2);
    check_time_ids(pipeline, both, 5);
    test_free((void *)cond);
    test_free((void *)uncond);
    br_pipeline_close(pipeline);
    br_model_unload(model);
    br_weights_destroy(file);
}

/* The denoising program stays while the number of chunks does, and is another when it changes. */
static void test_rebuild(void **state)
{
    (void)state;
    br_model *model = open_model("sd1");
    br_pipeline *pipeline;
    br_request request;
    assert_status_ok(br_pipeline_open(device->device, model, BR_PRECISION_F32, &pipeline));
    tell(pipeline, &(br_generate_params){.prompt = "a red cat"}, &request);
    const br_program *first = pipeline->denoise.program;
    tell(pipeline, &(br_generate_params){.prompt = "(the) [blue] cat", .negative_prompt = "red"}, &request);
    assert_ptr_equal(pipeline->denoise.program, first);
    uint64_t recorded = br_vk_device_counters(device->device)->recorded_commands;
    tell(pipeline, &(br_generate_params){.prompt = "a", .negative_prompt = "red BREAK cat"}, &request);
    assert_true(br_vk_device_counters(device->device)->recorded_commands > recorded);
    assert_int_equal(request.size.chunks, 2);
    br_pipeline_close(pipeline);
    br_model_unload(model);
}

static int setup(void **state)
{
    device = br_test_device_open(NULL);
    print_message("device: %s\n", device->caps->name);
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    br_test_device_close(device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),          cmocka_unit_test(test_sdxl),    cmocka_unit_test(test_sdxl_f16),
        cmocka_unit_test(test_sdxl_conditions), cmocka_unit_test(test_refiner), cmocka_unit_test(test_rebuild),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
