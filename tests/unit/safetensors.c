/* safetensors: what a good file gives, and every way a header can lie. */
#include "support/scratch.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/safetensors.h"

#define FILE_NAME "made.safetensors"

/* A file in memory: length field, header, `data` bytes 0, 1, 2, ... The caller frees it. */
static uint8_t *make(const char *header, size_t data, size_t *out_size)
{
    size_t length = strlen(header);
    uint8_t *bytes = malloc(8 + length + data);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[8 + length + i] = (uint8_t)i;
    *out_size = 8 + length + data;
    return bytes;
}

/* The malloc'd copy is exactly as long as the file, so that a read past the end shows under the sanitizers. */
static br_status parse(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    br_weights *weights = br_weights_create();
    assert_non_null(weights);
    br_status status = br_safetensors_parse(weights, copy, size, FILE_NAME);
    if (!status)
        status = br_weights_seal(weights);
    if (!status) { /* whatever was accepted must be readable */
        for (int i = 0; i < br_weights_count(weights); i++) {
            const br_tensor_view *view = br_weights_at(weights, i);
            float value;
            if (view->count)
                br_weight_to_f32(view, view->count - 1, 1, &value);
            assert_ptr_equal(br_weights_find(weights, view->name), view);
        }
    }
    br_weights_destroy(weights);
    free(copy);
    return status;
}

static br_status parse_header(const char *header, size_t data)
{
    size_t size;
    uint8_t *bytes = make(header, data, &size);
    br_status status = parse(bytes, size);
    free(bytes);
    return status;
}

static void test_good(void **state)
{
    (void)state;
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[2,14]},"
                         "\"a\":{\"dtype\":\"U8\",\"shape\":[1,2],\"data_offsets\":[0,2]},\"s\":{\"dtype\":\"F16\",\"shape\":[],"
                         "\"data_offsets\":[14,16]},\"none\":{\"dtype\":\"I64\",\"shape\":[5,0],\"data_offsets\":[14,14]}}  ";
    size_t size;
    uint8_t *bytes = make(header, 16, &size);
    const char *path = br_scratch_file(FILE_NAME, bytes, size);
    br_weights *weights;
    assert_status_ok(br_safetensors_open(path, &weights));
    assert_int_equal(br_weights_count(weights), 4);
    static const char *const names[] = {"a", "b", "none", "s"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(br_weights_at(weights, i)->name, names[i]);
    assert_null(br_weights_find(weights, "c"));
    assert_null(br_weights_find(weights, "__metadata__"));
    const br_tensor_view *b = br_weights_find(weights, "b");
    assert_int_equal(b->dtype, BR_WEIGHT_F32);
    assert_int_equal(b->rank, 1);
    assert_int_equal(b->shape[0], 3);
    assert_int_equal(b->count, 3);
    assert_int_equal(b->size, 12);
    assert_string_equal(b->file, path);
    assert_memory_equal(b->data, bytes + size - 14, 12);
    const br_tensor_view *s = br_weights_find(weights, "s");
    assert_int_equal(s->rank, 0);
    assert_int_equal(s->count, 1);
    char text[40];
    assert_string_equal(br_weight_shape_text(s, text, sizeof text), "[]");
    assert_string_equal(br_weight_shape_text(br_weights_find(weights, "none"), text, sizeof text), "[5, 0]");
    assert_string_equal(br_weight_shape_text(br_weights_find(weights, "none"), text, 4), "[5,");
    br_weights_destroy(weights);
    free(bytes);
    br_weights_destroy(NULL);

    assert_status_ok(parse_header("{}", 0));
}

static void test_real_model(void **state)
{
    (void)state;
    br_weights *weights;
    assert_status_ok(br_safetensors_open(br_test_path("assets/models/emoji/unet/diffusion_pytorch_model.safetensors"), &weights));
    const br_tensor_view *view = br_weights_find(weights, "conv_in.weight");
    assert_non_null(view);
    assert_int_equal(view->dtype, BR_WEIGHT_F16);
    char text[40];
    assert_string_equal(br_weight_shape_text(view, text, sizeof text), "[64, 4, 3, 3]");
    size_t parameters = 0;
    for (int i = 0; i < br_weights_count(weights); i++)
        parameters += br_weights_at(weights, i)->count;
    assert_int_equal(parameters, 7240004); /* as the model's card says */
    br_weights_destroy(weights);
}

