/* What is measured is right, what is wrong is not chosen, and what was chosen is remembered for this device and driver only. */
#include "exec/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "exec/program.h"
#include "ops/gemm.h"
#include "support/case.h"
#include "support/scratch.h"
#include "vk/handles.h"
#include "vk/vendor.h"

/* As a discrete GPU would be: on CPU devices nothing is measured. */
static br_vk_caps gpu_caps(const br_test_device *test)
{
    br_vk_caps caps = *test->caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    caps.integer_dot_fast = caps.integer_dot;
    return caps;
}

static br_status search_for(const br_test_device *test, const br_vk_caps *caps, double seconds, br_tuning *result)
{
    return br_tuning_search(&(br_tuning_params){.device = test->device, .caps = caps, .seconds = seconds, .divisor = 80}, result);
}

static br_status search(const br_test_device *test, br_tuning *result)
{
    br_vk_caps caps = gpu_caps(test);
    return search_for(test, &caps, 600, result);
}

static bool is_matrix(const br_tuning_row *row)
{
    return row->kind < BR_TUNING_BLOCKS && row->form == BR_TUNING_MATRIX;
}

static void check_tuned(const br_tuning *tuning, br_vk_tuned expected)
{
    assert_memory_equal(&tuning->tuned, &expected, sizeof expected);
}

static void every_candidate_is_right(void **state)
{
    const br_test_device *test = *state;
    br_tuning result;
    assert_status_ok(search(test, &result));
    int tiles = 0, matrices = 0, blocks = 0, attentions = 0;
    for (int i = 0; i < result.count; i++) {
        const br_tuning_row *row = &result.rows[i];
        print_message("%s %s: error %.1e\n", row->shape, row->candidate, row->error);
        if (!row->right || !(row->gflops > 0))
            fail_msg("%s %s: error %g, %g GFLOP/s", row->shape, row->candidate, row->error, row->gflops);
        if (is_matrix(row)) {
            matrices++;
            assert_int_equal(result.tuned.matrix[row->kind], row->chosen ? BR_VK_ON : BR_VK_OFF);
        } else if (row->kind == BR_TUNING_BLOCKS) {
            blocks++;
            if (row->form == BR_TUNING_DOT)
                assert_int_equal(result.tuned.dot, row->chosen ? BR_VK_ON : BR_VK_OFF);
        } else if (row->kind == BR_TUNING_ATTENTION) {
            attentions++;
            assert_true(row->chosen == (result.tuned.attention == row->form + 1));
        } else {
            tiles++;
            assert_true(row->chosen == (result.tuned.tile[row->kind] == row->form + 1));
        }
    }
    assert_int_equal(tiles, BR_VK_TUNED_SHAPES * BR_VK_TUNED_TILES);
    assert_int_equal(matrices, test->caps->cooperative_matrix ? BR_VK_TUNED_SHAPES : 0);
    assert_int_equal(blocks, test->caps->integer_dot ? BR_TUNING_BLOCK_FORMS : 0);
    assert_int_equal(attentions, test->caps->cooperative_matrix ? 2 + test->caps->matrix_reduce : 0);
}

static PFN_vkCmdDispatch real_dispatch;

/* A driver that says it ran and computed nothing, as the device lab's stubs: nothing is right, so the device's class decides. */
static void VKAPI_PTR dispatch_nothing(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    (void)commands, (void)x, (void)y, (void)z;
}

static br_tuning search_with(br_test_device *test, PFN_vkCmdDispatch dispatch, const br_vk_caps *caps, double seconds)
{
    br_tuning result;
    real_dispatch = test->device->fn.vkCmdDispatch;
    test->device->fn.vkCmdDispatch = dispatch;
    assert_status_ok(search_for(test, caps, seconds, &result));
    test->device->fn.vkCmdDispatch = real_dispatch;
    return result;
}

static void lying_driver(void **state)
{
    br_vk_caps caps = gpu_caps(*state);
    br_tuning result = search_with(*state, dispatch_nothing, &caps, 600);
    check_tuned(&result, (br_vk_tuned){0});
    for (int i = 0; i < result.count; i++) {
        assert_false(result.rows[i].right);
        assert_true(result.rows[i].chosen == result.rows[i].is_default);
    }
}

/* What the large shape's product by matrix units is dispatched with: no tile gives any shape as many workgroups. */
static uint32_t matrix_groups;

