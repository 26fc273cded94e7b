/* What is made of a profile: sums, roofs, memory, documents and their comparison. The profile is written by hand, nothing runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "prof/compare.h"
#include "prof/report.h"
#include "prof/summary.h"
#include "prof/table.h"
#include "prof/trace.h"
#include "support/scratch.h"
#include "support/test.h"

#define KERNELS 5
#define RUNS 3

/* Milliseconds of each dispatch; run r takes (r + 1) times as long. */
static const double milliseconds[KERNELS] = {2, 3, 5, 7, 11};

static br_prof_kernel kernels[KERNELS] = {
    {.path = "unet/conv_in", .op = "conv2d", .shader = "conv_f16", .f16 = true, .flops = 1000000, .bytes = 1000},
    {.path = "unet/down.0/res.0/conv1", .op = "conv2d", .shader = "conv_f16", .f16 = true, .flops = 2000000, .bytes = 1000},
    {.path = "unet/down.0/res.0/norm", .op = "group_norm", .shader = "norm_f16", .f16 = true, .flops = 100, .bytes = 50000},
    {.path = "unet/down.1/to_q", .op = "linear", .shader = "linear_f32", .flops = 3000000, .bytes = 2000},
    {.path = "step</script>", .op = "sampler_step", .shader = "step_f32", .flops = 0, .bytes = 0},
};

static br_prof_value values[] = {
    {.name = "a", .offset = 0, .bytes = 512, .first = 0, .last = 2},
    {.name = "b", .offset = 512, .bytes = 256, .first = 1, .last = 1},
    {.name = "a in place", .offset = 0, .bytes = 512, .first = 2, .last = 4},
};

static br_profile *make(double factor)
{
    br_profile *profile;
    int index;
    assert_status_ok(br_prof_create(BR_PROF_SERIALISED, &profile));
    const br_prof_program program = {.name = "denoising step",
                                     .kernels = kernels,
                                     .kernel_count = KERNELS,
                                     .values = values,
                                     .value_count = 3,
                                     .arena_bytes = 1024,
                                     .lower_bound_bytes = 768,
                                     .weight_bytes = 4096};
    assert_status_ok(br_prof_add_program(profile, &program, &index));
    profile->runs = calloc(RUNS, sizeof *profile->runs);
    profile->run_count = profile->run_capacity = RUNS;
    profile->alignment = BR_PROF_CALIBRATED;
    profile->roof = (br_prof_roof){.f32_flops = 1e9, .f16_flops = 2e9, .bytes = 1e7};
    double time = 1;
    for (int r = 0; r < RUNS; r++) {
        br_prof_run *run = &profile->runs[r];
        *run = (br_prof_run){.program = index, .began = time, .submitted = time + 1e-4};
        run->times = calloc(2 * KERNELS, sizeof *run->times);
        time += 1e-3;
        for (int i = 0; i < KERNELS; i++) {
            run->times[2 * i] = time;
            run->times[2 * i + 1] = time += factor * (r + 1) * milliseconds[i] * 1e-3;
        }
        run->done = time += 1e-3;
    }
    int span = br_prof_begin(profile, "outer \"quoted\"");
    br_prof_end(profile, span);
    (void)br_prof_begin(profile, "never ended");
    return profile;
}

