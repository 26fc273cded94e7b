/* Checkpoints as torch.save writes them since torch 1.6 (.ckpt, .pt, .bin): a ZIP archive of one pickle and one member a storage. The pickle is read as
 * data (pickle.h) and never run; tensors stay where they are mapped. */
#ifndef BR_WEIGHTS_CKPT_H
#define BR_WEIGHTS_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/weights.h"

/* Whether the bytes begin as such an archive, or as the older pickles that br_ckpt_open refuses with a word on what to do. */
bool br_ckpt_recognise(const uint8_t *bytes, size_t size);

/* A br_weights_parser: tensors under the keys that lead to them, joined by dots; what is under a key "state_dict" of the outermost dict stands for the
 * whole and goes without that word. Lists (optimizers' state) are not looked into. Errors: BR_ERROR_FORMAT for a file that lies;
 * BR_ERROR_UNSUPPORTED for what pickle.h refuses, for tensors that are not contiguous, and for torch's format before 1.6. */
BR_MUST_CHECK br_status br_ckpt_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file);
/* br_weights_open with it. */
BR_MUST_CHECK br_status br_ckpt_open(const char *path, br_weights **out_weights);

#endif
