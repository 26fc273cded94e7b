/* GGUF: what the gguf package wrote, every way a header can lie, and mutated headers. */
#include "support/scratch.h"
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"

#define FILE_NAME "made.gguf"

/* ---- making files ---- */

typedef struct made {
    uint8_t bytes[4096];
    size_t size;
} made;

static void put(made *m, uint64_t value, int bytes)
{
    assert_true(m->size + 8 < sizeof m->bytes);
    for (int i = 0; i < bytes; i++)
        m->bytes[m->size++] = (uint8_t)(value >> 8 * i);
}

static void put_text(made *m, const char *text)
{
    size_t length = strlen(text);
    put(m, length, 8);
    assert_true(m->size + length < sizeof m->bytes);
    memcpy(m->bytes + m->size, text, length);
    m->size += length;
}

static made begin(uint64_t tensors, uint64_t entries)
{
    made m = {0};
    put(&m, 0x46554747, 4);
    put(&m, 3, 4);
    put(&m, tensors, 8);
    put(&m, entries, 8);
    return m;
}

static void put_u32(made *m, const char *key, uint32_t value)
{
    put_text(m, key);
    put(m, BR_GGUF_U32, 4);
    put(m, value, 4);
}

typedef struct tensor {
    const char *name;
    uint32_t rank;
    uint64_t dims[5]; /* innermost first, as in the file */
    uint32_t type;
    uint64_t offset;
} tensor;

static void put_tensor(made *m, tensor t)
{
    put_text(m, t.name);
    put(m, t.rank, 4);
    for (uint32_t i = 0; i < t.rank; i++)
        put(m, t.dims[i], 8);
    put(m, t.type, 4);
    put(m, t.offset, 8);
}

static void put_data(made *m, size_t alignment, size_t bytes)
{
    while (m->size % alignment)
        put(m, 0, 1);
    for (size_t i = 0; i < bytes; i++)
        put(m, i, 1);
}

/* The malloc'd copy is exactly as long as the file, so that a read past the end shows under the sanitizers. */
static br_status parse(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    br_weights *weights = br_weights_create();
    assert_true(copy && weights);
    if (size)
        memcpy(copy, bytes, size);
    br_status status = br_gguf_parse(weights, copy, size, FILE_NAME);
    if (!status)
        status = br_weights_seal(weights);
    for (int i = 0; !status && i < br_weights_count(weights); i++) { /* whatever was accepted must be readable */
        const br_tensor_view *view = br_weights_at(weights, i);
        float value;
        if (view->count) {
            br_weight_to_f32(view, 0, 1, &value);
            br_weight_to_f32(view, view->count - 1, 1, &value);
        }
        assert_ptr_equal(br_weights_find(weights, view->name), view);
    }
    br_weights_destroy(weights);
    free(copy);
    return status;
}

/* ---- good files ---- */

static const br_metadata *entry(const br_weights *weights, const char *key)
{
    for (int i = 0; i < br_weights_metadata_count(weights); i++)
        if (strcmp(br_weights_metadata_at(weights, i)->key, key) == 0)
            return br_weights_metadata_at(weights, i);
    fail_msg("no metadata %s", key);
    return NULL;
}

static void check_tensors(const br_weights *weights, const br_weights *expected)
{
    assert_int_equal(br_weights_count(weights), br_weights_count(expected));
    for (int i = 0; i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i), *values = br_weights_at(expected, i);
        assert_string_equal(view->name, values->name);
        assert_int_equal(view->rank, values->rank);
        assert_memory_equal(view->shape, values->shape, (size_t)view->rank * sizeof view->shape[0]);
        float *got = malloc(view->count * sizeof *got);
        assert_non_null(got);
        br_weight_to_f32(view, 0, view->count, got);
        assert_memory_equal(got, values->data, values->size);
        free(got);
    }
}

