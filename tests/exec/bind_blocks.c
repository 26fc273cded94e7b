/* Tensors in GGUF's blocks on the device: matrices keep their blocks, sorted; kernels, and rows that are not whole blocks, become plain numbers. Types of one
 * byte too, which go through a table. Large enough that several threads and several chunks of the upload ring share them. */
#include <stdio.h>
#include <string.h>

#include "base/f16.h"
#include "exec/bind.h"
#include "exec/repack.h"
#include "support/blocks.h"
#include "support/device.h"

typedef struct stored_tensor {
    const char *name;
    br_weight_dtype stored;
    br_dtype dtype;
    br_weight_layout layout;
    int rank; /* in the file: OHWI [O, I, KH, KW] */
    int64_t shape[4];
} stored_tensor;

static const stored_tensor tensors[] = {
    {"matrix", BR_WEIGHT_Q8_0, BR_Q8_0, BR_WEIGHT_PLAIN, 2, {131, 96}},
    {"large", BR_WEIGHT_Q5_1, BR_Q5_1, BR_WEIGHT_PLAIN, 2, {7919, 1312}}, /* 9.3 MiB */
    {"as_conv", BR_WEIGHT_Q4_0, BR_Q4_0, BR_WEIGHT_PLAIN, 4, {37, 160, 1, 1}},
    {"super", BR_WEIGHT_Q6_K, BR_Q6_K, BR_WEIGHT_PLAIN, 2, {1031, 768}},
    {"across_rows", BR_WEIGHT_Q8_0, BR_F16, BR_WEIGHT_PLAIN, 2, {64, 35}},
    {"kernel", BR_WEIGHT_Q4_K, BR_F16, BR_WEIGHT_OHWI, 4, {64, 13, 2, 2}},
    {"kernel_f32", BR_WEIGHT_Q5_0, BR_F32, BR_WEIGHT_OHWI, 4, {32, 7, 3, 3}},
    {"e4m3", BR_WEIGHT_F8_E4M3, BR_F16, BR_WEIGHT_PLAIN, 2, {1031, 509}},
    {"e5m2_kernel", BR_WEIGHT_F8_E5M2, BR_F16, BR_WEIGHT_OHWI, 4, {89, 61, 3, 3}},
    {"e4m3_f32", BR_WEIGHT_F8_E4M3, BR_F32, BR_WEIGHT_PLAIN, 1, {257}},
};
#define COUNT (sizeof tensors / sizeof tensors[0])

typedef struct file {
    br_weights *weights;
    uint8_t *bytes[COUNT];
    size_t sizes[COUNT];
} file;

static size_t element_count(const stored_tensor *it)
{
    size_t count = 1;
    for (int i = 0; i < it->rank; i++)
        count *= (size_t)it->shape[i];
    return count;
}

static file make_file(void)
{
    file f = {.weights = br_weights_create()};
    assert_non_null(f.weights);
    for (size_t t = 0; t < COUNT; t++) {
        const stored_tensor *it = &tensors[t];
        size_t count = element_count(it);
        bool blocks = br_weight_dtype_block(it->stored) > 1;
        f.sizes[t] = blocks ? br_test_blocks_size(it->stored, count) : count;
        f.bytes[t] = test_malloc(f.sizes[t]);
        if (blocks)
            br_test_blocks_random(it->stored, count, 0.3, (uint32_t)t, f.bytes[t]);
        for (size_t i = 0; i < count && !blocks; i++)
            f.bytes[t][i] = (uint8_t)(i * 167 + i / 256);
        br_tensor_view view = {.name = it->name,
                               .file = "made.gguf",
                               .dtype = it->stored,
                               .rank = it->rank,
                               .count = count,
                               .data = f.bytes[t],
                               .size = f.sizes[t]};
        memcpy(view.shape, it->shape, sizeof it->shape);
        assert_status_ok(br_weights_add(f.weights, &view));
    }
    assert_status_ok(br_weights_seal(f.weights));
    return f;
}

