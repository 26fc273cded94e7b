/* What a pipeline promises, whatever the model: batches equal singles, seeds repeat, nothing is recorded or allocated in the loop, a run that fails or is
 * cancelled leaves no trace in the next one. On the small model (a tiny one on SwiftShader), few steps, small pictures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/npy.h"
#include "image/image.h"
#include "pipeline/draw.h"
#include "pipeline/pipeline.h"
#include "support/device.h"
#include "support/scratch.h"
#include "support/test.h"

#define SIDE 32
#define LATENT_SIDE (SIDE / 4)
#define LATENT_COUNT ((size_t)4 * LATENT_SIDE * LATENT_SIDE)
#define BATCH 4

static struct {
    br_test_device *device;
    br_model *model;
    br_pipeline *pipeline; /* f32 */
} shared;

/* A finished run: what it drew and the latents it drew from. */
typedef struct drawing {
    br_generation generation;
    float *latents[BATCH]; /* test_malloc'd */
    size_t latent_count;
} drawing;

static br_generate_params params_of(const char *sampler)
{
    return (br_generate_params){.prompt = "a red apple",
                                .width = SIDE,
                                .height = SIDE,
                                .steps = 2,
                                .guidance = 3,
                                .sampler = sampler,
                                .seed = 7,
                                .dump_dir = br_scratch_path("dump")};
}

static float *read_dump(int picture, int pictures, const char *name, size_t *out_count)
{
    char path[1024];
    br_npy npy;
    if (pictures > 1)
        snprintf(path, sizeof path, "%s/%03d/%s.npy", br_scratch_path("dump"), picture, name);
    else
        snprintf(path, sizeof path, "%s/%s.npy", br_scratch_path("dump"), name);
    assert_status_ok(br_npy_read(path, &npy));
    size_t bytes = (size_t)npy.count * sizeof(float);
    float *values = test_malloc(bytes);
    memcpy(values, npy.data, bytes);
    *out_count = (size_t)npy.count;
    br_npy_finish(&npy);
    return values;
}

static drawing draw_with(br_pipeline *pipeline, const br_generate_params *params)
{
    drawing d = {0};
    assert_status_ok(br_draw_pictures(pipeline, params, &d.generation));
    for (int i = 0; i < d.generation.count && params->dump_dir; i++) {
        d.latents[i] = read_dump(i, d.generation.count, "latents", &d.latent_count);
        for (size_t j = 0; j < d.latent_count; j++)
            assert_true(isfinite(d.latents[i][j]));
    }
    return d;
}

static drawing draw(const br_generate_params *params)
{
    return draw_with(shared.pipeline, params);
}

static void drawing_free(drawing *d)
{
    for (int i = 0; i < BATCH; i++)
        if (d->latents[i])
            test_free(d->latents[i]);
    br_generation_release(&d->generation);
}

static size_t image_bytes(const br_image *image)
{
    return (size_t)image->width * (size_t)image->height * BR_IMAGE_CHANNELS;
}

static void assert_same_bytes(const drawing *a, const drawing *b)
{
    assert_int_equal(a->generation.count, b->generation.count);
    assert_int_equal(a->latent_count, b->latent_count);
    for (int i = 0; i < a->generation.count; i++) {
        const br_image *image = &a->generation.pictures[i].image;
        assert_memory_equal(a->latents[i], b->latents[i], a->latent_count * sizeof(float));
        assert_memory_equal(image->pixels, b->generation.pictures[i].image.pixels, image_bytes(image));
    }
}

static void assert_near(const float *a, const float *b, size_t count, double tolerance, const char *what)
{
    double error = br_test_relative_error_f32(a, b, count);
    print_message("  %s: relative error %.2e (at most %.0e)\n", what, error, tolerance);
    assert_true(error <= tolerance);
}

/* ---- seeds and batches ---- */