/* tools/reference/gguf_fixtures.py wrote both files. */
static void test_written_by_the_package(void **state)
{
    (void)state;
    br_weights *weights, *expected;
    assert_status_ok(br_gguf_open(br_test_path("tests/data/quant/tiny.gguf"), &weights));
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/quant/tiny.safetensors"), &expected));
    check_tensors(weights, expected);
    assert_int_equal(br_weights_find(weights, "f16")->dtype, BR_WEIGHT_F16);
    assert_int_equal(br_weights_find(weights, "q6_k")->dtype, BR_WEIGHT_Q6_K);
    assert_int_equal(br_weights_find(weights, "q6_k")->size, 13 * 210);
    char text[40];
    assert_string_equal(br_weight_shape_text(br_weights_find(weights, "f16"), text, sizeof text), "[7, 2, 3, 3]");
    assert_string_equal(br_weight_shape_text(br_weights_find(weights, "flat"), text, sizeof text), "[32, 8, 3, 3]");
    assert_int_equal(br_weights_find(weights, "flat")->size, 9 * 144);

    assert_string_equal(entry(weights, "general.architecture")->text, "sd1");
    assert_string_equal(entry(weights, "general.name")->text, "tiny");
    const br_metadata *bits = entry(weights, "test.f64");
    double value;
    assert_int_equal(bits->gguf_type, BR_GGUF_F64);
    assert_int_equal(bits->size, 8);
    memcpy(&value, bits->value, 8);
    assert_true(value == 0.1);
    const br_metadata *words = entry(weights, "test.words");
    assert_int_equal(words->gguf_type, BR_GGUF_ARRAY);
    assert_null(words->text);
    assert_int_equal(words->size, 12 + 8 + 3 + 8 + 8 + 7);
    assert_int_equal(entry(weights, "test.i8")->size, 1);
    br_weights_destroy(weights);
    br_weights_destroy(expected);
}

/* Metadata of safetensors is read by the same name. */
static void test_safetensors_metadata(void **state)
{
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\",\"a\":\"\"}}";
    uint8_t bytes[8 + sizeof header - 1] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    br_weights *weights = br_weights_create();
    assert_status_ok(br_safetensors_parse(weights, bytes, sizeof bytes, "one"));
    assert_int_equal(br_weights_metadata_count(weights), 2);
    assert_string_equal(entry(weights, "format")->text, "pt");
    assert_string_equal(entry(weights, "a")->text, "");
    assert_null(entry(weights, "format")->value);
    br_weights_destroy(weights);
}

static void test_edges(void **state)
{
    (void)state;
    made m = begin(0, 0);
    assert_status_ok(parse(m.bytes, m.size)); /* no tensors: no data either */
    m.bytes[4] = 2;
    assert_status_ok(parse(m.bytes, m.size));
    m = begin(3, 1); /* a scalar, nothing, a block; the last byte is the file's */
    put_u32(&m, "general.alignment", 1);
    put_tensor(&m, (tensor){.name = "scalar", .type = 0, .offset = 0});
    put_tensor(&m, (tensor){.name = "nothing", .rank = 2, .dims = {0, 5}, .type = 8, .offset = UINT64_C(1) << 62});
    put_tensor(&m, (tensor){.name = "block", .rank = 1, .dims = {32}, .type = 8, .offset = 5});
    put_data(&m, 1, 39);
    assert_status_ok(parse(m.bytes, m.size));
    assert_status(parse(m.bytes, m.size - 1), BR_ERROR_FORMAT,
                  "tensor \"block\" ends at byte 39 of the data, which has 38 bytes (truncated file?)");
}

/* ---- lies ---- */

static br_status parse_tensor(tensor t, size_t data)
{
    made m = begin(1, 0);
    put_tensor(&m, t);
    put_data(&m, 32, data);
    return parse(m.bytes, m.size);
}

