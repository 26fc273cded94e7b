/* The measured choices of a device, made and kept. See brume/tune.h for the contracts. */
#ifndef BR_PIPELINE_TUNE_H
#define BR_PIPELINE_TUNE_H

#include "base/log.h"
#include "brume/tune.h"
#include "exec/tune.h"

/* `seconds` 0: 2. */
BR_MUST_CHECK br_status br_tune_device(br_vk_device *device, double seconds, br_tune_result *out_result);
/* At the first start on a device: the same. Does nothing where that was done, where it could not be remembered, and on CPU devices. What goes wrong is logged:
 * the device's class decides then. */
void br_tune_first_start(br_vk_device *device, const br_log *log);

#endif
