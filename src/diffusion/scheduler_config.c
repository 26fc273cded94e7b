#include "diffusion/scheduler_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A thousand times the usual; keeps its square finite. */
#define MAX_TIMESTEP_SCALING 1e4

/* How a key is treated. */
typedef enum rule {
    RULE_READ,   /* by the code below */
    RULE_SKIP,   /* changes nothing here: a parameter of something that is refused when it is switched on */
    RULE_FALSE,  /* must be false or null */
    RULE_TRUE,   /* must be true or null */
    RULE_NULL,   /* must be null */
    RULE_EMPTY,  /* must be null or an empty array */
    RULE_STRING, /* must be null or the one value that is supported */
    RULE_TWO,    /* must be 2 */
} rule;

static const struct {
    const char *key;
    rule rule;
    const char *value; /* RULE_STRING */
} keys[] = {
    {"num_train_timesteps", RULE_READ, NULL},
    {"beta_start", RULE_READ, NULL},
    {"beta_end", RULE_READ, NULL},
    {"beta_schedule", RULE_READ, NULL},
    {"trained_betas", RULE_READ, NULL},
    {"prediction_type", RULE_READ, NULL},
    {"timestep_spacing", RULE_READ, NULL},
    {"steps_offset", RULE_READ, NULL},
    {"set_alpha_to_one", RULE_READ, NULL},
    {"use_karras_sigmas", RULE_READ, NULL},
    {"final_sigmas_type", RULE_READ, NULL},
    {"lower_order_final", RULE_READ, NULL},
    {"euler_at_final", RULE_READ, NULL},
    {"lambda_min_clipped", RULE_READ, NULL},
    {"variance_type", RULE_READ, NULL},
    {"clip_sample", RULE_FALSE, NULL},
    {"thresholding", RULE_FALSE, NULL},
    {"rescale_betas_zero_snr", RULE_READ, NULL},
    {"use_exponential_sigmas", RULE_READ, NULL},
    {"use_beta_sigmas", RULE_READ, NULL},
    {"use_lu_lambdas", RULE_FALSE, NULL},
    {"use_flow_sigmas", RULE_FALSE, NULL},
    {"use_dynamic_shifting", RULE_FALSE, NULL},
    {"sigma_min", RULE_NULL, NULL},
    {"sigma_max", RULE_NULL, NULL},
    {"interpolation_type", RULE_STRING, "linear"},
    {"timestep_type", RULE_STRING, "discrete"},
    {"algorithm_type", RULE_READ, NULL},
    {"solver_type", RULE_READ, NULL},
    {"solver_order", RULE_TWO, NULL},
    {"skip_prk_steps", RULE_READ, NULL},
    {"original_inference_steps", RULE_READ, NULL},
    {"timestep_scaling", RULE_READ, NULL},
    {"noise_sampler_seed", RULE_NULL, NULL},
    {"clip_sample_range", RULE_SKIP, NULL},
    {"dynamic_thresholding_ratio", RULE_SKIP, NULL},
    {"sample_max_value", RULE_SKIP, NULL},
    {"flow_shift", RULE_SKIP, NULL},
    {"predict_x0", RULE_TRUE, NULL},
    {"disable_corrector", RULE_EMPTY, NULL},
    {"solver_p", RULE_NULL, NULL},
    {"shift_terminal", RULE_NULL, NULL},
    {"time_shift_type", RULE_SKIP, NULL},
};

static br_status check_key(const char *what, const char *key, const json_t *value)
{
    size_t count = sizeof keys / sizeof *keys, i = 0;
    while (i < count && strcmp(keys[i].key, key) != 0)
        i++;
    if (i == count)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: \"%s\" is not known", what, key);
    bool fine = true;
    switch (keys[i].rule) {
    case RULE_READ:
    case RULE_SKIP:
        break;
    case RULE_FALSE:
        fine = json_is_null(value) || json_is_false(value);
        break;
    case RULE_TRUE:
        fine = json_is_null(value) || json_is_true(value);
        break;
    case RULE_NULL:
        fine = json_is_null(value);
        break;
    case RULE_EMPTY:
        fine = json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
        break;
    case RULE_STRING:
        if (!json_is_null(value) && !(json_is_string(value) && strcmp(json_string_value(value), keys[i].value) == 0))
            return br_fail(BR_ERROR_UNSUPPORTED, "%s: %s \"%s\" is not supported, only \"%s\"", what, key,
                           json_is_string(value) ? json_string_value(value) : "(not a string)", keys[i].value);
        break;
    case RULE_TWO:
        fine = json_is_null(value) || (json_is_integer(value) && json_integer_value(value) == 2);
        break;
    }
    if (!fine)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: this value of \"%s\" is not supported", what, key);
    return NULL;
}