static void test_tensor_lies(void **state)
{
    (void)state;
    static const struct {
        tensor tensor;
        br_code code;
        const char *message;
    } cases[] = {
        {{.name = "t", .rank = 5, .dims = {1, 1, 1, 1, 1}}, BR_ERROR_UNSUPPORTED, "5 dimensions, expected at most 4"},
        {{.name = "t", .rank = 1, .dims = {4}, .type = 4}, BR_ERROR_UNSUPPORTED, "tensor \"t\" has the unknown type 4"},
        {{.name = "t", .rank = 1, .dims = {4}, .type = 0xffffffff}, BR_ERROR_UNSUPPORTED, "unknown type 4294967295"},
        {{.name = "t", .rank = 1, .dims = {32}, .type = 20}, BR_ERROR_UNSUPPORTED, "has the type IQ4_NL, which is not supported"},
        {{.name = "t", .rank = 1, .dims = {UINT64_MAX}}, BR_ERROR_FORMAT, "product of its dimensions overflows"},
        {{.name = "t", .rank = 2, .dims = {UINT64_C(1) << 32, UINT64_C(1) << 32}}, BR_ERROR_FORMAT, "dimensions overflows"},
        {{.name = "t", .rank = 2, .dims = {UINT64_C(1) << 31, UINT64_C(1) << 32}}, BR_ERROR_FORMAT, "size in bytes overflows"},
        {{.name = "t", .rank = 2, .dims = {33, 32}, .type = 8},
         BR_ERROR_FORMAT,
         "rows of 33 elements, expected a multiple of 32 for Q8_0"},
        {{.name = "t", .rank = 1, .dims = {128}, .type = 12}, BR_ERROR_FORMAT, "expected a multiple of 256 for Q4_K"},
        {{.name = "t", .type = 14}, BR_ERROR_FORMAT, "rows of 1 elements"},
        {{.name = "t", .rank = 1, .dims = {4}, .offset = 8},
         BR_ERROR_FORMAT,
         "begins at byte 8 of the data, expected a multiple of 32"},
        {{.name = "t", .rank = 1, .dims = {4}, .offset = 32}, BR_ERROR_FORMAT, "ends at byte 48 of the data, which has 16 bytes"},
        {{.name = "t", .rank = 1, .dims = {4}, .offset = UINT64_MAX - 31}, BR_ERROR_FORMAT, "end"},
        {{.name = "t", .rank = 1, .dims = {64}, .offset = UINT64_MAX - 31}, BR_ERROR_FORMAT, "its end overflows"},
        {{.name = "t", .rank = 1, .dims = {5}}, BR_ERROR_FORMAT, "ends at byte 20 of the data, which has 16 bytes"},
        {{.name = "", .rank = 1, .dims = {4}}, BR_ERROR_FORMAT, "a tensor's name of 0 bytes"},
        {{.name = "a\nb", .rank = 1, .dims = {4}}, BR_ERROR_FORMAT, "control character 10"},
        {{.name = "\xff", .rank = 1, .dims = {4}}, BR_ERROR_FORMAT, "is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_status(parse_tensor(cases[i].tensor, 16), cases[i].code, cases[i].message);
    assert_status_ok(parse_tensor((tensor){.name = "t", .rank = 1, .dims = {4}}, 16));

    made m = begin(2, 0);
    put_tensor(&m, (tensor){.name = "t", .rank = 1, .dims = {9}, .offset = 0});
    put_tensor(&m, (tensor){.name = "u", .rank = 1, .dims = {9}, .offset = 32});
    put_data(&m, 32, 68);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "tensor \"u\" overlaps tensor \"t\" at byte 32");
    m = begin(2, 0);
    put_tensor(&m, (tensor){.name = "t", .rank = 1, .dims = {8}, .offset = 0});
    put_tensor(&m, (tensor){.name = "t", .rank = 1, .dims = {8}, .offset = 32});
    put_data(&m, 32, 64);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "tensor \"t\" is both in ");
}

static void test_header_lies(void **state)
{
    (void)state;
    made m = begin(0, 0);
    assert_status(parse(m.bytes, 0), BR_ERROR_FORMAT, "not a GGUF file");
    assert_status(parse(m.bytes, 3), BR_ERROR_FORMAT, "not a GGUF file");
    assert_status(parse(m.bytes, 23), BR_ERROR_FORMAT, "ends at byte 23, inside the header");
    m.bytes[4] = 1;
    assert_status(parse(m.bytes, m.size), BR_ERROR_UNSUPPORTED, "GGUF version 1, expected 2 or 3");
    m.bytes[4] = 0, m.bytes[7] = 3;
    assert_status(parse(m.bytes, m.size), BR_ERROR_UNSUPPORTED, "(a big-endian file?)");
    m = begin(UINT64_MAX, 0);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "18446744073709551615 tensors are too many for 0 bytes");
    m = begin(0, 1);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "1 metadata entries are too many for 0 bytes");
}

