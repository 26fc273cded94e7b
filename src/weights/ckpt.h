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

/* Maps `path` and adds its tensors under the keys that lead to them, joined by dots; what is under a key "state_dict" of the outermost dict stands for the
 * whole and goes without that word. Lists (optimizers' state) are not looked into. The caller seals. Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO;
 * BR_ERROR_FORMAT for a file that lies; BR_ERROR_UNSUPPORTED for what pickle.h refuses, for tensors that are not contiguous, and for
 * torch's format before 1.6. After a failure only br_weights_destroy is valid. */
BR_MUST_CHECK br_status br_ckpt_add(br_weights *weights, const char *path);
/* One file: create, add, seal. The caller owns *out_weights. */
BR_MUST_CHECK br_status br_ckpt_open(const char *path, br_weights **out_weights);
/* The same over bytes that the caller keeps alive and unchanged as long as `weights`; `file` names them in messages, likewise. */
BR_MUST_CHECK br_status br_ckpt_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file);

#endif
