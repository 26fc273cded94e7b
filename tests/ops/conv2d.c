/* conv2d against the double reference. Tolerances as in tests/ops/linear.c; the longest sum has 9 · 67 products. */
#include <stdlib.h>

#include "ops/gemm.h"
#include "ops/op.h"
#include "ref/conv2d.h"
#include "support/op.h"
#include "vk/vendor.h"

#define TOLERANCE_F32 1e-5
#define TOLERANCE_F16 (0x1p-11 + 1e-5)

typedef struct conv2d_case {
    br_ref_conv2d_params shape;               /* data pointers are filled in by check() */
    bool bias, bias_row, bias_rows, residual; /* bias_row: [1, O], bias_rows: [B, O] */
    br_dtype x_dtype, w_dtype;
    bool over_x;
} conv2d_case;

static float *random_values(int count, uint32_t seed, br_dtype dtype)
{
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    br_test_random(values, (size_t)count, seed);
    if (dtype == BR_F16)
        br_test_round_f16(values, (size_t)count);
    return values;
}

/* A value within the arena, or of one. */
static br_value copy(br_graph *graph, br_value x)
{
    return br_op_convert(graph, "copy", &(br_convert_params){.x = x, .dtype = br_graph_dtype(graph, x), .scale = 1});
}

static void check(br_test_device *device, conv2d_case c)
{
    if ((c.x_dtype == BR_F16 || c.w_dtype == BR_F16) && !device->caps->f16_storage) {
        print_message("f16 storage: skipped, the device has none\n");
        return;
    }
    br_ref_conv2d_params *s = &c.shape;
    int bias_width = s->bias_width ? s->bias_width : s->out_channels;
    bool has_bias = c.bias || c.bias_row || c.bias_rows;
    int count = s->pictures * br_ref_conv2d_height(s) * br_ref_conv2d_width(s) * s->out_channels;
    float *x = random_values(s->pictures * s->height * s->width * s->in_channels, 1, c.x_dtype);
    float *weight = random_values(s->out_channels * s->kernel_h * s->kernel_w * s->in_channels, 2, c.w_dtype);
    float *bias = random_values(s->pictures * bias_width, 3, BR_F32), *residual = random_values(count, 4, c.x_dtype);
    float *y = malloc((size_t)count * sizeof *y);
    double *expected = malloc((size_t)count * sizeof *expected);
    assert_true(y && expected);

    br_graph graph;
    br_graph_init(&graph);
    br_conv2d_params params = {
        .x = br_graph_input(&graph, "x", c.x_dtype, br_shape_of(s->pictures, s->height, s->width, s->in_channels)),
        .weight = br_graph_weight(&graph, "w", c.w_dtype, br_shape_of(s->out_channels, s->kernel_h, s->kernel_w, s->in_channels),
                                  BR_WEIGHT_OHWI),
        .bias = BR_NONE,
        .residual = BR_NONE,
        .stride = s->stride,
        .pad_top = s->pad_top,
        .pad_left = s->pad_left,
        .pad_bottom = s->pad_bottom,
        .pad_right = s->pad_right,
        .activation = s->activation,
        .bias_column = s->bias_column,
        .upsampled_height = s->upsampled_height,
        .upsampled_width = s->upsampled_width,
        .over_x = c.over_x,
    };
    br_test_tensor inputs[4] = {{params.x, x}, {params.weight, weight}};
    int input_count = 2;
    if (has_bias) {
        br_shape shape = c.bias ? br_shape_of(bias_width) : br_shape_of(c.bias_rows ? s->pictures : 1, bias_width);
        params.bias = br_graph_input(&graph, "bias", BR_F32, shape);
        inputs[input_count++] = (br_test_tensor){params.bias, bias};
    }
    if (c.residual) {
        params.residual =
            br_graph_input(&graph, "residual", c.x_dtype,
                           br_shape_of(s->pictures, br_ref_conv2d_height(s), br_ref_conv2d_width(s), s->out_channels));
        inputs[input_count++] = (br_test_tensor){params.residual, residual};
    }
    if (c.over_x)
        params.x = copy(&graph, params.x);
    br_value out = br_op_conv2d(&graph, "conv", &params);
    if (c.over_x)
        out = copy(&graph, out);
    br_graph_output(&graph, out, "y");
    br_test_tensor output = {out, y};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, input_count, &output, 1, 0}));

    s->x = x, s->weight = weight, s->bias = has_bias ? bias : NULL, s->residual = c.residual ? residual : NULL;
    s->bias_rows = c.bias_rows;
    br_ref_conv2d(s, expected);
    double error = br_test_relative_error(y, expected, (size_t)count);
    print_message("[%d, %d, %d, %d] x [%d, %d, %d]: %.2e\n", s->pictures, s->height, s->width, s->in_channels, s->out_channels,
                  s->kernel_h, s->kernel_w, error);
    assert_true(error <= (c.x_dtype == BR_F16 ? TOLERANCE_F16 : TOLERANCE_F32));
    br_graph_finish(&graph);
    free(x), free(weight), free(bias), free(residual), free(y), free(expected);
}

