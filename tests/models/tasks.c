/* What is drawn from pictures (tests/data/tasks, written by tools/reference/tasks.py with the models of tests/data/tiny) against diffusers' pipelines:
 * image to image, inpainting with and without a UNet made for it, instructions about a picture, guidance rescale. Latents after the whole loop, to the
 * project's tolerance for it, 1e-3 in f32: the picture's way to them, the encoder, its noise and the order of all random numbers are part of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "base/rng.h"
#include "image/png.h"
#include "pipeline/draw.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/scratch.h"
#include "support/test.h"
#include "weights/safetensors.h"

#define TASKS "tests/data/tasks/"
#define TOLERANCE 1e-3

static struct {
    br_test_device *device;
    json_t *cases;
    br_image picture, mask;
    const char *open_name; /* the pipeline below is of this model */
    br_model *model;
    br_pipeline *pipeline;
} shared;

static void close_model(void)
{
    br_pipeline_close(shared.pipeline);
    br_model_unload(shared.model);
    shared.pipeline = NULL;
    shared.model = NULL;
}

static void open_model(const char *name)
{
    if (shared.model && strcmp(shared.open_name, name) == 0)
        return;
    char path[128];
    br_log silent = {0};
    close_model();
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(path)}, &silent, &shared.model));
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &shared.pipeline));
    shared.open_name = name;
}

static const char *text_at(const json_t *about, const char *key)
{
    return json_string_value(json_object_get(about, key));
}

static double number_at(const json_t *about, const char *key)
{
    return json_number_value(json_object_get(about, key));
}

static br_generate_params params_of(const json_t *about)
{
    return (br_generate_params){
        .prompt = text_at(about, "prompt"),
        .negative_prompt = text_at(about, "negative_prompt"),
        .width = (int)number_at(about, "size"),
        .height = (int)number_at(about, "size"),
        .steps = (int)number_at(about, "steps"),
        .guidance = number_at(about, "guidance"),
        .image_guidance = number_at(about, "image_guidance"),
        .guidance_rescale = number_at(about, "guidance_rescale"),
        .strength = number_at(about, "strength"),
        .sampler = text_at(about, "sampler"),
        .seed = (int64_t)number_at(about, "seed"),
        .init_image = json_is_true(json_object_get(about, "picture")) ? &shared.picture : NULL,
        .mask = json_is_true(json_object_get(about, "mask")) ? &shared.mask : NULL,
    };
}

/* The latents that a run leaves, as --dump-dir writes them: [C, h, w]. */
static br_npy draw_latents(const br_generate_params *given, const char *file)
{
    br_generate_params params = *given;
    br_generation generation;
    params.dump_dir = br_scratch_path("dump");
    assert_status_ok(br_draw_pictures(shared.pipeline, &params, &generation));
    br_generation_release(&generation);
    return br_test_dump(file);
}

static void as_diffusers_draws(void **state)
{
    (void)state;
    size_t index, failures = 0;
    json_t *about;
    json_array_foreach(shared.cases, index, about)
    {
        char path[128];
        br_weights *file;
        open_model(text_at(about, "model"));
        snprintf(path, sizeof path, TASKS "%s.safetensors", text_at(about, "name"));
        assert_status_ok(br_safetensors_open(br_test_path(path), &file));
        const br_tensor_view *view = br_weights_find(file, "latents");
        assert_non_null(view);
        float *expected = test_malloc(view->count * sizeof *expected);
        br_weight_to_f32(view, 0, view->count, expected);
        br_generate_params params = params_of(about);
        br_npy latents = draw_latents(&params, "latents");
        assert_int_equal(latents.count, view->count);
        double error = br_test_relative_error_f32(latents.data, expected, (size_t)latents.count);
        print_message("%-18s relative error %.2e (at most %.0e)\n", text_at(about, "name"), error, TOLERANCE);
        failures += !(error <= TOLERANCE);
        br_npy_finish(&latents);
        test_free(expected);
        br_weights_destroy(file);
    }
    assert_int_equal(failures, 0);
}

/* Each picture of a batch is the one that is drawn alone with its seed: generators, encoder noise, masks and copies keep apart. */
static void batch_is_single_runs(void **state)
{
    (void)state;
    size_t index;
    json_t *about;
    json_array_foreach(shared.cases, index, about)
    {
        const char *name = text_at(about, "name");
        if (strcmp(name, "keep_euler_a") != 0 && strcmp(name, "inpaint_euler_a") != 0 && strcmp(name, "pix2pix") != 0)
            continue;
        open_model(text_at(about, "model"));
        br_generate_params params = params_of(about);
        params.steps = 2;
        params.batch_size = 2;
        br_npy both = draw_latents(&params, "001/latents");
        params.batch_size = 1;
        params.seed++;
        br_npy alone = draw_latents(&params, "latents");
        assert_int_equal(both.count, alone.count);
        assert_true(br_test_relative_error_f32(both.data, alone.data, (size_t)alone.count) <= 1e-5);
        br_npy_finish(&both);
        br_npy_finish(&alone);
    }
}

