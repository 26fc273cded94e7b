/* A UNet and a text encoder whose matrices are in GGUF's blocks, of several types, against the same weights taken out of their blocks and held in f32. Random
 * weights, made here. tests/ops/quant.c has all types: here each of them would cost a CPU device its pipelines.
 *
 * Tolerances: the project asks for 1e-3 more than the error of the dequantized weights. Matrices are the same numbers on both sides, so where kernels are
 * too (f32) only the order of rounding differs: 1e-5 is an op's own. Kernels rounded to f16 cost 2^-12 of each weight's size on average. * With integer dot products (tests/ops/linear_dot.c) the activations are rounded to 8 bits: 4e-3 of every matrix's input, of which normalisation and the
 * residual's sum let through about as much again: 1e-2 at the end, and not less than a tenth of that, which tells that they were. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "common/abi.h"
#include "exec/stage.h"
#include "pipeline/graphs.h"
#include "support/blocks.h"
#include "support/case.h"

#define SAME_TOLERANCE 1e-5
#define KERNEL_TOLERANCE 1e-3
#define DOT_TOLERANCE 1e-2

static const char *const unet_text =
    "{\"in_channels\": 4, \"out_channels\": 4, \"block_out_channels\": [256], \"layers_per_block\": 1, \"norm_num_groups\": 8,"
    " \"down_block_types\": [\"CrossAttnDownBlock2D\"],"
    " \"up_block_types\": [\"CrossAttnUpBlock2D\"], \"attention_head_dim\": 4, \"cross_attention_dim\": "
    "256}";
static const char *const clip_text =
    "{\"hidden_size\": 256, \"intermediate_size\": 512, \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
    " \"max_position_embeddings\": 13, \"vocab_size\": 211, \"hidden_act\": \"quick_gelu\"}";

#define TOKENS 13
#define HEIGHT 5
#define WIDTH 7

/* The same tensors twice: as a quantized file has them, and as plain f32. */
typedef struct two_files {
    br_weights *blocks, *plain;
    uint8_t **data; /* of all tensors of both */
    int data_count;
    int kept; /* matrices in blocks */
} two_files;

/* A tensor of the shape that a weight has in the graph. */
typedef struct made_tensor {
    const char *name;
    br_shape shape;
    br_weight_layout layout;
} made_tensor;

static void add(br_weights *weights, const made_tensor *info, br_weight_dtype dtype, const uint8_t *data)
{
    br_shape s = info->shape;
    if (info->layout == BR_WEIGHT_OHWI)
        s = br_shape_of(s.dim[0], s.dim[3], s.dim[1], s.dim[2]);
    br_tensor_view view = {.name = info->name, .file = "made.gguf", .dtype = dtype, .rank = s.rank, .data = data};
    memcpy(view.shape, s.dim, sizeof s.dim);
    view.count = (size_t)br_shape_count(s);
    view.size = view.count / br_weight_dtype_block(dtype) * br_weight_dtype_size(dtype);
    assert_status_ok(br_weights_add(weights, &view));
}

/* Types in turn, for matrices and for kernels; those whose blocks do not fit, and vectors, stay f32. */
static void add_tensor(two_files *files, const made_tensor *info, uint32_t seed)
{
    size_t count = (size_t)br_shape_count(info->shape);
    size_t row = count / (size_t)info->shape.dim[0]; /* products that are added up */
    double rms = info->shape.rank == 1 ? 0.3 : 1 / sqrt((double)row);
    float *values = test_malloc(count * sizeof *values);
    static const br_weight_dtype types[] = {BR_WEIGHT_Q8_0, BR_WEIGHT_Q4_1, BR_WEIGHT_Q6_K};
    br_weight_dtype dtype = types[seed % 3];
    size_t block = br_weight_dtype_block(dtype);
    files->data[files->data_count++] = (uint8_t *)values;
    if (info->shape.rank == 1 || (info->layout == BR_WEIGHT_PLAIN ? row % block : count % block) != 0) {
        br_test_random(values, count, seed);
        for (size_t i = 0; i < count; i++)
            values[i] *= (float)(rms * sqrt(3.0));
        add(files->blocks, info, BR_WEIGHT_F32, (uint8_t *)values);
    } else {
        uint8_t *blocks = test_malloc(br_test_blocks_size(dtype, count));
        files->data[files->data_count++] = blocks;
        br_test_blocks_random(dtype, count, rms, seed, blocks);
        br_weight_to_f32(&(br_tensor_view){.dtype = dtype, .data = blocks}, 0, count, values);
        add(files->blocks, info, dtype, blocks);
        files->kept += info->layout == BR_WEIGHT_PLAIN;
    }
    add(files->plain, info, BR_WEIGHT_F32, (uint8_t *)values);
}

