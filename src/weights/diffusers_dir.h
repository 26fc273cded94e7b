/* A model folder as diffusers writes it: model_index.json and one folder a component. Everything is found and parsed here. */
#ifndef BR_WEIGHTS_DIFFUSERS_DIR_H
#define BR_WEIGHTS_DIFFUSERS_DIR_H

#include "weights/checkpoint.h"

/* Errors: BR_ERROR_NOT_FOUND naming the part and the path; BR_ERROR_FORMAT; BR_ERROR_UNSUPPORTED for a pipeline or component class that Brume
 * does not know. On failure *out_checkpoint is zeroed. */
BR_MUST_CHECK br_status br_diffusers_dir_open(const char *path, br_checkpoint *out_checkpoint);
/* The same for what *checkpoint lacks: a part that has weights already takes its configuration alone from the folder. The caller finishes the checkpoint
 * on failure too. */
BR_MUST_CHECK br_status br_diffusers_dir_complete(const char *path, br_checkpoint *checkpoint);
/* A folder of one VAE: config.json and weights. On failure *out_part is zeroed. */
BR_MUST_CHECK br_status br_diffusers_dir_open_vae(const char *path, br_checkpoint_part *out_part);

#endif
