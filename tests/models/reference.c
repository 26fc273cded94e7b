/* The small model against what PyTorch computed with the same weights and noise (tests/data/reference, see its manifest.json): tokens, text states, the
 * first epsilon pair, the latents after 20 DDIM steps at guidance 5, the picture, and the encoder.
 *
 * Tolerances are relative errors ‖a - b‖ / ‖b‖, fixed by the project: f32 1e-4 a stage, 1e-3 for the loop; 16-bit storage 2e-3 for the text states, 5e-3 for
 * one epsilon, 5e-2 after the loop, where guidance 5 and twenty steps amplify the rounding of 2^-11. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "image/image.h"
#include "image/png.h"
#include "pipeline/draw.h"
#include "pipeline/pipeline.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/scratch.h"
#include "support/test.h"

#define REFERENCE "tests/data/reference/"
#define STEPS 20
#define GUIDANCE 5
#define FIRST_END 0.05 /* of the timesteps: the first step is for number 951, the second for 901 */

typedef struct limits {
    double text, eps, latents, picture;
} limits;

static const limits f32_tolerance = {1e-4, 1e-4, 1e-3, 1e-3};
static const limits f16_tolerance = {2e-3, 5e-3, 5e-2, 5e-2};

typedef struct fixture {
    br_test_device *device;
    br_model *model;
    json_t *manifest;
} fixture;

static fixture shared;

static br_npy load(const char *format, const char *a)
{
    char relative[256];
    snprintf(relative, sizeof relative, format, a);
    br_npy npy;
    assert_status_ok(br_npy_read(br_test_path(relative), &npy));
    return npy;
}

/* Prints the figure and checks it. */
static void hold(const char *what, double error, double tolerance)
{
    print_message("  %-32s relative error %.2e (at most %.0e)\n", what, error, tolerance);
    assert_true(error <= tolerance);
}

static void hold_dump(const char *name, const char *reference_format, const char *sample, double tolerance)
{
    br_npy ours = br_test_dump(name), reference = load(reference_format, sample);
    assert_int_equal(ours.count, reference.count);
    hold(name, br_test_relative_error_f32(ours.data, reference.data, (size_t)ours.count), tolerance);
    br_npy_finish(&ours);
    br_npy_finish(&reference);
}

static void hold_tokens(const char *name, const json_t *ids)
{
    br_npy ours = br_test_dump(name);
    assert_int_equal(ours.count, json_array_size(ids));
    for (int64_t i = 0; i < ours.count; i++)
        assert_int_equal(((const int32_t *)ours.data)[i], json_integer_value(json_array_get(ids, (size_t)i)));
    br_npy_finish(&ours);
}

/* The reference picture is in [-1, 1] and not clamped; ours is 0 .. 1. */
static void hold_picture(const float *ours, int64_t count, const char *sample, double tolerance)
{
    br_npy reference = load(REFERENCE "image_%s.npy", sample);
    assert_int_equal(count, reference.count);
    float *values = reference.data;
    for (int64_t i = 0; i < count; i++)
        values[i] = fminf(fmaxf(0.5f * values[i] + 0.5f, 0), 1);
    hold("picture", br_test_relative_error_f32(ours, values, (size_t)count), tolerance);
    br_npy_finish(&reference);
}

/* "latents_0.npy [4,16,16]" -> "0" */
static void sample_name(const json_t *sample, char name[8])
{
    const char *text = json_string_value(json_object_get(sample, "latents"));
    assert_int_equal(sscanf(text, "latents_%7[0-9]", name), 1);
}

/* `end`: as denoising_end of br_generate_params. */
static void draw(br_pipeline *pipeline, const json_t *sample, double end)
{
    char name[8];
    sample_name(sample, name);
    br_npy noise = load(REFERENCE "latents_%s.npy", name);
    br_generation generation;
    assert_status_ok(br_draw_pictures(pipeline,
                                      &(br_generate_params){.prompt = json_string_value(json_object_get(sample, "prompt")),
                                                            .steps = STEPS,
                                                            .guidance = GUIDANCE,
                                                            .init_noise = noise.data,
                                                            .init_noise_count = noise.count,
                                                            .denoising_end = end,
                                                            .dump_dir = br_scratch_path("dump")},
                                      &generation));
    br_generation_release(&generation);
    br_npy_finish(&noise);
}