/* The tensors of a stack have one type, but for the third, so that the stack is cut there. */
static void add_weight(two_files *files, const br_value_info *info, uint32_t seed)
{
    for (int i = 0; i < info->part_count; i++) {
        made_tensor tensor = {.name = info->parts[i].name, .shape = info->shape, .layout = info->layout};
        tensor.shape.dim[0] = info->parts[i].rows;
        add_tensor(files, &tensor, seed + 3000 * (uint32_t)i + (i == 2));
    }
}

/* All weights that the graph names. */
static two_files make_files(const br_graph *graph)
{
    size_t tensors = 0;
    for (br_value i = 0; i < graph->value_count; i++)
        tensors += (size_t)graph->values[i].part_count;
    two_files files = {
        .blocks = br_weights_create(), .plain = br_weights_create(), .data = test_calloc(2 * tensors, sizeof *files.data)};
    assert_true(files.blocks && files.plain);
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].kind == BR_VALUE_WEIGHT && graph->values[i].alias == BR_NONE)
            add_weight(&files, &graph->values[i], (uint32_t)i);
    assert_status_ok(br_weights_seal(files.blocks));
    assert_status_ok(br_weights_seal(files.plain));
    return files;
}

static void free_files(two_files *files)
{
    br_weights_destroy(files->blocks);
    br_weights_destroy(files->plain);
    for (int i = 0; i < files->data_count; i++)
        test_free(files->data[i]);
    test_free(files->data);
}

/* Consumes the graph, runs it once with the inputs that the graph has, and returns what `output` held. */
static float *run(br_test_device *device, br_graph *graph, const br_weights *weights, br_value output, size_t *out_count)
{
    br_bound_weights *bound;
    br_program *program;
    br_vk_buffer *arena;
    br_stage stage;
    br_bind_params bind = {.device = device->device, .graph = graph, .weights = weights, .name = "made"};
    assert_status_ok(br_bound_weights_create(&bind, &bound));
    assert_status_ok(br_program_create(graph, "made", device->caps, &program));
    uint64_t arena_bytes = program->plan.arena_bytes ? (uint64_t)program->plan.arena_bytes : 256;
    assert_status_ok(br_vk_buffer_create(device->device, BR_VK_BUFFER_DEVICE, arena_bytes, "arena", &arena));
    assert_status_ok(
        br_stage_init(&(br_stage_params){.device = device->device, .program = program, .weights = bound, .arena = arena}, &stage));
    for (br_value i = 0; i < program->graph->value_count; i++) {
        const br_value_info *info = &program->graph->values[i];
        if (info->alias != BR_NONE || (info->kind != BR_VALUE_INPUT && info->kind != BR_VALUE_STATE))
            continue;
        int64_t count = br_shape_count(info->shape);
        float *values = test_calloc((size_t)count, sizeof *values);
        br_test_random(values, (size_t)count, (uint32_t)i);
        if (info->dtype != BR_I32) {
            assert_status_ok(br_stage_write_floats(&stage, i, values, count));
        } else if (count == sizeof(br_step) / 4) {
            br_step step = {.timestep = 501, .input_scale = 1, .guidance = 1, .x_scale = 1};
            assert_status_ok(br_stage_write(&stage, i, &step, sizeof step));
        } else {
            for (int64_t t = 0; t < count; t++)
                ((int32_t *)(void *)values)[t] = (int32_t)(t * 37 % 211);
            assert_status_ok(br_stage_write(&stage, i, values, (uint64_t)count * 4));
        }
        test_free(values);
    }
    assert_status_ok(br_stage_run(&stage));
    *out_count = (size_t)br_shape_count(br_graph_shape(program->graph, output));
    float *result = test_malloc(*out_count * sizeof *result);
    assert_status_ok(br_stage_read_floats(&stage, output, result, (int64_t)*out_count));
    br_stage_finish(&stage);
    br_vk_buffer_destroy(arena);
    br_bound_weights_destroy(bound);
    return result;
}

typedef br_value build_fn(br_graph *graph, br_graph_dtypes dtypes);

