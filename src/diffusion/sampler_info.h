/* What a sampler's file defines, and what those files share. Private to src/diffusion. */
#ifndef BR_DIFFUSION_SAMPLER_INFO_H
#define BR_DIFFUSION_SAMPLER_INFO_H

#include "diffusion/sampler.h"

/* value = x · (current x) + out · (model output) */
typedef struct br_linear {
    double x, out;
} br_linear;

typedef struct br_sampler_info {
    const char *name, *label;
    const char *aliases[4];     /* other spellings, NULL-terminated, in the form that names are compared in */
    const char *class_name;     /* in diffusers; NULL where it takes more than the class to tell */
    br_spacing default_spacing; /* of that class */
    bool takes_sigmas, takes_eta, takes_s_noise;
    bool rounds_karras;    /* its class rounds the timesteps of Karras sigmas, always */
    bool double_timesteps; /* its class keeps fractional timesteps in float64, not float32 */
    double default_eta;
    int evaluations_per_step; /* the plan has room for steps times this */
    int history_rows;
    /* Fills plan->evaluations, evaluation_count and, where it is not 1, init_noise_sigma. `params` is checked and resolved: its steps are
     * in range, its sigmas are not BR_SIGMAS_DEFAULT, its eta and s_noise are the factors themselves. */
    br_status (*plan)(const br_sampler_params *params, br_sampler_plan *plan);
} br_sampler_info;

#define BR_SAMPLER(NAME, name) extern const br_sampler_info br_sampler_info_##name;
#include "diffusion/samplers.def"
#undef BR_SAMPLER

/* Adams-Bashforth on even steps, order 1 to 4: the weights of this output and of those before it, newest first. */
extern const double br_adams_bashforth[BR_SAMPLER_HISTORY][BR_SAMPLER_HISTORY];

/* Steps that were taken before step `index`: what a multistep sampler can remember. */
int br_sampler_steps_before(const br_sampler_params *params, int index);

/* The spacing a sampler uses: the schedule's, or its own default. Never BR_SPACING_DEFAULT. */
br_spacing br_sampler_spacing(const br_sampler_params *params, const br_sampler_info *info);

/* x_0 for x = sqrt(alpha_bar) · x_0 + sqrt(1 - alpha_bar) · noise. */
br_linear br_x0_from_alpha_bar(br_prediction prediction, double alpha_bar);
/* The noise in x = sqrt(alpha_bar) · x_0 + sqrt(1 - alpha_bar) · noise. */
br_linear br_eps_from_alpha_bar(br_prediction prediction, double alpha_bar);
/* Fills timestep, input_scale, sigma, x0_x and x0_out of an evaluation at a training timestep, x being on the scale of the forward
 * process; returns x_0. */
br_linear br_vp_evaluate(const br_schedule *schedule, int timestep, br_sampler_step *step);
/* x_0 for x = x_0 + sigma · noise, which the model sees divided by sqrt(sigma² + 1). */
br_linear br_x0_from_sigma(br_prediction prediction, double sigma);

#endif
