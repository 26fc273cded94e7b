/* Small models with random weights (tests/data/tiny, written by tools/reference/tiny_models.py) against what diffusers computes with them: every stage by
 * itself and the whole loop. Their configurations use between them what real models use, each key with a value that shows. The same
 * models run on a device with the limits of a poor one, where bindings are cut into slices and dispatches into parts.
 *
 * Tolerances are relative errors ‖a - b‖ / ‖b‖, fixed by the project: f32 1e-4 a stage, 1e-3 for the loop; 16-bit storage 2e-3 for the text states, 5e-3 for
 * one pass of a network, 5e-2 after the loop. Limits change the order of no sum by more than rounding: 1e-5. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "image/image.h"
#include "pipeline/draw.h"
#include "pipeline/pipeline.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/scratch.h"
#include "support/test.h"
#include "weights/safetensors.h"

#define LIMITS_TOLERANCE 1e-5

/* What is compared: the tensor of expected.safetensors, and the dump it is read from; NULL for what is run by itself. */
enum { TEXT, TEXT_UNCOND, EPS_COND, EPS_UNCOND, LATENTS, IMAGE, MOMENTS, RESULT_COUNT };
static const struct {
    const char *name, *dump;
    double f32_tolerance, f16_tolerance;
} kinds[RESULT_COUNT] = {
    [TEXT] = {"text", "text", 1e-4, 2e-3},
    [TEXT_UNCOND] = {"text_uncond", "text_uncond", 1e-4, 2e-3},
    [EPS_COND] = {"eps_cond", "eps_cond_000", 1e-4, 5e-3},
    [EPS_UNCOND] = {"eps_uncond", "eps_uncond_000", 1e-4, 5e-3},
    [LATENTS] = {"latents", "latents", 1e-3, 5e-2},
    [IMAGE] = {"image", NULL, 1e-4, 5e-3},
    [MOMENTS] = {"moments", NULL, 1e-4, 5e-3},
};

typedef struct vector {
    float *values; /* test_malloc'd */
    size_t count;
} vector;

typedef struct result_set {
    vector at[RESULT_COUNT];
} result_set;

/* One folder of tests/data/tiny. */
typedef struct tiny_model {
    const char *name;
    br_model *model;
    json_t *about; /* case.json */
    result_set expected;
    vector noise;
    int height, width; /* latent pixels */
} tiny_model;

static const char *const names[] = {"sd1", "sd2", "odd", "bare"};
#define TINY_COUNT (sizeof names / sizeof *names)

static struct {
    br_test_device *device, *limited;
    tiny_model models[TINY_COUNT];
} shared;

static vector vector_of(size_t count)
{
    return (vector){.values = test_malloc(count * sizeof(float)), .count = count};
}

static void free_results(result_set *results)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        test_free(results->at[i].values);
}

/* ---- what is expected ---- */

static vector take(const br_weights *file, const char *name)
{
    vector v;
    v.values = br_test_values(file, name, &v.count);
    return v;
}

static void open_tiny(tiny_model *tiny, const char *name)
{
    char path[128];
    br_log silent = {0};
    br_weights *file;
    tiny->name = name;
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(path)}, &silent, &tiny->model));
    snprintf(path, sizeof path, "tests/data/tiny/%s/case.json", name);
    assert_status_ok(br_json_read(br_test_path(path), 1 << 20, &tiny->about));
    snprintf(path, sizeof path, "tests/data/tiny/%s/expected.safetensors", name);
    assert_status_ok(br_safetensors_open(br_test_path(path), &file));
    tiny->noise = take(file, "noise");
    const br_tensor_view *noise = br_weights_find(file, "noise");
    tiny->height = (int)noise->shape[1];
    tiny->width = (int)noise->shape[2];
    for (int i = 0; i < RESULT_COUNT; i++)
        tiny->expected.at[i] = take(file, kinds[i].name);
    br_weights_destroy(file);
}

/* ---- what we make of it ---- */

static vector read_dump(const char *name)
{
    br_npy npy = br_test_dump(name);
    vector v = vector_of((size_t)npy.count);
    memcpy(v.values, npy.data, v.count * sizeof *v.values);
    br_npy_finish(&npy);
    return v;
}