#define ONE(dtype, shape, offsets) "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(offsets, other)                                            \
    "{\"t\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets \
    "},\"u\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" other "}}"

static void test_lies(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        br_code code;
        const char *message;
    } cases[] = {
        {ONE("F99", "[4]", "[0,4]"), 4, BR_ERROR_UNSUPPORTED, "made.safetensors: tensor \"t\" has the unknown dtype \"F99\""},
        {ONE("Q8_0", "[32]", "[0,34]"), 34, BR_ERROR_UNSUPPORTED, "tensor \"t\" has the unknown dtype \"Q8_0\""},
        {"{\"t\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, BR_ERROR_FORMAT, "no \"dtype\""},
        {"{\"t\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, BR_ERROR_FORMAT, "no \"dtype\""},
        {"{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, BR_ERROR_FORMAT, "no \"shape\""},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, BR_ERROR_FORMAT, "not a pair of integers"},
        {"{\"t\":[]}", 0, BR_ERROR_FORMAT, "not described by a JSON object"},
        {ONE("U8", "4", "[0,4]"), 4, BR_ERROR_FORMAT, "no \"shape\" array"},
        {ONE("U8", "[4.0]", "[0,4]"), 4, BR_ERROR_FORMAT, "dimension 0 is not an integer"},
        {ONE("U8", "[\"4\"]", "[0,4]"), 4, BR_ERROR_FORMAT, "dimension 0 is not an integer"},
        {ONE("U8", "[2,-2]", "[0,4]"), 4, BR_ERROR_FORMAT, "dimension 1 is -2, expected 0 or more"},
        {ONE("U8", "[99999999999999999999]", "[0,4]"), 4, BR_ERROR_FORMAT, "too big integer"},
        {ONE("U8", "[4294967296,4294967297,4]", "[0,4]"), 4, BR_ERROR_FORMAT, "product of its dimensions overflows"},
        {ONE("U8", "[9223372036854775807,9223372036854775807]", "[0,4]"), 4, BR_ERROR_FORMAT,
         "product of its dimensions overflows"},
        {ONE("F32", "[4611686018427387905]", "[0,4]"), 4, BR_ERROR_FORMAT, "size in bytes overflows"},
        {ONE("F64", "[4611686018427387904,1]", "[0,0]"), 0, BR_ERROR_FORMAT, "size in bytes overflows"},
        {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, BR_ERROR_UNSUPPORTED, "9 dimensions, expected at most 8"},
        {ONE("U8", "[4]", "[0,5]"), 4, BR_ERROR_FORMAT, "\"t\" ends at byte 5 of the data, which has 4 bytes"},
        {ONE("U8", "[4]", "[9223372036854775803,9223372036854775807]"), 4, BR_ERROR_FORMAT, "ends at byte 9223372036854775807"},
        {ONE("U8", "[4]", "[4,0]"), 4, BR_ERROR_FORMAT, "data_offsets are [4, 0], expected 0 <= begin <= end"},
        {ONE("U8", "[4]", "[-4,0]"), 4, BR_ERROR_FORMAT, "data_offsets are [-4, 0]"},
        {ONE("U8", "[4]", "[0]"), 4, BR_ERROR_FORMAT, "not a pair of integers"},
        {ONE("U8", "[4]", "[0,4,4]"), 4, BR_ERROR_FORMAT, "not a pair of integers"},
        {ONE("U8", "[4]", "[0,4.0]"), 4, BR_ERROR_FORMAT, "not a pair of integers"},
        {ONE("U8", "[4]", "{\"0\":0}"), 4, BR_ERROR_FORMAT, "not a pair of integers"},
        {ONE("F16", "[2,3]", "[0,13]"), 13, BR_ERROR_FORMAT, "\"t\" holds 13 bytes, expected 12 for F16 [2, 3]"},
        {ONE("F16", "[2,3]", "[0,6]"), 6, BR_ERROR_FORMAT, "holds 6 bytes, expected 12"},
        {TWO("[0,4]", "[2,6]"), 6, BR_ERROR_FORMAT, "tensor \"u\" overlaps tensor \"t\" at byte 2"},
        {TWO("[0,4]", "[0,4]"), 4, BR_ERROR_FORMAT, "overlaps"},
        {TWO("[0,4]", "[6,10]"), 10, BR_ERROR_FORMAT, "no tensor covers bytes 4 to 6 of the data, before tensor \"u\""},
        {TWO("[2,6]", "[6,10]"), 10, BR_ERROR_FORMAT, "no tensor covers bytes 0 to 2"},
        {ONE("U8", "[4]", "[0,4]"), 5, BR_ERROR_FORMAT, "5 bytes of data, expected 4"},
        {"{}", 1, BR_ERROR_FORMAT, "1 bytes of data, expected 0"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,"
         "2]}}",
         2, BR_ERROR_FORMAT, "duplicate object key"},
        {"{\"__metadata__\":[]}", 0, BR_ERROR_FORMAT, "\"__metadata__\" is not a JSON object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, BR_ERROR_FORMAT, "\"__metadata__\" member \"a\" is not a string"},
        {"[]", 0, BR_ERROR_FORMAT, "does not begin with '{'"},
        {" {}", 0, BR_ERROR_FORMAT, "does not begin with '{'"},
        {"{\"a\":", 0, BR_ERROR_FORMAT, "invalid JSON"},
        {"{} {}", 0, BR_ERROR_FORMAT, "invalid JSON"},
        {"{\"\xff\":{}}", 0, BR_ERROR_FORMAT, "invalid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_status(parse_header(cases[i].header, cases[i].data), cases[i].code, cases[i].message);
}

