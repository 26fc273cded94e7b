/* Recording, barriers and replay. */
#include "vk/recorder.h"

#include <stdlib.h>

#include "base/f16.h"
#include "br_shaders.h"
#include "support/device.h"
#include "tests/saxpy.h"

/* Elements of a slot; odd, and several workgroups. */
#define COUNT 389
/* Bytes between slots: a multiple of every storage_alignment, which is 256 at the most. */
#define STRIDE 2048
#define SLOTS 16

typedef struct fixture {
    br_test_device *test;
    const br_vk_pipeline *saxpy[2]; /* factor 1 and 2 */
    br_vk_buffer *buffer;           /* SLOTS slots of COUNT floats; slot s starts as s everywhere */
    br_vk_recorder *recorder;
} fixture;

static const br_vk_pipeline *pipeline_of(br_vk_device *device, float factor)
{
    const br_shader *shader = &br_shaders[BR_SHADER_TEST_SAXPY];
    br_vk_pipeline_params params = {
        .name = shader->name,
        .words = shader->words,
        .size = shader->size,
        .binding_count = 3,
        .push_size = sizeof(br_saxpy_push),
        .spec_count = 1,
        .spec = {br_f32_to_bits(factor)},
    };
    const br_vk_pipeline *pipeline = NULL;
    assert_status_ok(br_vk_device_pipeline(device, &params, &pipeline));
    return pipeline;
}

static void begin(fixture *f, br_test_device *test, const br_vk_recorder_params *params)
{
    *f = (fixture){.test = test, .saxpy = {pipeline_of(test->device, 1), pipeline_of(test->device, 2)}};
    assert_status_ok(br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, SLOTS * STRIDE, "slots", &f->buffer));
    float *values = malloc(SLOTS * STRIDE);
    assert_non_null(values);
    for (size_t i = 0; i < SLOTS * STRIDE / 4; i++)
        values[i] = (float)(i / (STRIDE / 4));
    assert_status_ok(br_vk_upload(test->device, f->buffer, 0, SLOTS * STRIDE, values));
    free(values);
    br_vk_recorder_params own = params ? *params : (br_vk_recorder_params){0};
    own.device = test->device;
    own.name = "test";
    own.dispatch_max = own.dispatch_max ? own.dispatch_max : 64;
    assert_status_ok(br_vk_recorder_create(&own, &f->recorder));
}

static br_vk_binding slot(const fixture *f, int index, br_vk_access access)
{
    return (br_vk_binding){.buffer = f->buffer, .offset = (uint64_t)index * STRIDE, .size = COUNT * 4, .access = access};
}

/* out = factor · x + y, in slots. */
static br_vk_dispatch saxpy(fixture *f, int factor, int out, int x, int y)
{
    static const br_saxpy_push push = {COUNT, 1};
    return (br_vk_dispatch){
        .name = "saxpy",
        .pipeline = f->saxpy[factor - 1],
        .binding_count = 3,
        .bindings = {slot(f, out, BR_VK_WRITE), slot(f, x, BR_VK_READ), slot(f, y, BR_VK_READ)},
        .push = &push,
        .groups = {(COUNT + 63) / 64, 1, 1},
        .flops = 100,
    };
}

static void record(fixture *f, int factor, int out, int x, int y)
{
    br_vk_dispatch dispatch = saxpy(f, factor, out, x, y);
    assert_status_ok(br_vk_recorder_dispatch(f->recorder, &dispatch));
}

static void expect_slot(const fixture *f, int index, float expected)
{
    float values[COUNT];
    assert_status_ok(br_vk_download(f->test->device, f->buffer, (uint64_t)index * STRIDE, sizeof values, values));
    for (int i = 0; i < COUNT; i++)
        if (values[i] != expected) {
            print_error("slot %d, element %d is %g, expected %g\n", index, i, values[i], expected);
            fail();
        }
}

/* Ends, runs and checks the number of barriers; finish() destroys the recording. */
static br_vk_recording *run(fixture *f, uint32_t barriers)
{
    br_vk_recording *recording = NULL;
    assert_status_ok(br_vk_recorder_end(f->recorder, &recording));
    assert_int_equal(br_vk_recording_barriers(recording), barriers);
    assert_status_ok(br_vk_recording_run(recording));
    return recording;
}

