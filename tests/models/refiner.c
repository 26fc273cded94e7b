/* Drawing from latents and with a second model that takes over: SDXL's refiner against diffusers' StableDiffusionXLImg2ImgPipeline (tests/data/tiny/sdxl_refiner),
 * alone and behind tests/data/tiny/sdxl (tests/data/refiner, written by tools/reference/refiner.py).
 *
 * Tolerances are relative errors, fixed by the project for f32: 1e-4 for one pass, 1e-3 for the loop. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "brume/generate.h"
#include "pipeline/draw.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/scratch.h"
#include "support/test.h"
#include "weights/safetensors.h"

#define PASS_TOLERANCE 1e-4
#define LOOP_TOLERANCE 1e-3

typedef struct opened {
    br_model *model;
    br_pipeline *pipeline;
} opened;

static struct {
    br_test_device *device;
    opened base, refiner;
    br_weights *expected; /* of the refiner alone */
} shared;

static opened open_model(const char *name)
{
    char path[128];
    const br_log silent = {0};
    opened it;
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(path)}, &silent, &it.model));
    assert_status_ok(br_pipeline_open(shared.device->device, it.model, BR_PRECISION_F32, &it.pipeline));
    return it;
}

static void close_model(opened *it)
{
    br_pipeline_close(it->pipeline);
    br_model_unload(it->model);
}

static void hold(const char *what, const char *dump, const br_weights *file, const char *name, double tolerance)
{
    size_t count;
    float *expected = br_test_values(file, name, &count);
    br_npy ours = br_test_dump(dump);
    assert_int_equal(ours.count, count);
    double error = br_test_relative_error_f32(ours.data, expected, count);
    print_message("  %-9s %-21s relative error %.2e (at most %.0e)\n", what, dump, error, tolerance);
    assert_true(error <= tolerance);
    br_npy_finish(&ours);
    test_free(expected);
}

static void draw(const opened *it, const br_generate_params *given)
{
    br_generate_params params = *given;
    br_generation generation;
    params.dump_dir = br_scratch_path("dump");
    assert_status_ok(br_draw_pictures(it->pipeline, &params, &generation));
    br_generation_release(&generation);
}

/* The refiner with given latents: noised by strength, then taken to be noisy. */
static void alone(void **state)
{
    (void)state;
    size_t count;
    float *latents = br_test_values(shared.expected, "picture_latents", &count);
    br_generate_params params = {.prompt = "the blue sea",
                                 .negative_prompt = "red",
                                 .steps = 10,
                                 .guidance = 2.5,
                                 .strength = 0.4,
                                 .seed = 7,
                                 .width = 16,
                                 .height = 16,
                                 .init_latents = latents,
                                 .init_latents_count = (int64_t)count};
    draw(&shared.refiner, &params);
    hold("strength", "text", shared.expected, "text", PASS_TOLERANCE);
    hold("strength", "pooled", shared.expected, "pooled", PASS_TOLERANCE);
    hold("strength", "eps_cond_000", shared.expected, "eps_cond", PASS_TOLERANCE);
    hold("strength", "eps_uncond_000", shared.expected, "eps_uncond", PASS_TOLERANCE);
    hold("strength", "latents", shared.expected, "latents", LOOP_TOLERANCE);
    params.strength = 0;
    params.denoising_start = 0.6;
    draw(&shared.refiner, &params);
    hold("start", "latents", shared.expected, "latents_again", LOOP_TOLERANCE);
    test_free(latents);
}

static br_generate_params params_of(const json_t *about)
{
    return (br_generate_params){
        .prompt = json_string_value(json_object_get(about, "prompt")),
        .negative_prompt = json_string_value(json_object_get(about, "negative_prompt")),
        .width = (int)json_integer_value(json_object_get(about, "width")),
        .height = (int)json_integer_value(json_object_get(about, "height")),
        .steps = (int)json_integer_value(json_object_get(about, "steps")),
        .guidance = json_number_value(json_object_get(about, "guidance_scale")),
        .sampler = json_string_value(json_object_get(about, "sampler")),
        .seed = json_integer_value(json_object_get(about, "seed")),
        .refiner = shared.refiner.pipeline,
        .refiner_start = json_number_value(json_object_get(about, "start")),
    };
}