static void test_metadata_lies(void **state)
{
    (void)state;
    made m = begin(0, 1);
    put_text(&m, "k");
    put(&m, BR_GGUF_TYPE_COUNT, 4);
    put(&m, 0, 8);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "metadata \"k\" has the unknown type 13");
    m = begin(0, 1);
    put_text(&m, "k");
    put(&m, BR_GGUF_STRING, 4);
    put(&m, UINT64_MAX, 8);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "inside a metadata string (truncated file?)");
    static const struct {
        uint64_t type, count;
        const char *message;
    } arrays[] = {
        {BR_GGUF_ARRAY, 1, "is an array of the unknown type 9"},
        {99, 1, "is an array of the unknown type 99"},
        {BR_GGUF_U8, 1, "inside a metadata array"},
        {BR_GGUF_U64, UINT64_C(1) << 61, "inside a metadata array"},
        {BR_GGUF_STRING, UINT64_MAX, "inside a metadata array"},
        {BR_GGUF_F64, UINT64_MAX / 8, "inside a metadata array"},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        m = begin(0, 1);
        put_text(&m, "k");
        put(&m, BR_GGUF_ARRAY, 4);
        put(&m, arrays[i].type, 4);
        put(&m, arrays[i].count, 8);
        assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, arrays[i].message);
    }
    m = begin(0, 2);
    put_u32(&m, "k", 1);
    put_u32(&m, "k", 1);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "metadata \"k\" occurs twice");
    static const uint32_t alignments[] = {0, 48, 0xffffffff};
    for (size_t i = 0; i < 3; i++) {
        m = begin(0, 1);
        put_u32(&m, "general.alignment", alignments[i]);
        assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "expected a power of two");
    }
    m = begin(0, 1);
    put_text(&m, "general.alignment");
    put(&m, BR_GGUF_U64, 4);
    put(&m, 32, 8);
    assert_status(parse(m.bytes, m.size), BR_ERROR_FORMAT, "is not a 32-bit number");
}

static br_status parse_original_shape(uint64_t type, const uint32_t *shape, uint64_t rank)
{
    made m = begin(1, 1);
    put_text(&m, BR_GGUF_ORIGINAL_SHAPE "t");
    put(&m, BR_GGUF_ARRAY, 4);
    put(&m, type, 4);
    put(&m, rank, 8);
    for (uint64_t i = 0; i < rank; i++)
        put(&m, shape[i], 4);
    put_tensor(&m, (tensor){.name = "t", .rank = 2, .dims = {32, 3}, .type = 8});
    put_data(&m, 32, 3 * 34);
    return parse(m.bytes, m.size);
}

static void test_original_shape(void **state)
{
    (void)state;
    static const uint32_t good[] = {2, 16, 3}, bad[] = {2, 16, 4}, negative[] = {0xffffffff, 32, 3},
                          many[] = {1, 1, 1, 1, 1, 1, 1, 32, 3};
    assert_status_ok(parse_original_shape(BR_GGUF_I32, good, 3));
    assert_status_ok(parse_original_shape(BR_GGUF_U32, good, 3));
    assert_status(parse_original_shape(BR_GGUF_I32, bad, 3), BR_ERROR_FORMAT,
                  "is the shape of 128 elements, but the tensor has 96");
    assert_status(parse_original_shape(BR_GGUF_I32, negative, 3), BR_ERROR_FORMAT, "but the tensor has 96");
    assert_status(parse_original_shape(BR_GGUF_I32, many, 9), BR_ERROR_FORMAT, "is not a shape of at most 8 dimensions");
    assert_status(parse_original_shape(BR_GGUF_F32, good, 3), BR_ERROR_FORMAT, "is not a shape");
}