/* The index of the string at `key` in `names`; `fallback` when it is absent. */
static br_status read_choice(const json_t *config, const char *what, const char *key, const char *const *names, int count,
                             int fallback, int *out_index)
{
    const char *text;
    BR_TRY(br_json_string(config, what, key, names[fallback], &text));
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *out_index = i;
            return NULL;
        }
    return br_fail(BR_ERROR_UNSUPPORTED, "%s: %s \"%s\" is not supported", what, key, text);
}

/* algorithm_type and solver_type of the multistep solvers. Each class reads the others' names as its own default, so that a config
 * can be handed from one class to another. */
static br_status read_solver(const json_t *config, const char *what, br_sampler *sampler)
{
    static const char *const algorithms[] = {"dpmsolver++", "deis", "sde-dpmsolver++", "dpmsolver"};
    static const char *const solvers[] = {"midpoint", "logrho", "bh2", "bh1", "heun"};
    const char *refused = *sampler == BR_SAMPLER_UNIPC ? "bh1" : "heun";
    int algorithm, solver;
    BR_TRY(read_choice(config, what, "solver_type", solvers, 5, 0, &solver));
    if (strcmp(solvers[solver], refused) == 0)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: solver_type \"%s\" is not supported", what, refused);
    BR_TRY(read_choice(config, what, "algorithm_type", algorithms, 4, 0, &algorithm));
    if (*sampler != BR_SAMPLER_DPMPP_2M)
        return NULL;
    if (algorithm == 3)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: algorithm_type \"%s\" is not supported", what, algorithms[algorithm]);
    if (algorithm == 2)
        *sampler = BR_SAMPLER_DPMPP_2M_SDE;
    return NULL;
}

/* Where the class named in the config has other defaults than DDIMScheduler. */
static br_status read_class(const json_t *config, const char *what, const br_log *log, br_sampler *out_sampler,
                            br_schedule_params *out_params)
{
    const char *name;
    BR_TRY(br_json_string(config, what, "_class_name", NULL, &name));
    if (!name)
        return br_fail(BR_ERROR_FORMAT, "%s: \"_class_name\" is missing", what);
    *out_params = br_schedule_params_default();
    if (!br_sampler_from_class(name, out_sampler))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: scheduler class \"%s\" is not supported", what, name);
    if (*out_sampler == BR_SAMPLER_HEUN || *out_sampler == BR_SAMPLER_DPM2 || *out_sampler == BR_SAMPLER_DPM2_A ||
        *out_sampler == BR_SAMPLER_DPMPP_SDE || *out_sampler == BR_SAMPLER_LCM || *out_sampler == BR_SAMPLER_TCD) {
        out_params->beta_start = 0.00085;
        out_params->beta_end = 0.012;
    }
    if (*out_sampler == BR_SAMPLER_LCM || *out_sampler == BR_SAMPLER_TCD)
        out_params->beta_schedule = BR_BETA_SCALED_LINEAR;
    if (*out_sampler == BR_SAMPLER_DPMPP_2M || *out_sampler == BR_SAMPLER_UNIPC || *out_sampler == BR_SAMPLER_DEIS)
        return read_solver(config, what, out_sampler);
    if (*out_sampler == BR_SAMPLER_PNDM) {
        bool skip;
        BR_TRY(br_json_bool(config, what, "skip_prk_steps", false, &skip));
        if (!skip)
            br_log_printf(
                log, BR_LOG_WARNING,
                "%s: skip_prk_steps is false, but PNDMScheduler's Runge-Kutta steps are not built in: drawing without them", what);
    }
    return NULL;
}

static br_status read_betas(const json_t *config, const char *what, br_schedule_params *params, double **out_betas)
{
    static const char *const schedules[] = {"linear", "scaled_linear", "squaredcos_cap_v2"};
    int choice;
    BR_TRY(br_json_double(config, what, "beta_start", params->beta_start, &params->beta_start));
    BR_TRY(br_json_double(config, what, "beta_end", params->beta_end, &params->beta_end));
    BR_TRY(read_choice(config, what, "beta_schedule", schedules, 3, params->beta_schedule, &choice));
    params->beta_schedule = (br_beta_schedule)choice;

    const json_t *trained = json_object_get(config, "trained_betas");
    if (!trained || json_is_null(trained))
        return NULL;
    if (!json_is_array(trained) || json_array_size(trained) != (size_t)params->timesteps)
        return br_fail(BR_ERROR_FORMAT, "%s: trained_betas must be an array of num_train_timesteps (%d) numbers", what,
                       params->timesteps);
    double *betas = malloc((size_t)params->timesteps * sizeof *betas);
    if (!betas)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d betas", params->timesteps);
    for (int t = 0; t < params->timesteps; t++) {
        const json_t *beta = json_array_get(trained, (size_t)t);
        if (!json_is_number(beta)) {
            free(betas);
            return br_fail(BR_ERROR_FORMAT, "%s: trained_betas[%d] is not a number", what, t);
        }
        betas[t] = json_number_value(beta);
    }
    params->beta_schedule = BR_BETA_TRAINED;
    params->trained_betas = *out_betas = betas;
    return NULL;
}

