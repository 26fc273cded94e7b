/* A stage under a profile: what is timed, that the times add up, and that nothing happens without one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "exec/stage.h"
#include "ops/op.h"
#include "prof/summary.h"
#include "support/device.h"

#define LAYERS 4
#define ROWS 131
/* The host may lose its turn between two dispatches, and so may the device: of several runs the best one counts. */
#define TRIES 8

typedef struct stage_under_test {
    br_stage stage;
    br_vk_buffer *arena;
} stage_under_test;

/* Two chains of two layers of `width` x `width`, step by step: the chains share nothing but their input. */
static void begin(stage_under_test *it, br_test_device *test, int64_t width, br_profile *profile)
{
    br_graph graph;
    br_program *program;
    br_graph_init(&graph);
    br_value input = br_graph_input(&graph, "x", BR_F32, br_shape_of(ROWS, width)), ends[2] = {input, input};
    br_graph_push(&graph, "net");
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        br_value weight = br_graph_weight(&graph, name, BR_F32, br_shape_of(width, width), BR_WEIGHT_PLAIN);
        br_graph_push(&graph, "layer.%d", i / 2);
        ends[i % 2] = br_op_linear(&graph, name,
                                   &(br_linear_params){.x = ends[i % 2], .weight = weight, .bias = BR_NONE, .residual = BR_NONE});
        br_graph_pop(&graph);
    }
    br_graph_pop(&graph);
    br_graph_output(&graph, ends[0], "y");
    br_graph_output(&graph, ends[1], "z");
    assert_status_ok(br_program_create(&graph, "net", test->caps, &program));
    uint64_t bytes = (uint64_t)program->plan.arena_bytes;
    assert_status_ok(br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, bytes, "arena", &it->arena));
    br_prof_attach(profile, test->device);
    assert_status_ok(br_stage_init(
        &(br_stage_params){.device = test->device, .program = program, .arena = it->arena, .profile = profile}, &it->stage));
    for (int i = 0; i < it->stage.binding_count; i++) {
        br_value value = it->stage.bindings[i].value;
        int64_t count = br_shape_count(br_graph_shape(program->graph, value));
        float *zeros = calloc((size_t)count, sizeof *zeros);
        assert_non_null(zeros);
        if (br_graph_value(program->graph, value)->kind != BR_VALUE_OUTPUT)
            assert_status_ok(br_stage_write_floats(&it->stage, value, zeros, count));
        free(zeros);
    }
}

static void finish(stage_under_test *it)
{
    br_stage_finish(&it->stage);
    br_vk_buffer_destroy(it->arena);
}

/* Dispatches and waiting agree within 5 %, as far as dispatches are long against what a driver does between them. */
static void times_add_up(void **state)
{
    br_test_device *test = *state;
    stage_under_test it;
    br_profile *profile;
    assert_status_ok(br_prof_create(BR_PROF_SERIALISED, &profile));
    begin(&it, test, 769, profile);
    double best = 0;
    for (int i = 0; i < TRIES && best < 0.95; i++) {
        assert_status_ok(br_stage_run(&it.stage));
        const br_prof_run *run = &profile->runs[profile->run_count - 1];
        double part = br_prof_run_seconds(profile, run) / (run->done - run->began);
        best = part > best ? part : best;
        assert_true(part <= 1.001); /* dispatches lie within the run */
    }
    if (test->caps->timestamp_bits > 0)
        assert_true(best >= 0.95);
    else
        assert_true(best == 0);
    finish(&it);
    br_prof_destroy(profile);
}

static void every_dispatch_is_timed(void **state)
{
    br_test_device *test = *state;
    stage_under_test it;
    br_profile *profile;
    br_prof_summary summary;
    assert_status_ok(br_prof_create(BR_PROF_SERIALISED, &profile));
    begin(&it, test, 89, profile);
    for (int i = 0; i < 3; i++)
        assert_status_ok(br_stage_run(&it.stage));
    assert_int_equal(profile->run_count, 3);
    profile->paused = true;
    assert_status_ok(br_stage_run(&it.stage));
    assert_int_equal(profile->run_count, 3);
    assert_int_equal(profile->programs[0].kernel_count, it.stage.program->dispatch_count);
    assert_status_ok(br_prof_summarise(profile, BR_PROF_BY_LAYER, &summary));
    assert_int_equal(summary.count, 2); /* net/layer.0 and net/layer.1 */
    assert_int_equal(summary.rows[0].calls + summary.rows[1].calls, 3 * it.stage.program->dispatch_count);
    assert_true(summary.rows[0].flops + summary.rows[1].flops == 3.0 * (double)it.stage.program->flops);
    for (int r = 0; r < 3 && test->caps->timestamp_bits > 0; r++) {
        const br_prof_run *run = &profile->runs[r];
        double last = run->began - run->deviation - 1e-3;
        for (int i = 0; i < profile->programs[0].kernel_count; i++) {
            assert_true(run->times[2 * i] >= last && run->times[2 * i + 1] >= run->times[2 * i]);
            last = run->times[2 * i + 1];
        }
        assert_true(last <= run->done + run->deviation + 1e-3);
    }
    /* What is alive at its peak fits into the arena. */
    for (int i = 0; i < profile->programs[0].kernel_count; i++)
        assert_true(br_prof_live_bytes(&profile->programs[0], i) <= profile->programs[0].arena_bytes);
    br_prof_summary_finish(&summary);
    finish(&it);
    br_prof_destroy(profile);
}

