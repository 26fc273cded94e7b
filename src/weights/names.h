/* Names of tensors in single files -> those that diffusers and transformers use. Checkpoints of one model go around under several: CompVis' LDM
 * (input_blocks, cond_stage_model), Stability's SDXL (conditioner.embedders), OpenCLIP's text encoders, what stable-diffusion.cpp makes of them
 * in GGUF files, diffusers' own behind a prefix, each part alone without one, and TAESD's numbers. */
#ifndef BR_WEIGHTS_NAMES_H
#define BR_WEIGHTS_NAMES_H

#include <stdbool.h>

#include "weights/weights.h"

typedef enum br_named_part {
    BR_NAMED_TEXT,   /* SD1's, SD2's, SDXL's first text encoder */
    BR_NAMED_TEXT_2, /* SDXL's second, the refiner's only one */
    BR_NAMED_UNET,
    BR_NAMED_VAE,
    BR_NAMED_PART_COUNT,
} br_named_part;

typedef struct br_names {
    br_weights *parts[BR_NAMED_PART_COUNT]; /* owned, sealed, borrowing from the file's; NULL: the file has nothing of that part */
    bool open_clip[2];                      /* of TEXT and TEXT_2: named as OpenCLIP does */
    bool v_prediction, zero_snr;            /* the marker tensors "v_pred" and "ztsnr" */
    const char **unplaced;                  /* owned list of names borrowed from the file: what nothing here knows */
    int unplaced_count;
    int ignored_count; /* known to change nothing: EMA copies, noise schedules, position ids, training state */
} br_names;

/* `file` is sealed and may be destroyed afterwards, which keeps what *out_names borrows. Fused q, k, v are cut into views; OpenCLIP's text_projection, which is
 * stored the other way round, is copied. Errors: BR_ERROR_FORMAT where two tensors have one place or a fused one does not divide;
 * BR_ERROR_UNSUPPORTED for files whose tensors mean something else (scaled fp8, EDM). On failure *out_names is zeroed. */
BR_MUST_CHECK br_status br_names_init(br_weights *file, br_names *out_names);
/* Takes a zeroed one. */
void br_names_finish(br_names *names);

#endif
