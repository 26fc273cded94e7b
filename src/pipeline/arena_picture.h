/* The arena of activations as a picture: dispatches to the right, addresses upward, one rectangle a value. One panel a stage of the profile. */
#ifndef BR_PIPELINE_ARENA_PICTURE_H
#define BR_PIPELINE_ARENA_PICTURE_H

#include "prof/profile.h"

/* Writes a PNG. Errors: BR_ERROR_ARGUMENT for a profile without a stage, BR_ERROR_IO. */
BR_MUST_CHECK br_status br_arena_picture_write(const br_profile *profile, const char *path);

#endif
