/* Samplers as coefficients. A plan lists the model evaluations of a whole run; each says, in numbers, what the model is shown and
 * what becomes of x:
 *
 *   model input = input_scale · x
 *   out         = guided model output, as the model predicts it (noise, v or x_0)
 *   h           = h_x · x + h_out · out
 *   x           ← x_scale · x + out_scale · out + Σ_k history_scale[k] · history[k] + noise_scale · noise
 *   history[history_slot] ← h        (after the sum has read the old rows)
 *
 * The prediction type is absorbed into the coefficients. History rows start as zeros: a row that was never written is multiplied by
 * 0.
 *
 * DDIM, DDPM, PLMS, UniPC, DEIS, LCM, TCD, DPM++ 2M and DPM++ 2M SDE keep x on the scale of the forward process (variance preserving); the others
 * keep x_0 + sigma · noise, as their diffusers classes do. init_noise_sigma and input_scale carry the difference.
 *
 * Every evaluation that needs noise takes a fresh one, in the order of the evaluations. DPM++ SDE needs one for each of the two
 * evaluations of a step: the increments of one Brownian motion over the halves of the step. */
#ifndef BR_DIFFUSION_SAMPLER_H
#define BR_DIFFUSION_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "diffusion/schedule.h"

/* Rows of history an evaluation may read. */
#define BR_SAMPLER_HISTORY 4
/* More steps than anyone draws with; bounds the plan. */
#define BR_SAMPLER_MAX_STEPS 10000

/* One enumerator a line of samplers.def: BR_SAMPLER_DDIM, … */
typedef enum br_sampler {
#define BR_SAMPLER(NAME, name) BR_SAMPLER_##NAME,
#include "diffusion/samplers.def"
#undef BR_SAMPLER
    BR_SAMPLER_COUNT
} br_sampler;

typedef struct br_sampler_params {
    const br_schedule *schedule; /* borrowed during the call */
    br_sampler sampler;
    br_sigmas sigmas;
    int steps; /* user-visible steps, 1 .. */
    /* Only steps begin .. end - 1 of them are taken, multistep samplers beginning anew; 0 and 0: all of them. x begins as
     * br_sampler_plan_noise says. */
    int begin, end;
    /* How much of the noise that a stochastic sampler may add it does add, up to 1. 0: the sampler's own (DDIM 0, TCD 0.3, the others 1);
     * below 0: none. */
    double eta;
    double s_noise; /* the noise that is added is multiplied by this; 0: by 1 */
} br_sampler_params;

typedef struct br_sampler_step {
    double timestep; /* shown to the model; fractional for some sigma schedules */
    double input_scale;
    double x_scale, out_scale, noise_scale;
    double h_x, h_out;
    double history_scale[BR_SAMPLER_HISTORY];
    uint32_t history_slot;
    double x0_x, x0_out; /* estimate of x_0 from this evaluation: x0_x · x + x0_out · out, x as it was before the step */
    double sigma;        /* noise level of x before the step: sqrt((1 - alpha_bar) / alpha_bar) */
    bool needs_noise;    /* noise_scale is not 0 */
    bool ends_step;      /* the last evaluation of a user-visible step */
} br_sampler_step;

typedef struct br_sampler_plan {
    br_sampler_step *evaluations; /* owned */
    int evaluation_count;         /* steps; steps + 1 for PLMS; 2 · steps - 1 where a step has two */
    int steps;                    /* that are taken */
    int history_rows;             /* rows of history the evaluations read: 0 or 1 .. BR_SAMPLER_HISTORY */
    double init_noise_sigma;      /* x starts as init_noise_sigma · standard normal noise */
} br_sampler_plan;

/* Errors: BR_ERROR_ARGUMENT (steps out of range, eta or s_noise for a sampler without it, other sigmas than the schedule's for DDIM, DDPM, PLMS, LCM or TCD).
 * On failure *out_plan is zeroed. */
BR_MUST_CHECK br_status br_sampler_plan_init(const br_sampler_params *params, br_sampler_plan *out_plan);
void br_sampler_plan_finish(br_sampler_plan *plan);

/* x = signal · x_0 + noise · eps at the noise level and on the scale of evaluation `index`; x_0 after the last. */
typedef struct br_noise_level {
    double signal, noise;
} br_noise_level;
br_noise_level br_sampler_plan_noise(const br_sampler_plan *plan, int index);

/* How many steps come before the first that begins at a timestep below `timestep`. */
int br_sampler_plan_steps_from(const br_sampler_plan *plan, double timestep);

/* "ddim", "euler_a", "dpmpp_2m", …: the names in samplers.def. */
const char *br_sampler_name(br_sampler sampler);
/* "DDIM", …, "DPM++ 2M": as PNG parameters spell it. */
const char *br_sampler_label(br_sampler sampler);
/* Case and the difference between '-', '_' and ' ' are ignored; "dpm++2m", "dpm++_2m", "euler_ancestral" and the labels are known
 * too. Errors: BR_ERROR_ARGUMENT listing the names. */
BR_MUST_CHECK br_status br_sampler_from_name(const char *name, br_sampler *out_sampler);
/* By diffusers class name ("DDIMScheduler"); false when no sampler has it. */
bool br_sampler_from_class(const char *class_name, br_sampler *out_sampler);
/* Other noise levels than the training schedule's. */
bool br_sampler_takes_sigmas(br_sampler sampler);

/* "default", "discrete", "karras", "exponential", "beta", "sgm_uniform", "simple", "ays", "ays_sdxl". */
const char *br_sigmas_name(br_sigmas sigmas);
/* "Karras", "SGM Uniform", "Align Your Steps", …: the schedule type in PNG parameters. NULL for the first two. */
const char *br_sigmas_label(br_sigmas sigmas);
/* Names and labels; case and the difference between '-', '_' and ' ' are ignored. Errors: BR_ERROR_ARGUMENT listing the names. */
BR_MUST_CHECK br_status br_sigmas_from_name(const char *name, br_sigmas *out_sigmas);

#endif