/* TAESD in the pipeline, as the model's own VAE and in place of another: decoder and encoder as diffusers' (tests/data/tiny/taesd), 1e-4 a stage. */
static void tiny_vae(void **state)
{
    (void)state;
    br_weights *file;
    size_t latent_count, image_count, encoded_count;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/taesd/expected.safetensors"), &file));
    float *latents = br_test_values(file, "latents", &latent_count), *image = br_test_values(file, "image", &image_count);
    float *encoded = br_test_values(file, "encoded", &encoded_count);
    for (int replaced = 0; replaced < 2; replaced++) {
        br_model *model;
        br_pipeline *pipeline;
        br_log silent = {0};
        br_checkpoint_params files = {.path = br_test_path(replaced ? "tests/data/tiny/inpaint" : "tests/data/tiny/taesd"),
                                      .vae_path = replaced ? br_test_path("tests/data/tiny/taesd/vae") : NULL};
        assert_status_ok(br_model_load(&files, &silent, &model));
        assert_int_equal(model->defaults.size_multiple, 4);
        assert_status_ok(br_pipeline_open(shared.device->device, model, BR_PRECISION_F32, &pipeline));
        assert_status_ok(br_pipeline_prepare(pipeline, &(br_picture_size){.height = 6, .width = 10, .batch = 1, .copies = 1}));
        float *ours = test_malloc(image_count * sizeof *ours), *moments = test_malloc(2 * encoded_count * sizeof *moments);
        assert_status_ok(br_pipeline_decode(pipeline, latents, ours));
        assert_true(br_test_relative_error_f32(ours, image, image_count) <= 1e-4);
        for (size_t i = 0; i < image_count; i++)
            ours[i] = fminf(fmaxf(image[i], -1), 1);
        assert_status_ok(br_pipeline_prepare_encode(pipeline, 24, 40));
        assert_status_ok(br_pipeline_encode(pipeline, ours, moments));
        assert_true(br_test_relative_error_f32(moments, encoded, encoded_count) <= 1e-4);
        assert_true(moments[encoded_count] == -INFINITY && moments[2 * encoded_count - 1] == -INFINITY);
        test_free(ours);
        test_free(moments);
        br_pipeline_close(pipeline);
        br_model_unload(model);
    }
    test_free(latents);
    test_free(image);
    test_free(encoded);
    br_weights_destroy(file);
}

/* TAESD has no distribution to draw latents from: a picture's noise is the first that its generator gives. */
static void tiny_vae_takes_no_noise(void **state)
{
    (void)state;
    enum { COUNT = 4 * 6 * 10 };
    float noise[COUNT];
    br_rng rng;
    br_rng_init(&rng, BR_RNG_CPU, 9);
    br_rng_normal(&rng, noise, COUNT);
    open_model("taesd");
    br_generate_params params = {.prompt = "a cat",
                                 .width = 40,
                                 .height = 24,
                                 .steps = 2,
                                 .guidance = 2,
                                 .strength = 0.5,
                                 .sampler = "ddim",
                                 .seed = 9,
                                 .init_image = &shared.picture};
    br_npy own = draw_latents(&params, "latents");
    params.init_noise = noise;
    params.init_noise_count = COUNT;
    br_npy given = draw_latents(&params, "latents");
    assert_int_equal(own.count, COUNT);
    assert_memory_equal(own.data, given.data, COUNT * sizeof(float));
    br_npy_finish(&own);
    br_npy_finish(&given);
}

/* What a model cannot do with what it is given is said before anything is built. */
static void refuses(void **state)
{
    (void)state;
    br_generation generation;
    br_image small = {.width = 5, .height = 5, .pixels = shared.picture.pixels};
    br_generate_params params = {.prompt = "x"};
    open_model("inpaint");
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT,
                  "is an inpainting model: it needs a picture and a mask, brume inpaint");
    params.init_image = &shared.picture;
    params.mask = &small;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT,
                  "mask is 5x5, expected the picture's 96x96");
    params.mask = &shared.mask;
    params.strength = 0.01;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "strength 0.01 of ");
    params.strength = NAN;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "strength is nan");
    params = (br_generate_params){.prompt = "x", .image_guidance = 2, .init_image = &shared.picture, .mask = &shared.mask};
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "does not follow a picture");
    params.image_guidance = 0;
    params.guidance_rescale = 1.5;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "guidance rescale is 1.5");
    params.init_image = NULL;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "a mask but no picture");
    open_model("pix2pix");
    params = (br_generate_params){.prompt = "x"};
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "edits pictures by instructions");
    params.init_image = &shared.picture;
    params.strength = 0.5;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "begins with noise and follows the");
    params.strength = 0;
    params.image_guidance = 0.5;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT, "image guidance is 0.5");
}

static int setup(void **state)
{
    (void)state;
    shared.device = br_test_device_open(NULL);
    assert_status_ok(br_json_read(br_test_path(TASKS "cases.json"), 1 << 20, &shared.cases));
    assert_status_ok(br_png_read(br_test_path(TASKS "picture.png"), &shared.picture));
    assert_status_ok(br_png_read(br_test_path(TASKS "mask.png"), &shared.mask));
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    close_model();
    br_image_finish(&shared.picture);
    br_image_finish(&shared.mask);
    json_decref(shared.cases);
    br_test_device_close(shared.device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_diffusers_draws),
        cmocka_unit_test(batch_is_single_runs),
        cmocka_unit_test(tiny_vae),
        cmocka_unit_test(tiny_vae_takes_no_noise),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