/* ---- damage ---- */

static char *package_file(size_t *out_size)
{
    char *bytes;
    assert_status_ok(br_file_read(br_test_path("tests/data/quant/tiny.gguf"), 1 << 20, &bytes, out_size));
    return bytes;
}

/* No file that ends too early is accepted, wherever it ends; the package pads the last tensor. */
static void test_truncated_everywhere(void **state)
{
    (void)state;
    size_t size;
    char *bytes = package_file(&size);
    assert_status_ok(parse((const uint8_t *)bytes, size));
    for (size_t kept = 0; kept < size - 64; kept++) {
        br_status status = parse((const uint8_t *)bytes, kept);
        assert_int_equal(br_status_code(status), BR_ERROR_FORMAT);
        br_status_free(status);
    }
    free(bytes);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* One edit among the first `header` bytes. Returns the new size of the file, for which there is twice the room. */
static size_t edit(uint8_t *bytes, size_t size, size_t header, uint32_t *seed)
{
    static const uint64_t values[] = {0, 1, 2, 3, 31, 32, 255, 256, 1u << 16, UINT32_MAX, (uint64_t)1 << 32, INT64_MAX, UINT64_MAX};
    size_t at = next_random(seed) % header, span = 1 + next_random(seed) % 24;
    uint64_t value = values[next_random(seed) % (sizeof values / sizeof values[0])];
    switch (next_random(seed) % 6) {
    case 0: /* another bit */
        bytes[at] ^= (uint8_t)(1 << next_random(seed) % 8);
        return size;
    case 1: /* another byte */
        bytes[at] = (uint8_t)next_random(seed);
        return size;
    case 2: /* a number of 4 or 8 bytes */
        for (uint32_t i = 0, count = next_random(seed) % 2 ? 4 : 8; i < count; i++)
            bytes[at + i] = (uint8_t)(value >> 8 * i);
        return size;
    case 3: /* something is lost */
        memmove(bytes + at, bytes + at + span, size - at - span);
        return size - span;
    case 4: /* or comes twice */
        memmove(bytes + at + span, bytes + at, size - at);
        return size + span;
    default: /* or is somewhere else */
        memmove(bytes + at, bytes + next_random(seed) % header, span);
        return size;
    }
}

/* 1,000 damaged headers in 1 to 3 places: refused with a message, or readable to the last element. */
static void test_mutations(void **state)
{
    (void)state;
    size_t size;
    char *bytes = package_file(&size);
    const size_t header = 1280; /* the data begins at byte 1344 */
    uint8_t *copy = malloc(2 * size);
    assert_non_null(copy);
    uint32_t seed = 20240611;
    print_message("seed %u\n", seed);
    int accepted = 0;
    for (int round = 0; round < 1000; round++) {
        size_t now = size;
        memcpy(copy, bytes, size);
        for (uint32_t edits = 1 + next_random(&seed) % 3; edits > 0; edits--)
            now = edit(copy, now, header, &seed);
        br_status status = parse(copy, now);
        if (status)
            assert_true(*br_status_message(status) && !strchr(br_status_message(status), '\n'));
        accepted += status == NULL;
        br_status_free(status);
    }
    print_message("%d of 1000 mutated files accepted\n", accepted);
    assert_true(accepted > 10 && accepted < 600);
    free(copy);
    free(bytes);
}

static void test_files(void **state)
{
    (void)state;
    br_weights *weights;
    assert_status(br_gguf_open(br_scratch_path("none.gguf"), &weights), BR_ERROR_NOT_FOUND, "none.gguf: cannot open");
    assert_null(weights);
    assert_status(br_gguf_open(br_scratch_file("empty", "", 0), &weights), BR_ERROR_FORMAT, "not a GGUF file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_by_the_package),
        cmocka_unit_test(test_safetensors_metadata),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_tensor_lies),
        cmocka_unit_test(test_header_lies),
        cmocka_unit_test(test_metadata_lies),
        cmocka_unit_test(test_original_shape),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
