/* What C and GLSL share. The header of each op (shaders/ops/x.h) declares its push constants once, for both languages:
 *
 *     BR_PUSH(br_add_push,
 *         uint count;     // elements
 *         float scale;
 *     )
 *
 * In C this is a struct of 32-bit members (at most 128 bytes, see BR_PUSH_CHECK); in GLSL it is the push-constant block named `p`.
 * Only uint, int and float members: their layout is the same in both languages. */
#ifndef BR_ABI_H
#define BR_ABI_H

#ifdef GL_core_profile
#define BR_PUSH(name, fields) layout(push_constant) uniform name { fields } p;
#define BR_STEP_STRUCT(name, fields) struct name { fields };
#else
#include <assert.h>
typedef unsigned int uint;
#define BR_PUSH(name, fields)              \
    typedef struct name { fields } name;   \
    static_assert(sizeof(name) <= 128, #name " exceeds 128 bytes of push constants");
#define BR_STEP_STRUCT(name, fields) typedef struct name { fields } name;
#endif

/* As the first element of an operand: there is none. */
#define BR_ABSENT 0xffffffffu

/* Rows of the sampler's history that a step may read. */
#define BR_HISTORY_MAX 4

/* The step buffer: everything that changes between two replays of the denoise program. Written by the host before each submit,
 * std430, 32-bit members only.
 *
 *   model input   = input_scale · x
 *   out           = uncond + guidance · (cond - uncond)              (guided model output), or with a picture to follow as well
 *                   uncond + guidance · (cond - image) + image_guidance · (image - uncond)
 *   out           ← out · (guidance_rescale · std(cond) / std(out) + 1 - guidance_rescale), a picture at a time
 *   h             = h_x · x + h_out · out                            (what the history remembers: eps or x_0)
 *   x             ← x_scale · x + out_scale · out + Σ_k history_scale[k] · history[k] + noise_scale · noise
 *   history       ← h is stored in slot `history_slot`, after the sum has read the old slots
 *   x             ← x where the picture is painted anew, elsewhere keep_signal · known + keep_noise · known_noise
 *
 * What is guided by a picture, rescaled or kept is decided when the program is recorded: see br_op_guidance and br_op_keep.
 */
BR_STEP_STRUCT(br_step,
    float timestep;
    float input_scale;
    float guidance;
    float x_scale;
    float out_scale;
    float noise_scale;
    float h_x;
    float h_out;
    float history_scale[4];
    float image_guidance;
    float guidance_rescale;
    float keep_signal;
    float keep_noise;
    uint history_slot;
    uint reserved[3];
)

#endif
