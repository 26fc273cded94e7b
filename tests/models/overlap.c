/* Batches whose decoder works while the next one is drawn: the same pictures, byte for byte, as one after the other, whatever comes between. On a device with one
 * queue that is taken for two, so that everything but the running side by side happens; the validation layers watch both. */
#include <string.h>

#include "image/image.h"
#include "pipeline/draw.h"
#include "pipeline/memory.h"
#include "pipeline/pipeline.h"
#include "support/device.h"
#include "support/test.h"

#define SIDE 32
#define CALLS 4

static struct {
    br_test_device *device;
    br_model *model;
    br_pipeline *plain, *overlapped;
} shared;

/* The second call is for three pictures, the last one for a larger one. */
static br_generate_params params_of(int call)
{
    return (br_generate_params){.prompt = call % 2 ? "a green pear" : "a red apple",
                                .width = call == CALLS - 1 ? SIDE + 16 : SIDE,
                                .height = SIDE,
                                .steps = 4,
                                .guidance = 3,
                                .seed = 7 + call,
                                .batch_size = call == 1 ? 3 : 1};
}

static void assert_drawn_by(const br_generation *generation, int call)
{
    br_generate_params params = params_of(call);
    br_generation expected;
    assert_status_ok(br_draw_pictures(shared.plain, &params, &expected));
    assert_int_equal(generation->count, expected.count);
    for (int i = 0; i < expected.count; i++) {
        const br_image *a = &generation->pictures[i].image, *b = &expected.pictures[i].image;
        assert_int_equal(a->width, b->width);
        assert_memory_equal(a->pixels, b->pixels, (size_t)b->width * (size_t)b->height * BR_IMAGE_CHANNELS);
        assert_string_equal(generation->pictures[i].parameters, expected.pictures[i].parameters);
    }
    br_generation_release(&expected);
}

static void next(int call, br_generation *out_generation)
{
    br_generate_params params = params_of(call);
    assert_status_ok(br_draw_next(shared.overlapped, &params, out_generation));
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    br_generation generation;
    for (int call = 0; call < CALLS; call++) {
        next(call, &generation);
        assert_true(shared.overlapped->decodes_beside);
        assert_int_equal(generation.count > 0, call > 0);
        if (call > 0)
            assert_drawn_by(&generation, call - 1);
        br_generation_release(&generation);
    }
    assert_status_ok(br_draw_last(shared.overlapped, &generation));
    assert_drawn_by(&generation, CALLS - 1);
    br_generation_release(&generation);
    assert_status_ok(br_draw_last(shared.overlapped, &generation));
    assert_int_equal(generation.count, 0);
}

static bool stop_at_step_2(void *user, const br_progress *progress)
{
    (void)user;
    return strcmp(progress->stage, "denoise") != 0 || progress->step < 2;
}

/* A call that is cancelled leaves the one before it whole. */
static void test_cancelled(void **state)
{
    (void)state;
    br_generation generation;
    next(0, &generation);
    assert_int_equal(generation.count, 0);
    br_generate_params params = params_of(1);
    params.progress = stop_at_step_2;
    br_status status = br_draw_next(shared.overlapped, &params, &generation);
    assert_int_equal(br_status_code(status), BR_ERROR_CANCELLED);
    br_status_free(status);
    assert_status_ok(br_draw_last(shared.overlapped, &generation));
    assert_drawn_by(&generation, 0);
    br_generation_release(&generation);
}

static int pictures_shown;

static void count_preview(void *user, int step, int picture, const br_image *image)
{
    (void)user, (void)step, (void)picture, (void)image;
    pictures_shown++;
}

/* Previews want the decoder for themselves. */
static void test_previews(void **state)
{
    (void)state;
    br_generation generation;
    next(0, &generation);
    br_generate_params params = params_of(2);
    params.preview = count_preview;
    params.preview_every = 1;
    pictures_shown = 0;
    assert_status_ok(br_draw_next(shared.overlapped, &params, &generation));
    assert_true(pictures_shown > 0);
    assert_drawn_by(&generation, 0);
    br_generation_release(&generation);
    assert_status_ok(br_draw_last(shared.overlapped, &generation));
    assert_drawn_by(&generation, 2);
    br_generation_release(&generation);
}

/* Whether a pipeline with these limits decodes beside the loop; draws call `call`, whose pictures are the same unless the VAE works in tiles. */
static bool decodes_beside(uint64_t budget, int vae_tile, int call)
{
    br_pipeline *pipeline;
    br_generation generation, last;
    br_generate_params params = params_of(call);
    assert_status_ok(br_pipeline_open_within(&(br_pipeline_open_params){.device = shared.device->device,
                                                                        .model = shared.model,
                                                                        .precision = BR_PRECISION_F32,
                                                                        .memory_budget = budget,
                                                                        .vae_tile = vae_tile},
                                             &pipeline));
    br_pipeline_overlap(pipeline);
    assert_status_ok(br_draw_next(pipeline, &params, &generation));
    bool beside = pipeline->decodes_beside;
    assert_status_ok(br_draw_last(pipeline, &last));
    assert_int_equal(beside ? generation.count : last.count, 0);
    if (!vae_tile)
        assert_drawn_by(beside ? &last : &generation, call);
    br_generation_release(&generation);
    br_generation_release(&last);
    br_pipeline_close(pipeline);
    return beside;
}

/* Not where weights are streamed, where a budget has no room for it, or where tiles are put together. */
static void test_limits(void **state)
{
    (void)state;
    br_memory_info info;
    br_generate_params params = params_of(0);
    assert_status_ok(br_memory_plan(&(br_memory_plan_params){.model = shared.model,
                                                             .caps = shared.device->caps,
                                                             .precision = BR_PRECISION_F32,
                                                             .width = params.width,
                                                             .height = params.height,
                                                             .budget = (uint64_t)1 << 40},
                                    &info));
    assert_false(decodes_beside((info.least_budget + info.whole_budget) / 2, 0, 0));
    assert_false(decodes_beside(info.whole_budget, 0, 0));
    assert_true(decodes_beside((uint64_t)1 << 40, 0, 0));
    assert_true(decodes_beside(0, SIDE, 0));
    assert_false(decodes_beside(0, SIDE, CALLS - 1));
}

/* Nobody asks for what is in the decoder. */
static void test_forgotten(void **state)
{
    (void)state;
    br_generation generation;
    next(1, &generation);
}

static int setup(void **state)
{
    (void)state;
    shared.device = br_test_device_open(&(br_vk_device_params){.share_queue = true});
    br_log silent = {0};
    assert_status_ok(
        br_model_load(&(br_checkpoint_params){.path = br_test_path(br_test_any_model(shared.device))}, &silent, &shared.model));
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &shared.plain));
    assert_status_ok(br_pipeline_open(shared.device->device, shared.model, BR_PRECISION_F32, &shared.overlapped));
    br_pipeline_overlap(shared.overlapped);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    br_pipeline_close(shared.plain);
    br_pipeline_close(shared.overlapped);
    br_model_unload(shared.model);
    void *device = shared.device;
    return br_test_device_teardown(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_previews),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_forgotten),
    };
    return cmocka_run_group_tests_name("models/overlap", tests, setup, teardown);
}