/* Picture i of a batch is what its seed draws alone: the sampler with noise of its own and one without. */
static void test_batch_equals_singles(void **state)
{
    (void)state;
    static const char *const samplers[] = {"euler_a", "ddim"};
    for (int s = 0; s < 2; s++) {
        br_generate_params params = params_of(samplers[s]);
        params.batch_size = BATCH;
        drawing batch = draw(&params);
        assert_int_equal(batch.generation.count, BATCH);
        params.batch_size = 1;
        for (int i = 0; i < BATCH; i++, params.seed++) {
            drawing single = draw(&params);
            assert_int_equal(batch.generation.pictures[i].seed, params.seed);
            assert_int_equal(single.generation.pictures[0].seed, params.seed);
            assert_int_equal(single.latent_count, LATENT_COUNT);
            assert_near(batch.latents[i], single.latents[0], LATENT_COUNT, 1e-5, samplers[s]);
            const br_image *a = &batch.generation.pictures[i].image, *b = &single.generation.pictures[0].image;
            for (size_t j = 0; j < image_bytes(a); j++)
                assert_in_range(a->pixels[j] - b->pixels[j] + 1, 0, 2); /* a value on the edge may round either way */
            assert_string_equal(batch.generation.pictures[i].parameters, single.generation.pictures[0].parameters);
            drawing_free(&single);
        }
        assert_true(br_test_relative_error_f32(batch.latents[0], batch.latents[1], LATENT_COUNT) > 0.1);
        drawing_free(&batch);
    }
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    br_generate_params params = params_of("euler_a");
    drawing first = draw(&params), again = draw(&params);
    assert_same_bytes(&first, &again);
    drawing_free(&again);
    br_test_device *device = br_test_device_open(NULL);
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(device->device, shared.model, BR_PRECISION_F32, &pipeline));
    again = draw_with(pipeline, &params);
    assert_same_bytes(&first, &again);
    drawing_free(&again);
    br_pipeline_close(pipeline);
    br_test_device_close(device);
    params.seed++;
    again = draw(&params);
    assert_memory_not_equal(first.latents[0], again.latents[0], LATENT_COUNT * sizeof(float));
    drawing_free(&again);
    drawing_free(&first);
}

/* ---- record once ---- */

static br_vk_counters run_counted(int steps)
{
    br_generate_params params = params_of("ddim");
    params.steps = steps;
    params.dump_dir = NULL;
    br_vk_counters before = *br_vk_device_counters(shared.device->device);
    drawing d = draw(&params);
    br_vk_counters after = *br_vk_device_counters(shared.device->device);
    drawing_free(&d);
    assert_int_equal(after.recorded_commands, before.recorded_commands);
    assert_int_equal(after.memory_allocations, before.memory_allocations);
    assert_int_equal(after.buffers, before.buffers);
    assert_int_equal(after.pipelines, before.pipelines);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    after.submissions -= before.submissions;
    return after;
}

static void test_recorded_once(void **state)
{
    (void)state;
    br_generate_params params = params_of("ddim");
    br_vk_counters before = *br_vk_device_counters(shared.device->device);
    params.width = SIDE + 4; /* a size that no other test has prepared */
    drawing d = draw(&params);
    assert_true(br_vk_device_counters(shared.device->device)->recorded_commands > before.recorded_commands);
    drawing_free(&d);
    params.width = SIDE;
    d = draw(&params);
    drawing_free(&d);
    uint64_t one = run_counted(1).submissions, four = run_counted(4).submissions, seven = run_counted(7).submissions;
    print_message("  submissions: %llu for 1 step, %llu for 4, %llu for 7\n", (unsigned long long)one, (unsigned long long)four,
                  (unsigned long long)seven);
    assert_true(four > one);
    assert_int_equal(seven - four, four - one);
    assert_int_equal((four - one) % 3, 0);
}

/* ---- callbacks ---- */

typedef struct stop_at {
    const char *stage;
    int step;
} stop_at;

static bool stop(void *user, const br_progress *progress)
{
    const stop_at *at = user;
    return strcmp(progress->stage, at->stage) != 0 || progress->step < at->step;
}

static void test_cancelling(void **state)
{
    (void)state;
    static const stop_at places[] = {{"text", 0}, {"denoise", 0}, {"denoise", 2}, {"decode", 0}};
    br_generate_params params = params_of("dpmpp_2m");
    params.steps = 4;
    drawing expected = draw(&params);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        br_generation generation;
        br_generate_params cancelled = params;
        stop_at at = places[i];
        cancelled.seed = 100;
        cancelled.progress = stop;
        cancelled.progress_user = &at;
        assert_status(br_draw_pictures(shared.pipeline, &cancelled, &generation), BR_ERROR_CANCELLED, at.stage);
        assert_null(generation.pictures);
        assert_int_equal(generation.count, 0);
        drawing after = draw(&params);
        assert_same_bytes(&after, &expected);
        drawing_free(&after);
    }
    drawing_free(&expected);
}

typedef struct preview_log {
    int calls, steps[16], pictures[16];
    double sum;
} preview_log;

static void take_preview(void *user, int step, int picture, const br_image *preview)
{
    preview_log *log = user;
    assert_in_range(log->calls, 0, 15);
    assert_int_equal(preview->width, SIDE);
    assert_int_equal(preview->height, SIDE);
    for (size_t i = 0; i < image_bytes(preview); i++)
        log->sum += preview->pixels[i];
    log->steps[log->calls] = step;
    log->pictures[log->calls++] = picture;
}