static br_value add_weight(br_graph *graph, const stored_tensor *it, br_dtype dtype)
{
    br_shape shape = it->layout == BR_WEIGHT_OHWI ? br_shape_of(it->shape[0], it->shape[2], it->shape[3], it->shape[1])
                                                  : br_shape_make(it->shape, it->rank == 4 ? 2 : it->rank);
    br_value value = br_graph_weight(graph, it->name, dtype, shape, it->layout);
    assert_int_not_equal(value, BR_NONE);
    return value;
}

static void check_blocks(const stored_tensor *it, const uint8_t *source, const uint8_t *found)
{
    size_t row = (size_t)br_dtype_row_bytes(it->dtype, it->shape[1]),
           file_row = br_test_blocks_size(it->stored, (size_t)it->shape[1]);
    uint32_t *expected = test_malloc(row);
    for (int64_t i = 0; i < it->shape[0]; i++) {
        br_repack_row(it->dtype, source + (size_t)i * file_row, it->shape[1], expected);
        assert_memory_equal(found + (size_t)i * row, expected, row);
    }
    test_free(expected);
}

static void check_numbers(const stored_tensor *it, const br_tensor_view *view, const uint8_t *found)
{
    int64_t channels = it->layout == BR_WEIGHT_OHWI ? it->shape[1] : 1;
    int64_t taps = it->layout == BR_WEIGHT_OHWI ? it->shape[2] * it->shape[3] : 1;
    size_t element = (size_t)br_dtype_size(it->dtype);
    float *values = test_malloc(view->count * sizeof *values);
    br_weight_to_f32(view, 0, view->count, values);
    for (int64_t i = 0; i < (int64_t)view->count; i++) { /* [O, taps, channels] */
        int64_t c = i % channels, tap = i / channels % taps, o = i / channels / taps;
        float value = values[(o * channels + c) * taps + tap];
        uint32_t expected = it->dtype == BR_F32 ? br_f32_to_bits(value) : br_f32_to_f16(value), bits = 0;
        memcpy(&bits, found + (size_t)i * element, element);
        if (bits != expected)
            fail_msg("%s: element %d is 0x%x, expected 0x%x", it->name, (int)i, bits, expected);
    }
    test_free(values);
}

static void bind_on(const br_vk_device_params *params)
{
    br_test_device *test = br_test_device_open(params);
    file f = make_file();
    br_graph graph;
    br_graph_init(&graph);
    br_value values[COUNT];
    for (size_t t = 0; t < COUNT; t++)
        values[t] = add_weight(&graph, &tensors[t], tensors[t].dtype);
    br_bound_weights *bound;
    assert_status_ok(br_bound_weights_create(
        &(br_bind_params){.device = test->device, .graph = &graph, .weights = f.weights, .name = "unet"}, &bound));
    for (size_t t = 0; t < COUNT; t++) {
        br_location where = br_bound_weights_find(bound, &graph.values[values[t]]);
        size_t size = (size_t)br_graph_bytes(&graph, values[t]);
        uint8_t *found = test_malloc(size);
        assert_status_ok(br_vk_download(test->device, where.buffer, where.offset, size, found));
        if (br_dtype_block(tensors[t].dtype) > 1)
            check_blocks(&tensors[t], f.bytes[t], found);
        else
            check_numbers(&tensors[t], br_weights_find(f.weights, tensors[t].name), found);
        test_free(found);
    }
    br_bound_weights_destroy(bound);
    br_graph_finish(&graph);

    /* Blocks of another type are not what the graph asked for. */
    br_graph_init(&graph);
    add_weight(&graph, &tensors[0], BR_Q4_0);
    assert_status(br_bound_weights_create(
                      &(br_bind_params){.device = test->device, .graph = &graph, .weights = f.weights, .name = "unet"}, &bound),
                  BR_ERROR_FORMAT, "unet: tensor matrix is Q8_0, expected q4_0");
    br_graph_finish(&graph);
    br_weights_destroy(f.weights);
    for (size_t t = 0; t < COUNT; t++)
        test_free(f.bytes[t]);
    br_test_device_close(test);
}

static void test_as_it_is(void **state)
{
    (void)state;
    bind_on(NULL);
}

static void test_staging(void **state)
{
    (void)state;
    bind_on(&(br_vk_device_params){.force_staging = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_it_is), cmocka_unit_test(test_staging)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