static void finish(fixture *f, br_vk_recording *recording)
{
    br_vk_recording_destroy(recording);
    br_vk_buffer_destroy(f->buffer);
}

static void independent_dispatches_need_no_barrier(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    for (int i = 0; i < 7; i++)
        record(&f, 1, 9 + i, i, i + 1); /* reads are shared, writes are not */
    br_vk_recording *recording = run(&f, 0);
    for (int i = 0; i < 7; i++)
        expect_slot(&f, 9 + i, (float)(2 * i + 1));
    finish(&f, recording);
}

static void read_after_write(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 10, 1, 2);  /* 3 */
    record(&f, 2, 11, 10, 3); /* 9 */
    record(&f, 2, 12, 11, 4); /* 22 */
    record(&f, 1, 13, 1, 1);  /* independent of the last one */
    br_vk_recording *recording = run(&f, 2);
    expect_slot(&f, 10, 3);
    expect_slot(&f, 11, 9);
    expect_slot(&f, 12, 22);
    expect_slot(&f, 13, 2);
    finish(&f, recording);
}

static void write_after_read(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 10, 1, 2);
    record(&f, 1, 1, 5, 6); /* must not overtake the reading of slot 1 */
    br_vk_recording *recording = run(&f, 1);
    expect_slot(&f, 10, 3);
    expect_slot(&f, 1, 11);
    finish(&f, recording);
}

static void write_after_write(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 10, 1, 2);
    record(&f, 1, 10, 3, 4);
    br_vk_recording *recording = run(&f, 1);
    expect_slot(&f, 10, 7);
    finish(&f, recording);
}

static void neighbours_do_not_conflict(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    /* Slot 9 whole, then slot 10: the ranges touch but share no byte. */
    br_vk_dispatch dispatch = saxpy(&f, 1, 9, 1, 2);
    dispatch.bindings[0].size = STRIDE;
    assert_status_ok(br_vk_recorder_dispatch(f.recorder, &dispatch));
    record(&f, 1, 10, 3, 4);
    /* Slot 8 with four bytes of slot 9: now they do. */
    dispatch = saxpy(&f, 1, 8, 1, 2);
    dispatch.bindings[0].size = STRIDE + 4;
    assert_status_ok(br_vk_recorder_dispatch(f.recorder, &dispatch));
    finish(&f, run(&f, 1));
}

static void a_barrier_orders_everything_before_it(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 10, 1, 2);
    record(&f, 1, 11, 3, 4);
    record(&f, 1, 12, 10, 5); /* barrier: slot 11 is ordered by it too */
    record(&f, 1, 13, 11, 6);
    br_vk_recording *recording = run(&f, 1);
    expect_slot(&f, 12, 8);
    expect_slot(&f, 13, 13);
    finish(&f, recording);
}

static void in_place(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    for (int i = 0; i < 5; i++) {
        br_vk_dispatch dispatch = saxpy(&f, 2, 3, 3, 3); /* three times itself */
        dispatch.bindings[0].access = BR_VK_READ_WRITE;
        assert_status_ok(br_vk_recorder_dispatch(f.recorder, &dispatch));
    }
    br_vk_recording *recording = run(&f, 4);
    expect_slot(&f, 3, 729);
    finish(&f, recording);
}

static void replays_without_allocating_or_recording(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 8, 1, 8); /* slot 8 += 1 */
    br_vk_recording *recording = run(&f, 0);
    br_vk_counters before = *br_vk_device_counters(f.test->device);
    for (int i = 0; i < 99; i++)
        assert_status_ok(br_vk_recording_run(recording));
    const br_vk_counters *after = br_vk_device_counters(f.test->device);
    assert_int_equal(after->memory_allocations, before.memory_allocations);
    assert_int_equal(after->recorded_commands, before.recorded_commands);
    assert_int_equal(after->buffers, before.buffers);
    assert_int_equal(after->submissions, before.submissions + 99);
    assert_int_equal(after->pipelines, before.pipelines);
    expect_slot(&f, 8, 108);
    finish(&f, recording);
}

