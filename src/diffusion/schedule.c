#include "diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
/* Keeps the cosine schedule's last step finite (Nichol and Dhariwal 2021, section 3.2). */
#define MAX_COSINE_BETA 0.999
/* Stands for an alpha_bar of 0 where that would be divided by, as in diffusers. */
#define TERMINAL_ALPHA_BAR 0x1p-24f

static const char *const spacing_names[] = {"default", "leading", "linspace", "trailing"};

const char *br_spacing_name(br_spacing spacing)
{
    return spacing_names[spacing];
}

double br_schedule_last_alpha_bar(const br_schedule *schedule, br_alpha_end otherwise)
{
    br_alpha_end end = schedule->params.alpha_end == BR_ALPHA_END_DEFAULT ? otherwise : schedule->params.alpha_end;
    return end == BR_ALPHA_END_ONE ? 1 : schedule->alpha_bar[0];
}

br_schedule_params br_schedule_params_default(void)
{
    return (br_schedule_params){
        .timesteps = 1000,
        .beta_schedule = BR_BETA_LINEAR,
        .beta_start = 0.0001,
        .beta_end = 0.02,
        .prediction = BR_PREDICTION_EPSILON,
        .spacing = BR_SPACING_DEFAULT,
        .lower_order_final = true,
        .lambda_min = -INFINITY,
        .variance = BR_VARIANCE_FIXED_SMALL,
        .original_steps = 50,
        .timestep_scaling = 10,
    };
}

/* torch.linspace in float32 to the bit: from both ends to the middle, with one rounding (fused) as its builds for AVX2 and later do. */
static float linspace_f32(float start, float end, int count, int index)
{
    if (count == 1)
        return start;
    float step = (end - start) / (float)(count - 1);
    return index < count / 2 ? fmaf(step, (float)index, start) : fmaf(-step, (float)(count - 1 - index), end);
}

static double cosine_alpha_bar(double t)
{
    double c = cos((t + 0.008) / 1.008 * PI / 2);
    return c * c;
}

static float beta_at(const br_schedule_params *params, int t)
{
    int n = params->timesteps;
    switch (params->beta_schedule) {
    case BR_BETA_LINEAR:
        return linspace_f32((float)params->beta_start, (float)params->beta_end, n, t);
    case BR_BETA_SCALED_LINEAR: {
        float root = linspace_f32((float)sqrt(params->beta_start), (float)sqrt(params->beta_end), n, t);
        return root * root;
    }
    case BR_BETA_SQUAREDCOS: {
        double beta = 1 - cosine_alpha_bar((t + 1.0) / n) / cosine_alpha_bar((double)t / n);
        return (float)(beta < MAX_COSINE_BETA ? beta : MAX_COSINE_BETA);
    }
    case BR_BETA_TRAINED:
        return (float)params->trained_betas[t];
    }
    return 0;
}

/* Algorithm 1 of Lin et al., in float32 as diffusers does it: sqrt(alpha_bar) is shifted to end at 0 and scaled to begin where it did.
 * beta[n]. */
static void rescale_to_zero_snr(double *beta, int n)
{
    double product = 1;
    for (int t = 0; t < n; t++) /* beta holds sqrt(alpha_bar) for a while */
        beta[t] = (double)sqrtf((float)(product *= (double)(1.0f - (float)beta[t])));
    float first = (float)beta[0], last = (float)beta[n - 1];
    float scale = first / (first - last), before = 1;
    for (int t = 0; t < n; t++) {
        float root = ((float)beta[t] - last) * scale, alpha_bar = root * root;
        beta[t] = (double)(1.0f - alpha_bar / before);
        before = alpha_bar;
    }
}

static br_status check(const br_schedule_params *params)
{
    if (params->timesteps < 1 || params->timesteps > BR_SCHEDULE_MAX_TIMESTEPS)
        return br_fail(BR_ERROR_ARGUMENT, "num_train_timesteps is %d, expected 1 to %d", params->timesteps,
                       BR_SCHEDULE_MAX_TIMESTEPS);
    bool ranged = params->beta_schedule == BR_BETA_LINEAR || params->beta_schedule == BR_BETA_SCALED_LINEAR;
    if (ranged && !(params->beta_start > 0 && params->beta_end >= params->beta_start && params->beta_end < 1))
        return br_fail(BR_ERROR_ARGUMENT, "beta_start %g and beta_end %g must satisfy 0 < beta_start <= beta_end < 1",
                       params->beta_start, params->beta_end);
    if (params->beta_schedule == BR_BETA_TRAINED && !params->trained_betas)
        return br_fail(BR_ERROR_ARGUMENT, "trained_betas is missing");
    if (params->zero_terminal_snr && params->timesteps < 2)
        return br_fail(BR_ERROR_ARGUMENT, "a schedule of one timestep cannot be rescaled to zero terminal SNR");
    if (params->steps_offset < 0 || params->steps_offset >= params->timesteps)
        return br_fail(BR_ERROR_ARGUMENT, "steps_offset is %d, expected 0 to %d", params->steps_offset, params->timesteps - 1);
    return NULL;
}

br_status br_schedule_init(const br_schedule_params *params, br_schedule *out_schedule)
{
    memset(out_schedule, 0, sizeof *out_schedule);
    BR_TRY(check(params));
    size_t n = (size_t)params->timesteps;
    double *values = malloc(3 * n * sizeof *values);
    if (!values)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for a schedule of %zu timesteps", n);
    br_schedule schedule = {.params = *params, .beta = values, .alpha_bar = values + n, .sigma = values + 2 * n};
    schedule.params.trained_betas = NULL;
    for (size_t t = 0; t < n; t++)
        schedule.beta[t] = (double)beta_at(params, (int)t);
    if (params->zero_terminal_snr)
        rescale_to_zero_snr(schedule.beta, (int)n);
    double product = 1;
    for (size_t t = 0; t < n; t++) {
        float beta = (float)schedule.beta[t];
        product *= (double)(1.0f - beta);
        float alpha_bar = (float)product;
        bool ends = params->zero_terminal_snr && t == n - 1 && beta == 1;
        /* Where even the timestep before is below diffusers' stand-in, sigma would fall there, and samplers would divide by 0. */
        float stand_in = ends ? fminf(TERMINAL_ALPHA_BAR, (float)schedule.alpha_bar[t - 1] / 2) : alpha_bar;
        schedule.alpha_bar[t] = (double)(params->prediction == BR_PREDICTION_EPSILON ? stand_in : alpha_bar);
        schedule.sigma[t] = (double)sqrtf((1.0f - stand_in) / stand_in);
        if (!ends && (!(beta > 0 && beta < 1) || !(alpha_bar > 0 && alpha_bar < 1))) {
            free(values);
            return br_fail(BR_ERROR_ARGUMENT, "beta %zu is %g, which leaves alpha_bar %g: both must lie between 0 and 1", t,
                           (double)beta, (double)alpha_bar);
        }
    }
    *out_schedule = schedule;
    return NULL;
}

void br_schedule_finish(br_schedule *schedule)
{
    free(schedule->beta); /* the head of all three */
    memset(schedule, 0, sizeof *schedule);
}
