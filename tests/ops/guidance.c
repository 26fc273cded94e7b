#include "ref/guidance.h"

#include <stdlib.h>

#include "common/abi.h"
#include "ops/op.h"
#include "support/case.h"

typedef struct guidance_case {
    br_dtype dtype;
    br_shape shape; /* of one copy */
    int copies;
    bool rescale;
    float mean; /* added to every output: what a sum of squares would drown in */
} guidance_case;

static void check_guidance(br_test_device *device, const guidance_case *c)
{
    br_test_case test;
    br_test_case_init(&test);
    br_step step = {.guidance = 7.5f, .image_guidance = 1.7f, .guidance_rescale = 0.7f};
    br_value buffer = br_graph_step(&test.graph);
    test.inputs[test.input_count++] = (br_test_tensor){.value = buffer, .raw = &step};
    br_shape all = c->shape;
    all.dim[0] *= c->copies;
    br_value out = br_test_case_input(&test, "out", c->dtype, all);
    float *data = br_test_case_data(&test, out);
    for (int64_t i = 0; i < br_shape_count(all); i++)
        data[i] += c->mean;
    if (c->dtype == BR_F16)
        br_test_round_f16(data, (size_t)br_shape_count(all));
    size_t count = (size_t)br_shape_count(c->shape), batch = (size_t)c->shape.dim[0];
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    br_ref_guidance(&(br_ref_guidance_params){.out = data,
                                              .batch = batch,
                                              .count = count / batch,
                                              .copies = c->copies,
                                              .rescale = c->rescale,
                                              .guidance = (double)step.guidance,
                                              .image_guidance = (double)step.image_guidance,
                                              .factor = (double)step.guidance_rescale},
                    expected);
    br_value y = br_op_guidance(&test.graph, "guidance",
                                &(br_guidance_params){.step = buffer, .out = out, .copies = c->copies, .rescale = c->rescale});
    br_test_case_check(&test, device, y, expected, BR_TEST_F32_TOLERANCE);
    free(expected);
    br_test_case_finish(&test);
}

static void shapes(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (int copies = 2; copies <= 3; copies++)
            for (int rescale = 0; rescale <= 1; rescale++) {
                guidance_case c = {.dtype = dtype, .copies = copies, .rescale = rescale};
                c.shape = br_shape_of(1, 1, 1, 2);
                check_guidance(devices->full, &c);
                c.shape = br_shape_of(3, 13, 7, 5);
                check_guidance(devices->full, &c);
                check_guidance(&devices->gpu, &c);
                c.shape = br_shape_of(1, 7, 5, 4);
                check_guidance(devices->limited, &c);
                c.shape = br_shape_of(2, 61, 37, 4); /* several chunks, the last of them not full */
                check_guidance(devices->full, &c);
                check_guidance(&devices->gpu, &c);
                c.mean = 3;
                check_guidance(devices->full, &c);
            }
    }
}

/* More chunks than are merged one by one: they grow instead. */
static void large_picture(void **state)
{
    br_test_devices *devices = *state;
    guidance_case c = {.dtype = BR_F32, .shape = br_shape_of(1, 257, 259, 4), .copies = 2, .rescale = true};
    check_guidance(devices->full, &c);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value step = br_graph_step(&test.graph), out = br_test_case_input(&test, "out", BR_F32, br_shape_of(4, 4, 4, 3));
    assert_int_equal(br_op_guidance(&test.graph, "guidance", &(br_guidance_params){.step = step, .out = out, .copies = 3}),
                     BR_NONE);
    br_test_case_refused(&test, "guidance: the model's output is [4, 4, 4, 3], expected [B, H, W, C] of 2 or 3 copies, not 3");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(large_picture),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