static void sees_uploads_between_replays(void **state)
{
    fixture f;
    begin(&f, *state, NULL);
    record(&f, 1, 10, 1, 2);
    br_vk_recording *recording = run(&f, 0);
    float values[COUNT];
    for (int step = 1; step < 6; step++) {
        for (int i = 0; i < COUNT; i++)
            values[i] = (float)step * 100;
        assert_status_ok(br_vk_upload(f.test->device, f.buffer, STRIDE, sizeof values, values));
        assert_status_ok(br_vk_recording_run(recording));
        expect_slot(&f, 10, (float)step * 100 + 2);
    }
    finish(&f, recording);
}

static void splits_by_flops(void **state)
{
    fixture f;
    begin(&f, *state, &(br_vk_recorder_params){.flops_per_submit = 250});
    for (int i = 0; i < 7; i++)
        record(&f, 1, 10, 1, 10); /* 100 FLOPs each, each one needing the last */
    br_vk_recording *recording = run(&f, 6);
    assert_int_equal(br_vk_recording_submissions(recording), 4);
    expect_slot(&f, 10, 17);
    finish(&f, recording);
}

static void cuts_long_dispatches(void **state)
{
    fixture f;
    begin(&f, *state, &(br_vk_recorder_params){.flops_per_submit = 100, .timestamps = true});
    record(&f, 1, 9, 1, 2);
    br_vk_dispatch dispatch = saxpy(&f, 2, 9, 9, 4); /* in place: a part that ran twice would show */
    dispatch.bindings[0].access = BR_VK_READ_WRITE;
    dispatch.flops = 450; /* 7 workgroups in 5 parts */
    assert_status_ok(br_vk_recorder_dispatch(f.recorder, &dispatch));
    dispatch = saxpy(&f, 1, 11, 9, 1);
    dispatch.flops = UINT64_MAX / 2; /* no more parts than workgroups */
    assert_status_ok(br_vk_recorder_dispatch(f.recorder, &dispatch));
    br_vk_recording *recording = run(&f, 2);
    assert_int_equal(br_vk_recording_submissions(recording), 1 + 5 + 7);
    expect_slot(&f, 9, 10);
    expect_slot(&f, 11, 11);
    double begin_ns = 0, end_ns = 0;
    assert_true(f.test->caps->timestamp_bits == 0 || br_vk_recording_time(recording, 2, &begin_ns, &end_ns));
    assert_false(br_vk_recording_time(recording, 3, &begin_ns, &end_ns));
    finish(&f, recording);
}

static bool stop_at_once(void *user)
{
    ++*(int *)user;
    return true;
}

static bool never_stop(void *user)
{
    ++*(int *)user;
    return false;
}

static void stops_between_submissions(void **state)
{
    fixture f;
    begin(&f, *state, &(br_vk_recorder_params){.flops_per_submit = 100});
    for (int i = 0; i < 9; i++)
        record(&f, 1, 10, 1, 10);
    br_vk_recording *recording = NULL;
    int asked = 0;
    assert_status_ok(br_vk_recorder_end(f.recorder, &recording));
    assert_status(br_vk_recording_run_until(recording, stop_at_once, &asked), BR_ERROR_CANCELLED, "test was cancelled");
    assert_int_equal(asked, 1);
    expect_slot(&f, 10, 12);
    assert_status_ok(br_vk_recording_run_until(recording, never_stop, &asked));
    assert_int_equal(asked, 1 + 7);
    expect_slot(&f, 10, 21);
    finish(&f, recording);
}

static void timestamps(void **state)
{
    fixture f;
    begin(&f, *state, &(br_vk_recorder_params){.timestamps = true, .flops_per_submit = 300});
    for (int i = 0; i < 8; i++)
        record(&f, 1, 10, 1, 10);
    br_vk_recording *recording = run(&f, 7);
    double begin_ns = 0, end_ns = 0, last = 0;
    if (f.test->caps->timestamp_bits == 0) {
        assert_false(br_vk_recording_time(recording, 0, &begin_ns, &end_ns));
        finish(&f, recording);
        return;
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(br_vk_recording_time(recording, i, &begin_ns, &end_ns));
        assert_true(begin_ns >= last && end_ns >= begin_ns && end_ns < 60e9);
        last = end_ns;
    }
    assert_true(last > 0);
    assert_false(br_vk_recording_time(recording, 8, &begin_ns, &end_ns));
    finish(&f, recording);
}

