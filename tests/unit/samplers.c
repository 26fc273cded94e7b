/* Sampler plans against the schedulers of diffusers: tests/data/samplers.json, written by tools/reference/samplers.py, which also
 * states the made-up model and the noise that are reproduced here. */
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "diffusion/scheduler_config.h"

#define SIZE 5

/* The coefficients, applied in double, against diffusers' step() in double: same formulas on the same float32 betas, sigmas and
 * timesteps. What may differ is the last bit of a float32 square root, logarithm (timesteps of other sigmas than the schedule's) or
 * sigma: 2^-24 each, eight of them in an ancestral step. */
#define TOLERANCE_DOUBLE 5e-7
/* The same in float32, as the step shader computes: the coefficients are rounded and each step adds two or three roundings of x, so
 * 50 steps stay below 50 · 3 · 2^-24 = 9e-6. Where x_T is thousands of times larger than the result (sigma samplers on the cosine
 * schedule, sigma_max = 2e4) float32 loses more by cancellation, in diffusers just as here: then four times what it loses. */
#define TOLERANCE_SINGLE 1e-5
#define TOLERANCE_OF_F32 4

static double noise_at(int k, int j)
{
    return 1.3 * sin(1.7 * k + 2.3 * j + 0.5);
}

static void model(const double *x, double t, double *out)
{
    for (int j = 0; j < SIZE; j++)
        out[j] = 0.6 * x[j] + 0.3 * tanh(x[(j + 1) % SIZE]) + 0.1 * cos(0.01 * t + j);
}

static void apply(const br_sampler_step *step, int k, double *x, double (*history)[SIZE])
{
    double input[SIZE], out[SIZE];
    for (int j = 0; j < SIZE; j++)
        input[j] = step->input_scale * x[j];
    model(input, step->timestep, out);
    for (int j = 0; j < SIZE; j++) {
        double h = step->h_x * x[j] + step->h_out * out[j];
        double sum = step->x_scale * x[j] + step->out_scale * out[j];
        for (int r = 0; r < BR_SAMPLER_HISTORY; r++)
            sum += step->history_scale[r] * history[r][j];
        if (step->needs_noise)
            sum += step->noise_scale * noise_at(k, j);
        x[j] = sum;
        history[step->history_slot][j] = h;
    }
}

/* What the step shader does, in its order and precision. */
static void apply_f32(const br_sampler_step *step, int k, float *x, float (*history)[SIZE])
{
    double input[SIZE], out[SIZE];
    for (int j = 0; j < SIZE; j++)
        input[j] = (double)((float)step->input_scale * x[j]);
    model(input, (double)(float)step->timestep, out);
    for (int j = 0; j < SIZE; j++) {
        float h = (float)step->h_x * x[j] + (float)step->h_out * (float)out[j];
        float sum = (float)step->x_scale * x[j] + (float)step->out_scale * (float)out[j];
        for (int r = 0; r < BR_SAMPLER_HISTORY; r++)
            sum += (float)step->history_scale[r] * history[r][j];
        if (step->needs_noise)
            sum += (float)step->noise_scale * (float)noise_at(k, j);
        x[j] = sum;
        history[step->history_slot][j] = h;
    }
}

/* x begins as level.noise · noise_at(-1) + level.signal · noise_at(-2): noise alone, or a noised picture. */
static void draw(const br_sampler_plan *plan, br_noise_level level, float *out_single, double *out_double)
{
    float single[BR_SAMPLER_HISTORY][SIZE] = {{0}};
    double wide[BR_SAMPLER_HISTORY][SIZE] = {{0}};
    for (int j = 0; j < SIZE; j++) {
        out_double[j] = level.noise * noise_at(-1, j) + level.signal * noise_at(-2, j);
        out_single[j] = (float)level.noise * (float)noise_at(-1, j) + (float)level.signal * (float)noise_at(-2, j);
    }
    int steps = 0;
    for (int i = 0; i < plan->evaluation_count; i++) {
        assert_true(plan->evaluations[i].history_slot < BR_SAMPLER_HISTORY);
        assert_int_equal(plan->evaluations[i].needs_noise, plan->evaluations[i].noise_scale != 0);
        apply(&plan->evaluations[i], i, out_double, wide);
        apply_f32(&plan->evaluations[i], i, out_single, single);
        steps += plan->evaluations[i].ends_step;
    }
    assert_int_equal(steps, plan->steps);
}

static double number_at(const json_t *array, size_t index)
{
    return json_number_value(json_array_get(array, index));
}

typedef struct run_error {
    double wide, single;
    bool failed;
} run_error;

static double relative_error(const double *a, const double *b)
{
    double difference = 0, norm = 0;
    for (int j = 0; j < SIZE; j++) {
        difference += (a[j] - b[j]) * (a[j] - b[j]);
        norm += b[j] * b[j];
    }
    return isfinite(difference) ? sqrt(difference / norm) : INFINITY;
}

