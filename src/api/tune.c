#include "brume/tune.h"

#include "api/context.h"
#include "pipeline/tune.h"

br_status br_device_tune(br_device *device, double seconds, br_tune_result *out_result)
{
    return br_tune_device(device->device, seconds, out_result);
}

void br_device_forget_tuning(br_device *device)
{
    br_vk_device_forget_tuning(device->device);
}