static void check_tokens(const tiny_model *tiny, const char *name)
{
    const json_t *ids = json_object_get(tiny->about, name);
    br_npy npy = br_test_dump(name);
    assert_int_equal(npy.count, json_array_size(ids));
    for (int64_t i = 0; i < npy.count; i++)
        assert_int_equal(((const int32_t *)npy.data)[i], json_integer_value(json_array_get(ids, (size_t)i)));
    br_npy_finish(&npy);
}

static void draw(const tiny_model *tiny, br_pipeline *pipeline, result_set *out)
{
    int factor = tiny->model->defaults.size_multiple;
    br_generation generation;
    br_generate_params params = {.prompt = json_string_value(json_object_get(tiny->about, "prompt")),
                                 .negative_prompt = json_string_value(json_object_get(tiny->about, "negative_prompt")),
                                 .steps = (int)json_integer_value(json_object_get(tiny->about, "steps")),
                                 .guidance = json_number_value(json_object_get(tiny->about, "guidance")),
                                 .height = tiny->height * factor,
                                 .width = tiny->width * factor,
                                 .init_noise = tiny->noise.values,
                                 .init_noise_count = (int64_t)tiny->noise.count,
                                 .dump_dir = br_scratch_path("dump")};
    assert_status_ok(br_draw_pictures(pipeline, &params, &generation));
    assert_string_equal(generation.sampler, json_string_value(json_object_get(tiny->about, "sampler")));
    br_generation_release(&generation);
    check_tokens(tiny, "tokens");
    check_tokens(tiny, "tokens_uncond");
    for (int i = 0; i < RESULT_COUNT; i++)
        if (kinds[i].dump)
            out->at[i] = read_dump(kinds[i].dump);
}

/* The decoder from the expected latents, the encoder from the expected picture. */
static void run_vae(const tiny_model *tiny, br_pipeline *pipeline, result_set *out)
{
    const vector *latents = &tiny->expected.at[LATENTS], *image = &tiny->expected.at[IMAGE];
    int factor = tiny->model->defaults.size_multiple;
    out->at[IMAGE] = vector_of((size_t)BR_IMAGE_CHANNELS * (size_t)(tiny->height * factor) * (size_t)(tiny->width * factor));
    assert_status_ok(br_pipeline_decode(pipeline, latents->values, out->at[IMAGE].values));

    vector clamped = vector_of(image->count), scaled = vector_of(tiny->noise.count);
    for (size_t i = 0; i < image->count; i++)
        clamped.values[i] = fminf(fmaxf(image->values[i], -1), 1);
    assert_status_ok(br_pipeline_prepare_encode(pipeline, tiny->height * factor, tiny->width * factor));
    out->at[MOMENTS] = vector_of(2 * tiny->noise.count);
    assert_status_ok(br_pipeline_encode(pipeline, clamped.values, out->at[MOMENTS].values));
    br_pipeline_latents(pipeline, out->at[MOMENTS].values, NULL, scaled.values);
    const br_vae_config *vae = &tiny->model->vae;
    for (size_t i = 0; i < scaled.count; i++) {
        float expected = (out->at[MOMENTS].values[i] - vae->shift_factor) * vae->scaling_factor;
        assert_true(fabsf(scaled.values[i] - expected) <= 1e-6f * fabsf(expected));
    }
    br_pipeline_latents(pipeline, out->at[MOMENTS].values, tiny->noise.values, scaled.values);
    for (size_t i = 0; i < scaled.count; i++) { /* drawn: log variances of random weights stay far from the clamp */
        double drawn = out->at[MOMENTS].values[i] + exp(0.5 * out->at[MOMENTS].values[scaled.count + i]) * tiny->noise.values[i];
        double expected = (drawn - vae->shift_factor) * vae->scaling_factor;
        assert_true(fabs(scaled.values[i] - expected) <= 1e-6 * (1 + fabs(expected)));
    }
    test_free(clamped.values);
    test_free(scaled.values);
}

static void run(const tiny_model *tiny, const br_test_device *device, br_precision precision, result_set *out)
{
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(device->device, tiny->model, precision, &pipeline));
    draw(tiny, pipeline, out);
    run_vae(tiny, pipeline, out);
    br_pipeline_close(pipeline);
}