/* The latents after the first step are DDIM's (equation 12 of Song et al. 2020, eta 0) of the reference's epsilons. */
static void hold_first_step(const char *sample, double tolerance)
{
    br_npy ours = br_test_dump("latents"), noise = load(REFERENCE "latents_%s.npy", sample);
    br_npy cond = load(REFERENCE "unet_cond_%s.npy", sample), uncond = load(REFERENCE "unet_uncond_%s.npy", sample);
    const double *alpha_bar = shared.model->schedule.alpha_bar, from = alpha_bar[951], to = alpha_bar[901];
    double *expected = test_malloc((size_t)noise.count * sizeof *expected);
    assert_int_equal(ours.count, noise.count);
    for (int64_t i = 0; i < noise.count; i++) {
        double u = ((float *)uncond.data)[i], eps = u + GUIDANCE * (((float *)cond.data)[i] - u);
        double start = (((float *)noise.data)[i] - sqrt(1 - from) * eps) / sqrt(from);
        expected[i] = sqrt(to) * start + sqrt(1 - to) * eps;
    }
    hold("latents after the first step", br_test_relative_error(ours.data, expected, (size_t)noise.count), tolerance);
    test_free(expected);
    br_npy_finish(&ours);
    br_npy_finish(&noise);
    br_npy_finish(&cond);
    br_npy_finish(&uncond);
}

/* All twenty steps; the first of them on a slow device. */
static void check_sample(br_pipeline *pipeline, const json_t *sample, const limits *limit)
{
    char name[8];
    sample_name(sample, name);
    print_message("\"%s\", %s\n", json_string_value(json_object_get(sample, "prompt")),
                  br_dtype_name(pipeline->dtypes.unet.activations));
    bool slow = br_test_device_is_slow(shared.device);
    draw(pipeline, sample, slow ? FIRST_END : 0);
    hold_tokens("tokens", json_object_get(sample, "token_ids"));
    hold_tokens("tokens_uncond", json_object_get(json_object_get(shared.manifest, "uncond"), "token_ids"));
    hold_dump("text", REFERENCE "text_%s.npy", name, limit->text);
    hold_dump("text_uncond", REFERENCE "text_%s.npy", "uncond", limit->text);
    hold_dump("eps_cond_000", REFERENCE "unet_cond_%s.npy", name, limit->eps);
    hold_dump("eps_uncond_000", REFERENCE "unet_uncond_%s.npy", name, limit->eps);
    if (slow) {
        hold_first_step(name, limit->latents);
        return;
    }
    hold_dump("latents", REFERENCE "final_latents_%s.npy", name, limit->latents);
    br_npy picture = br_test_dump("image");
    hold_picture(picture.data, picture.count, name, limit->picture);
    br_npy_finish(&picture);
}

static void check_samples(br_precision precision, const limits *limit)
{
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, precision, &pipeline));
    const json_t *samples = json_object_get(shared.manifest, "samples");
    for (size_t i = 0; i < json_array_size(samples); i++)
        if (i == 0 || !br_test_device_is_slow(shared.device)) /* one is enough where one takes a minute */
            check_sample(pipeline, json_array_get(samples, i), limit);
    br_pipeline_close(pipeline);
}

static void test_f32(void **state)
{
    (void)state;
    check_samples(BR_PRECISION_F32, &f32_tolerance);
}

static void test_f16(void **state)
{
    (void)state;
    if (!shared.device->caps->f16_storage) {
        print_message("%s has no 16-bit storage\n", shared.device->caps->name);
        skip();
    }
    check_samples(BR_PRECISION_F16, &f16_tolerance);
}

static int dispatches_of(const br_stage *stage, br_shader_id shader)
{
    int count = 0;
    for (int i = 0; i < stage->program->dispatch_count; i++)
        count += stage->program->dispatches[i].shader == shader;
    return count;
}

/* All products by matrix units, where there are any, for one of the samples. Heads of the small model are too narrow for attention's form. */
static void test_matrix(void **state)
{
    (void)state;
    if (!shared.device->caps->cooperative_matrix) {
        print_message("%s has no cooperative matrices\n", shared.device->caps->name);
        skip();
    }
    br_test_device *device = br_test_device_open(NULL);
    assert_status_ok(br_vk_device_tune(device->device, &(br_vk_tuned){.matrix = {BR_VK_ON, BR_VK_ON, BR_VK_ON}}));
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(device->device, shared.model, BR_PRECISION_F16, &pipeline));
    check_sample(pipeline, json_array_get(json_object_get(shared.manifest, "samples"), 0), &f16_tolerance);
    assert_true(dispatches_of(&pipeline->denoise, BR_SHADER_LINEAR_MATRIX_F16) > 60);
    assert_true(dispatches_of(&pipeline->denoise, BR_SHADER_CONV2D_MATRIX_F16) > 20);
    br_pipeline_close(pipeline);
    br_test_device_close(device);
}