static const br_prof_row *find(const br_prof_summary *summary, const char *name)
{
    for (int i = 0; i < summary->count; i++)
        if (strcmp(summary->rows[i].name, name) == 0)
            return &summary->rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void near(double value, double expected)
{
    assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static void sums(void **state)
{
    (void)state;
    br_profile *profile = make(1);
    br_prof_summary summary;
    assert_status_ok(br_prof_summarise(profile, BR_PROF_BY_LAYER, &summary));
    assert_int_equal(summary.count, 4);
    near(summary.seconds, 6 * 28e-3); /* 1 + 2 + 3 times the sum */
    const br_prof_row *layer = find(&summary, "unet/down.0/res.0");
    assert_int_equal(layer->calls, 2 * RUNS);
    near(layer->seconds, 6 * 8e-3);
    near(layer->flops, 3 * 2000100.0);
    /* The convolution is held by 2 GFLOP/s for 1 ms, the norm by 10 MB/s for 5 ms. */
    near(layer->roof_seconds, 3 * 6e-3);
    near(br_prof_row_efficiency(layer), 18e-3 / 48e-3);
    assert_int_equal(br_prof_row_bound(layer), BR_PROF_BOUND_MEMORY);
    for (int i = 1; i < summary.count; i++)
        assert_true(summary.rows[i - 1].seconds >= summary.rows[i].seconds);
    br_prof_summary_finish(&summary);

    assert_status_ok(br_prof_summarise(profile, BR_PROF_BY_OP, &summary));
    near(find(&summary, "conv2d")->seconds, 6 * 5e-3);
    assert_int_equal(br_prof_row_bound(find(&summary, "conv2d")), BR_PROF_BOUND_COMPUTE);
    near(find(&summary, "linear")->compute_seconds, 3 * 3e-3); /* f32: the lower roof */
    assert_int_equal(br_prof_row_bound(find(&summary, "sampler_step")), BR_PROF_BOUND_UNKNOWN);
    br_prof_summary_finish(&summary);
    br_prof_destroy(profile);
}

/* A result that begins before the argument that it replaces: together they take what the two span. */
static void memory_of_narrowing(void **state)
{
    (void)state;
    br_prof_value narrowing[] = {
        {.name = "wide", .offset = 64, .bytes = 512, .first = 0, .last = 1},
        {.name = "narrow", .offset = 0, .bytes = 256, .first = 1, .last = 2},
    };
    const br_prof_program program = {.values = narrowing, .value_count = 2, .kernel_count = 3};
    assert_int_equal(br_prof_live_bytes(&program, 0), 512);
    assert_int_equal(br_prof_live_bytes(&program, 1), 576);
    assert_int_equal(br_prof_live_bytes(&program, 2), 256);
}

static void memory(void **state)
{
    (void)state;
    br_profile *profile = make(1);
    const uint64_t expected[KERNELS] = {512, 768, 512, 512, 512}; /* "a" and what replaces it in place are one at dispatch 2 */
    for (int i = 0; i < KERNELS; i++)
        assert_int_equal(br_prof_live_bytes(&profile->programs[0], i), expected[i]);
    json_t *root;
    assert_status_ok(br_prof_report(profile, &root));
    const json_t *stage = json_array_get(json_object_get(root, "stages"), 0), *map = json_object_get(stage, "memory");
    assert_int_equal(json_integer_value(json_object_get(map, "peak_bytes")), 768);
    assert_string_equal(json_string_value(json_object_get(map, "peak_path")), "unet/down.0/res.0/conv1");
    const json_t *holders = json_object_get(map, "peak_values");
    assert_int_equal(json_array_size(holders), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(holders, 0), "name")), "a");
    assert_string_equal(json_string_value(json_object_get(json_array_get(holders, 1), "name")), "b");
    json_decref(root);
    br_prof_destroy(profile);
}

static void documents(void **state)
{
    (void)state;
    br_profile *profile = make(1);
    json_t *root;
    char *text;
    size_t size;
    assert_status_ok(br_prof_write_json(profile, br_scratch_path("a.json")));
    assert_status_ok(br_json_read(br_scratch_path("a.json"), 1 << 20, &root));
    const json_t *stage = json_array_get(json_object_get(root, "stages"), 0);
    near(json_number_value(json_object_get(stage, "seconds")), 6 * 28e-3);
    near(json_number_value(json_object_get(json_array_get(json_object_get(stage, "dispatches"), 2), "seconds_max")), 15e-3);
    assert_int_equal(json_array_size(json_object_get(root, "spans")), 1); /* the one that ended */
    json_decref(root);

    assert_status_ok(br_prof_write_trace(profile, br_scratch_path("t.json")));
    assert_status_ok(br_json_read(br_scratch_path("t.json"), 1 << 20, &root));
    json_decref(root);

    /* A name cannot end the script that carries it. */
    assert_status_ok(br_prof_write_html(profile, br_scratch_path("p.html")));
    assert_status_ok(br_file_read(br_scratch_path("p.html"), 1 << 20, &text, &size));
    assert_non_null(strstr(text, "step<\\/script>"));
    assert_null(strstr(text, "step</script>"));
    assert_null(strstr(text, "http://") == strstr(text, "http://www.w3.org/2000/svg") ? NULL : text); /* no network */
    assert_null(strstr(text, "https://"));
    free(text);
    br_prof_destroy(profile);
}

