/* Weights from one file format and element type to another. No device is needed. */
#ifndef BRUME_CONVERT_H
#define BRUME_CONVERT_H

#include <stdint.h>

#include "brume/generate.h"
#include "brume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names of types: "f32", "f16", "bf16", "q8_0", "q4_0", …: index 0 .. until NULL. */
BR_API const char *br_convert_type_list(int index);

/* Tensors whose name contains `pattern` become `type`. In a pattern * stands for any characters (as .* does), ^ and $ for the name's beginning and
 * end, and \ takes the meaning from the character after it. */
typedef struct br_convert_rule {
    const char *pattern, *type;
} br_convert_rule;

typedef struct br_convert_params {
    const char *input;            /* a .safetensors, .gguf or .ckpt file, or a diffusers folder */
    const char *output;           /* ends with .safetensors or .gguf */
    const char *type;             /* NULL: as stored, as far as the output's format has it */
    const br_convert_rule *rules; /* the first that fits counts; borrowed */
    int rule_count;
    br_progress_callback progress; /* stage "convert", steps are tensors; may be NULL */
    void *progress_user;
} br_convert_params;

typedef struct br_convert_result {
    int tensor_count;                   /* in the output */
    int converted_count;                /* of them, those whose type changed */
    int fallback_count;                 /* of them, those that are q8_0 because their rows are not whole blocks of 256 */
    int left_out_count;                 /* of the input: EMA copies, noise schedules, position ids */
    uint64_t input_bytes, output_bytes; /* of tensor data */
    double relative_error; /* root of the squared change of all converted values, as a part of theirs; 0 when none was converted */
    double seconds;
} br_convert_result;

/* f32, f16 and bf16 apply to every floating-point tensor. Quantized types apply to matrices as stable-diffusion.cpp has it: not to biases, norms,
 * embeddings and rows that are not whole blocks (most convolutions); of those, what is wider than 16 bits and no vector becomes f16. Names stay;
 * a folder's get the prefixes "unet.", "vae.", "te.", "te.1.", and its scheduler's v-prediction and zero terminal SNR become the tensors "v_pred" and
 * "ztsnr", which Brume and ComfyUI look for. The file appears complete or not at all.
 * Errors: as of br_model_open; BR_ERROR_ARGUMENT (types, output's name), BR_ERROR_UNSUPPORTED (a value that the type cannot hold: which), BR_ERROR_IO,
 * BR_ERROR_CANCELLED. */
BR_API BR_MUST_CHECK br_status br_convert(const br_convert_params *params, br_convert_result *out_result);

#ifdef __cplusplus
}
#endif
#endif