/* Prints every figure before it fails at one. */
static int compare(const char *what, const result_set *ours, const result_set *theirs, const double tolerance[RESULT_COUNT])
{
    int failures = 0;
    for (int i = 0; i < RESULT_COUNT; i++) {
        assert_int_equal(ours->at[i].count, theirs->at[i].count);
        double error = br_test_relative_error_f32(ours->at[i].values, theirs->at[i].values, ours->at[i].count);
        print_message("  %-16s %-12s relative error %.2e (at most %.0e)%s\n", what, kinds[i].name, error, tolerance[i],
                      error <= tolerance[i] ? "" : "  TOO LARGE");
        failures += error > tolerance[i];
    }
    return failures;
}

/* ---- the tests ---- */

static void test_f32(void **state)
{
    (void)state;
    int failures = 0;
    uint64_t commands = br_vk_device_counters(shared.device->device)->recorded_commands,
             limited_commands = br_vk_device_counters(shared.limited->device)->recorded_commands;
    double tolerance[RESULT_COUNT], same[RESULT_COUNT];
    for (int i = 0; i < RESULT_COUNT; i++) {
        tolerance[i] = kinds[i].f32_tolerance;
        same[i] = LIMITS_TOLERANCE;
    }
    for (size_t i = 0; i < TINY_COUNT; i++) {
        const tiny_model *tiny = &shared.models[i];
        result_set full, limited;
        run(tiny, shared.device, BR_PRECISION_F32, &full);
        failures += compare(tiny->name, &full, &tiny->expected, tolerance);
        run(tiny, shared.limited, BR_PRECISION_F32, &limited);
        char what[32];
        snprintf(what, sizeof what, "%s, limited", tiny->name);
        failures += compare(what, &limited, &full, same);
        free_results(&full);
        free_results(&limited);
    }
    assert_int_equal(failures, 0);
    /* The limits were felt: what is sliced takes more dispatches. */
    commands = br_vk_device_counters(shared.device->device)->recorded_commands - commands;
    limited_commands = br_vk_device_counters(shared.limited->device)->recorded_commands - limited_commands;
    print_message("  %llu commands recorded, %llu within the limits\n", (unsigned long long)commands,
                  (unsigned long long)limited_commands);
    assert_true(limited_commands > commands);
}

static void test_f16(void **state)
{
    (void)state;
    if (!shared.device->caps->f16_storage) {
        print_message("%s has no 16-bit storage\n", shared.device->caps->name);
        skip();
    }
    int failures = 0;
    double tolerance[RESULT_COUNT];
    for (int i = 0; i < RESULT_COUNT; i++)
        tolerance[i] = kinds[i].f16_tolerance;
    for (size_t i = 0; i < TINY_COUNT; i++) {
        result_set ours;
        run(&shared.models[i], shared.device, BR_PRECISION_F16, &ours);
        failures += compare(shared.models[i].name, &ours, &shared.models[i].expected, tolerance);
        free_results(&ours);
    }
    assert_int_equal(failures, 0);
}

/* sample_size may be a list; the UNet's is what the model is drawn at. */
static void test_default_size(void **state)
{
    (void)state;
    const br_model_defaults *odd = &shared.models[2].model->defaults, *sd1 = &shared.models[0].model->defaults;
    assert_int_equal(odd->height, 36);
    assert_int_equal(odd->width, 52);
    assert_int_equal(sd1->height, 64);
    assert_int_equal(sd1->size_multiple, 8);
}

static int setup(void **state)
{
    shared.device = br_test_device_open(NULL);
    shared.limited = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 32 << 10, .max_shared = 16 << 10, .max_invocations = 128, .max_groups = 89});
    for (size_t i = 0; i < TINY_COUNT; i++)
        open_tiny(&shared.models[i], names[i]);
    print_message("device: %s\n", shared.device->caps->name);
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    for (size_t i = 0; i < TINY_COUNT; i++) {
        tiny_model *tiny = &shared.models[i];
        br_model_unload(tiny->model);
        json_decref(tiny->about);
        test_free(tiny->noise.values);
        free_results(&tiny->expected);
    }
    br_test_device_close(shared.limited);
    br_test_device_close(shared.device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_size),
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_f16),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