static void VKAPI_PTR dispatch_matrix_short(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    real_dispatch(commands, x == matrix_groups ? x - 1 : x, y, z);
}

static void broken_matrix(void **state)
{
    br_test_device *test = *state;
    if (!test->caps->cooperative_matrix) {
        print_message("cooperative matrices: skipped, the device has none\n");
        return;
    }
    br_vk_caps caps = gpu_caps(test);
    br_gemm_tile tile;
    caps.integer_dot = false;  /* products with blocks have as many workgroups */
    caps.prefer_matrix = true; /* the driver's claim is believed, and not what it answers */
    assert_true(br_gemm_tile_choose_matrix(&caps, 4095, 640, 640, &tile));
    uint32_t rows = br_gemm_tile_m(tile), columns = br_gemm_tile_n(tile);
    matrix_groups = (4095 + rows - 1) / rows * ((640 + columns - 1) / columns);
    br_tuning result = search_with(test, dispatch_matrix_short, &caps, 600);
    for (int i = 0; i < result.count; i++) {
        bool broken = is_matrix(&result.rows[i]) && result.rows[i].kind == BR_GEMM_SHAPE_LARGE;
        assert_true(result.rows[i].right == !broken);
        assert_false(is_matrix(&result.rows[i]) && result.rows[i].chosen);
    }
    for (int i = 0; i < BR_VK_TUNED_SHAPES; i++) {
        assert_int_equal(result.tuned.matrix[i], BR_VK_OFF);
        assert_true(result.tuned.tile[i] > 0);
    }
}

/* Attention as exec/tune.c measures it, by the form that these caps choose. */
static br_op_dispatch attention_by(const br_vk_caps *caps)
{
    br_graph graph;
    br_program *program;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F16, br_shape_of(1, 1151, 320));
    br_graph_output(&graph, br_op_attention(&graph, "y", &(br_attention_params){.q = x, .k = x, .v = x, .heads = 8}), "y");
    assert_status_ok(br_program_create(&graph, "y", caps, &program));
    br_op_dispatch dispatch = program->dispatches[0];
    br_program_destroy(program);
    return dispatch;
}

/* Attention by matrix units that lacks a workgroup is not used, with or without reductions. */
static void broken_attention(void **state)
{
    br_test_device *test = *state;
    if (!test->caps->cooperative_matrix) {
        print_message("cooperative matrices: skipped, the device has none\n");
        return;
    }
    br_vk_caps caps = gpu_caps(test);
    caps.integer_dot = false;
    caps.prefer_matrix = caps.prefer_reduce = true;
    matrix_groups = attention_by(&caps).groups[0];
    br_tuning result = search_with(test, dispatch_matrix_short, &caps, 600);
    for (int i = 0; i < result.count; i++)
        if (result.rows[i].kind == BR_TUNING_ATTENTION)
            assert_true(result.rows[i].right == (result.rows[i].form == 0));
    assert_int_equal(result.tuned.attention, BR_VK_ATTENTION_ORDINARY);
}

/* The last candidate of a search begins with packing x, in as many workgroups as nothing else has: 1023 rows of 32 numbers, 128 quads each. All that
 * follows are products of what was packed. */
#define PACK_GROUPS 64
static bool packed;

static void VKAPI_PTR dispatch_dot_short(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    real_dispatch(commands, packed ? x - 1 : x, y, z);
    packed = packed || x == PACK_GROUPS;
}

static void broken_dot(void **state)
{
    br_test_device *test = *state;
    if (!test->caps->integer_dot) {
        print_message("integer dot products: skipped, the device has none\n");
        return;
    }
    packed = false;
    br_vk_caps caps = gpu_caps(test);
    caps.vendor_id = BR_VENDOR_ARM; /* its tiles are fixed */
    caps.cooperative_matrix = false;
    br_tuning result = search_with(test, dispatch_dot_short, &caps, 600);
    assert_true(packed);
    assert_int_equal(result.count, BR_TUNING_BLOCK_FORMS);
    for (int i = 0; i < result.count; i++)
        assert_true(result.rows[i].right == !(result.rows[i].kind == BR_TUNING_BLOCKS && result.rows[i].form == BR_TUNING_DOT));
    assert_int_equal(result.tuned.dot, BR_VK_OFF);
}

static void VKAPI_PTR dispatch_slowly(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    for (double began = br_clock_seconds(); br_clock_seconds() - began < 0.02;)
        continue;
    real_dispatch(commands, x, y, z);
}

