#include "brume/bench.h"

#include "api/context.h"
#include "pipeline/bench.h"
#include "pipeline/growth.h"

br_status br_bench_op(const br_bench_op_params *params, br_bench_result *out_result)
{
    const br_vk_caps *caps = br_vk_device_caps(params->device->device);
    if (params->precision == BR_PRECISION_F16 && !caps->f16_storage)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot store 16-bit floats, expected --dtype f32 or auto", caps->name);
    bool f16 = params->precision == BR_PRECISION_F16 || (params->precision == BR_PRECISION_AUTO && caps->f16_storage);
    return br_bench_one_op(&(br_bench_op_request){.device = params->device->device,
                                                  .op = params->op,
                                                  .sizes = params->sizes,
                                                  .size_count = params->size_count,
                                                  .dtype = f16 ? BR_F16 : BR_F32,
                                                  .runs = params->runs},
                           out_result);
}

const char *br_bench_op_usage(int index)
{
    return br_bench_usage(index);
}

br_status br_bench_stage(const br_bench_stage_params *params, br_bench_result *out_result)
{
    return br_bench_one_stage(params, out_result);
}

br_status br_bench_stage_plan(const br_bench_stage_params *params, br_bench_result *out_result)
{
    return br_bench_plan_stage(params, out_result);
}

br_status br_bench_measure_roof(br_device *device, int runs, br_bench_roof *out_roof)
{
    return br_bench_find_roof(device->device, runs, out_roof);
}

br_status br_bench_measure_growth(const br_bench_growth_params *params, br_bench_growth *out_growth)
{
    return br_growth_measure(params, out_growth);
}

br_status br_bench_draw_growth(const br_bench_growth *growth, br_image *out_image)
{
    return br_growth_draw(growth, out_image);
}