static run_error check_run(const br_sampler_params *common, const json_t *run, const char *name)
{
    br_sampler_plan plan;
    br_sampler_params params = *common;
    params.steps = (int)json_integer_value(json_object_get(run, "steps"));
    params.begin = (int)json_integer_value(json_object_get(run, "begin"));
    params.eta = json_number_value(json_object_get(run, "eta"));
    params.s_noise = json_number_value(json_object_get(run, "s_noise"));
    assert_status_ok(br_sampler_plan_init(&params, &plan));

    const json_t *times = json_object_get(run, "timesteps");
    double sum = 0, init = json_number_value(json_object_get(run, "init"));
    for (int i = 0; i < plan.evaluation_count; i++)
        sum += plan.evaluations[i].timestep;
    /* Karras timesteps come from float32 logarithms: 2^-24 · 10 over a spacing of about 0.005 is 1.2e-4 of a timestep. */
    double slack = 2e-4 * plan.evaluation_count;
    bool same_times = fabs(plan.evaluations[0].timestep - number_at(times, 0)) <= 2e-4 &&
                      fabs(plan.evaluations[plan.evaluation_count - 1].timestep - number_at(times, 1)) <= 2e-4 &&
                      fabs(sum - number_at(times, 2)) <= slack;

    float single[SIZE];
    double wide[SIZE], expected[SIZE];
    br_noise_level level = {.noise = plan.init_noise_sigma};
    if (params.begin > 0)
        level = br_sampler_plan_noise(&plan, 0);
    draw(&plan, level, single, wide);
    for (size_t j = 0; j < SIZE; j++)
        expected[j] = number_at(json_object_get(run, "x"), j);
    run_error error = {relative_error(wide, expected), br_test_relative_error(single, expected, SIZE), false};
    double allowed = fmax(TOLERANCE_SINGLE, TOLERANCE_OF_F32 * json_number_value(json_object_get(run, "f32")));
    if (!same_times || !(fabs(plan.init_noise_sigma - init) <= 1e-6 * init) || !(error.wide <= TOLERANCE_DOUBLE) ||
        !(error.single <= allowed)) {
        print_error(
            "%s, %d steps: relative error %.3g, in float32 %.3g (%.3g allowed), timesteps %g .. %g sum %.9g (expected %g .. %g, "
            "%.9g), x_T scale %.9g (%.9g)\n",
            name, params.steps, error.wide, error.single, allowed, plan.evaluations[0].timestep,
            plan.evaluations[plan.evaluation_count - 1].timestep, sum, number_at(times, 0), number_at(times, 1),
            number_at(times, 2), plan.init_noise_sigma, init);
        error.failed = true;
    }
    br_sampler_plan_finish(&plan);
    return error;
}

static void plans_match_diffusers(void **state)
{
    (void)state;
    json_t *groups, *group, *run;
    size_t g, r, runs = 0, failures = 0;
    run_error worst[BR_SAMPLER_COUNT] = {{0}};
    assert_status_ok(br_json_read(br_test_path("tests/data/samplers.json"), 1 << 20, &groups));
    json_array_foreach(groups, g, group)
    {
        br_schedule schedule;
        br_sampler sampler;
        char name[512];
        const json_t *config = json_object_get(group, "config");
        char *text = json_dumps(config, JSON_COMPACT);
        snprintf(name, sizeof name, "%s", text);
        free(text);
        assert_status_ok(br_scheduler_config_read(config, "config", NULL, &schedule, &sampler));
        const json_t *named = json_object_get(group, "sampler"); /* where no class of diffusers stands for it */
        if (named)
            assert_status_ok(br_sampler_from_name(json_string_value(named), &sampler));
        br_sigmas sigmas = BR_SIGMAS_DEFAULT;
        named = json_object_get(group, "schedule");
        if (named)
            assert_status_ok(br_sigmas_from_name(json_string_value(named), &sigmas));
        json_array_foreach(json_object_get(group, "runs"), r, run)
        {
            run_error error =
                check_run(&(br_sampler_params){.schedule = &schedule, .sampler = sampler, .sigmas = sigmas}, run, name);
            runs++;
            failures += error.failed;
            worst[sampler].wide = fmax(worst[sampler].wide, error.wide);
            worst[sampler].single = fmax(worst[sampler].single, error.single);
        }
        br_schedule_finish(&schedule);
    }
    json_decref(groups);
    for (int i = 0; i < BR_SAMPLER_COUNT; i++)
        print_message("%-12s worst relative error %.2e, in float32 %.2e\n", br_sampler_name((br_sampler)i), worst[i].wide,
                      worst[i].single);
    print_message("%zu runs, %zu out of tolerance\n", runs, failures);
    assert_true(runs > 700);
    assert_int_equal(failures, 0);
}

