/* Drawing pictures and delivering them: what txt2img and its kin do once their options are known. */
#ifndef BR_CLI_DRAW_H
#define BR_CLI_DRAW_H

#include "cli/draw_options.h"

/* Opens model and device, draws every batch, writes and reports the pictures. `options` may be completed from files (the size of a batch from
 * --init-noise). */
BR_MUST_CHECK br_status br_draw(br_call *call, br_draw_options *options);

#endif