/* Time is up in the first candidate: no other is begun, and one alone says nothing. */
static void time_is_up(void **state)
{
    br_vk_caps caps = gpu_caps(*state);
    br_tuning result = search_with(*state, dispatch_slowly, &caps, 0.02);
    assert_int_equal(result.count, 1);
    assert_true(result.rows[0].right);
    assert_false(result.rows[0].chosen);
    check_tuned(&result, (br_vk_tuned){0});
}

/* One measurement: GFLOP/s, negative where the numbers were wrong; 0: it was not begun. */
typedef struct fake {
    double tiles[BR_VK_TUNED_TILES], matrix;
} fake;

static br_tuning decide(const fake shapes[BR_VK_TUNED_SHAPES], bool prefer_matrix, double plain, double dot, bool dot_claimed)
{
    br_tuning it = {0};
    for (int kind = 0; kind <= BR_TUNING_BLOCKS; kind++)
        for (int form = 0; form <= BR_TUNING_MATRIX; form++) {
            bool blocks = kind == BR_TUNING_BLOCKS, matrix = !blocks && form == BR_TUNING_MATRIX;
            if (blocks && form >= BR_TUNING_BLOCK_FORMS)
                continue;
            double rate = blocks ? (form == BR_TUNING_DOT ? dot : plain) : matrix ? shapes[kind].matrix : shapes[kind].tiles[form];
            bool is_default = blocks ? dot_claimed == (form == BR_TUNING_DOT) : matrix ? prefer_matrix : form == 0;
            if (rate != 0)
                it.rows[it.count++] = (br_tuning_row){
                    .kind = kind, .form = form, .gflops = rate > 0 ? rate : 0, .right = rate > 0, .is_default = is_default};
        }
    br_tuning_decide(&it);
    return it;
}

/* Of one shape, the others being as plain as can be. */
static void check_matrix(fake shape, bool prefer, br_vk_choice expected, int tile)
{
    const fake shapes[BR_VK_TUNED_SHAPES] = {{{100, 90, 80}, 0}, shape, {{100, 90, 80}, 0}};
    br_tuning it = decide(shapes, prefer, 0, 0, false);
    assert_int_equal(it.tuned.matrix[1], expected);
    assert_int_equal(it.tuned.tile[1], tile);
    for (int i = 0; i < it.count; i++)
        if (is_matrix(&it.rows[i]))
            assert_true(it.rows[i].chosen == (expected == BR_VK_ON || (expected == BR_VK_AUTO && prefer)));
}

static void matrix_against_tiles(void **state)
{
    (void)state;
    for (int prefer = 0; prefer < 2; prefer++) {
        check_matrix((fake){{100, 120, 90}, 300}, prefer, BR_VK_ON, 2);  /* faster than the best tile, whatever is believed */
        check_matrix((fake){{100, 120, 90}, 20}, prefer, BR_VK_OFF, 2);  /* the flag lies about speed */
        check_matrix((fake){{100, 120, 90}, 110}, prefer, BR_VK_OFF, 2); /* faster than the usual tile only */
        check_matrix((fake){{100, 120, 90}, -1}, prefer, BR_VK_OFF, 2);  /* it lies about numbers */
        check_matrix((fake){{-1, -1, -1}, 30}, prefer, BR_VK_ON, 0);     /* the tiles do */
        check_matrix((fake){{100, 120, 90}, 122}, prefer, prefer ? BR_VK_ON : BR_VK_OFF, 2); /* not by enough to change anything */
        check_matrix((fake){{100, 120, 90}, 118}, prefer, prefer ? BR_VK_ON : BR_VK_OFF, 2);
    }
    const fake cut[BR_VK_TUNED_SHAPES] = {{{100, 120, 90}, 0}, {{100, 120, 0}, 0}};
    br_tuning it = decide(cut, true, 0, 0, false);
    check_tuned(&it, (br_vk_tuned){.tile = {2}});
}

