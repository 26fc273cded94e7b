/* Well-known architectures without their files: configurations as the published models have them, and no weights. Enough to plan, to build every
 * pipeline and to time a shape with noise for weights; not to draw. */
#ifndef BR_PIPELINE_ARCHITECTURE_H
#define BR_PIPELINE_ARCHITECTURE_H

#include "weights/checkpoint.h"

/* "sd15", …: index 0 .. until NULL. */
const char *br_architecture_name(int index);
/* Every part has an empty weight set. Errors: BR_ERROR_NOT_FOUND listing the names. On failure *out_checkpoint is zeroed. */
BR_MUST_CHECK br_status br_architecture_checkpoint(const char *name, br_checkpoint *out_checkpoint);

#endif