/* A model that knows x_0: whatever it predicts, each evaluation's estimate is that x_0 and the last step arrives there. */
static void perfect_model_arrives(void **state)
{
    (void)state;
    const double wanted = 0.7; /* x_0 */
    for (int prediction = BR_PREDICTION_EPSILON; prediction <= BR_PREDICTION_SAMPLE; prediction++) {
        br_schedule_params schedule_params = br_schedule_params_default();
        schedule_params.prediction = (br_prediction)prediction;
        schedule_params.alpha_end = BR_ALPHA_END_ONE;
        br_schedule schedule;
        assert_status_ok(br_schedule_init(&schedule_params, &schedule));
        for (int sampler = 0; sampler < BR_SAMPLER_COUNT; sampler++) {
            for (int begin = 0; begin < 13; begin += 4) {
                br_sampler_plan plan;
                br_sampler_params params = {.schedule = &schedule, .sampler = (br_sampler)sampler, .steps = 13, .begin = begin};
                assert_status_ok(br_sampler_plan_init(&params, &plan));
                assert_int_equal(plan.steps, 13 - begin);
                br_noise_level level = br_sampler_plan_noise(&plan, 0);
                double x = begin ? level.signal * wanted + level.noise * 0.9 : -1.1 * plan.init_noise_sigma,
                       history[BR_SAMPLER_HISTORY] = {0};
                for (int i = 0; i < plan.evaluation_count; i++) {
                    const br_sampler_step *step = &plan.evaluations[i];
                    double signal = 1 / sqrt(step->sigma * step->sigma + 1), noise = step->sigma * signal;
                    double eps = (step->input_scale * x - signal * wanted) / noise;
                    double out = prediction == BR_PREDICTION_EPSILON ? eps
                                 : prediction == BR_PREDICTION_V     ? signal * eps - noise * wanted
                                                                     : wanted;
                    /* sigma is held in float32 while DDIM's coefficients come from alpha_bar: 2^-24 of an x that is sigma <= 157 times x_0. */
                    assert_true(fabs(step->x0_x * x + step->x0_out * out - wanted) <= 3e-5);
                    double h = step->h_x * x + step->h_out * out;
                    x = step->x_scale * x + step->out_scale * out + step->noise_scale * 0.3;
                    for (int k = 0; k < BR_SAMPLER_HISTORY; k++)
                        x += step->history_scale[k] * history[k];
                    history[step->history_slot] = h;
                }
                /* PLMS extrapolates outputs, and v is not the same at two timesteps. DEIS and TCD end at the smallest noise level, 1% here. */
                bool ends_noisy = sampler == BR_SAMPLER_DEIS || sampler == BR_SAMPLER_TCD;
                if (sampler != BR_SAMPLER_PNDM || prediction != BR_PREDICTION_V)
                    assert_true(fabs(x - wanted) <= (ends_noisy ? 2e-2 : 1e-6));
                br_sampler_plan_finish(&plan);
            }
        }
        br_schedule_finish(&schedule);
    }
}

/* A run in two parts: those samplers that remember nothing arrive exactly where one run does. */
static void parts_make_the_whole(void **state)
{
    (void)state;
    const br_sampler forgetful[] = {BR_SAMPLER_DDIM, BR_SAMPLER_EULER, BR_SAMPLER_EULER_A, BR_SAMPLER_HEUN, BR_SAMPLER_DPMPP_SDE};
    br_schedule_params schedule_params = br_schedule_params_default();
    br_schedule schedule;
    assert_status_ok(br_schedule_init(&schedule_params, &schedule));
    for (size_t s = 0; s < sizeof forgetful / sizeof *forgetful; s++) {
        br_sampler_plan whole, part;
        br_sampler_params params = {.schedule = &schedule, .sampler = forgetful[s], .steps = 13};
        assert_status_ok(br_sampler_plan_init(&params, &whole));
        int evaluation = 0, middle = br_sampler_plan_steps_from(&whole, 400);
        assert_true(middle > 0 && middle < 13);
        for (int second = 0; second < 2; second++) {
            params.begin = second ? middle : 0;
            params.end = second ? 0 : middle;
            assert_status_ok(br_sampler_plan_init(&params, &part));
            assert_int_equal(part.steps, second ? 13 - middle : middle);
            assert_true((part.evaluations[0].timestep < 400) == (second == 1));
            assert_memory_equal(part.evaluations, whole.evaluations + evaluation,
                                (size_t)part.evaluation_count * sizeof *part.evaluations);
            evaluation += part.evaluation_count;
            br_sampler_plan_finish(&part);
        }
        assert_int_equal(evaluation, whole.evaluation_count);
        br_noise_level end = br_sampler_plan_noise(&whole, whole.evaluation_count);
        assert_true(end.signal == 1 && end.noise == 0);
        br_sampler_plan_finish(&whole);
    }
    br_sampler_plan none;
    br_sampler_params params = {.schedule = &schedule, .steps = 13, .begin = 13};
    assert_status(br_sampler_plan_init(&params, &none), BR_ERROR_ARGUMENT, "steps 13 to 0 of 13 are none");
    br_schedule_finish(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_match_diffusers),
        cmocka_unit_test(perfect_model_arrives),
        cmocka_unit_test(parts_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