static void test_nesting(void **state)
{
    (void)state;
    size_t depth = 200000;
    char *header = malloc(depth + 20);
    assert_non_null(header);
    memcpy(header, "{\"t\":", 5);
    memset(header + 5, '[', depth);
    header[5 + depth] = 0;
    assert_status(parse_header(header, 0), BR_ERROR_FORMAT, "nested deeper than 64 levels");
    free(header);
}

static void test_header_length(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        const char *message;
    } cases[] = {
        {0, "does not begin with '{'"},
        {3, "header of 3 bytes, but only 2 follow"},
        {100000000, "header of 100000000 bytes, but only 2 follow"},
        {100000001, "header of 100000001 bytes, expected at most 100000000"},
        {UINT64_C(1) << 63, "header of 9223372036854775808 bytes, expected at most"},
        {UINT64_MAX, "header of 18446744073709551615 bytes, expected at most"},
        {UINT64_MAX - 7, "header of 18446744073709551608 bytes, expected at most"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[10] = {[8] = '{', [9] = '}'};
        for (int k = 0; k < 8; k++)
            bytes[k] = (uint8_t)(cases[i].length >> 8 * k);
        assert_status(parse(bytes, sizeof bytes), BR_ERROR_FORMAT, cases[i].message);
    }
    assert_status(parse((const uint8_t *)"\2\0\0\0\0\0\0", 7), BR_ERROR_FORMAT, "7 bytes are too few");
    assert_status(parse((const uint8_t *)"", 0), BR_ERROR_FORMAT, "0 bytes are too few");
}

static void test_files(void **state)
{
    (void)state;
    br_weights *weights;
    assert_status(br_safetensors_open(br_scratch_path("none.safetensors"), &weights), BR_ERROR_NOT_FOUND,
                  "none.safetensors: cannot open");
    assert_null(weights);
    assert_status(br_safetensors_open(br_scratch_path(""), &weights), BR_ERROR_IO, "is a folder");
    assert_status(br_safetensors_open(br_scratch_file("empty", "", 0), &weights), BR_ERROR_FORMAT, "0 bytes are too few");

    /* Truncated anywhere, a real file is refused. */
    const char *path = br_test_path("assets/models/emoji/vae/diffusion_pytorch_model.safetensors");
    char *bytes;
    size_t size;
    assert_status_ok(br_file_read(path, 100 << 20, &bytes, &size));
    static const size_t kept[] = {1, 8, 9, 1000, 100003};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        br_status status = parse((const uint8_t *)bytes, kept[i]);
        assert_int_equal(br_status_code(status), BR_ERROR_FORMAT);
        br_status_free(status);
    }
    assert_status(parse((const uint8_t *)bytes, size - 1), BR_ERROR_FORMAT, "truncated file?");
    free(bytes);
}