/* "fixed_small" and its "_log" form are the same variance; the learned ones need a second model output. DPMSolverMultistepScheduler
 * has null here. */
static br_status read_variance(const json_t *config, const char *what, br_schedule_params *params)
{
    static const char *const names[] = {"fixed_small", "fixed_small_log", "fixed_large"};
    int choice;
    BR_TRY(read_choice(config, what, "variance_type", names, 3, 0, &choice));
    params->variance = choice == 2 ? BR_VARIANCE_FIXED_LARGE : BR_VARIANCE_FIXED_SMALL;
    return NULL;
}

static br_status read_sigmas(const json_t *config, const char *what, br_schedule_params *params)
{
    static const struct {
        const char *key;
        br_sigmas sigmas;
    } switches[] = {{"use_karras_sigmas", BR_SIGMAS_KARRAS},
                    {"use_exponential_sigmas", BR_SIGMAS_EXPONENTIAL},
                    {"use_beta_sigmas", BR_SIGMAS_BETA}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        bool on;
        BR_TRY(br_json_bool(config, what, switches[i].key, false, &on));
        if (on && params->sigmas != BR_SIGMAS_DEFAULT)
            return br_fail(BR_ERROR_FORMAT, "%s: \"%s\" is true beside another use_..._sigmas", what, switches[i].key);
        if (on)
            params->sigmas = switches[i].sigmas;
    }
    return NULL;
}

static br_status read_params(const json_t *config, const char *what, br_schedule_params *params, double **out_betas)
{
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample"};
    static const char *const spacings[] = {"default", "leading", "linspace", "trailing"};
    static const char *const finals[] = {"zero", "sigma_min"};
    int64_t number;
    int choice;
    bool flag;
    BR_TRY(br_json_int(config, what, "num_train_timesteps", 1, BR_SCHEDULE_MAX_TIMESTEPS, params->timesteps, &number));
    params->timesteps = (int)number;
    BR_TRY(read_betas(config, what, params, out_betas));
    BR_TRY(read_choice(config, what, "prediction_type", predictions, 3, BR_PREDICTION_EPSILON, &choice));
    params->prediction = (br_prediction)choice;
    BR_TRY(read_choice(config, what, "timestep_spacing", spacings, 4, BR_SPACING_DEFAULT, &choice));
    params->spacing = (br_spacing)choice;
    BR_TRY(br_json_int(config, what, "steps_offset", 0, params->timesteps - 1, 0, &number));
    params->steps_offset = (int)number;
    if (json_object_get(config, "set_alpha_to_one")) {
        BR_TRY(br_json_bool(config, what, "set_alpha_to_one", true, &flag));
        params->alpha_end = flag ? BR_ALPHA_END_ONE : BR_ALPHA_END_FIRST;
    }
    BR_TRY(br_json_bool(config, what, "rescale_betas_zero_snr", false, &params->zero_terminal_snr));
    BR_TRY(read_sigmas(config, what, params));
    BR_TRY(read_choice(config, what, "final_sigmas_type", finals, 2, 0, &choice));
    params->final_sigma_min = choice == 1;
    BR_TRY(br_json_bool(config, what, "lower_order_final", true, &params->lower_order_final));
    BR_TRY(br_json_bool(config, what, "euler_at_final", false, &params->euler_at_final));
    BR_TRY(br_json_double(config, what, "lambda_min_clipped", -INFINITY, &params->lambda_min));
    BR_TRY(br_json_int(config, what, "original_inference_steps", 1, params->timesteps, params->original_steps, &number));
    params->original_steps = (int)number;
    BR_TRY(br_json_double(config, what, "timestep_scaling", params->timestep_scaling, &params->timestep_scaling));
    if (!(params->timestep_scaling > 0 && params->timestep_scaling <= MAX_TIMESTEP_SCALING))
        return br_fail(BR_ERROR_FORMAT, "%s: timestep_scaling is %g, expected a positive number of at most %g", what,
                       params->timestep_scaling, MAX_TIMESTEP_SCALING);
    return read_variance(config, what, params);
}

br_status br_scheduler_config_read(const json_t *config, const char *what, const br_log *log, br_schedule *out_schedule,
                                   br_sampler *out_sampler)
{
    memset(out_schedule, 0, sizeof *out_schedule);
    if (!json_is_object(config))
        return br_fail(BR_ERROR_FORMAT, "%s: the document is not an object", what);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value)
    {
        if (key[0] != '_') /* diffusers' own bookkeeping: _class_name, _diffusers_version, … */
            BR_TRY(check_key(what, key, value));
    }
    br_schedule_params params;
    BR_TRY(read_class(config, what, log, out_sampler, &params));
    double *betas = NULL;
    br_status status = read_params(config, what, &params, &betas);
    if (!status)
        status = br_status_prefix(br_schedule_init(&params, out_schedule), "%s", what);
    free(betas);
    return status;
}