static void test_shapes(void **state)
{
    check(*state, (conv2d_case){.shape = {1, 1, 1, 1, 1, 1, 1, 1}});
    check(*state, (conv2d_case){.shape = {1, 13, 11, 67, 31, 1, 1, 1}, .bias = true});
    check(*state, (conv2d_case){.shape = {1, 13, 11, 64, 65, 1, 1, 1}, .bias = true, .residual = true});
    check(*state, (conv2d_case){.shape = {1, 17, 13, 4, 33, 3, 3, 1, 1, 1, 1, 1}, .bias = true});
    check(*state, (conv2d_case){.shape = {2, 13, 9, 67, 5, 3, 3, 1, 1, 1, 1, 1}, .bias_row = true, .residual = true});
    check(*state, (conv2d_case){.shape = {3, 7, 8, 20, 37, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .residual = true});
    /* Whole tiles of CPU devices, some of whose rows are made twice without the residual. */
    check(*state, (conv2d_case){.shape = {2, 7, 8, 20, 32, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true});
    check(*state, (conv2d_case){.shape = {2, 4, 8, 20, 32, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .residual = true});
    check(*state, (conv2d_case){.shape = {1, 7, 5, 12, 64, 1, 1, 1}, .x_dtype = BR_F16, .w_dtype = BR_F16});
}

/* The activation sees bias and residual. */
static void test_activation(void **state)
{
    br_ref_conv2d_params shape = {2, 7, 8, 20, 37, 3, 3, 1, 1, 1, 1, 1};
    shape.activation = BR_ACTIVATION_RELU;
    check(*state, (conv2d_case){.shape = shape});
    check(*state, (conv2d_case){.shape = shape, .bias_rows = true, .residual = true});
    check(*state, (conv2d_case){.shape = shape, .bias = true, .residual = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
    shape.activation = BR_ACTIVATION_SILU;
    check(*state, (conv2d_case){.shape = shape, .bias = true, .residual = true});
}

/* Stride 2 with equal padding (the UNet) and with padding at the bottom and right only (the VAE encoder), kernels that are not square. */
static void test_strides(void **state)
{
    check(*state, (conv2d_case){.shape = {1, 16, 16, 8, 11, 3, 3, 2, 1, 1, 1, 1}, .bias = true});
    check(*state, (conv2d_case){.shape = {2, 17, 13, 7, 11, 3, 3, 2, 1, 1, 1, 1}, .bias_rows = true});
    check(*state, (conv2d_case){.shape = {1, 16, 14, 12, 9, 3, 3, 2, 0, 0, 1, 1}, .bias = true});
    check(*state, (conv2d_case){.shape = {1, 13, 17, 5, 9, 5, 2, 3, 2, 0, 1, 4}});
    check(*state, (conv2d_case){.shape = {1, 2, 2, 3, 4, 3, 3, 1, 4, 4, 4, 4}, .bias = true}); /* some outputs see padding only */
}

/* A bias that is some columns of wider rows. */
static void test_bias_columns(void **state)
{
    br_ref_conv2d_params shape = {3, 7, 8, 20, 37, 3, 3, 1, 1, 1, 1, 1};
    shape.bias_width = 101, shape.bias_column = 61;
    check(*state, (conv2d_case){.shape = shape, .bias_rows = true, .residual = true});
    check(*state, (conv2d_case){.shape = shape, .bias_row = true});
    check(*state, (conv2d_case){.shape = shape, .bias = true});
    shape.bias_column = 0;
    check(*state, (conv2d_case){.shape = shape, .bias_rows = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
}

static br_ref_conv2d_params upsampled(br_ref_conv2d_params shape, int height, int width)
{
    shape.upsampled_height = height;
    shape.upsampled_width = width;
    return shape;
}

/* Enlarged by two, as everywhere but for sizes that are no multiple of the model's, by ratios that are no whole numbers, in one direction only. */
static void test_upsampled(void **state)
{
    check(*state,
          (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 7, 5, 20, 37, 3, 3, 1, 1, 1, 1, 1}, 14, 10), .bias = true});
    check(*state, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){2, 7, 5, 19, 37, 3, 3, 1, 1, 1, 1, 1}, 13, 9),
                                .bias_rows = true,
                                .residual = true});
    check(*state,
          (conv2d_case){.shape = upsampled((br_ref_conv2d_params){2, 3, 4, 8, 32, 3, 3, 1, 1, 1, 1, 1}, 6, 8), .bias = true});
    check(*state, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 3, 6, 8, 11, 3, 3, 1, 1, 1, 1, 1}, 17, 6)});
    check(*state, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 5, 4, 8, 11, 3, 3, 2, 0, 0, 1, 1}, 5, 11),
                                .x_dtype = BR_F16,
                                .w_dtype = BR_F16});
}