/* No file that ends too early is accepted, wherever it ends. */
static void test_truncated_everywhere(void **state)
{
    (void)state;
    size_t size;
    uint8_t *made = make(ONE("U8", "[89]", "[0,89]"), 89, &size);
    assert_status_ok(parse(made, size));
    for (size_t kept = 0; kept < size; kept++) {
        br_status status = parse(made, kept);
        assert_int_equal(br_status_code(status), BR_ERROR_FORMAT);
        br_status_free(status);
    }
    free(made);

    char *bytes;
    assert_status_ok(
        br_file_read(br_test_path("assets/models/emoji/vae/diffusion_pytorch_model.safetensors"), 100 << 20, &bytes, &size));
    const size_t header = (size_t)(uint8_t)bytes[0] | (size_t)(uint8_t)bytes[1] << 8;
    assert_true(bytes[2] == 0 && header > 1000);
    for (size_t kept = 0; kept < size; kept += kept < header + 16 ? 1 : 10007) {
        br_status status = parse((const uint8_t *)bytes, kept);
        assert_int_equal(br_status_code(status), BR_ERROR_FORMAT);
        br_status_free(status);
    }
    free(bytes);
}

/* A 1 TiB file with holes on disk: opening must cost neither memory nor time, whatever the tensors hold. */
static void test_data_is_not_touched(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = make(ONE("U8", "[1099511627776]", "[0,1099511627776]"), 0, &size);
    const char *path = br_scratch_file("sparse", bytes, size);
    free(bytes);
    if (truncate(path, (off_t)size + ((off_t)1 << 40)) != 0) {
        print_message("no sparse files of 1 TiB here: not checked\n");
        return;
    }
    br_weights *weights;
    assert_status_ok(br_safetensors_open(path, &weights));
    assert_int_equal(br_weights_at(weights, 0)->size, (size_t)1 << 40);
    br_weights_destroy(weights);
    unlink(path);
}

static void test_same_name_in_two_files(void **state)
{
    (void)state;
    br_weights *weights = br_weights_create();
    size_t size;
    uint8_t *bytes = make(ONE("U8", "[4]", "[0,4]"), 4, &size);
    assert_status_ok(br_safetensors_parse(weights, bytes, size, "one"));
    assert_status_ok(br_safetensors_parse(weights, bytes, size, "two"));
    br_status status = br_weights_seal(weights);
    assert_non_null(strstr(br_status_message(status), "two"));
    assert_status(status, BR_ERROR_FORMAT, "tensor \"t\" is both in ");
    br_weights_destroy(weights);
    free(bytes);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random edits of a good header: nothing may crash, and whatever is accepted must be readable to its last element. */
static void test_mutations(void **state)
{
    (void)state;
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[2,14]},"
                         "\"a\":{\"dtype\":\"U8\",\"shape\":[1,2],\"data_offsets\":[0,2]}}";
    static const char *const words[] = {"0",
                                        "-1",
                                        "9223372036854775807",
                                        "18446744073709551616",
                                        "[",
                                        "{",
                                        "\"",
                                        "null",
                                        "1e9",
                                        "F16",
                                        "BF16",
                                        "I64",
                                        "\\u0000",
                                        ",",
                                        "]",
                                        "}",
                                        ":",
                                        "14",
                                        "2",
                                        "3",
                                        "\xff",
                                        "\"a\"",
                                        "__metadata__"};
    uint32_t seed = 20240607;
    print_message("seed %u\n", seed);
    int accepted = 0;
    for (int round = 0; round < 2000; round++) {
        size_t size;
        uint8_t *bytes = make(header, 14, &size);
        size_t room = size + 200;
        bytes = realloc(bytes, room);
        assert_non_null(bytes);
        for (uint32_t edits = 1 + next_random(&seed) % 3; edits > 0; edits--) {
            size_t at = next_random(&seed) % size;
            switch (next_random(&seed) % 4) {
            case 0: /* another byte */
                bytes[at] = (uint8_t)next_random(&seed);
                break;
            case 1: /* a word in place of the bytes there */
            case 2: {
                const char *word = words[next_random(&seed) % (sizeof words / sizeof words[0])];
                size_t length = strlen(word), cut = next_random(&seed) % 3;
                if (at < 8 || at + cut > size || size + length > room)
                    break;
                memmove(bytes + at + length, bytes + at + cut, size - at - cut);
                memcpy(bytes + at, word, length);
                size = size + length - cut;
                bytes[0] = (uint8_t)(bytes[0] + length - cut);
                break;
            }
            default: /* a shorter file */
                if (next_random(&seed) % 4 == 0)
                    size = at + 1;
            }
        }
        br_status status = parse(bytes, size);
        accepted += status == NULL;
        br_status_free(status);
        free(bytes);
    }
    print_message("%d of 2000 mutated files accepted\n", accepted);
    assert_true(accepted < 1000);
}

