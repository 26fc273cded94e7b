#include "pipeline/tune.h"

#include <assert.h>

#define DEFAULT_SECONDS 2

static_assert(BR_TUNING_ROWS <= BR_TUNE_ROWS_MAX, "every candidate has its row");

br_status br_tune_device(br_vk_device *device, double seconds, br_tune_result *out_result)
{
    const br_vk_caps *caps = br_vk_device_caps(device);
    br_tuning tuning;
    *out_result = (br_tune_result){0};
    if (caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU)
        return NULL;
    BR_TRY(br_tuning_search(
        &(br_tuning_params){.device = device, .caps = caps, .seconds = seconds > 0 ? seconds : DEFAULT_SECONDS, .divisor = 1},
        &tuning));
    out_result->count = tuning.count;
    out_result->seconds = tuning.seconds;
    for (int i = 0; i < tuning.count; i++) {
        const br_tuning_row *row = &tuning.rows[i];
        out_result->rows[i] = (br_tune_row){.shape = row->shape,
                                            .m = row->m,
                                            .n = row->n,
                                            .k = row->k,
                                            .candidate = row->candidate,
                                            .gflops = row->gflops,
                                            .error = row->error,
                                            .right = row->right,
                                            .is_default = row->is_default,
                                            .chosen = row->chosen};
    }
    return br_vk_device_tune(device, &tuning.tuned);
}

void br_tune_first_start(br_vk_device *device, const br_log *log)
{
    const br_vk_caps *caps = br_vk_device_caps(device);
    br_tune_result result;
    if (caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU || br_vk_device_tuning(device) != BR_VK_NOT_TUNED)
        return;
    br_status status = br_tune_device(device, 0, &result);
    for (int i = 0; i < result.count; i++)
        if (!result.rows[i].right)
            br_log_printf(log, BR_LOG_INFO, "%s: the form %s of %s products is not used: %s", caps->name, result.rows[i].candidate,
                          result.rows[i].shape, result.rows[i].error < 0 ? "it could not be run" : "its numbers are wrong");
    if (status)
        br_log_printf(log, BR_LOG_WARNING, "%s was not tuned: %s", caps->name, br_status_message(status));
    br_status_free(status);
}
