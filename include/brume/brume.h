/* Brume: text-to-image diffusion on any Vulkan device. This header is all of the public API. */
#ifndef BRUME_BRUME_H
#define BRUME_BRUME_H

#include "brume/bench.h"
#include "brume/convert.h"
#include "brume/device.h"
#include "brume/forward.h"
#include "brume/generate.h"
#include "brume/image.h"
#include "brume/log.h"
#include "brume/model.h"
#include "brume/profile.h"
#include "brume/shaders.h"
#include "brume/status.h"
#include "brume/tune.h"
#include "brume/version.h"

#endif
