/* Sampler plans against the schedulers of diffusers: tests/data/samplers.json, written by tools/reference/samplers.py, which also
 * states the made-up model and the noise that are reproduced here. */
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "diffusion/scheduler_config.h"

#define SIZE 5

/* Both sides work in float32: diffusers does three or four rounded operations on x a step, we round the coefficients and two to
 * three operations; the model's derivative is at most 0.9, so errors add up no faster than linearly: 50 steps · 4 · 2^-24 = 1.2e-5
 * if all went one way, a tenth of it in practice. diffusers also takes lambda = log(alpha) - log(sigma) in float32 (DPM++ 2M):
 * 2^-24 · |lambda| <= 6e-7 in each step's exp(-h). */
#define TOLERANCE 1e-5

static float noise_at(int k, int j)
{
    return (float)(1.3 * sin(1.7 * k + 2.3 * j + 0.5));
}

static void model(const float *x, double t, float *out)
{
    for (int j = 0; j < SIZE; j++)
        out[j] = (float)(0.6 * (double)x[j] + 0.3 * tanh((double)x[(j + 1) % SIZE]) + 0.1 * cos(0.01 * t + j));
}

/* What the step shader does, in its order and precision. */
static void apply(const br_sampler_step *step, int k, float *x, float (*history)[SIZE])
{
    float input[SIZE], out[SIZE];
    for (int j = 0; j < SIZE; j++)
        input[j] = (float)step->input_scale * x[j];
    model(input, (double)(float)step->timestep, out);
    for (int j = 0; j < SIZE; j++) {
        float h = (float)step->h_x * x[j] + (float)step->h_out * out[j];
        float sum = (float)step->x_scale * x[j] + (float)step->out_scale * out[j];
        for (int r = 0; r < BR_SAMPLER_HISTORY; r++)
            sum += (float)step->history_scale[r] * history[r][j];
        if (step->needs_noise)
            sum += (float)step->noise_scale * noise_at(k, j);
        x[j] = sum;
        history[step->history_slot][j] = h;
    }
}

static void draw(const br_sampler_plan *plan, float *x)
{
    float history[BR_SAMPLER_HISTORY][SIZE] = {{0}};
    for (int j = 0; j < SIZE; j++)
        x[j] = noise_at(-1, j) * (float)plan->init_noise_sigma;
    int steps = 0;
    for (int i = 0; i < plan->evaluation_count; i++) {
        assert_true(plan->evaluations[i].history_slot < BR_SAMPLER_HISTORY);
        assert_int_equal(plan->evaluations[i].needs_noise, plan->evaluations[i].noise_scale != 0);
        apply(&plan->evaluations[i], steps, x, history);
        steps += plan->evaluations[i].ends_step;
    }
    assert_int_equal(steps, plan->steps);
}

static double number_at(const json_t *array, size_t index)
{
    return json_number_value(json_array_get(array, index));
}

static double check_run(const br_schedule *schedule, br_sampler sampler, const json_t *run, const char *name)
{
    br_sampler_plan plan;
    br_sampler_params params = {.schedule = schedule,
                                .sampler = sampler,
                                .steps = (int)json_integer_value(json_object_get(run, "steps")),
                                .eta = json_number_value(json_object_get(run, "eta"))};
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

    float x[SIZE];
    double expected[SIZE];
    draw(&plan, x);
    for (size_t j = 0; j < SIZE; j++)
        expected[j] = number_at(json_object_get(run, "x"), j);
    double error = br_test_relative_error(x, expected, SIZE);
    if (!same_times || !(fabs(plan.init_noise_sigma - init) <= 1e-6 * init) || !(error <= TOLERANCE)) {
        print_error(
            "%s, %d steps: relative error %.3g, timesteps %g .. %g sum %.9g (expected %g .. %g, %.9g), x_T scale %.9g (%.9g)\n",
            name, params.steps, error, plan.evaluations[0].timestep, plan.evaluations[plan.evaluation_count - 1].timestep, sum,
            number_at(times, 0), number_at(times, 1), number_at(times, 2), plan.init_noise_sigma, init);
        error = INFINITY;
    }
    br_sampler_plan_finish(&plan);
    return error;
}

static void plans_match_diffusers(void **state)
{
    (void)state;
    json_t *groups, *group, *run;
    size_t g, r, runs = 0, failures = 0;
    double worst[BR_SAMPLER_COUNT] = {0};
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
        json_array_foreach(json_object_get(group, "runs"), r, run)
        {
            double error = check_run(&schedule, sampler, run, name);
            runs++;
            failures += !isfinite(error);
            worst[sampler] = fmax(worst[sampler], error);
        }
        br_schedule_finish(&schedule);
    }
    json_decref(groups);
    for (int i = 0; i < BR_SAMPLER_COUNT; i++)
        print_message("%-9s worst relative error %.2e\n", br_sampler_name((br_sampler)i), worst[i]);
    print_message("%zu runs, %zu out of tolerance\n", runs, failures);
    assert_true(runs > 700);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_match_diffusers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
