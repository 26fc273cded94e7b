/* UniPC: Zhao et al., "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (2023), order 2 with
 * B(h) = exp(h) - 1 ("bh2") on x_0 estimates, as diffusers' UniPCMultistepScheduler. The corrector uses the evaluation at the
 * predicted x, so one evaluation corrects the last step and predicts the next. */
#include <math.h>

#include "diffusion/vp_ladder.h"

/* x at the end of an interval: x · (x at its beginning) + m[0] · m_s + m[1] · m_before + end · m_end, where m are the x_0 estimates at
 * the beginning, one step earlier, and at the end. */
typedef struct interval {
    double x, m[2], end;
} interval;

typedef struct span {
    double alpha_to, h, r; /* h = lambda_to - lambda, r = (lambda_before - lambda) / h; equation 9's r_1 */
    double x, first;       /* of the first-order solution */
} span;

static span measure(const double *sigmas, int i, int order)
{
    double sigma = sigmas[i], to = sigmas[i + 1];
    span s = {.alpha_to = br_vp_alpha(to), .h = log(sigma / to)};
    s.r = order > 1 ? -log(sigmas[i - 1] / sigma) / s.h : 0;
    s.x = to * s.alpha_to / (sigma * br_vp_alpha(sigma));
    s.first = s.alpha_to * (1 - to / sigma); /* alpha_to · B(h), with exp(-h) = to / sigma, also at to = 0 */
    return s;
}

static interval predict(const double *sigmas, int i, int order)
{
    span s = measure(sigmas, i, order);
    double slope = order > 1 ? 0.5 * s.first / s.r : 0; /* of m_before - m_s */
    return (interval){.x = s.x, .m = {s.first - slope, slope}};
}

static interval correct(const double *sigmas, int i, int order)
{
    span s = measure(sigmas, i, order);
    double rho_before = 0, rho_end = 0.5;
    if (order > 1) { /* rho solves [1 1; r 1] · rho = b, with b the phi functions of equation 7 over B(h) */
        double hh = -s.h, b_h = expm1(hh);
        double phi_2 = b_h / hh - 1, phi_3 = phi_2 / hh - 0.5;
        double b_1 = phi_2 / b_h, b_2 = 2 * phi_3 / b_h;
        rho_before = (b_1 - b_2) / (1 - s.r);
        rho_end = b_1 - rho_before;
        rho_before /= s.r;
    }
    return (interval){.x = s.x, .m = {s.first * (1 - rho_before - rho_end), s.first * rho_before}, .end = s.first * rho_end};
}

static int order_of(const br_sampler_params *params, const double *sigmas, int i)
{
    bool last = i == params->steps - 1 && (params->schedule->params.lower_order_final || sigmas[i + 1] == 0);
    return br_sampler_steps_before(params, i) == 0 || last ? 1 : 2;
}

/* The estimate of step k lies in row k % 2. */
static void plan_step(const br_sampler_params *params, const br_vp_ladder *ladder, int i, br_sampler_step *step)
{
    const double *sigmas = ladder->sigmas;
    br_linear x0 = br_vp_ladder_evaluate(params, ladder, i, step);
    interval next = predict(sigmas, i, order_of(params, sigmas, i));
    double from_x0 = next.m[0];
    step->history_slot = (uint32_t)(i % 2);
    if (br_sampler_steps_before(params, i) > 0) {
        /* corrected x = x + (corrector - predictor) of the last interval; both begin with the same multiple of its x */
        int order = order_of(params, sigmas, i - 1);
        interval predicted = predict(sigmas, i - 1, order), corrected = correct(sigmas, i - 1, order);
        from_x0 += next.x * corrected.end;
        step->history_scale[(i - 1) % 2] = next.m[1] + next.x * (corrected.m[0] - predicted.m[0]);
        step->history_scale[i % 2] = next.x * (corrected.m[1] - predicted.m[1]);
    }
    step->x_scale = next.x + from_x0 * x0.x;
    step->out_scale = from_x0 * x0.out;
}

static br_status plan_unipc(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_vp_ladder ladder;
    br_vp_ladder_style style = {.ends_flat = true};
    BR_TRY(br_vp_ladder_init(params, &br_sampler_info_unipc, style, &ladder));
    for (int i = 0; i < params->steps; i++)
        plan_step(params, &ladder, i, &plan->evaluations[i]);
    plan->evaluation_count = params->steps;
    br_vp_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_unipc = {
    .name = "unipc",
    .label = "UniPC",
    .aliases = {"uni_pc", "uni_pc_bh2"},
    .class_name = "UniPCMultistepScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .rounds_karras = true,
    .evaluations_per_step = 1,
    .history_rows = 2,
    .plan = plan_unipc,
};