/* Counts of recording and of running: the same with and without, no timestamps without. */
static void off_costs_nothing(void **state)
{
    br_test_device *test = *state;
    br_vk_counters counts[2];
    br_profile *profile;
    assert_status_ok(br_prof_create(BR_PROF_CONCURRENT, &profile));
    profile->every_run = true; /* or a CPU device would have two recordings */
    for (int timed = 0; timed < 2; timed++) {
        stage_under_test it;
        br_vk_counters before = *br_vk_device_counters(test->device);
        begin(&it, test, 113, timed ? profile : NULL);
        for (int i = 0; i < 2; i++)
            assert_status_ok(br_stage_run(&it.stage));
        const br_vk_counters *after = br_vk_device_counters(test->device);
        counts[timed] = (br_vk_counters){.recorded_commands = after->recorded_commands - before.recorded_commands,
                                         .submissions = after->submissions - before.submissions,
                                         .buffers = after->buffers - before.buffers};
        double begin_ns, end_ns;
        const br_vk_recording *recording = br_replay_recording(it.stage.replay);
        assert_true(br_vk_recording_time(recording, 0, &begin_ns, &end_ns) == (timed && test->caps->timestamp_bits > 0));
        finish(&it);
    }
    assert_int_equal(counts[0].recorded_commands, counts[1].recorded_commands);
    assert_int_equal(counts[0].submissions, counts[1].submissions);
    assert_int_equal(counts[0].buffers, counts[1].buffers);
    br_prof_destroy(profile);
}

/* On CPU devices the first run of eight is timed, and stands for the others; a paused one is none of them. */
static void some_runs_are_timed(void **state)
{
    br_test_device *test = *state;
    stage_under_test it;
    br_profile *profile;
    br_prof_summary summary;
    assert_status_ok(br_prof_create(BR_PROF_CONCURRENT, &profile));
    begin(&it, test, 89, profile);
    bool cpu = test->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU, stamps = test->caps->timestamp_bits > 0;
    for (int i = 0; i < 10; i++) {
        profile->paused = i == 0;
        assert_status_ok(br_stage_run(&it.stage));
    }
    assert_int_equal(profile->run_count, 9);
    for (int r = 0; r < 9; r++)
        assert_true(!!profile->runs[r].times == (stamps && (!cpu || r % 8 == 0)));
    br_prof_runs runs = br_prof_count_runs(profile, 0);
    assert_int_equal(runs.all, 9);
    assert_int_equal(runs.timed, stamps ? cpu ? 2 : 9 : 0);
    assert_status_ok(br_prof_summarise(profile, BR_PROF_BY_STAGE, &summary));
    double timed = 0;
    for (int r = 0; r < 9; r++)
        timed += br_prof_run_seconds(profile, &profile->runs[r]);
    assert_int_equal(summary.rows[0].calls, 9 * it.stage.program->dispatch_count);
    double expected = stamps ? timed * 9 / runs.timed : 0;
    assert_true(fabs(summary.rows[0].seconds - expected) <= 1e-9 * expected);
    br_prof_summary_finish(&summary);
    finish(&it);
    br_prof_destroy(profile);
}

/* Full barriers between all of them; as they run, one between the first step of the chains and the second is enough. */
static void serialised_runs_one_at_a_time(void **state)
{
    br_test_device *test = *state;
    uint32_t barriers[2];
    for (int mode = 0; mode < 2; mode++) {
        br_profile *profile;
        stage_under_test it;
        assert_status_ok(br_prof_create(mode ? BR_PROF_SERIALISED : BR_PROF_CONCURRENT, &profile));
        begin(&it, test, 13, profile);
        assert_status_ok(br_stage_record(&it.stage));
        barriers[mode] = br_vk_recording_barriers(br_replay_recording(it.stage.replay));
        assert_true(!mode || (int)barriers[mode] == it.stage.program->dispatch_count - 1);
        finish(&it);
        br_prof_destroy(profile);
    }
    assert_true(barriers[0] < barriers[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_add_up),        cmocka_unit_test(every_dispatch_is_timed),       cmocka_unit_test(off_costs_nothing),
        cmocka_unit_test(some_runs_are_timed), cmocka_unit_test(serialised_runs_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, br_test_device_setup, br_test_device_teardown);
}