static void test_previews(void **state)
{
    (void)state;
    static const char *const samplers[] = {"euler_a", "heun"};
    for (int s = 0; s < 2; s++) {
        br_generate_params params = params_of(samplers[s]);
        params.steps = 5;
        params.batch_size = 2;
        drawing without = draw(&params);
        preview_log log = {0};
        params.preview = take_preview;
        params.preview_user = &log;
        params.preview_every = 2;
        drawing with = draw(&params);
        assert_same_bytes(&with, &without);
        assert_int_equal(log.calls, 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(log.steps[i], 2 + i / 2 * 2);
            assert_int_equal(log.pictures[i], i % 2);
        }
        assert_true(log.sum > 0);
        drawing_free(&with);
        drawing_free(&without);
    }
}

/* ---- numbers that are none ---- */

/* A copy of the smallest model with the first number of `file` made NaN (its weights are 16-bit floats). */
static const char *spoil(const char *file)
{
    static const char *const files[] = {"model_index.json",
                                        "scheduler/scheduler_config.json",
                                        "text_encoder/config.json",
                                        "text_encoder/model.fp16.safetensors",
                                        "tokenizer/merges.txt",
                                        "tokenizer/special_tokens_map.json",
                                        "tokenizer/tokenizer_config.json",
                                        "tokenizer/vocab.json",
                                        "unet/config.json",
                                        "unet/diffusion_pytorch_model.fp16.safetensors",
                                        "vae/config.json",
                                        "vae/diffusion_pytorch_model.fp16.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char from[256], to[256], *data;
        size_t size;
        snprintf(from, sizeof from, "tests/data/tiny/sd1/%s", files[i]);
        snprintf(to, sizeof to, "spoilt/%s", files[i]);
        assert_status_ok(br_file_read(br_test_path(from), 1 << 24, &data, &size));
        uint64_t header;
        memcpy(&header, data, sizeof header);
        if (strcmp(files[i], file) == 0)
            memcpy(data + sizeof header + header, "\x00\x7e", 2);
        br_scratch_file(to, data, size);
        free(data);
    }
    return br_scratch_path("spoilt");
}

static void test_spoilt_weights(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } cases[] = {{"text_encoder/model.fp16.safetensors", "not finite"},
                 {"unet/diffusion_pytorch_model.fp16.safetensors", "not finite"},
                 {"vae/diffusion_pytorch_model.fp16.safetensors", "NaN or infinite"},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        br_model *model;
        br_pipeline *pipeline;
        br_generation generation;
        br_log silent = {0};
        assert_status_ok(br_model_load(&(br_checkpoint_params){.path = spoil(cases[i].file)}, &silent, &model));
        assert_status_ok(br_pipeline_open(shared.device->device, model, BR_PRECISION_F32, &pipeline));
        br_generate_params params = {.prompt = "red", .width = 64, .height = 64, .steps = 2};
        br_status status = br_draw_pictures(pipeline, &params, &generation);
        if (cases[i].message) {
            print_message("  %s: %s\n", cases[i].file, br_status_message(status));
            assert_status(status, BR_ERROR_FORMAT, cases[i].message);
            assert_null(generation.pictures);
            assert_int_equal(generation.count, 0);
        } else {
            assert_status_ok(status);
            br_generation_release(&generation);
        }
        br_pipeline_close(pipeline);
        br_model_unload(model);
    }
}

/* What overflowed in one run is not in the history of the next. */
static void test_after_an_overflow(void **state)
{
    (void)state;
    float noise[LATENT_COUNT];
    br_generate_params params = params_of("dpmpp_2m");
    params.steps = 3; /* the first and the last do not look back */
    drawing expected = draw(&params);
    for (size_t i = 0; i < LATENT_COUNT; i++)
        noise[i] = i % 2 ? 3e38f : -3e38f; /* finite, but no sum of it is */
    br_generation generation;
    br_generate_params overflowing = params;
    overflowing.init_noise = noise;
    overflowing.init_noise_count = (int64_t)LATENT_COUNT;
    assert_status(br_draw_pictures(shared.pipeline, &overflowing, &generation), BR_ERROR_FORMAT, "not finite");
    drawing after = draw(&params);
    assert_same_bytes(&after, &expected);
    drawing_free(&after);
    drawing_free(&expected);
}

/* ---- sizes, guidance, samplers ---- */

