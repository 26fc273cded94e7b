/* Weights of a file on the device: every element converted and laid out as the graph asks, whatever the type in the file. */
#include "exec/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "support/device.h"
#include "weights/safetensors.h"

#define SOURCE_TYPES 3

static const br_weight_dtype source_types[SOURCE_TYPES] = {BR_WEIGHT_F32, BR_WEIGHT_F16, BR_WEIGHT_BF16};

typedef struct form {
    const char *name;
    br_weight_layout layout;
    int file_rank;
    int64_t file[5]; /* OHWI: [O, I, KH, KW] */
    int rank;        /* of the value on the device; OHWI: [O, KH, KW, I] */
} form;

/* The large ones span several chunks of the upload ring, the middle ones several conversions. */
static const form forms[] = {
    {"one", BR_WEIGHT_PLAIN, 1, {1}, 1},
    {"bias", BR_WEIGHT_PLAIN, 1, {13}, 1},
    {"linear", BR_WEIGHT_PLAIN, 2, {89, 113}, 2},
    {"as_conv", BR_WEIGHT_PLAIN, 4, {17, 19, 1, 1}, 2},
    {"trailing", BR_WEIGHT_PLAIN, 5, {7, 5, 1, 1, 1}, 2},
    {"cube", BR_WEIGHT_PLAIN, 3, {7, 3, 5}, 3},
    {"conv3", BR_WEIGHT_OHWI, 4, {13, 7, 3, 3}, 4},
    {"conv1", BR_WEIGHT_OHWI, 4, {5, 11, 1, 1}, 4},
    {"tall", BR_WEIGHT_OHWI, 4, {3, 1, 3, 1}, 4},
    {"wide", BR_WEIGHT_OHWI, 4, {1, 89, 1, 3}, 4},
    {"single", BR_WEIGHT_OHWI, 4, {1, 1, 1, 1}, 4},
    {"conv_large", BR_WEIGHT_OHWI, 4, {521, 499, 3, 3}, 4},
    {"linear_large", BR_WEIGHT_PLAIN, 2, {1031, 2053}, 2},
};
#define FORMS (sizeof forms / sizeof forms[0])

typedef struct model_file {
    uint8_t *bytes; /* owned */
    size_t size;
    br_weights *weights; /* owned */
} model_file;

static size_t count_of(const form *it)
{
    size_t count = 1;
    for (int i = 0; i < it->file_rank; i++)
        count *= (size_t)it->file[i];
    return count;
}

static br_shape device_shape(const form *it)
{
    if (it->layout == BR_WEIGHT_OHWI)
        return br_shape_of(it->file[0], it->file[2], it->file[3], it->file[1]);
    return br_shape_make(it->file, it->rank);
}

/* Any bits but those of NaN: of both signs, subnormal, infinite, beyond what f16 holds. */
static uint32_t bits_at(br_weight_dtype type, size_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    if (type == BR_WEIGHT_F32) {
        /* Exponents from 2^-30 to 2^20: below, within and above f16's. */
        uint32_t exponent = 97 + (uint32_t)(x >> 40) % 51;
        return ((uint32_t)x & 0x807fffffu) | exponent << 23;
    }
    uint32_t half = (uint32_t)x & 0xffff, infinity = type == BR_WEIGHT_F16 ? 0x7c00 : 0x7f80;
    return (half & infinity) == infinity ? half & (infinity | 0x8000) : half;
}

static float value_at(br_weight_dtype type, size_t i)
{
    uint32_t bits = bits_at(type, i);
    return type == BR_WEIGHT_F32   ? br_f32_from_bits(bits)
           : type == BR_WEIGHT_F16 ? br_f32_from_f16((uint16_t)bits)
                                   : br_f32_from_bits(bits << 16);
}

