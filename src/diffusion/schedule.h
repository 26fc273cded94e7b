/* The noise schedule a model was trained with: x_t = sqrt(alpha_bar_t) · x_0 + sqrt(1 - alpha_bar_t) · noise.
 *
 * The reference for every number here is diffusers, which keeps betas, alpha_bar and sigmas in float32: 1 - alpha_bar_0 is about
 * 1e-4, so rounding alpha_bar to float32 moves the smallest noise levels by up to 6e-4. The values below are therefore rounded to
 * float32 where diffusers rounds, and held in double. */
#ifndef BR_DIFFUSION_SCHEDULE_H
#define BR_DIFFUSION_SCHEDULE_H

#include <stdbool.h>

#include "base/status.h"

/* More training timesteps than any published model has; keeps hostile configs from asking for gigabytes. */
#define BR_SCHEDULE_MAX_TIMESTEPS 100000

typedef enum br_beta_schedule {
    BR_BETA_LINEAR,
    BR_BETA_SCALED_LINEAR, /* linear in sqrt(beta): latent diffusion */
    BR_BETA_SQUAREDCOS,    /* "squaredcos_cap_v2" (Nichol and Dhariwal 2021), capped at 0.999 */
    BR_BETA_TRAINED,       /* an array in the model's config */
} br_beta_schedule;

/* What the model's output is. */
typedef enum br_prediction {
    BR_PREDICTION_EPSILON, /* the noise */
    BR_PREDICTION_V,       /* v = sqrt(alpha_bar) · noise - sqrt(1 - alpha_bar) · x_0 (Salimans and Ho 2022) */
    BR_PREDICTION_SAMPLE,  /* x_0 */
} br_prediction;

/* Which training timesteps a sampler visits: table 2 of Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed".
 */
typedef enum br_spacing {
    BR_SPACING_DEFAULT, /* what the sampler's diffusers class does: leading for DDIM and DDPM, linspace for the others */
    BR_SPACING_LEADING,
    BR_SPACING_LINSPACE,
    BR_SPACING_TRAILING,
} br_spacing;

/* alpha_bar after the last step of the samplers on training timesteps (set_alpha_to_one). */
typedef enum br_alpha_end {
    BR_ALPHA_END_DEFAULT, /* what the sampler's diffusers class does: one for DDIM, the first for PNDM */
    BR_ALPHA_END_ONE,
    BR_ALPHA_END_FIRST, /* alpha_bar_0 */
} br_alpha_end;

/* DDPM's choice of the variance of the noise it adds. */
typedef enum br_variance { BR_VARIANCE_FIXED_SMALL, BR_VARIANCE_FIXED_LARGE } br_variance;

/* Where the noise levels that a sampler visits come from. */
typedef enum br_sigmas {
    BR_SIGMAS_DEFAULT,     /* what the model's scheduler config says, where the sampler can */
    BR_SIGMAS_DISCRETE,    /* the training schedule's, at the timesteps of br_spacing */
    BR_SIGMAS_KARRAS,      /* Karras et al. 2022, equation 5, rho 7 */
    BR_SIGMAS_EXPONENTIAL, /* even in log(sigma) */
    BR_SIGMAS_BETA,        /* quantiles of Beta(0.6, 0.6): Lee et al., "Beta Sampling is All You Need" (2024) */
    BR_SIGMAS_SGM_UNIFORM, /* even in time, the step after the last being 0: Stability's generative-models */
    BR_SIGMAS_SIMPLE,      /* every (timesteps / steps)-th training timestep from the last on: ComfyUI's "simple" */
    BR_SIGMAS_AYS,         /* Align Your Steps (Sabour et al. 2024), the table for Stable Diffusion 1.5 */
    BR_SIGMAS_AYS_SDXL,    /* the table for SDXL */
    BR_SIGMAS_COUNT
} br_sigmas;

typedef struct br_schedule_params {
    int timesteps; /* 1 .. BR_SCHEDULE_MAX_TIMESTEPS */
    br_beta_schedule beta_schedule;
    double beta_start, beta_end; /* linear and scaled_linear */
    const double *trained_betas; /* borrowed, [timesteps]; BR_BETA_TRAINED only */
    br_prediction prediction;
    br_spacing spacing;
    int steps_offset;       /* added to "leading" timesteps */
    br_alpha_end alpha_end; /* DDIM, PNDM */
    br_sigmas sigmas;       /* the sampler's default where it can; BR_SIGMAS_DEFAULT is the schedule's own here */
    bool zero_terminal_snr; /* betas rescaled so that the last timestep is noise alone (Lin et al., algorithm 1) */
    bool final_sigma_min;   /* sigma samplers end at sigma_0 instead of 0 */
    bool lower_order_final; /* DPM++ 2M: first order at the end below 15 steps */
    bool euler_at_final;    /* DPM++ 2M: first order at the end, always */
    double lambda_min;      /* DPM++ 2M: smallest log(alpha/sigma) visited; -INFINITY for all */
    br_variance variance;
    int original_steps;      /* LCM, TCD: steps between which the model was distilled */
    double timestep_scaling; /* LCM: of the boundary condition */
} br_schedule_params;

typedef struct br_schedule {
    br_schedule_params params; /* trained_betas is NULL */
    double *beta;              /* owned, [timesteps]; the two below share its allocation */
    double *
        alpha_bar; /* [timesteps]: product of 1 - beta. With zero_terminal_snr the last is 0, unless the model predicts noise: see sigma */
    double *sigma; /* [timesteps]: sqrt((1 - alpha_bar) / alpha_bar), rising. As in diffusers 2^-24 stands for an alpha_bar of 0 */
} br_schedule;

/* The defaults of diffusers' DDIMScheduler for 1,000 timesteps, clipping off. */
br_schedule_params br_schedule_params_default(void);

/* Errors: BR_ERROR_ARGUMENT naming the parameter. On failure *out_schedule is zeroed. */
BR_MUST_CHECK br_status br_schedule_init(const br_schedule_params *params, br_schedule *out_schedule);
void br_schedule_finish(br_schedule *schedule);

/* alpha_bar after the last step; `otherwise` is the sampler's own default. */
double br_schedule_last_alpha_bar(const br_schedule *schedule, br_alpha_end otherwise);

/* As scheduler_config.json spells it. */
const char *br_spacing_name(br_spacing spacing);

#endif