/* Each shape for itself, but wrong numbers count for all. */
static void matrix_by_shape(void **state)
{
    (void)state;
    const fake mixed[BR_VK_TUNED_SHAPES] = {{{100, 90, 80}, 400}, {{100, 90, 80}, 200}, {{100, 90, 130}, 50}};
    br_tuning it = decide(mixed, true, 0, 0, false);
    check_tuned(&it, (br_vk_tuned){.tile = {1, 1, 3}, .matrix = {BR_VK_ON, BR_VK_ON, BR_VK_OFF}});
    const fake wrong[BR_VK_TUNED_SHAPES] = {{{100, 90, 80}, 400}, {{100, 90, 80}, 200}, {{100, 90, 130}, -1}};
    it = decide(wrong, true, 0, 0, false);
    check_tuned(&it, (br_vk_tuned){.tile = {1, 1, 3}, .matrix = {BR_VK_OFF, BR_VK_OFF, BR_VK_OFF}});
    for (int i = 0; i < it.count; i++)
        assert_false(is_matrix(&it.rows[i]) && it.rows[i].chosen);
    const fake nothing[BR_VK_TUNED_SHAPES] = {{{-1, -1, -1}, -1}, {{-1, -1, -1}, -1}, {{-1, -1, -1}, -1}};
    it = decide(nothing, true, -1, -1, true);
    check_tuned(&it, (br_vk_tuned){0});
}

static void dot_against_plain(void **state)
{
    (void)state;
    const struct {
        double plain, dot;
        bool claimed;
        br_vk_choice expected;
    } cases[] = {
        {100, 150, true, BR_VK_ON}, {100, 150, false, BR_VK_ON},  {100, 60, true, BR_VK_OFF}, {100, 60, false, BR_VK_OFF},
        {100, 103, true, BR_VK_ON}, {100, 103, false, BR_VK_OFF}, {103, 100, true, BR_VK_ON}, {100, -1, true, BR_VK_OFF},
        {-1, 100, false, BR_VK_ON}, {-1, -1, true, BR_VK_AUTO},   {100, 0, true, BR_VK_AUTO}, {0, 0, false, BR_VK_AUTO},
    };
    const fake none[BR_VK_TUNED_SHAPES] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(decide(none, false, cases[i].plain, cases[i].dot, cases[i].claimed).tuned.dot, cases[i].expected);
}

static void picks(void **state)
{
    (void)state;
    br_tuning_row rows[3];
    const struct {
        double gflops[3];
        bool right[3];
        int usual, expected;
    } cases[] = {
        {{100, 104, 90}, {true, true, true}, 0, 0},   /* not faster by enough */
        {{100, 106, 90}, {true, true, true}, 0, 1},   /* faster */
        {{100, 130, 131}, {true, true, true}, 0, 2},  /* the fastest of two that are */
        {{100, 900, 130}, {true, false, true}, 0, 2}, /* faster, and wrong */
        {{100, 20, 30}, {false, true, true}, 0, 2},   /* the usual one is wrong */
        {{0, 0, 0}, {false, false, false}, 1, 1},     /* all are */
        {{100, NAN, 90}, {true, false, true}, 0, 0},  /* no number at all */
        {{50, 60, 100}, {true, true, true}, 2, 2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (int i = 0; i < 3; i++)
            rows[i] = (br_tuning_row){.gflops = cases[c].gflops[i], .right = cases[c].right[i], .is_default = i == cases[c].usual};
        assert_int_equal(br_tuning_pick(rows, 3), cases[c].expected);
        for (int i = 0; i < 3; i++)
            assert_true(rows[i].chosen == (i == cases[c].expected));
    }
}

/* Ops take what was chosen, on devices where there is a choice. */
static void ops_follow(void **state)
{
    const br_test_device *test = *state;
    br_vk_caps caps = *test->caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    const uint64_t m[BR_VK_TUNED_SHAPES] = {4096, 512, 128}, n[BR_VK_TUNED_SHAPES] = {640, 640, 320};
    const uint32_t rows[BR_VK_TUNED_TILES] = {128, 64, 32};
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        for (int tile = 0; tile < BR_VK_TUNED_TILES; tile++) {
            caps.tuned = (br_vk_tuned){0};
            caps.tuned.tile[shape] = (uint8_t)(tile + 1);
            for (int other = 0; other < BR_VK_TUNED_SHAPES; other++)
                assert_int_equal(br_gemm_tile_m(br_gemm_tile_choose(&caps, m[other], n[other], 0)),
                                 rows[other == shape ? tile : other]);
            assert_int_equal(br_gemm_tile_n(br_gemm_tile_choose(&caps, 4096, 4, 0)), 8); /* narrow all the same */
        }
}

/* The shader of a device's own that multiplies f16, or blocks. */
static bool program_has(const br_vk_caps *caps, br_dtype w, uint64_t m, br_shader_id shader)
{
    br_graph graph;
    br_program *program;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F16, br_shape_of((int64_t)m, 64));
    br_value weight = br_graph_weight(&graph, "w", w, br_shape_of(640, 64), BR_WEIGHT_PLAIN);
    br_value y = br_op_linear(&graph, "y", &(br_linear_params){.x = x, .weight = weight, .bias = BR_NONE, .residual = BR_NONE});
    br_graph_output(&graph, y, "y");
    assert_status_ok(br_program_create(&graph, "y", caps, &program));
    bool found = false;
    for (int i = 0; i < program->dispatch_count; i++)
        found = found || program->dispatches[i].shader == shader;
    br_program_destroy(program);
    return found;
}