static br_value build_unet(br_graph *graph, br_graph_dtypes dtypes)
{
    br_unet_config unet;
    br_denoise_graph values;
    json_t *config = json_loads(unet_text, 0, NULL);
    assert_status_ok(br_unet_config_read(config, "unet", &unet));
    json_decref(config);
    br_graph_build_denoise(
        graph,
        &(br_denoise_params){
            .unet = &unet, .dtypes = dtypes, .batch = 1, .copies = 1, .height = HEIGHT, .width = WIDTH, .tokens = TOKENS},
        &values);
    return values.out;
}

static br_value build_text(br_graph *graph, br_graph_dtypes dtypes)
{
    br_clip_text_config clip;
    br_text_graph values;
    json_t *config = json_loads(clip_text, 0, NULL);
    assert_status_ok(br_clip_text_config_read(config, "text", &clip));
    json_decref(config);
    br_graph_build_text(graph, &(br_text_params){.config = &clip, .dtypes = dtypes, .batch = 2, .norm = true}, &values);
    return values.states;
}

static br_value build_cross(br_graph *graph, br_graph_dtypes dtypes)
{
    br_unet_config unet;
    br_cross_graph values;
    json_t *config = json_loads(unet_text, 0, NULL);
    assert_status_ok(br_unet_config_read(config, "unet", &unet));
    json_decref(config);
    br_graph_build_cross(graph, &(br_denoise_params){.unet = &unet, .dtypes = dtypes, .batch = 1, .copies = 2, .tokens = TOKENS},
                         &values);
    return values.cross;
}

/* How many tensors the graph has as blocks. */
static int count_blocks(const br_graph *graph)
{
    int count = 0;
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].kind == BR_VALUE_WEIGHT && br_dtype_block(graph->values[i].dtype) > 1)
            count += graph->values[i].part_count;
    return count;
}

typedef struct range {
    double least, most;
} range;

static void check(br_test_device *device, build_fn *build, br_dtype kernels, range errors)
{
    if (kernels == BR_F16 && !br_test_has_f16(device))
        return;
    size_t count, expected_count;
    br_graph graph;
    br_graph_init(&graph);
    br_value output = build(&graph, (br_graph_dtypes){BR_F32, BR_F32, NULL});
    assert_false(br_graph_failed(&graph));
    two_files files = make_files(&graph);
    float *expected = run(device, &graph, files.plain, output, &expected_count);

    br_graph_init(&graph);
    output = build(&graph, (br_graph_dtypes){BR_F32, kernels, files.blocks});
    assert_false(br_graph_failed(&graph));
    assert_true(files.kept > (build == build_cross ? 7 : 10));
    /* All but the positions, which are added to rows of blocks and are plain. */
    assert_int_equal(count_blocks(&graph), files.kept - (build == build_text));
    float *actual = run(device, &graph, files.blocks, output, &count);
    assert_int_equal(count, expected_count);
    double error = br_test_relative_error_f32(actual, expected, count);
    print_message("%d matrices in blocks, kernels %s: %.2e\n", files.kept, br_dtype_name(kernels), error);
    assert_true(error >= errors.least && error <= errors.most);
    test_free(expected);
    test_free(actual);
    free_files(&files);
}

static void test_unet(void **state)
{
    br_test_devices *devices = *state;
    check(devices->full, build_unet, BR_F32, (range){0, SAME_TOLERANCE});
    check(devices->full, build_unet, BR_F16, (range){0, KERNEL_TOLERANCE});
    check(devices->full, build_cross, BR_F32, (range){0, SAME_TOLERANCE});
}

/* A device with integer dot products, slow ones too, takes them. */
static void test_integer_dot(void **state)
{
    br_test_device device = *((br_test_devices *)*state)->full;
    br_vk_caps caps = *device.caps;
    if (!caps.integer_dot) {
        print_message("integer dot products: skipped, the device has none\n");
        return;
    }
    caps.integer_dot_fast = true;
    device.caps = &caps;
    check(&device, build_unet, BR_F32, (range){DOT_TOLERANCE / 10, DOT_TOLERANCE});
    check(&device, build_text, BR_F32, (range){DOT_TOLERANCE / 10, DOT_TOLERANCE});
}

static void test_text_encoder(void **state)
{
    br_test_devices *devices = *state;
    check(devices->full, build_text, BR_F32, (range){0, SAME_TOLERANCE});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unet), cmocka_unit_test(test_text_encoder),
                                       cmocka_unit_test(test_integer_dot)};
    return cmocka_run_group_tests_name("models/quant", tests, br_test_devices_setup, br_test_devices_teardown);
}