static void refuses_what_the_device_cannot_do(void **state)
{
    fixture f;
    begin(&f, *state, &(br_vk_recorder_params){.dispatch_max = 1});
    br_vk_dispatch dispatch = saxpy(&f, 1, 10, 1, 2);
    dispatch.bindings[1].offset = SLOTS * STRIDE;
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT,
                  "test: saxpy: binding 1: bytes 32768 + 1556 are outside of buffer slots");
    dispatch = saxpy(&f, 1, 10, 1, 2);
    dispatch.bindings[2].size = UINT64_MAX - 4;
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT, "binding 2");
    dispatch = saxpy(&f, 1, 10, 1, 2);
    dispatch.bindings[0].offset += 1;
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT, "is not a multiple of");
    dispatch = saxpy(&f, 1, 10, 1, 2);
    dispatch.groups[1] = 0;
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT, "workgroups");
    dispatch = saxpy(&f, 1, 10, 1, 2);
    dispatch.binding_count = 2;
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT,
                  "2 buffers for shader test_saxpy, which binds 3");
    record(&f, 1, 10, 1, 2);
    dispatch = saxpy(&f, 1, 10, 1, 2);
    assert_status(br_vk_recorder_dispatch(f.recorder, &dispatch), BR_ERROR_ARGUMENT, "more than the 1 dispatches");
    br_vk_recorder_destroy(f.recorder);
    br_vk_buffer_destroy(f.buffer);
}

/* Random dispatches over all slots, as many as a program has, against the same arithmetic on the host. */
static void long_programs_come_out_right(void **state)
{
    fixture f;
    enum { DISPATCHES = 2003 };
    begin(&f, *state, &(br_vk_recorder_params){.dispatch_max = DISPATCHES, .flops_per_submit = 30000});
    float expected[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        expected[i] = (float)i;
    uint32_t random = 12345;
    for (int i = 0; i < DISPATCHES; i++) {
        random = random * 1664525u + 1013904223u;
        int out = 3 + (int)((random >> 8) % (SLOTS - 3)), x = (int)(random >> 24 & 15), y = (int)(random >> 28);
        if (x == out || y == out || expected[x] + expected[y] > 1e6f) {
            x = 1; /* slots 0 to 2 are never written: back to small numbers, which floats hold exactly */
            y = 2;
        }
        record(&f, 1, out, x, y);
        expected[out] = expected[x] + expected[y];
    }
    br_vk_recording *recording = NULL;
    assert_status_ok(br_vk_recorder_end(f.recorder, &recording));
    assert_true(br_vk_recording_barriers(recording) > DISPATCHES / 10);
    assert_true(br_vk_recording_barriers(recording) < DISPATCHES);
    assert_int_equal(br_vk_recording_submissions(recording), 7);
    assert_status_ok(br_vk_recording_run(recording));
    for (int i = 0; i < SLOTS; i++)
        expect_slot(&f, i, expected[i]);
    finish(&f, recording);
}

/* Everything once more where the host does not see device memory. */
static int setup_staging(void **state)
{
    *state = br_test_device_open(&(br_vk_device_params){.force_staging = true});
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_dispatches_need_no_barrier),
        cmocka_unit_test(read_after_write),
        cmocka_unit_test(write_after_read),
        cmocka_unit_test(write_after_write),
        cmocka_unit_test(neighbours_do_not_conflict),
        cmocka_unit_test(a_barrier_orders_everything_before_it),
        cmocka_unit_test(in_place),
        cmocka_unit_test(replays_without_allocating_or_recording),
        cmocka_unit_test(sees_uploads_between_replays),
        cmocka_unit_test(splits_by_flops),
        cmocka_unit_test(cuts_long_dispatches),
        cmocka_unit_test(stops_between_submissions),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(refuses_what_the_device_cannot_do),
        cmocka_unit_test(long_programs_come_out_right),
    };
    int failed = cmocka_run_group_tests_name("as the device is", tests, br_test_device_setup, br_test_device_teardown);
    return failed + cmocka_run_group_tests_name("staging", tests, setup_staging, br_test_device_teardown);
}