/* What was measured goes before what is believed, and not before what a device can. Nothing runs: any device's capabilities do. */
static void ops_follow_choices(void **state)
{
    br_vk_caps caps = gpu_caps(*state);
    caps.f16_storage = caps.f16_arithmetic = caps.cooperative_matrix = caps.integer_dot = true;
    caps.matrix_count = 1;
    caps.matrix[0] = (br_vk_matrix_shape){16, 16, 16};
    caps.max_shared = 49152;
    caps.max_invocations = caps.max_group_size[0] = 1024;
    caps.subgroup_size = caps.subgroup_min = caps.subgroup_max = 32;
    const uint64_t m[BR_VK_TUNED_SHAPES] = {4096, 512, 128};
    for (int believed = 0; believed < 2; believed++)
        for (int choice = BR_VK_AUTO; choice <= BR_VK_OFF; choice++)
            for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++) {
                caps.prefer_matrix = caps.integer_dot_fast = believed;
                caps.tuned = (br_vk_tuned){.dot = (uint8_t)choice};
                caps.tuned.matrix[shape] = (uint8_t)choice;
                bool expected = choice == BR_VK_ON || (choice == BR_VK_AUTO && believed);
                for (int other = 0; other < BR_VK_TUNED_SHAPES; other++)
                    assert_true(program_has(&caps, BR_F16, m[other], BR_SHADER_LINEAR_MATRIX_F16) ==
                                (other == shape ? expected : believed));
                assert_true(program_has(&caps, BR_Q8_0, m[shape], BR_SHADER_LINEAR_DOT_F16_QUANT) == expected);
            }
    static const br_shader_id attentions[] = {BR_SHADER_ATTENTION_F16, BR_SHADER_ATTENTION_MATRIX_F16,
                                              BR_SHADER_ATTENTION_REDUCE_F16};
    caps.subgroup_shuffle = caps.subgroup_vote = caps.matrix_reduce = caps.prefer_matrix = true;
    for (int believed = 0; believed < 2; believed++)
        for (int choice = BR_VK_ATTENTION_AUTO; choice <= BR_VK_ATTENTION_REDUCE; choice++) {
            caps.prefer_reduce = believed;
            caps.tuned = (br_vk_tuned){.attention = (uint8_t)choice};
            assert_int_equal(attention_by(&caps).shader, attentions[choice ? choice - 1 : 1 + believed]);
        }
    caps.cooperative_matrix = caps.integer_dot = false;
    assert_int_equal(attention_by(&caps).shader, BR_SHADER_ATTENTION_F16);
    caps.tuned = (br_vk_tuned){.matrix = {BR_VK_ON, BR_VK_ON, BR_VK_ON}, .dot = BR_VK_ON};
    assert_false(program_has(&caps, BR_F16, 512, BR_SHADER_LINEAR_MATRIX_F16));
    assert_false(program_has(&caps, BR_Q8_0, 512, BR_SHADER_LINEAR_DOT_F16_QUANT));
}

static br_vk_device *open_device(br_vk_instance *instance, const char *folder)
{
    br_vk_device *device = NULL;
    assert_status_ok(br_vk_device_create(&(br_vk_device_params){.instance = instance, .cache_dir = folder}, &device));
    return device;
}

