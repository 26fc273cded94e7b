#include "diffusion/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/sampler_info.h"

/* Ten is noise alone; keeps the coefficients finite in float32. */
#define MAX_S_NOISE 10.0

static const br_sampler_info *const infos[BR_SAMPLER_COUNT] = {
#define BR_SAMPLER(NAME, name) &br_sampler_info_##name,
#include "diffusion/samplers.def"
#undef BR_SAMPLER
};

static const struct {
    const char *name, *label;
} sigmas_names[BR_SIGMAS_COUNT] = {
    [BR_SIGMAS_DEFAULT] = {"default", NULL},
    [BR_SIGMAS_DISCRETE] = {"discrete", NULL},
    [BR_SIGMAS_KARRAS] = {"karras", "Karras"},
    [BR_SIGMAS_EXPONENTIAL] = {"exponential", "Exponential"},
    [BR_SIGMAS_BETA] = {"beta", "Beta"},
    [BR_SIGMAS_SGM_UNIFORM] = {"sgm_uniform", "SGM Uniform"},
    [BR_SIGMAS_SIMPLE] = {"simple", "Simple"},
    [BR_SIGMAS_AYS] = {"ays", "Align Your Steps"},
    [BR_SIGMAS_AYS_SDXL] = {"ays_sdxl", "Align Your Steps SDXL"},
};

const char *br_sampler_name(br_sampler sampler)
{
    return infos[sampler]->name;
}

const char *br_sampler_label(br_sampler sampler)
{
    return infos[sampler]->label;
}

const double br_adams_bashforth[BR_SAMPLER_HISTORY][BR_SAMPLER_HISTORY] = {
    {1},
    {3.0 / 2, -1.0 / 2},
    {23.0 / 12, -16.0 / 12, 5.0 / 12},
    {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24},
};

bool br_sampler_takes_sigmas(br_sampler sampler)
{
    return infos[sampler]->takes_sigmas;
}

const char *br_sigmas_name(br_sigmas sigmas)
{
    return sigmas_names[sigmas].name;
}

const char *br_sigmas_label(br_sigmas sigmas)
{
    return sigmas_names[sigmas].label;
}

