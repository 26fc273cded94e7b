/* A model folder's scheduler/scheduler_config.json, as diffusers writes it. */
#ifndef BR_DIFFUSION_SCHEDULER_CONFIG_H
#define BR_DIFFUSION_SCHEDULER_CONFIG_H

#include "base/json.h"
#include "base/log.h"
#include "diffusion/sampler.h"

/* Builds the schedule and names the sampler of the config's `_class_name`.
 *
 * A key whose value would change the picture and is not supported is refused by name, an unknown key too; keys known not to matter
 * are skipped. Where diffusers' classes differ in a default (beta range) the class named decides; where a sampler has its own (timestep_spacing, set_alpha_to_one), the sampler. Two deviations:
 * PNDMScheduler begins without Runge-Kutta steps, whatever skip_prk_steps says (then `log` gets a warning); clip_sample that is absent means false, as StableDiffusionPipeline sets it for every latent model.
 *
 * `what` names the document in messages; `log` may be NULL. Errors: BR_ERROR_FORMAT, BR_ERROR_UNSUPPORTED.
 * On failure *out_schedule is zeroed. */
BR_MUST_CHECK br_status br_scheduler_config_read(const json_t *config, const char *what, const br_log *log,
                                                 br_schedule *out_schedule, br_sampler *out_sampler);

#endif