/* One edit of the header text at `text`, which has room for twice its length. Returns the new length. */
static size_t edit_header(char *text, size_t length, uint32_t *seed)
{
    size_t at = next_random(seed) % length, span = 1 + next_random(seed) % 40;
    if (span > length - at)
        span = length - at;
    switch (next_random(seed) % 5) {
    case 0: /* another bit */
        text[at] ^= (char)(1 << next_random(seed) % 8);
        return length;
    case 1: /* another digit: shapes, offsets, names, types */
        while (at < length && (text[at] < '0' || text[at] > '9'))
            at++;
        if (at < length)
            text[at] = (char)('0' + next_random(seed) % 10);
        return length;
    case 2: /* something is lost */
        memmove(text + at, text + at + span, length - at - span);
        return length - span;
    case 3: /* or comes twice */
        memmove(text + at + span, text + at, length - at);
        return length + span;
    default: { /* or is somewhere else */
        size_t from = next_random(seed) % (length - span + 1);
        memmove(text + at, text + from, span);
        return length;
    }
    }
}

/* The header of a file that ships, edited in 1 to 4 places, before the same data. */
static void test_real_mutations(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    assert_status_ok(br_file_read(br_test_path("assets/models/emoji/text_encoder/model.safetensors"), 100 << 20, &bytes, &size));
    const size_t header = (size_t)(uint8_t)bytes[0] | (size_t)(uint8_t)bytes[1] << 8, data = size - 8 - header;
    assert_true(bytes[2] == 0 && header > 1000 && header < size);
    char *text = malloc(header * 2);
    uint8_t *mutated = malloc(8 + header * 2 + data);
    assert_non_null(text);
    assert_non_null(mutated);
    uint32_t seed = 20250711;
    int accepted = 0, rounds = 700;
    print_message("seed %u\n", seed);
    for (int round = 0; round < rounds; round++) {
        memcpy(text, bytes + 8, header);
        size_t length = header;
        for (uint32_t edits = 1 + next_random(&seed) % 4; edits > 0; edits--)
            length = edit_header(text, length, &seed);
        for (int i = 0; i < 8; i++)
            mutated[i] = (uint8_t)((uint64_t)length >> 8 * i);
        memcpy(mutated + 8, text, length);
        memcpy(mutated + 8 + length, bytes + 8 + header, data);
        br_status status = parse(mutated, 8 + length + data);
        accepted += status == NULL;
        br_status_free(status);
    }
    print_message("%d of %d mutated files accepted\n", accepted, rounds); /* edits of names are no lies */
    assert_true(accepted < rounds / 2);
    free(mutated);
    free(text);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_real_model),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_data_is_not_touched),
        cmocka_unit_test(test_same_name_in_two_files),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_real_mutations),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