static void remembered(void **state)
{
    br_test_device *test = *state;
    const br_vk_tuned tuned = {.tile = {3, 1, 2},
                               .matrix = {BR_VK_ON, BR_VK_OFF, BR_VK_AUTO},
                               .dot = BR_VK_OFF,
                               .attention = BR_VK_ATTENTION_MATRIX},
                      none = {0};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", br_scratch_path("cache"));
    assert_status_ok(br_dir_create(folder));
    br_vk_device *device = open_device(test->instance, folder);
    assert_int_equal(br_vk_device_tuning(device), BR_VK_NOT_TUNED);
    assert_status_ok(br_vk_device_tune(device, &tuned));
    char *path = strdup(device->tuning_path);
    br_vk_device_destroy(device);
    char *data;
    size_t size;
    assert_status_ok(br_file_read(path, 4096, &data, &size));
    /* As it is; then with each byte altered, cut, lengthened. */
    for (size_t i = 0; i <= size + 2; i++) {
        char *copy = calloc(size + 1, 1);
        memcpy(copy, data, size);
        if (i > 0 && i <= size)
            copy[i - 1] ^= 1;
        assert_status_ok(br_file_write(path, copy, i == size + 1 ? size - 1 : i == size + 2 ? size + 1 : size));
        device = open_device(test->instance, folder);
        assert_int_equal(br_vk_device_tuning(device), i ? BR_VK_NOT_TUNED : BR_VK_TUNED);
        assert_memory_equal(&br_vk_device_caps(device)->tuned, i ? &none : &tuned, sizeof tuned);
        br_vk_device_destroy(device);
        free(copy);
    }
    assert_status_ok(br_file_write(path, data, size));
    /* Who said how blocks are multiplied, or whether by matrix units, is heard, and the file keeps what was measured. */
    assert_status_ok(br_vk_device_create(
        &(br_vk_device_params){
            .instance = test->instance, .cache_dir = folder, .integer_dot = BR_VK_OFF, .matrix_units = BR_VK_OFF},
        &device));
    assert_int_equal(br_vk_device_caps(device)->tuned.dot, BR_VK_AUTO);
    assert_int_equal(br_vk_device_caps(device)->tuned.matrix[0], BR_VK_AUTO);
    assert_int_equal(br_vk_device_caps(device)->tuned.attention, BR_VK_ATTENTION_AUTO);
    assert_false(br_vk_device_caps(device)->prefer_matrix);
    assert_int_equal(br_vk_device_caps(device)->tuned.tile[0], 3);
    assert_false(br_vk_device_caps(device)->integer_dot_fast);
    assert_status_ok(br_vk_device_tune(device, &tuned));
    assert_int_equal(br_vk_device_caps(device)->tuned.dot, BR_VK_AUTO);
    br_vk_device_destroy(device);
    device = open_device(test->instance, folder);
    assert_int_equal(br_vk_device_caps(device)->tuned.dot, BR_VK_OFF);
    br_vk_device_forget_tuning(device);
    assert_int_equal(br_vk_device_caps(device)->tuned.tile[0], 0);
    assert_false(br_file_exists(path));
    br_vk_device_destroy(device);
    device = open_device(test->instance, NULL);
    assert_int_equal(br_vk_device_tuning(device), BR_VK_TUNING_NOT_KEPT);
    assert_status_ok(br_vk_device_tune(device, &tuned));
    assert_int_equal(br_vk_device_tuning(device), BR_VK_TUNED);
    br_vk_device_destroy(device);
    free(path);
    free(data);
}

/* Nobody gets something else than he asked for. */
static void refused(void **state)
{
    const br_test_device *test = *state;
    br_vk_device *device;
    br_vk_device_params params = {.instance = test->instance, .matrix_units = BR_VK_ON};
    if (test->caps->cooperative_matrix) {
        assert_status_ok(br_vk_device_create(&params, &device));
        assert_true(br_vk_device_caps(device)->prefer_matrix);
        br_vk_device_destroy(device);
    } else {
        assert_status(br_vk_device_create(&params, &device), BR_ERROR_UNSUPPORTED, "matrix units");
    }
}

static int setup(void **state)
{
    return br_scratch_setup(state) || br_test_device_setup(state);
}

static int teardown(void **state)
{
    return br_test_device_teardown(state) | br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_candidate_is_right),
        cmocka_unit_test(lying_driver),
        cmocka_unit_test(broken_matrix),
        cmocka_unit_test(broken_attention),
        cmocka_unit_test(broken_dot),
        cmocka_unit_test(time_is_up),
        cmocka_unit_test(picks),
        cmocka_unit_test(matrix_against_tiles),
        cmocka_unit_test(matrix_by_shape),
        cmocka_unit_test(dot_against_plain),
        cmocka_unit_test(ops_follow),
        cmocka_unit_test(ops_follow_choices),
        cmocka_unit_test(remembered),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
