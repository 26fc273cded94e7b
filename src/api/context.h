/* What the opaque handles of device.h hold. */
#ifndef BR_API_CONTEXT_H
#define BR_API_CONTEXT_H

#include "base/log.h"
#include "brume/device.h"
#include "vk/device.h"

struct br_context {
    br_log log;
    br_vk_instance *instance; /* owned */
};

struct br_device {
    br_context *context;  /* borrowed */
    br_vk_device *device; /* owned */
};

#endif