/* Large pictures with 3 × 3 kernels, which CPU devices do by Winograd's algorithm: one slab; several of lines (the tiles take more than 16 MiB); several of
 * channels; enlarged. Its transforms multiply errors by about 10, so f32 errs by 10 · √K · 2^-24 at most, and what lies between is f32 for f16, too. */
static void test_winograd(void **state)
{
    check(*state, (conv2d_case){.shape = {2, 65, 67, 32, 36, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .residual = true});
    check(*state, (conv2d_case){.shape = {1, 67, 65, 36, 36, 3, 3, 1, 1, 1, 1, 1}, .x_dtype = BR_F16, .w_dtype = BR_F16});
    check(*state, (conv2d_case){.shape = {1, 211, 137, 32, 32, 3, 3, 1, 1, 1, 1, 1}, .residual = true});
    check(*state, (conv2d_case){.shape = {1, 66, 63, 172, 172, 3, 3, 1, 1, 1, 1, 1}, .bias = true});
    br_ref_conv2d_params up = upsampled((br_ref_conv2d_params){2, 37, 31, 32, 40, 3, 3, 1, 1, 0, 1, 2}, 71, 61);
    up.activation = BR_ACTIVATION_SILU;
    check(*state, (conv2d_case){.shape = up, .bias_row = true, .x_dtype = BR_F16});
}

/* y in the place of x: slabs of lines, of whole pictures and both; half the channels, all of them, few; a lead of the sixteenth part and the least one; padding on
 * one side only; kernels of one and five lines; tall and flat ones. */
static void test_over_x(void **state)
{
    check(*state, (conv2d_case){.shape = {1, 113, 13, 64, 32, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .over_x = true});
    check(*state, (conv2d_case){.shape = {3, 31, 17, 68, 33, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .over_x = true});
    check(*state, (conv2d_case){.shape = {2, 89, 7, 37, 37, 3, 3, 1, 1, 1, 1, 1}, .over_x = true});
    check(*state, (conv2d_case){.shape = {19, 3, 5, 20, 3, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .over_x = true});
    check(*state, (conv2d_case){.shape = {1, 67, 65, 64, 32, 3, 3, 1, 2, 0, 0, 2}, .bias_row = true, .over_x = true});
    check(*state, (conv2d_case){.shape = {2, 61, 11, 24, 12, 3, 1, 1, 0, 0, 2, 0}, .over_x = true});
    check(*state, (conv2d_case){.shape = {2, 37, 11, 24, 11, 5, 5, 1, 2, 2, 2, 2}, .over_x = true});
    check(*state, (conv2d_case){.shape = {5, 13, 11, 40, 20, 1, 1, 1}, .bias = true, .over_x = true});
    check(*state, (conv2d_case){.shape = {1, 1, 1, 8, 4, 3, 3, 1, 1, 1, 1, 1}, .over_x = true});
    /* CPU devices make this one by Winograd's algorithm, in two slabs of its own. */
    check(*state, (conv2d_case){.shape = {1, 211, 137, 32, 32, 3, 3, 1, 1, 1, 1, 1}, .over_x = true});
    for (int w = BR_F32; w <= BR_F16; w++)
        check(*state, (conv2d_case){.shape = {2, 83, 19, 48, 24, 3, 3, 1, 1, 1, 1, 1},
                                    .bias = true,
                                    .x_dtype = BR_F16,
                                    .w_dtype = (br_dtype)w,
                                    .over_x = true});
    br_test_device gpu = *(br_test_device *)*state;
    br_vk_caps caps = *gpu.caps;
    gpu.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    check(&gpu, (conv2d_case){.shape = {3, 61, 59, 66, 33, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .over_x = true});
    br_test_device *low = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 4096, .max_groups = 5, .max_invocations = 128, .max_shared = 16384});
    check(low, (conv2d_case){.shape = {2, 113, 11, 20, 10, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .over_x = true});
    check(low, (conv2d_case){.shape = {3, 43, 7, 16, 13, 3, 3, 1, 1, 1, 1, 1}, .x_dtype = BR_F16, .over_x = true});
    br_test_device_close(low);
}

static void test_storage(void **state)
{
    static const int channels[] = {35, 36, 40}; /* one, four, eight at a load */
    for (int x = BR_F32; x <= BR_F16; x++)
        for (int w = BR_F32; w <= BR_F16; w++)
            for (int i = 0; i < 3; i++)
                check(*state, (conv2d_case){.shape = {2, 9, 7, channels[i], 23, 3, 3, 1, 1, 1, 1, 1},
                                            .bias_rows = true,
                                            .residual = true,
                                            .x_dtype = (br_dtype)x,
                                            .w_dtype = (br_dtype)w});
}

/* The tiles that GPUs get, on whatever device this is. */
static void test_gpu_tiles(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    check(&device, (conv2d_case){.shape = {3, 61, 59, 4, 97, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true}); /* large */
    caps.type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    check(&device, (conv2d_case){.shape = {1, 61, 59, 20, 65, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .residual = true}); /* medium */
    check(&device, (conv2d_case){.shape = {2, 11, 13, 19, 65, 3, 3, 2, 1, 1, 1, 1}, .bias = true});                   /* small */
    check(&device, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){2, 7, 5, 19, 65, 3, 3, 1, 1, 1, 1, 1}, 13, 10)});
    caps.vendor_id = BR_VENDOR_IMAGINATION;
    check(&device, (conv2d_case){.shape = {1, 31, 29, 20, 113, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .residual = true}); /* square */
    check(&device, (conv2d_case){.shape = {1, 31, 29, 7, 3, 3, 3, 1, 1, 1, 1, 1}, .bias = true});                      /* slim */
    caps.vendor_id = BR_VENDOR_ARM;
    caps.max_invocations = 256;
    check(&device, (conv2d_case){.shape = {1, 31, 29, 7, 65, 3, 3, 1, 1, 1, 1, 1}, .bias = true}); /* flat */
}

/* The form for Mali, on whatever device this is: channels that are whole steps, whose taps follow one another in the kernel, and that are not. */
static void test_broadcast(void **state)
{
    br_vk_caps caps;
    br_test_device device = br_test_device_as_mali(*state, &caps);
    assert_int_equal(br_gemm_tile_choose(&caps, 77, 37, 9 * 32).form, BR_GEMM_BROADCAST);
    check(&device, (conv2d_case){.shape = {1, 11, 7, 32, 37, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .residual = true});
    check(&device, (conv2d_case){.shape = {2, 9, 7, 19, 165, 3, 3, 2, 1, 1, 1, 1}, .bias_rows = true});
    check(&device, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 7, 5, 16, 97, 3, 3, 1, 1, 1, 1, 1}, 13, 10)});
    /* In two parts, which begin and end within a tap. */
    assert_int_equal(br_gemm_tile_choose(&caps, 70, 37, 9 * 144).parts, 2);
    check(&device, (conv2d_case){.shape = {2, 7, 5, 144, 37, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .residual = true});
    for (int x = BR_F32; x <= BR_F16; x++)
        for (int w = BR_F32; w <= BR_F16; w++)
            for (int channels = 44; channels <= 48; channels += 4)
                check(&device, (conv2d_case){.shape = {2, 5, 7, channels, 75, 3, 3, 1, 1, 1, 1, 1},
                                             .bias = true,
                                             .x_dtype = (br_dtype)x,
                                             .w_dtype = (br_dtype)w});
}

/* Taps and channels that are divided among workgroups, so that a part begins and ends within a tap. */
static void test_parts(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    assert_int_equal(br_gemm_tile_choose(&caps, 70, 37, 9 * 131).parts, 2);
    check(&device, (conv2d_case){.shape = {2, 7, 5, 131, 37, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .residual = true});
    check(&device,
          (conv2d_case){.shape = {1, 9, 7, 172, 36, 3, 3, 2, 1, 1, 1, 1}, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
    check(&device,
          (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 4, 3, 236, 12, 3, 3, 1, 1, 1, 1, 1}, 8, 6), .bias = true});
}

/* Matrix units, where there are any. */
static void test_matrix(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    if (!caps.cooperative_matrix) {
        print_message("cooperative matrices: skipped, the device has none\n");
        return;
    }
    caps.prefer_matrix = true;
    const br_dtype f16 = BR_F16;
    check(&device, (conv2d_case){{1, 13, 11, 19, 37, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .x_dtype = f16, .w_dtype = f16});
    check(&device,
          (conv2d_case){
              {3, 12, 9, 36, 68, 3, 3, 2, 1, 1, 1, 1}, .bias_rows = true, .residual = true, .x_dtype = f16, .w_dtype = f16});
    check(&device, (conv2d_case){{1, 61, 59, 20, 65, 3, 3, 1, 1, 1, 1, 1}, .residual = true, .x_dtype = f16, .w_dtype = f16});
    check(&device,
          (conv2d_case){{2, 7, 5, 132, 37, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .x_dtype = f16, .w_dtype = f16}); /* in parts */
    /* Depths of whole steps: padding is masked. */
    check(&device, (conv2d_case){{2, 7, 5, 64, 37, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .x_dtype = f16, .w_dtype = f16});
    check(&device, (conv2d_case){{2, 7, 5, 128, 37, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .x_dtype = f16, .w_dtype = f16});
}

static void test_lowered_limits(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 4096, .max_groups = 5, .max_invocations = 128, .max_shared = 16384});
    check(device, (conv2d_case){.shape = {2, 13, 11, 20, 31, 3, 3, 1, 1, 1, 1, 1}, .bias_rows = true, .residual = true});
    check(device, (conv2d_case){.shape = {2, 16, 11, 13, 7, 3, 3, 2, 1, 1, 1, 1}, .bias = true});
    check(device, (conv2d_case){.shape = {1, 16, 15, 8, 67, 3, 3, 2, 0, 0, 1, 1}, .bias = true, .residual = true});
    check(device, (conv2d_case){.shape = {3, 8, 9, 64, 61, 1, 1, 1}, .bias_row = true});
    check(device,
          (conv2d_case){.shape = upsampled((br_ref_conv2d_params){2, 13, 5, 20, 7, 3, 3, 1, 1, 1, 1, 1}, 23, 11), .bias = true});
    check(device, (conv2d_case){.shape = upsampled((br_ref_conv2d_params){1, 13, 11, 16, 5, 3, 3, 2, 1, 1, 1, 1}, 41, 22)});
    br_ref_conv2d_params columns = {3, 13, 11, 20, 31, 3, 3, 1, 1, 1, 1, 1};
    columns.bias_width = 101, columns.bias_column = 63;
    check(device, (conv2d_case){.shape = columns, .bias_rows = true});
    check(device,
          (conv2d_case){.shape = {2, 13, 11, 20, 31, 3, 3, 1, 1, 1, 1, 1}, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
    br_test_device_close(device);
}

/* 3 × 3 lines of 1031 · 3 floats, kernel and all, do not fit 4 KiB. */
static void test_line_too_long(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(&(br_vk_device_params){.max_storage_range = 4096});
    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(1, 8, 1031, 3));
    br_value w = br_graph_weight(&graph, "w", BR_F32, br_shape_of(4, 3, 3, 3), BR_WEIGHT_OHWI);
    br_value y = br_op_conv2d(&graph, "conv_in",
                              &(br_conv2d_params){.x = x, .weight = w, .bias = BR_NONE, .residual = BR_NONE, .stride = 1});
    br_graph_output(&graph, y, "y");
    assert_status(br_test_run(&(br_test_run_params){.device = device, .graph = &graph}), BR_ERROR_UNSUPPORTED,
                  "conv_in (conv2d): operand 0 spans");
    br_graph_finish(&graph);
    br_test_device_close(device);
}

static void expect_error(const br_conv2d_params *params, const char *text)
{
    br_graph graph;
    br_graph_init(&graph);
    br_graph_input(&graph, "x", BR_F32, br_shape_of(2, 8, 8, 9));                     /* 0 */
    br_graph_weight(&graph, "w", BR_F32, br_shape_of(320, 3, 3, 9), BR_WEIGHT_OHWI);  /* 1 */
    br_graph_weight(&graph, "w4", BR_F32, br_shape_of(320, 3, 3, 4), BR_WEIGHT_OHWI); /* 2 */
    br_graph_input(&graph, "bias", BR_F32, br_shape_of(3, 320));                      /* 3 */
    br_graph_input(&graph, "residual", BR_F32, br_shape_of(2, 8, 8, 320));            /* 4 */
    br_graph_input(&graph, "flat", BR_F32, br_shape_of(64, 9));                       /* 5 */
    br_graph_input(&graph, "wide", BR_F32, br_shape_of(333));                         /* 6 */
    assert_int_equal(br_op_conv2d(&graph, "conv", params), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, text);
    br_graph_finish(&graph);
}

static void test_errors(void **state)
{
    (void)state;
    br_conv2d_params good = {.x = 0, .weight = 1, .bias = BR_NONE, .residual = BR_NONE, .stride = 1};
    br_conv2d_params bad = good;
    bad.weight = 2;
    expect_error(&bad, "conv2d weight is [320, 3, 3, 4], expected [O, KH, KW, 9]");
    bad = good, bad.x = 5;
    expect_error(&bad, "conv2d x is [64, 9], expected [B, H, W, C]");
    bad = good, bad.bias = 3;
    expect_error(&bad, "conv2d bias is f32 [3, 320], expected f32 [N], [1, N] or [2, N] with columns 0 to 319");
    bad.bias = 6, bad.bias_column = 14;
    expect_error(&bad, "conv2d bias is f32 [333], expected f32 [N], [1, N] or [2, N] with columns 14 to 333");
    bad.bias_column = -1;
    expect_error(&bad, "with columns -1 to 318");
    bad = good, bad.upsampled_height = 16, bad.upsampled_width = 7;
    expect_error(&bad, "conv2d x is [2, 8, 8, 9], read as 16 × 7");
    bad.upsampled_width = 0;
    expect_error(&bad, "conv2d x is [2, 8, 8, 9], read as 16 × 0");
    bad = good, bad.residual = 4;
    expect_error(&bad, "conv2d residual is f32 [2, 8, 8, 320], expected f32 [2, 6, 6, 320]");
    bad.over_x = true, bad.residual = 0;
    expect_error(&bad, "conv2d residual is");
    bad = good, bad.over_x = true;
    expect_error(&bad, "conv2d of [2, 6, 6, 320] over its x, [2, 8, 8, 9]");
    bad = good, bad.stride = 0;
    expect_error(&bad, "conv2d stride is 0");
    bad = good, bad.weight = 4; /* an 8 × 8 kernel of 320 channels */
    expect_error(&bad, "conv2d weight is [2, 8, 8, 320]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),       cmocka_unit_test(test_activation),     cmocka_unit_test(test_strides),
        cmocka_unit_test(test_storage),      cmocka_unit_test(test_lowered_limits), cmocka_unit_test(test_line_too_long),
        cmocka_unit_test(test_errors),       cmocka_unit_test(test_gpu_tiles),      cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_bias_columns), cmocka_unit_test(test_upsampled),      cmocka_unit_test(test_winograd),
        cmocka_unit_test(test_matrix),       cmocka_unit_test(test_parts),          cmocka_unit_test(test_over_x),
    };
    return cmocka_run_group_tests_name("ops/conv2d", tests, br_test_device_setup, br_test_device_teardown);
}
