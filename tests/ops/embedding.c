#include "ref/embedding.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

typedef struct embedding_case {
    int64_t pictures, length, vocabulary, width, positions, extra; /* positions, extra 0: none */
} embedding_case;

static void check_embedding(br_test_device *device, embedding_case c, br_dtype dtype, br_dtype table_dtype)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value tokens = br_test_case_input(&test, "tokens", BR_I32, br_shape_of(c.pictures, c.length));
    br_value table = br_test_case_input(&test, "table", table_dtype, br_shape_of(c.vocabulary, c.width));
    br_value positions =
        c.positions ? br_test_case_input(&test, "positions", table_dtype, br_shape_of(c.positions, c.width)) : BR_NONE;
    br_value extra = c.extra ? br_test_case_input(&test, "extra", table_dtype, br_shape_of(c.extra, c.width)) : BR_NONE;
    float *ids = br_test_case_data(&test, tokens);
    for (int64_t i = 0; i < c.pictures * c.length; i++)
        ids[i] = (float)((i * 7919 + 3) % (c.vocabulary + c.extra + 4) - 2); /* two beyond either end */
    double *expected = calloc((size_t)(c.pictures * c.length * c.width), sizeof *expected);
    assert_non_null(expected);
    br_ref_embedding(&(br_ref_embedding_params){.tokens = ids,
                                                .table = br_test_case_data(&test, table),
                                                .positions = c.positions ? br_test_case_data(&test, positions) : NULL,
                                                .extra = c.extra ? br_test_case_data(&test, extra) : NULL,
                                                .extra_count = (size_t)c.extra,
                                                .pictures = (size_t)c.pictures,
                                                .length = (size_t)c.length,
                                                .vocabulary = (size_t)c.vocabulary,
                                                .width = (size_t)c.width},
                     expected);
    br_value y = br_op_embedding(
        &test.graph, "embed",
        &(br_embedding_params){.tokens = tokens, .table = table, .positions = positions, .extra = extra, .dtype = dtype});
    br_test_case_check(&test, device, y, expected, br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

/* With 4 KiB a binding tables come in slices, and the result of some cases within a picture, at its edge, and in whole pictures. */
static void sizes_and_types(void **state)
{
    br_test_devices *devices = *state;
    static const embedding_case cases[] = {
        {1, 1, 1, 1, 0, 0},    {2, 77, 113, 64, 77, 0}, {1, 13, 89, 7, 16, 0},  {3, 13, 211, 40, 13, 0}, {3, 5, 57, 61, 0, 0},
        {2, 7, 31, 212, 9, 0}, {5, 3, 11, 96, 3, 0},    {2, 77, 31, 61, 77, 3}, {3, 13, 13, 89, 0, 211}, {1, 5, 1, 212, 7, 1},
    };
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++)
        for (br_dtype table = BR_F32; table <= BR_F16; table++) {
            if ((dtype == BR_F16 || table == BR_F16) && !br_test_has_f16(devices->full))
                continue;
            for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                check_embedding(devices->full, cases[i], dtype, table);
                check_embedding(devices->limited, cases[i], dtype, table);
            }
        }
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value tokens = br_test_case_input(&test, "tokens", BR_I32, br_shape_of(1, 8));
    br_value table = br_test_case_input(&test, "table", BR_F32, br_shape_of(10, 4));
    br_value positions = br_test_case_input(&test, "positions", BR_F32, br_shape_of(7, 4));
    br_embedding_params params = {.tokens = tokens, .table = table, .positions = positions, .extra = BR_NONE, .dtype = BR_F32};
    assert_int_equal(br_op_embedding(&test.graph, "embed", &params), BR_NONE);
    br_test_case_refused(&test, "embed: positions is f32 [7, 4], expected f32 [8 or more, 4]");
    params.positions = BR_NONE;
    params.extra = positions;
    assert_int_not_equal(br_op_embedding(&test.graph, "embed", &params), BR_NONE);
    params.extra = br_test_case_input(&test, "extra", BR_F32, br_shape_of(3, 5));
    assert_int_equal(br_op_embedding(&test.graph, "embed", &params), BR_NONE);
    br_test_case_refused(&test, "embed: extra is f32 [3, 5], expected f32 [E, 4]");
    params.tokens = table;
    assert_int_equal(br_op_embedding(&test.graph, "embed", &params), BR_NONE);
    br_test_case_refused(&test, "embed: tokens is f32 [10, 4], expected i32 [B, T]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_types),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