static void compared(void **state)
{
    (void)state;
    br_profile *before = make(1), *after = make(2);
    assert_status_ok(br_prof_write_json(before, br_scratch_path("before.json")));
    assert_status_ok(br_prof_write_json(after, br_scratch_path("after.json")));
    const br_prof_compare_params params = {.before = br_scratch_path("before.json"), .after = br_scratch_path("after.json")};
    json_t *root;
    assert_status_ok(br_prof_compare(&params, &root));
    const json_t *rows = json_object_get(root, "layer"), *first = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 4);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "step<"); /* 11 ms a run: the largest change */
    near(json_number_value(json_object_get(first, "change")), 2 * 11e-3);
    near(json_number_value(json_object_get(first, "ratio")), 2);
    json_decref(root);

    br_scratch_file("other.json", "{\"stages\":[]}", 13);
    const br_prof_compare_params wrong = {.before = br_scratch_path("before.json"), .after = br_scratch_path("other.json")};
    assert_status(br_prof_compare(&wrong, &root), BR_ERROR_FORMAT, "other.json: not a profile");
    br_scratch_file("newer.json", "{\"format\":\"brume-profile\",\"version\":99,\"stages\":[]}", 51);
    const br_prof_compare_params newer = {.before = br_scratch_path("newer.json"), .after = br_scratch_path("before.json")};
    assert_status(br_prof_compare(&newer, &root), BR_ERROR_FORMAT, "version 99");
    br_prof_destroy(before);
    br_prof_destroy(after);
}

static void tables(void **state)
{
    (void)state;
    br_profile *profile = make(1);
    char text[8192] = "";
    FILE *stream = fopen(br_scratch_path("table.txt"), "w+");
    assert_non_null(stream);
    assert_status_ok(br_prof_print(profile, stream, 2));
    rewind(stream);
    assert_true(fread(text, 1, sizeof text - 1, stream) > 0);
    fclose(stream);
    assert_non_null(strstr(text, "... and 2 more")); /* of four layers */
    assert_non_null(strstr(text, "168.000 ms"));     /* the stage */
    br_prof_destroy(profile);
}

/* Nothing ran, or the queue writes no timestamps: the host's figures and a reason. */
static void without_times(void **state)
{
    (void)state;
    br_profile *profile;
    char text[4096] = "";
    assert_status_ok(br_prof_create(BR_PROF_CONCURRENT, &profile));
    strcpy(profile->device_name, "a device");
    br_prof_end(profile, br_prof_begin(profile, "load"));
    FILE *stream = fopen(br_scratch_path("none.txt"), "w+");
    assert_non_null(stream);
    assert_status_ok(br_prof_print(profile, stream, 0));
    rewind(stream);
    assert_true(fread(text, 1, sizeof text - 1, stream) > 0);
    fclose(stream);
    assert_non_null(strstr(text, "writes no timestamps"));
    assert_non_null(strstr(text, "load"));
    assert_status_ok(br_prof_write_trace(profile, br_scratch_path("none.json")));
    assert_status_ok(br_prof_write_html(profile, br_scratch_path("none.html")));
    br_prof_destroy(profile);
    br_prof_end(NULL, br_prof_begin(NULL, "without a profile"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),     cmocka_unit_test(memory), cmocka_unit_test(memory_of_narrowing), cmocka_unit_test(documents),
        cmocka_unit_test(compared), cmocka_unit_test(tables), cmocka_unit_test(without_times),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
