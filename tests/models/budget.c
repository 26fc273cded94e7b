/* A memory budget: the same picture to the last bit, and never more device memory than was allowed, as the device's allocations show; where the host sees
 * device memory and where it does not. The small model (a tiny one on SwiftShader), whose weights are streamed through tiny slots. */
#include <stdio.h>
#include <string.h>

#include "image/image.h"
#include "pipeline/draw.h"
#include "pipeline/memory.h"
#include "pipeline/pipeline.h"
#include "support/device.h"

#define SIDE 32

static br_model *model;

static br_generate_params params_of(const char *prompt)
{
    return (br_generate_params){
        .prompt = prompt, .width = SIDE, .height = SIDE, .steps = 2, .guidance = 1, .sampler = "ddim", .seed = 7};
}

static br_image picture_of(br_pipeline *pipeline, const br_generate_params *params)
{
    br_generation generation;
    br_image copy = {0};
    assert_status_ok(br_draw_pictures(pipeline, params, &generation));
    copy = generation.pictures[0].image;
    generation.pictures[0].image = (br_image){0};
    br_generation_release(&generation);
    return copy;
}

static void assert_same(const br_image *a, const br_image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->pixels, b->pixels, (size_t)a->width * (size_t)a->height * BR_IMAGE_CHANNELS);
}

typedef struct bounds {
    uint64_t least, whole;
} bounds;

static bounds find_bounds(const br_test_device *device)
{
    br_memory_info info;
    assert_status_ok(br_memory_plan(&(br_memory_plan_params){.model = model,
                                                             .caps = device->caps,
                                                             .precision = BR_PRECISION_F32,
                                                             .width = SIDE,
                                                             .height = SIDE,
                                                             .budget = (uint64_t)1 << 40},
                                    &info));
    return (bounds){info.least_budget, info.whole_budget};
}

static br_pipeline *open_within(const br_test_device *device, uint64_t budget)
{
    br_pipeline *pipeline;
    assert_status_ok(br_pipeline_open_within(
        &(br_pipeline_open_params){
            .device = device->device, .model = model, .precision = BR_PRECISION_F32, .memory_budget = budget},
        &pipeline));
    return pipeline;
}

/* What depends on the host's logic alone is tested on faster ones. */
static void skip_on_slow_device(void)
{
    br_test_device *device = br_test_device_open(NULL);
    bool slow = br_test_device_is_slow(device);
    br_test_device_close(device);
    if (slow) {
        print_message("left to faster devices\n");
        skip();
    }
}

/* What is drawn without a budget. */
typedef struct expected {
    br_image apple, fox, edited;
} expected;

static br_generate_params edit_of(const br_image *picture)
{
    br_generate_params params = params_of("a fox");
    params.init_image = picture;
    params.strength = 0.5;
    return params;
}

static expected draw_expected(const br_test_device *device)
{
    expected e;
    br_pipeline *pipeline = open_within(device, 0);
    br_generate_params apple = params_of("a red apple"), fox = params_of("a fox");
    e.apple = picture_of(pipeline, &apple);
    e.fox = picture_of(pipeline, &fox);
    br_generate_params edit = edit_of(&e.apple);
    e.edited = picture_of(pipeline, &edit);
    br_pipeline_close(pipeline);
    return e;
}

static void free_expected(expected *e)
{
    br_image_finish(&e->apple);
    br_image_finish(&e->fox);
    br_image_finish(&e->edited);
}

static void check_budget(const br_vk_device_params *params, const expected *e, uint64_t budget)
{
    br_test_device *device = br_test_device_open(params);
    const br_vk_counters *counters = br_vk_device_counters(device->device);
    br_pipeline *pipeline = open_within(device, budget);
    br_generate_params apple = params_of("a red apple"), fox = params_of("a fox");
    br_image image = picture_of(pipeline, &apple);
    assert_same(&image, &e->apple);
    br_image_finish(&image);
    /* What another picture takes was planned, recorded and allocated for the first. */
    uint64_t allocations = counters->memory_allocations, buffers = counters->buffers;
    image = picture_of(pipeline, &fox);
    assert_same(&image, &e->fox);
    br_image_finish(&image);
    assert_int_equal(counters->memory_allocations, allocations);
    assert_int_equal(counters->buffers, buffers);
    print_message("  budget %6.2f MiB: peak %6.2f MiB\n", (double)budget / (1 << 20),
                  (double)counters->memory_peak_bytes / (1 << 20));
    assert_true(counters->memory_peak_bytes <= budget);
    br_pipeline_close(pipeline);
    br_test_device_close(device);
}