static void handed_over(void **state)
{
    (void)state;
    json_t *cases, *about;
    size_t index;
    assert_status_ok(br_json_read(br_test_path("tests/data/refiner/cases.json"), 1 << 16, &cases));
    assert_int_equal(json_array_size(cases), 4);
    json_array_foreach(cases, index, about)
    {
        char path[128];
        br_weights *file;
        br_generate_params params = params_of(about);
        snprintf(path, sizeof path, "tests/data/refiner/%s.safetensors", params.sampler);
        assert_status_ok(br_safetensors_open(br_test_path(path), &file));
        draw(&shared.base, &params);
        hold(params.sampler, "latents", file, "handed_over", LOOP_TOLERANCE);
        hold(params.sampler, "refiner/latents", file, "latents", LOOP_TOLERANCE);
        br_weights_destroy(file);
    }
    json_decref(cases);
}

typedef struct seen {
    char stages[64]; /* each as it begins */
    int done;        /* of the stage */
} seen;

static bool watch(void *user, const br_progress *progress)
{
    seen *it = user;
    size_t used = strlen(it->stages);
    if (progress->step == 0 && it->done != 0)
        snprintf(it->stages + used, sizeof it->stages - used, " %s", progress->stage);
    it->done = progress->step;
    return true;
}

/* A batch is single runs; what one call does with two models, two calls do with the latents between them. */
static void in_parts(void **state)
{
    (void)state;
    br_generate_params params = {.prompt = "a red cat",
                                 .width = 24,
                                 .height = 16,
                                 .steps = 4,
                                 .guidance = 3,
                                 .sampler = "euler_a",
                                 .seed = 5,
                                 .batch_size = 2,
                                 .refiner = shared.refiner.pipeline,
                                 .refiner_start = 0.5};
    draw(&shared.base, &params);
    br_npy both = br_test_dump("refiner/001/latents");
    params.batch_size = 1;
    params.seed = 6;
    draw(&shared.base, &params);
    br_npy single = br_test_dump("refiner/latents");
    assert_int_equal(both.count, single.count);
    assert_true(br_test_relative_error_f32(both.data, single.data, (size_t)both.count) <= 1e-5);
    br_npy_finish(&both);
    br_npy_finish(&single);

    br_generation generation;
    seen progress = {.done = 1};
    params.sampler = "euler"; /* which draws no noise on the way */
    params.dump_dir = br_scratch_path("dump");
    params.progress = watch;
    params.progress_user = &progress;
    assert_status_ok(br_draw_pictures(shared.base.pipeline, &params, &generation));
    assert_int_equal(generation.steps, 4);
    assert_non_null(strstr(generation.pictures[0].parameters, "Steps: 4, "));
    assert_non_null(strstr(generation.pictures[0].parameters, "Model: sdxl, "));
    assert_non_null(strstr(generation.pictures[0].parameters, ", Refiner: sdxl_refiner, Refiner switch at: 0.5, "));
    assert_string_equal(progress.stages, " text denoise text refine decode");
    br_generation_release(&generation);
    br_npy whole = br_test_dump("refiner/latents");
    params.progress = NULL;
    params.refiner = NULL;
    params.refiner_start = 0;
    params.denoising_end = 0.5;
    draw(&shared.base, &params);
    br_npy begun = br_test_dump("latents");
    params.denoising_end = 0;
    params.denoising_start = 0.5;
    params.init_latents = begun.data;
    params.init_latents_count = begun.count;
    draw(&shared.refiner, &params);
    br_npy finished = br_test_dump("latents");
    assert_memory_equal(finished.data, whole.data, (size_t)whole.count * sizeof(float));
    br_npy_finish(&whole);
    br_npy_finish(&begun);
    br_npy_finish(&finished);
}

static void refused(const opened *it, const br_generate_params *given, br_code code, const char *text)
{
    br_generate_params params = *given;
    params.prompt = "x";
    assert_status(br_generate_check(it->model, &params), code, text);
}