/* Every form in every source type, as "TYPE.FORM". A single byte before them, so that nothing is aligned. */
static model_file make_file(void)
{
    size_t room = 1 << 14, data = 1, used;
    for (size_t f = 0; f < FORMS; f++)
        data += count_of(&forms[f]) * 8;
    model_file file = {.bytes = malloc(8 + room + data)};
    assert_non_null(file.bytes);
    char *header = (char *)file.bytes + 8;
    used = (size_t)snprintf(header, room, "{\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}");
    size_t at = 1;
    for (size_t f = 0; f < FORMS; f++)
        for (int t = 0; t < SOURCE_TYPES; t++) {
            const char *type = br_weight_dtype_name(source_types[t]);
            used +=
                (size_t)snprintf(header + used, room - used, ",\"%s.%s\":{\"dtype\":\"%s\",\"shape\":[", type, forms[f].name, type);
            for (int i = 0; i < forms[f].file_rank; i++)
                used += (size_t)snprintf(header + used, room - used, "%s%d", i ? "," : "", (int)forms[f].file[i]);
            size_t bytes = count_of(&forms[f]) * br_weight_dtype_size(source_types[t]);
            used += (size_t)snprintf(header + used, room - used, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
            at += bytes;
        }
    used += (size_t)snprintf(header + used, room - used, "}");
    if (used % 2) /* with the one byte of data, every tensor begins at an odd address */
        header[used++] = ' ';
    for (int i = 0; i < 8; i++)
        file.bytes[i] = (uint8_t)((uint64_t)used >> 8 * i);
    uint8_t *out = (uint8_t *)header + used;
    *out++ = 0;
    for (size_t f = 0; f < FORMS; f++)
        for (int t = 0; t < SOURCE_TYPES; t++) {
            size_t element = br_weight_dtype_size(source_types[t]);
            for (size_t i = 0; i < count_of(&forms[f]); i++, out += element) {
                uint32_t bits = bits_at(source_types[t], i);
                memcpy(out, &bits, element); /* little endian */
            }
        }
    file.size = (size_t)(out - file.bytes);
    file.weights = br_weights_create();
    assert_non_null(file.weights);
    assert_status_ok(br_safetensors_parse(file.weights, file.bytes, file.size, "made.safetensors"));
    assert_status_ok(br_weights_seal(file.weights));
    return file;
}

static void free_file(model_file *file)
{
    br_weights_destroy(file->weights);
    free(file->bytes);
}

/* Where element `i` of the device's layout is in the file. */
static size_t file_index(const form *it, size_t i)
{
    if (it->layout == BR_WEIGHT_PLAIN)
        return i;
    size_t inputs = (size_t)it->file[1], kh = (size_t)it->file[2], kw = (size_t)it->file[3];
    size_t c = i % inputs, x = i / inputs % kw, y = i / inputs / kw % kh, o = i / inputs / kw / kh;
    return ((o * inputs + c) * kh + y) * kw + x;
}

/* `skip`: bytes of the weight before the tensor, in a stack. */
static void check_tensor(br_vk_device *device, const br_bound_weights *bound, const br_value_info *info, const form *it,
                         br_weight_dtype type, uint64_t skip)
{
    br_location where = br_bound_weights_find(bound, info);
    assert_non_null(where.buffer);
    size_t count = count_of(it), element = (size_t)br_dtype_size(info->dtype);
    uint8_t *found = malloc(count * element);
    assert_non_null(found);
    memset(found, 0xa5, count * element);
    assert_status_ok(br_vk_download(device, where.buffer, where.offset + skip, count * element, found));
    for (size_t i = 0; i < count; i++) {
        float value = value_at(type, file_index(it, i));
        uint32_t expected = info->dtype == BR_F32 ? br_f32_to_bits(value) : br_f32_to_f16(value), bits = 0;
        memcpy(&bits, found + i * element, element);
        if (bits != expected)
            fail_msg("%s as %s: element %zu is 0x%x, expected 0x%x", info->name, info->dtype == BR_F32 ? "f32" : "f16", i, bits,
                     expected);
    }
    free(found);
}

static void bind_all(br_vk_device *device, const model_file *file, br_dtype dtype)
{
    br_graph graph;
    br_graph_init(&graph);
    br_value values[FORMS][SOURCE_TYPES];
    uint64_t least = 0;
    for (size_t f = 0; f < FORMS; f++)
        for (int t = 0; t < SOURCE_TYPES; t++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", br_weight_dtype_name(source_types[t]), forms[f].name);
            values[f][t] = br_graph_weight(&graph, name, dtype, device_shape(&forms[f]), forms[f].layout);
            least += count_of(&forms[f]) * (size_t)br_dtype_size(dtype);
        }
    /* All types of a form on top of each other. */
    br_value stacks[FORMS];
    for (size_t f = 0; f < FORMS; f++) {
        br_weight_part parts[SOURCE_TYPES];
        br_shape shape = device_shape(&forms[f]);
        for (int t = 0; t < SOURCE_TYPES; t++)
            parts[t] = (br_weight_part){graph.values[values[f][t]].name, shape.dim[0]};
        shape.dim[0] *= SOURCE_TYPES;
        stacks[f] = br_graph_weight_stack(&graph, parts, SOURCE_TYPES, dtype, shape, forms[f].layout);
        least += SOURCE_TYPES * count_of(&forms[f]) * (size_t)br_dtype_size(dtype);
    }
    /* A view is the same memory, not another tensor. */
    br_graph_view(&graph, values[2][0], br_shape_of(113, 89));
    assert_false(br_graph_failed(&graph));
    br_bound_weights *bound;
    assert_status_ok(br_bound_weights_create(
        &(br_bind_params){.device = device, .graph = &graph, .weights = file->weights, .name = "unet"}, &bound));
    assert_true(br_bound_weights_bytes(bound) >= least && br_bound_weights_bytes(bound) < least + 256 * FORMS * (SOURCE_TYPES + 1));
    for (size_t f = 0; f < FORMS; f++)
        for (int t = 0; t < SOURCE_TYPES; t++)
            check_tensor(device, bound, &graph.values[values[f][t]], &forms[f], source_types[t], 0);
    for (size_t f = 0; f < FORMS; f++)
        for (int t = 0; t < SOURCE_TYPES; t++)
            check_tensor(device, bound, &graph.values[stacks[f]], &forms[f], source_types[t],
                         (uint64_t)t * count_of(&forms[f]) * (uint64_t)br_dtype_size(dtype));

    /* Found only as what it was bound as. */
    br_value_info other = graph.values[values[0][0]];
    other.dtype = dtype == BR_F32 ? BR_F16 : BR_F32;
    assert_null(br_bound_weights_find(bound, &other).buffer);
    other = graph.values[values[6][0]];
    other.layout = BR_WEIGHT_PLAIN;
    assert_null(br_bound_weights_find(bound, &other).buffer);
    other.name = "nowhere";
    assert_null(br_bound_weights_find(bound, &other).buffer);
    br_bound_weights_destroy(bound);
    br_graph_finish(&graph);
}

static void bind_on(const br_vk_device_params *params)
{
    br_test_device *test = br_test_device_open(params);
    model_file file = make_file();
    bind_all(test->device, &file, BR_F32);
    bind_all(test->device, &file, BR_F16);
    free_file(&file);
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

static void test_resizable_bar(void **state)
{
    (void)state;
    bind_on(&(br_vk_device_params){.force_bar = true});
}

static void test_wrong_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
        br_shape shape;
        br_weight_layout layout;
    } cases[] = {
        {"F32.gone", "unet has no tensor F32.gone, expected [5, 7]", {2, {5, 7}}, BR_WEIGHT_PLAIN},
        {"F16.gone", "unet has no tensor F16.gone, expected [5, 4, 2, 3]", {4, {5, 2, 3, 4}}, BR_WEIGHT_OHWI},
        {"F32.linear", "unet: tensor F32.linear is [89, 113], expected [113, 89]", {2, {113, 89}}, BR_WEIGHT_PLAIN},
        {"F32.linear", "unet: tensor F32.linear is [89, 113], expected [10057]", {1, {10057}}, BR_WEIGHT_PLAIN},
        {"F32.bias", "unet: tensor F32.bias is [13], expected [13, 1]", {2, {13, 1}}, BR_WEIGHT_PLAIN},
        {"F32.as_conv", "unet: tensor F32.as_conv is [17, 19, 1, 1], expected [17, 20]", {2, {17, 20}}, BR_WEIGHT_PLAIN},
        {"F32.cube", "unet: tensor F32.cube is [7, 3, 5], expected [7, 3]", {2, {7, 3}}, BR_WEIGHT_PLAIN},
        {"BF16.trailing", "unet: tensor BF16.trailing is [7, 5, 1, 1, 1], expected [7]", {1, {7}}, BR_WEIGHT_PLAIN},
        {"BF16.conv3", "unet: tensor BF16.conv3 is [13, 7, 3, 3], expected [13, 3, 7, 3]", {4, {13, 7, 3, 3}}, BR_WEIGHT_OHWI},
        {"F16.linear", "unet: tensor F16.linear is [89, 113], expected [89, 113, 1, 1]", {4, {89, 1, 1, 113}}, BR_WEIGHT_OHWI},
    };
    br_test_device *test = br_test_device_open(NULL);
    model_file file = make_file();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_graph graph;
        br_graph_init(&graph);
        br_graph_weight(&graph, "F32.bias", BR_F32, br_shape_of(13), BR_WEIGHT_PLAIN);
        if (strcmp(cases[i].name, "F32.bias") == 0) {
            br_graph_finish(&graph);
            br_graph_init(&graph);
        }
        br_graph_weight(&graph, cases[i].name, BR_F16, cases[i].shape, cases[i].layout);
        br_bound_weights *bound = (br_bound_weights *)&bound;
        assert_status(
            br_bound_weights_create(
                &(br_bind_params){.device = test->device, .graph = &graph, .weights = file.weights, .name = "unet"}, &bound),
            BR_ERROR_FORMAT, cases[i].message);
        assert_null(bound);
        br_graph_finish(&graph);
    }
    br_bound_weights_destroy(NULL);
    free_file(&file);
    br_test_device_close(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_it_is), cmocka_unit_test(test_staging),
                                       cmocka_unit_test(test_resizable_bar), cmocka_unit_test(test_wrong_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