static void test_sizes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{96, 40}, {52, 68}, {4, 4}, {4, 44}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        br_generate_params params = params_of("ddim");
        params.width = sizes[i][0];
        params.height = sizes[i][1];
        drawing d = draw(&params);
        assert_int_equal(d.generation.pictures[0].image.width, sizes[i][0]);
        assert_int_equal(d.generation.pictures[0].image.height, sizes[i][1]);
        assert_int_equal(d.latent_count, 4 * (sizes[i][0] / 4) * (sizes[i][1] / 4));
        drawing_free(&d);
    }
    br_generation generation;
    br_generate_params params = params_of("ddim");
    params.width = 50;
    assert_status(br_draw_pictures(shared.pipeline, &params, &generation), BR_ERROR_ARGUMENT,
                  "width is 50, expected a multiple of 4");
}

/* Without guidance the model runs once a picture: on the prompt. With guidance of a prompt against itself nothing changes. */
static void test_guidance(void **state)
{
    (void)state;
    size_t count;
    br_generate_params params = params_of("ddim");
    drawing guided = draw(&params);
    float *guided_cond = read_dump(0, 1, "eps_cond_000", &count), *guided_uncond = read_dump(0, 1, "eps_uncond_000", &count);
    assert_true(br_test_relative_error_f32(guided_uncond, guided_cond, count) > 1e-3);
    params.guidance = 1;
    drawing alone = draw(&params);
    float *cond = read_dump(0, 1, "eps_cond_000", &count);
    assert_near(cond, guided_cond, count, 1e-6, "epsilon without guidance");
    params.guidance = 3;
    params.negative_prompt = params.prompt;
    drawing same = draw(&params);
    float *uncond = read_dump(0, 1, "eps_uncond_000", &count);
    assert_near(uncond, guided_cond, count, 1e-6, "epsilon of the prompt as the negative one");
    assert_near(same.latents[0], alone.latents[0], LATENT_COUNT, 1e-5, "latents of a prompt against itself");
    assert_true(br_test_relative_error_f32(guided.latents[0], alone.latents[0], LATENT_COUNT) > 1e-3);
    float *all[] = {guided_cond, guided_uncond, cond, uncond};
    for (int i = 0; i < 4; i++)
        test_free(all[i]);
    drawing_free(&guided);
    drawing_free(&alone);
    drawing_free(&same);
}

static void test_samplers(void **state)
{
    (void)state;
    drawing drawings[BR_SAMPLER_COUNT];
    for (int i = 0; i < BR_SAMPLER_COUNT; i++) {
        br_generate_params params = params_of(br_sampler_name((br_sampler)i));
        params.steps = 4;
        drawings[i] = draw(&params);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(drawings[i].latents[0], drawings[j].latents[0], LATENT_COUNT * sizeof(float));
        params.schedule = "karras";
        if (!br_sampler_takes_sigmas((br_sampler)i))
            continue;
        drawing karras = draw(&params);
        assert_memory_not_equal(drawings[i].latents[0], karras.latents[0], LATENT_COUNT * sizeof(float));
        drawing_free(&karras);
    }
    for (int i = 0; i < BR_SAMPLER_COUNT; i++)
        drawing_free(&drawings[i]);
}

/* ---- a poor device ---- */

/* Matrices, kernels and activations above 64 KiB are bound in slices there. */
static void test_limits(void **state)
{
    (void)state;
    br_test_device *limited = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 64 << 10, .max_shared = 16 << 10, .max_invocations = 128, .max_groups = 89});
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open(limited->device, shared.model, BR_PRECISION_F32, &pipeline));
    br_generate_params params = params_of("ddim");
    drawing expected = draw(&params), ours = draw_with(pipeline, &params);
    assert_near(ours.latents[0], expected.latents[0], LATENT_COUNT, 1e-5, "latents");
    drawing_free(&ours);
    drawing_free(&expected);
    br_pipeline_close(pipeline);
    br_test_device_close(limited);
}

static int setup(void **state)
{
    br_log silent = {0};
    shared.device = br_test_device_open(NULL);
    assert_status_ok(
        br_model_load(&(br_checkpoint_params){.path = br_test_path(br_test_any_model(shared.device))}, &silent, &shared.model));
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &shared.pipeline));
    print_message("device: %s\n", shared.device->caps->name);
    return br_scratch_setup(state);
}

static int teardown(void **state)
{
    br_pipeline_close(shared.pipeline);
    br_model_unload(shared.model);
    br_test_device_close(shared.device);
    return br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_equals_singles),
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_recorded_once),
        cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_previews),
        cmocka_unit_test(test_spoilt_weights),
        cmocka_unit_test(test_after_an_overflow),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_guidance),
        cmocka_unit_test(test_samplers),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