/* Lower case, with '_' for '-' and ' '; false when it does not fit (then it is no sampler's name). */
static bool normalize(const char *name, char *out_text, size_t size)
{
    size_t length = strlen(name);
    if (length >= size)
        return false;
    for (size_t i = 0; i <= length; i++) {
        char c = name[i];
        out_text[i] = c == '-' || c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return true;
}

static bool matches(const br_sampler_info *info, const char *text)
{
    if (strcmp(info->name, text) == 0)
        return true;
    for (size_t i = 0; i < sizeof info->aliases / sizeof *info->aliases && info->aliases[i]; i++)
        if (strcmp(info->aliases[i], text) == 0)
            return true;
    return false;
}

br_status br_sampler_from_name(const char *name, br_sampler *out_sampler)
{
    char text[32];
    if (normalize(name, text, sizeof text))
        for (int i = 0; i < BR_SAMPLER_COUNT; i++)
            if (matches(infos[i], text)) {
                *out_sampler = (br_sampler)i;
                return NULL;
            }
    char list[512] = "";
    size_t used = 0;
    for (int i = 0; i < BR_SAMPLER_COUNT && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", infos[i]->name);
    return br_fail(BR_ERROR_ARGUMENT, "unknown sampler \"%s\", expected one of: %s", name, list);
}

bool br_sampler_from_class(const char *class_name, br_sampler *out_sampler)
{
    for (int i = 0; i < BR_SAMPLER_COUNT; i++)
        if (infos[i]->class_name && strcmp(infos[i]->class_name, class_name) == 0) {
            *out_sampler = (br_sampler)i;
            return true;
        }
    return false;
}

br_status br_sigmas_from_name(const char *name, br_sigmas *out_sigmas)
{
    char text[32], label[32];
    if (normalize(name, text, sizeof text))
        for (int i = 0; i < BR_SIGMAS_COUNT; i++)
            if (strcmp(sigmas_names[i].name, text) == 0 ||
                (sigmas_names[i].label && normalize(sigmas_names[i].label, label, sizeof label) && strcmp(label, text) == 0)) {
                *out_sigmas = (br_sigmas)i;
                return NULL;
            }
    char list[256] = "";
    size_t used = 0;
    for (int i = 0; i < BR_SIGMAS_COUNT && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", sigmas_names[i].name);
    return br_fail(BR_ERROR_ARGUMENT, "unknown schedule \"%s\", expected one of: %s", name, list);
}

br_spacing br_sampler_spacing(const br_sampler_params *params, const br_sampler_info *info)
{
    br_spacing spacing = params->schedule->params.spacing;
    return spacing == BR_SPACING_DEFAULT ? info->default_spacing : spacing;
}

int br_sampler_steps_before(const br_sampler_params *params, int index)
{
    return index > params->begin ? index - params->begin : 0;
}

br_linear br_x0_from_alpha_bar(br_prediction prediction, double alpha_bar)
{
    double signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar);
    switch (prediction) {
    case BR_PREDICTION_EPSILON:
        return (br_linear){1 / signal, -noise / signal};
    case BR_PREDICTION_V:
        return (br_linear){signal, -noise};
    case BR_PREDICTION_SAMPLE:
        break;
    }
    return (br_linear){0, 1};
}

br_linear br_vp_evaluate(const br_schedule *schedule, int timestep, br_sampler_step *step)
{
    br_linear x0 = br_x0_from_alpha_bar(schedule->params.prediction, schedule->alpha_bar[timestep]);
    step->timestep = timestep;
    step->input_scale = 1;
    step->x0_x = x0.x;
    step->x0_out = x0.out;
    step->sigma = schedule->sigma[timestep];
    return x0;
}

br_linear br_eps_from_alpha_bar(br_prediction prediction, double alpha_bar)
{
    double signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar);
    switch (prediction) {
    case BR_PREDICTION_EPSILON:
        return (br_linear){0, 1};
    case BR_PREDICTION_V:
        return (br_linear){noise, signal};
    case BR_PREDICTION_SAMPLE:
        break;
    }
    return (br_linear){1 / noise, -signal / noise};
}

br_linear br_x0_from_sigma(br_prediction prediction, double sigma)
{
    switch (prediction) {
    case BR_PREDICTION_EPSILON:
        return (br_linear){1, -sigma};
    case BR_PREDICTION_V:
        return (br_linear){1 / (sigma * sigma + 1), -sigma / sqrt(sigma * sigma + 1)};
    case BR_PREDICTION_SAMPLE:
        break;
    }
    return (br_linear){0, 1};
}

static br_status check(const br_sampler_params *params, const br_sampler_info *info)
{
    int timesteps = params->schedule->params.timesteps;
    int most = timesteps < BR_SAMPLER_MAX_STEPS ? timesteps : BR_SAMPLER_MAX_STEPS;
    if (params->steps < 1 || params->steps > most)
        return br_fail(BR_ERROR_ARGUMENT, "steps is %d, expected 1 to %d", params->steps, most);
    if (params->begin < 0 || params->end < 0 || params->end > params->steps ||
        params->begin >= (params->end ? params->end : params->steps))
        return br_fail(BR_ERROR_ARGUMENT, "steps %d to %d of %d are none", params->begin, params->end, params->steps);
    if (!(params->eta <= 1))
        return br_fail(BR_ERROR_ARGUMENT, "eta is %g, expected 0 to 1", params->eta);
    if (params->eta != 0 && !info->takes_eta)
        return br_fail(BR_ERROR_ARGUMENT, "eta is %g, but sampler %s has none", params->eta, info->name);
    if (!(params->s_noise >= 0 && params->s_noise <= MAX_S_NOISE))
        return br_fail(BR_ERROR_ARGUMENT, "s_noise is %g, expected 0 to %g", params->s_noise, MAX_S_NOISE);
    if (params->s_noise != 0 && !info->takes_s_noise)
        return br_fail(BR_ERROR_ARGUMENT, "s_noise is %g, but sampler %s has none", params->s_noise, info->name);
    if (params->sigmas > BR_SIGMAS_DISCRETE && !info->takes_sigmas)
        return br_fail(BR_ERROR_ARGUMENT, "sampler %s visits the training timesteps and has no %s schedule", info->name,
                       sigmas_names[params->sigmas].name);
    return NULL;
}

/* Drops the evaluations of the steps that are not taken. */
static void cut(br_sampler_plan *plan, int begin, int end)
{
    int step = 0, kept = 0;
    for (int i = 0; i < plan->evaluation_count; i++) {
        if (step >= begin && step < end)
            plan->evaluations[kept++] = plan->evaluations[i];
        step += plan->evaluations[i].ends_step;
    }
    plan->evaluation_count = kept;
    plan->steps = end - begin;
}

br_status br_sampler_plan_init(const br_sampler_params *params, br_sampler_plan *out_plan)
{
    const br_sampler_info *info = infos[params->sampler];
    memset(out_plan, 0, sizeof *out_plan);
    BR_TRY(check(params, info));
    br_sampler_params resolved = *params;
    br_sigmas of_model = params->schedule->params.sigmas;
    if (params->sigmas == BR_SIGMAS_DEFAULT)
        resolved.sigmas = info->takes_sigmas && of_model != BR_SIGMAS_DEFAULT ? of_model : BR_SIGMAS_DISCRETE;

    resolved.eta = params->eta < 0 ? 0 : params->eta > 0 ? params->eta : info->default_eta;
    resolved.s_noise = params->s_noise > 0 ? params->s_noise : 1;

    br_sampler_plan plan = {.steps = params->steps, .history_rows = info->history_rows, .init_noise_sigma = 1};
    plan.evaluations = calloc((size_t)params->steps * (size_t)info->evaluations_per_step, sizeof *plan.evaluations);
    if (!plan.evaluations)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", params->steps);
    br_status status = info->plan(&resolved, &plan);
    if (status) {
        br_sampler_plan_finish(&plan);
        return status;
    }
    cut(&plan, params->begin, params->end ? params->end : params->steps);
    for (int i = 0; i < plan.evaluation_count; i++)
        plan.evaluations[i].needs_noise = plan.evaluations[i].noise_scale != 0;
    *out_plan = plan;
    return NULL;
}

void br_sampler_plan_finish(br_sampler_plan *plan)
{
    free(plan->evaluations);
    memset(plan, 0, sizeof *plan);
}

br_noise_level br_sampler_plan_noise(const br_sampler_plan *plan, int index)
{
    if (index >= plan->evaluation_count)
        return (br_noise_level){1, 0};
    const br_sampler_step *step = &plan->evaluations[index];
    double signal = 1 / (sqrt(step->sigma * step->sigma + 1) * step->input_scale);
    return (br_noise_level){signal, step->sigma * signal};
}

int br_sampler_plan_steps_from(const br_sampler_plan *plan, double timestep)
{
    int steps = 0;
    bool begins = true;
    for (int i = 0; i < plan->evaluation_count && !(begins && plan->evaluations[i].timestep < timestep); i++) {
        begins = plan->evaluations[i].ends_step;
        steps += begins;
    }
    return steps;
}