/* As on a GPU, for one of the samples: the tiles and attention of GPUs, layer norms in the products behind them. */
static void test_gpu_forms(void **state)
{
    (void)state;
    if (br_test_device_is_slow(shared.device) || !shared.device->caps->f16_storage) {
        print_message("%s is too slow for the forms for GPUs, or has no 16-bit storage\n", shared.device->caps->name);
        skip();
    }
    br_test_device *device = br_test_device_open(&(br_vk_device_params){.discrete_gpu = true, .matrix_units = BR_VK_OFF});
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(device->device, shared.model, BR_PRECISION_F16, &pipeline));
    check_sample(pipeline, json_array_get(json_object_get(shared.manifest, "samples"), 0), &f16_tolerance);
    assert_int_equal(dispatches_of(&pipeline->denoise, BR_SHADER_LINEAR_NORMED_F16_F16), 21);
    assert_int_equal(dispatches_of(&pipeline->denoise, BR_SHADER_LAYER_NORM_F16), 0);
    assert_true(dispatches_of(&pipeline->denoise, BR_SHADER_CONV2D_F16_F16) > 20);
    br_pipeline_close(pipeline);
    br_test_device_close(device);
}

/* The decoder alone, from the reference's latents. */
static void test_decoder(void **state)
{
    (void)state;
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &pipeline));
    assert_status_ok(br_pipeline_prepare(pipeline, &(br_picture_size){.height = 16, .width = 16, .batch = 1, .copies = 2}));
    br_npy latents = load(REFERENCE "final_latents_%s.npy", "1");
    int64_t count = (int64_t)BR_IMAGE_CHANNELS * 64 * 64;
    float *picture = test_malloc((size_t)count * sizeof *picture);
    assert_status_ok(br_pipeline_decode(pipeline, latents.data, picture));
    for (int64_t i = 0; i < count; i++)
        picture[i] = fminf(fmaxf(0.5f * picture[i] + 0.5f, 0), 1);
    hold_picture(picture, count, "1", 1e-4);
    test_free(picture);
    br_npy_finish(&latents);
    br_pipeline_close(pipeline);
}

static void test_encoder(void **state)
{
    (void)state;
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &pipeline));
    br_image image;
    assert_status_ok(br_png_read(br_test_path(REFERENCE "encode_input.png"), &image));
    assert_int_equal(image.width, 64);
    float *planes = test_malloc((size_t)BR_IMAGE_CHANNELS * 64 * 64 * sizeof *planes);
    br_image_to_planes(&image, planes);
    assert_status_ok(br_pipeline_prepare_encode(pipeline, image.height, image.width));
    float *moments = test_malloc(2 * 4 * 16 * 16 * sizeof *moments), *latents = test_malloc(4 * 16 * 16 * sizeof *latents);
    assert_status_ok(br_pipeline_encode(pipeline, planes, moments));
    br_pipeline_latents(pipeline, moments, NULL, latents);
    br_npy mean = load(REFERENCE "encode_%s.npy", "mean"), logvar = load(REFERENCE "encode_%s.npy", "logvar");
    hold("encoder's mean", br_test_relative_error_f32(moments, mean.data, (size_t)mean.count), 1e-4);
    hold("encoder's log variance", br_test_relative_error_f32(moments + mean.count, logvar.data, (size_t)logvar.count), 1e-4);
    for (int64_t i = 0; i < mean.count; i++)
        assert_true(fabsf(latents[i] - moments[i] * shared.model->vae.scaling_factor) < 1e-6f);
    br_npy_finish(&mean);
    br_npy_finish(&logvar);
    test_free(moments);
    test_free(latents);
    test_free(planes);
    br_image_finish(&image);
    br_pipeline_close(pipeline);
}

static int setup(void **state)
{
    shared.device = br_test_device_open(NULL);
    br_log silent = {0};
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path("assets/models/emoji")}, &silent, &shared.model));
    assert_status_ok(br_json_read(br_test_path(REFERENCE "manifest.json"), 1 << 20, &shared.manifest));
    print_message("device: %s\n", shared.device->caps->name);
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    json_decref(shared.manifest);
    br_model_unload(shared.model);
    br_test_device_close(shared.device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),       cmocka_unit_test(test_f16),     cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_gpu_forms), cmocka_unit_test(test_decoder), cmocka_unit_test(test_encoder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