/* `params` but for the device's limits. */
static void check_device(const br_vk_device_params *params)
{
    br_test_device *device = br_test_device_open(params);
    bounds b = find_bounds(device);
    bool slow = br_test_device_is_slow(device);
    expected e = draw_expected(device);
    br_test_device_close(device);
    assert_true(b.least < b.whole);
    check_budget(params, &e, b.least);
    if (!slow) {
        check_budget(params, &e, b.least + (b.whole - b.least) / 2);
        check_budget(params, &e, b.least + (b.whole - b.least) / 10);
        check_budget(params, &e, b.whole - 256);
        check_budget(params, &e, b.whole);
    }
    free_expected(&e);
}

static void test_unified(void **state)
{
    (void)state;
    check_device(&(br_vk_device_params){0});
}

static void test_staged(void **state)
{
    (void)state;
    check_device(&(br_vk_device_params){.force_staging = true});
}

static void test_bar(void **state)
{
    (void)state;
    skip_on_slow_device();
    check_device(&(br_vk_device_params){.force_bar = true});
}

/* From a picture: the encoder has a place too, whatever was drawn before. */
static void test_encode(void **state)
{
    (void)state;
    skip_on_slow_device();
    br_test_device *device = br_test_device_open(NULL);
    bounds b = find_bounds(device);
    expected e = draw_expected(device);
    uint64_t budget = b.least + (b.whole - b.least) / 4;
    br_pipeline *pipeline = open_within(device, budget);
    br_generate_params apple = params_of("a red apple"), edit = edit_of(&e.apple);
    for (int i = 0; i < 3; i++) {
        br_image image = picture_of(pipeline, i == 1 ? &edit : &apple);
        assert_same(&image, i == 1 ? &e.edited : &e.apple);
        br_image_finish(&image);
    }
    br_pipeline_close(pipeline);
    free_expected(&e);
    br_test_device_close(device);
}

static void test_too_small(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(NULL);
    br_pipeline *pipeline = open_within(device, find_bounds(device).least / 2);
    br_generation generation;
    br_generate_params params = params_of("a red apple");
    uint64_t buffers = br_vk_device_counters(device->device)->buffers;
    assert_status(br_draw_pictures(pipeline, &params, &generation), BR_ERROR_OUT_OF_DEVICE_MEMORY, "expected at least");
    assert_int_equal(br_vk_device_counters(device->device)->buffers, buffers);
    br_pipeline_close(pipeline);
    br_test_device_close(device);
}

static bool stop_in_step(void *user, const br_progress *progress)
{
    int *asked = user;
    return strcmp(progress->stage, "denoise") != 0 || ++*asked < 5;
}

/* A run that ends between two segments leaves the next one nothing wrong. */
static void test_cancel(void **state)
{
    (void)state;
    int asked = 0;
    br_test_device *device = br_test_device_open(NULL);
    expected e = draw_expected(device);
    br_pipeline *pipeline = open_within(device, find_bounds(device).least);
    br_generate_params params = params_of("a fox");
    br_generation generation;
    params.progress = stop_in_step;
    params.progress_user = &asked;
    assert_status(br_draw_pictures(pipeline, &params, &generation), BR_ERROR_CANCELLED, "cancelled");
    params.progress = NULL;
    br_image image = picture_of(pipeline, &params);
    assert_same(&image, &e.fox);
    br_image_finish(&image);
    br_pipeline_close(pipeline);
    free_expected(&e);
    br_test_device_close(device);
}

static int open_model(void **state)
{
    (void)state;
    const br_log silent = {0};
    br_test_device *device = br_test_device_open(NULL);
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(br_test_any_model(device))}, &silent, &model));
    br_test_device_close(device);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unified),   cmocka_unit_test(test_staged),
                                       cmocka_unit_test(test_bar),       cmocka_unit_test(test_encode),
                                       cmocka_unit_test(test_too_small), cmocka_unit_test(test_cancel)};
    return cmocka_run_group_tests_name("budget", tests, open_model, close_model);
}
