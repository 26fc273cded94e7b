/* The VAE by itself: in tiles, and where 16-bit floats are too small for its activations. On the small model. */
#include <math.h>

#include "pipeline/pipeline.h"
#include "support/device.h"

#define MODEL "assets/models/emoji"
#define SIDE 64
#define TILE 32
#define FACTOR 4
#define LATENTS (4 * (SIDE / FACTOR) * (SIDE / FACTOR))
#define PIXELS (3 * SIDE * SIDE)

static br_model *model;

static void make_latents(float size, float latents[LATENTS])
{
    for (int i = 0; i < LATENTS; i++)
        latents[i] = size * ((float)((i * 37 + i / 16 * 11) % 23) / 23 - 0.5f);
}

/* Ready for pictures of SIDE pixels. */
static br_pipeline *open_pipeline(const br_test_device *device, const br_pipeline_open_params *limits)
{
    const br_picture_size size = {.height = SIDE / FACTOR, .width = SIDE / FACTOR, .batch = 1, .copies = 1};
    br_pipeline_open_params params = *limits;
    br_pipeline *pipeline;
    params.device = device->device;
    params.model = model;
    params.precision = params.precision ? params.precision : BR_PRECISION_F32;
    assert_status_ok(br_pipeline_open_within(&params, &pipeline));
    assert_status_ok(br_pipeline_prepare(pipeline, &size));
    return pipeline;
}

/* Tiles are the same with and without a budget, and near to what one piece gives. */
static void test_tiles(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(NULL);
    static float latents[LATENTS], pictures[3][PIXELS];
    make_latents(1, latents);
    const br_pipeline_open_params cases[] = {{.vae_tile = 0}, {.vae_tile = TILE}, {.vae_tile = TILE, .memory_budget = 12 << 20}};
    for (int i = 0; i < 3; i++) {
        br_pipeline *pipeline = open_pipeline(device, &cases[i]);
        br_tiles tiles = br_pipeline_decode_tiles(pipeline);
        assert_int_equal(tiles.rows * tiles.columns, i ? 9 : 1);
        assert_int_equal(pipeline->pool != NULL, i == 2);
        assert_status_ok(br_pipeline_decode(pipeline, latents, pictures[i]));
        br_pipeline_close(pipeline);
    }
    assert_memory_equal(pictures[1], pictures[2], sizeof pictures[1]);
    double error = br_test_relative_error_f32(pictures[1], pictures[0], PIXELS);
    print_message("  tiles of %d pixels differ by %.3g\n", TILE, error);
    assert_true(error > 0 && error < 0.25);
    br_test_device_close(device);
}

/* Latents that become infinite in 16 bits are decoded with 32, and so is everything after them; the memory that was planned does for it. */
static void test_overflow(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(NULL);
    if (!device->caps->f16_storage) {
        br_test_device_close(device);
        print_message("no 16-bit floats here\n");
        skip();
    }
    static float small[LATENTS], large[LATENTS], expected[2][PIXELS], picture[PIXELS];
    make_latents(1, small);
    make_latents(4e5f, large);
    br_pipeline *pipeline = open_pipeline(device, &(br_pipeline_open_params){.precision = BR_PRECISION_F32});
    assert_status_ok(br_pipeline_decode(pipeline, small, expected[0]));
    assert_status_ok(br_pipeline_decode(pipeline, large, expected[1]));
    br_pipeline_close(pipeline);
    const uint64_t budgets[] = {0, 12 << 20, 64 << 20}; /* none, a pool, one that holds everything */
    for (int i = 0; i < 3; i++) {
        const br_vk_counters *counters = br_vk_device_counters(device->device);
        pipeline = open_pipeline(device, &(br_pipeline_open_params){.precision = BR_PRECISION_F16, .memory_budget = budgets[i]});
        assert_int_equal(pipeline->dtypes.vae.activations, BR_F16);
        assert_int_equal(pipeline->pool != NULL, i == 1);
        assert_status_ok(br_pipeline_decode(pipeline, small, picture));
        assert_int_equal(pipeline->dtypes.vae.activations, BR_F16);
        assert_true(br_test_relative_error_f32(picture, expected[0], PIXELS) < 5e-3); /* a pass in 16 bits */
        const br_replay *denoise = pipeline->denoise.replay;
        assert_status_ok(br_pipeline_decode(pipeline, large, picture));
        assert_int_equal(pipeline->dtypes.vae.activations, BR_F32);
        assert_ptr_equal(pipeline->denoise.replay, denoise);
        br_tiles tiles = br_pipeline_decode_tiles(pipeline);
        double error = br_test_relative_error_f32(picture, expected[1], PIXELS);
        print_message("  budget %2d MiB: %d tiles, error %.3g, peak %.1f MiB\n", (int)(budgets[i] >> 20),
                      tiles.rows * tiles.columns, error, (double)counters->memory_peak_bytes / (1 << 20));
        /* Weights are as the file has them, in 16 bits; tiles are what test_tiles shows. */
        assert_true(tiles.rows * tiles.columns > 1 ? error < 0.25 : error < 1e-5);
        assert_true(i == 0 || counters->memory_peak_bytes <= budgets[i]);
        br_pipeline_close(pipeline);
    }
    br_test_device_close(device);
}

/* A decoder that works beside the loop and overflows there becomes one that does not, and works after the loop from then on. */
static void test_overflow_beside(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(&(br_vk_device_params){.share_queue = true});
    if (!device->caps->f16_storage) {
        br_test_device_close(device);
        print_message("no 16-bit floats here\n");
        skip();
    }
    static float large[LATENTS], expected[PIXELS], picture[PIXELS];
    make_latents(4e5f, large);
    br_pipeline *plain = open_pipeline(device, &(br_pipeline_open_params){.precision = BR_PRECISION_F16});
    br_pipeline *pipeline = open_pipeline(device, &(br_pipeline_open_params){.precision = BR_PRECISION_F16});
    const br_picture_size size = pipeline->size;
    br_pipeline_overlap(pipeline);
    assert_false(br_pipeline_is_prepared(pipeline, &size));
    assert_status_ok(br_pipeline_prepare(pipeline, &size));
    assert_true(pipeline->decodes_beside);
    assert_status_ok(br_pipeline_decode(plain, large, expected));
    assert_status_ok(br_pipeline_decode_begin(pipeline, large));
    assert_status_ok(br_pipeline_decode_end(pipeline, large, picture));
    assert_false(pipeline->decodes_beside);
    assert_memory_equal(picture, expected, sizeof picture);
    br_pipeline_close(pipeline);
    br_pipeline_close(plain);
    br_test_device_close(device);
}

static int open_model(void **state)
{
    (void)state;
    const br_log silent = {0};
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(MODEL)}, &silent, &model));
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    br_model_unload(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiles), cmocka_unit_test(test_overflow),
                                       cmocka_unit_test(test_overflow_beside)};
    return cmocka_run_group_tests_name("autoencode", tests, open_model, close_model);
}