static void refuses(void **state)
{
    (void)state;
    float numbers[4 * 8 * 8] = {0}, bad[4 * 8 * 8] = {0};
    uint8_t pixels[3] = {0};
    const br_image image = {.width = 1, .height = 1, .pixels = pixels};
    const int64_t count = sizeof numbers / sizeof *numbers;
    br_pipeline *refiner = shared.refiner.pipeline;
    const opened *base = &shared.base;
    bad[7] = NAN;
#define REFUSED(text, ...) refused(base, &(br_generate_params){.width = 16, .height = 16, __VA_ARGS__}, BR_ERROR_ARGUMENT, text)
    REFUSED("initial latents have 3 numbers, expected 1 × [4, 8, 8] = 256", .init_latents = numbers, .init_latents_count = 3);
    REFUSED("initial latents: number 7 is nan", .init_latents = bad, .init_latents_count = count);
    REFUSED("a picture and latents given", .init_latents = numbers, .init_latents_count = count, .init_image = &image);
    REFUSED("denoising start is 1, expected above 0 and below 1", .denoising_start = 1);
    REFUSED("denoising end is -1", .denoising_end = -1);
    REFUSED("there are no latents that are as noisy", .denoising_start = 0.5);
    REFUSED("strength is 0.5, but denoising start", .init_latents = numbers, .init_latents_count = count, .denoising_start = 0.5,
            .strength = 0.5);
    REFUSED("there is initial noise", .init_latents = numbers, .init_latents_count = count, .denoising_start = 0.5,
            .init_noise = numbers, .init_noise_count = count);
    REFUSED("denoising start 0.999 of 4 steps leaves none", .init_latents = numbers, .init_latents_count = count,
            .denoising_start = 0.999, .steps = 4);
    REFUSED("denoising end 0.1 of 4 steps leaves none of those from number 3 on", .init_latents = numbers,
            .init_latents_count = count, .strength = 0.5, .denoising_end = 0.1, .steps = 4);
    REFUSED("but what a mask keeps is kept to the end", .init_image = &image, .mask = &image, .denoising_end = 0.5);
    REFUSED("refiner start is 1,", .refiner = refiner, .refiner_start = 1);
    REFUSED("refiner start 0.999 of 4 steps leaves the refiner none", .refiner = refiner, .refiner_start = 0.999, .steps = 4);
    REFUSED("but there is a refiner that goes on", .refiner = refiner, .denoising_end = 0.5);
#undef REFUSED
    refused(base, &(br_generate_params){.refiner = refiner, .init_image = &image, .mask = &image}, BR_ERROR_UNSUPPORTED,
            "a refiner changes all of a picture");
    opened other = open_model("sd1");
    refused(base, &(br_generate_params){.refiner = other.pipeline}, BR_ERROR_UNSUPPORTED, "cannot refine: its latents ");
    close_model(&other);
    other = open_model("inpaint");
    refused(base, &(br_generate_params){.refiner = other.pipeline}, BR_ERROR_UNSUPPORTED, "it needs a picture beside the latents");
    refused(&other, &(br_generate_params){.init_latents = numbers, .init_latents_count = count}, BR_ERROR_ARGUMENT,
            "is an inpainting model");
    close_model(&other);
    br_schedule kept = shared.refiner.model->schedule;
    shared.refiner.model->schedule.alpha_bar = kept.sigma;
    refused(base, &(br_generate_params){.refiner = refiner}, BR_ERROR_UNSUPPORTED, "was trained on other noise levels");
    shared.refiner.model->schedule = kept;
}

static int setup(void **state)
{
    shared.device = br_test_device_open(NULL);
    shared.base = open_model("sdxl");
    shared.refiner = open_model("sdxl_refiner");
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/sdxl_refiner/expected.safetensors"), &shared.expected));
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    close_model(&shared.base);
    close_model(&shared.refiner);
    br_weights_destroy(shared.expected);
    br_test_device_close(shared.device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(handed_over),
        cmocka_unit_test(in_parts),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
