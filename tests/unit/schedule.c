/* Noise schedules, the forward process and scheduler_config.json. tests/data/forward.json is written by tools/reference/forward.py. */
#include "support/test.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "diffusion/forward.h"
#include "diffusion/sampler.h"
#include "diffusion/scheduler_config.h"

#define SIZE 7

static br_status read_config(const char *text, const br_log *log, br_schedule *out_schedule, br_sampler *out_sampler)
{
    json_t *config = NULL;
    br_status status = br_json_parse(text, strlen(text), "scheduler_config.json", &config);
    assert_null(status);
    status = br_scheduler_config_read(config, "scheduler_config.json", log, out_schedule, out_sampler);
    json_decref(config);
    return status;
}

static void check_point(const br_schedule *schedule, const json_t *point)
{
    float x_0[SIZE], noise[SIZE], x_t[SIZE], v[SIZE], epsilon[SIZE], sample[SIZE];
    double expected_x_t[SIZE], expected_v[SIZE];
    int t = (int)json_integer_value(json_object_get(point, "t"));
    for (int j = 0; j < SIZE; j++) {
        x_0[j] = (float)cos(0.9 * j);
        noise[j] = (float)(1.3 * sin(2.3 * j + 0.5));
        expected_x_t[j] = json_number_value(json_array_get(json_object_get(point, "x_t"), (size_t)j));
        expected_v[j] = json_number_value(json_array_get(json_object_get(point, "v"), (size_t)j));
    }
    /* The cosine schedule goes through cos() of two libraries; the others are float32 arithmetic and must be equal. */
    double slack = schedule->params.beta_schedule == BR_BETA_SQUAREDCOS ? 0x1p-23 : 0;
    double beta = json_number_value(json_object_get(point, "beta"));
    double alpha_bar = json_number_value(json_object_get(point, "alpha_bar"));
    assert_true(fabs(schedule->beta[t] - beta) <= slack * beta);
    assert_true(fabs(schedule->alpha_bar[t] - alpha_bar) <= slack * alpha_bar);

    br_forward_scales forward;
    assert_status_ok(br_forward_at(schedule, t, &forward));
    assert_true(fabs(forward.signal * forward.signal + forward.noise * forward.noise - 1) <= 1e-15);
    double snr = alpha_bar / (1 - alpha_bar);
    assert_true(fabs(br_forward_snr(forward) - snr) <= 4e-4 * snr); /* 2^-24 of alpha_bar against 1 - alpha_bar >= 1e-4 */
    br_forward_sample(forward, x_0, noise, SIZE, x_t);
    br_forward_target(forward, BR_PREDICTION_V, x_0, noise, SIZE, v);
    /* Three float32 roundings on either side. */
    assert_true(br_test_relative_error(x_t, expected_x_t, SIZE) <= 6 * 0x1p-24);
    assert_true(br_test_relative_error(v, expected_v, SIZE) <= 6 * 0x1p-24);
    br_forward_target(forward, BR_PREDICTION_EPSILON, x_0, noise, SIZE, epsilon);
    assert_memory_equal(epsilon, noise, sizeof noise);
    br_forward_target(forward, BR_PREDICTION_SAMPLE, x_0, noise, SIZE, sample);
    assert_memory_equal(sample, x_0, sizeof x_0);
    br_forward_sample(forward, x_0, noise, SIZE, x_0); /* in place */
    assert_memory_equal(x_0, x_t, sizeof x_t);
}

static void forward_matches_diffusers(void **state)
{
    (void)state;
    json_t *groups, *group, *point;
    size_t g, p, points = 0;
    assert_status_ok(br_json_read(br_test_path("tests/data/forward.json"), 1 << 20, &groups));
    json_array_foreach(groups, g, group)
    {
        br_schedule schedule;
        br_sampler sampler;
        assert_status_ok(br_scheduler_config_read(json_object_get(group, "config"), "config", NULL, &schedule, &sampler));
        double sum = 0, expected = json_number_value(json_object_get(group, "alpha_bar_sum"));
        for (int t = 0; t < schedule.params.timesteps; t++)
            sum += schedule.alpha_bar[t];
        assert_true(fabs(sum - expected) <= 1e-7 * expected);
        json_array_foreach(json_object_get(group, "points"), p, point)
        {
            check_point(&schedule, point);
            points++;
        }
        br_forward_scales forward;
        assert_status(br_forward_at(&schedule, schedule.params.timesteps, &forward), BR_ERROR_ARGUMENT, "outside");
        assert_status(br_forward_at(&schedule, -1, &forward), BR_ERROR_ARGUMENT, "timestep -1");
        br_schedule_finish(&schedule);
    }
    json_decref(groups);
    assert_true(points > 30);
}

/* The model that ships: 20 DDIM steps visit 951, 901, … 1 and end at alpha_bar_0, not at 1. */
static void emoji_model(void **state)
{
    (void)state;
    json_t *config;
    br_schedule schedule;
    br_sampler sampler;
    br_sampler_plan plan;
    assert_status_ok(br_json_read(br_test_path("assets/models/emoji/scheduler/scheduler_config.json"), 1 << 20, &config));
    assert_status_ok(br_scheduler_config_read(config, "scheduler_config.json", NULL, &schedule, &sampler));
    json_decref(config);
    assert_int_equal(sampler, BR_SAMPLER_DDIM);
    br_sampler_params params = {.schedule = &schedule, .sampler = sampler, .steps = 20};
    assert_status_ok(br_sampler_plan_init(&params, &plan));
    assert_int_equal(plan.evaluation_count, 20);
    assert_true(plan.init_noise_sigma == 1);
    for (int i = 0; i < 20; i++)
        assert_true(plan.evaluations[i].timestep == 951 - 50 * i);
    /* The last step maps pure x_0 to sqrt(alpha_bar_0) · x_0 plus noise of that level: x = signal_1 · x_0 + noise_1 · eps. */
    const br_sampler_step *last = &plan.evaluations[19];
    double signal = sqrt(schedule.alpha_bar[1]), noise = sqrt(1 - schedule.alpha_bar[1]);
    assert_true(fabs(last->x_scale * signal - sqrt(schedule.alpha_bar[0])) <= 1e-12);
    assert_true(fabs(last->x_scale * noise + last->out_scale - sqrt(1 - schedule.alpha_bar[0])) <= 1e-12);
    br_sampler_plan_finish(&plan);
    br_schedule_finish(&schedule);
}

typedef struct captured_log {
    int count;
    br_log_level level;
    char message[256];
} captured_log;

static void capture(void *user, br_log_level level, const char *message)
{
    captured_log *log = user;
    log->count++;
    log->level = level;
    snprintf(log->message, sizeof log->message, "%s", message);
}

#define PNDM_CONFIG                                                                                           \
    "{\"_class_name\": \"PNDMScheduler\", \"_diffusers_version\": \"0.6.0\", \"beta_start\": 0.00085,"        \
    "\"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"clip_sample\": false, \"steps_offset\": 1," \
    "\"num_train_timesteps\": 1000, \"trained_betas\": null, \"skip_prk_steps\": "

/* The config of Stable Diffusion 1.x folders; without skip_prk_steps diffusers would begin with Runge-Kutta steps. */
static void pndm_of_sd15(void **state)
{
    (void)state;
    captured_log captured = {0};
    br_log log = {.write = capture, .user = &captured, .level = BR_LOG_DEBUG};
    br_schedule schedule;
    br_sampler sampler;
    assert_status_ok(read_config(PNDM_CONFIG "true}", &log, &schedule, &sampler));
    assert_int_equal(sampler, BR_SAMPLER_PNDM);
    assert_int_equal(schedule.params.alpha_end, BR_ALPHA_END_DEFAULT);
    assert_true(br_schedule_last_alpha_bar(&schedule, BR_ALPHA_END_FIRST) == schedule.alpha_bar[0]);
    assert_int_equal(schedule.params.steps_offset, 1);
    assert_int_equal(captured.count, 0);
    br_schedule_finish(&schedule);

    assert_status_ok(read_config(PNDM_CONFIG "false}", &log, &schedule, &sampler));
    assert_int_equal(sampler, BR_SAMPLER_PNDM);
    assert_int_equal(captured.count, 1);
    assert_int_equal(captured.level, BR_LOG_WARNING);
    assert_non_null(strstr(captured.message, "skip_prk_steps"));
    br_schedule_finish(&schedule);
}

static void defaults_follow_the_class(void **state)
{
    (void)state;
    br_schedule schedule;
    br_sampler sampler;
    assert_status_ok(read_config("{\"_class_name\": \"HeunDiscreteScheduler\"}", NULL, &schedule, &sampler));
    assert_int_equal(sampler, BR_SAMPLER_HEUN);
    assert_true(schedule.params.beta_start == 0.00085 && schedule.params.beta_end == 0.012);
    br_schedule_finish(&schedule);
    assert_status_ok(read_config("{\"_class_name\": \"DDIMScheduler\", \"_anything\": 1}", NULL, &schedule, &sampler));
    assert_true(br_schedule_last_alpha_bar(&schedule, BR_ALPHA_END_ONE) == 1);
    assert_true(schedule.params.beta_start == 0.0001 && schedule.params.beta_end == 0.02);
    assert_int_equal(schedule.params.timesteps, 1000);
    br_schedule_finish(&schedule);
}

/* A DPMSolverMultistepScheduler as diffusers saves it, with all its keys and Python's -Infinity. */
static void dpm_solver_as_saved(void **state)
{
    (void)state;
    br_schedule schedule;
    br_sampler sampler;
    assert_status_ok(read_config(
        "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"_diffusers_version\": \"0.39.0\", \"algorithm_type\": "
        "\"dpmsolver++\","
        "\"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"dynamic_thresholding_ratio\": 0.995,"
        "\"euler_at_final\": false, \"final_sigmas_type\": \"zero\", \"flow_shift\": 1.0, \"lambda_min_clipped\": -Infinity,"
        "\"lower_order_final\": true, \"num_train_timesteps\": 1000, \"prediction_type\": \"v_prediction\","
        "\"rescale_betas_zero_snr\": false, \"sample_max_value\": 1.0, \"solver_order\": 2, \"solver_type\": \"midpoint\","
        "\"steps_offset\": 1, \"thresholding\": false, \"time_shift_type\": \"exponential\", \"timestep_spacing\": \"leading\","
        "\"trained_betas\": null, \"use_beta_sigmas\": false, \"use_dynamic_shifting\": false, \"use_exponential_sigmas\": false,"
        "\"use_flow_sigmas\": false, \"use_karras_sigmas\": true, \"use_lu_lambdas\": false, \"variance_type\": null}",
        NULL, &schedule, &sampler));
    assert_int_equal(sampler, BR_SAMPLER_DPMPP_2M);
    assert_int_equal(schedule.params.prediction, BR_PREDICTION_V);
    assert_int_equal(schedule.params.spacing, BR_SPACING_LEADING);
    assert_int_equal(schedule.params.sigmas, BR_SIGMAS_KARRAS);
    br_sampler_plan plan;
    br_sampler_params params = {.schedule = &schedule, .sampler = sampler, .sigmas = BR_SIGMAS_DISCRETE, .steps = 3};
    assert_status_ok(br_sampler_plan_init(&params, &plan));
    assert_true(plan.evaluations[0].timestep == 751 && plan.evaluations[2].timestep == 251); /* nothing clipped */
    br_sampler_plan_finish(&plan);
    br_schedule_finish(&schedule);
}

static void bad_configs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        br_code code;
        const char *message;
    } cases[] = {
        {"[]", BR_ERROR_FORMAT, "not an object"},
        {"{}", BR_ERROR_FORMAT, "_class_name"},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"}", BR_ERROR_UNSUPPORTED, "FlowMatchEulerDiscreteScheduler"},
        {"{\"_class_name\": 3}", BR_ERROR_FORMAT, "_class_name"},
        {"{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": true}", BR_ERROR_UNSUPPORTED, "clip_sample"},
        {"{\"_class_name\": \"DDIMScheduler\", \"thresholding\": true}", BR_ERROR_UNSUPPORTED, "thresholding"},
        {"{\"_class_name\": \"DDIMScheduler\", \"frobnicate\": 0}", BR_ERROR_UNSUPPORTED, "frobnicate"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_schedule\": \"sigmoid\"}", BR_ERROR_UNSUPPORTED, "sigmoid"},
        {"{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"flow_prediction\"}", BR_ERROR_UNSUPPORTED, "flow_prediction"},
        {"{\"_class_name\": \"DDIMScheduler\", \"timestep_spacing\": \"sideways\"}", BR_ERROR_UNSUPPORTED, "sideways"},
        {"{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned_range\"}", BR_ERROR_UNSUPPORTED, "learned_range"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"sigma_max\": 80.0}", BR_ERROR_UNSUPPORTED, "sigma_max"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"interpolation_type\": \"log_linear\"}", BR_ERROR_UNSUPPORTED,
         "log_linear"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"timestep_type\": 7}", BR_ERROR_UNSUPPORTED, "timestep_type"},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_order\": 3}", BR_ERROR_UNSUPPORTED, "solver_order"},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver\"}", BR_ERROR_UNSUPPORTED,
         "\"dpmsolver\""},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_type\": \"heun\"}", BR_ERROR_UNSUPPORTED, "heun"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_type\": \"bh1\"}", BR_ERROR_UNSUPPORTED, "bh1"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"predict_x0\": false}", BR_ERROR_UNSUPPORTED, "predict_x0"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"disable_corrector\": [0]}", BR_ERROR_UNSUPPORTED, "disable_corrector"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"use_karras_sigmas\": true, \"use_beta_sigmas\": true}", BR_ERROR_FORMAT,
         "use_beta_sigmas"},
        {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 1, \"rescale_betas_zero_snr\": true}", BR_ERROR_ARGUMENT,
         "zero terminal SNR"},
        {"{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 0}", BR_ERROR_FORMAT, "original_inference_steps"},
        {"{\"_class_name\": \"LCMScheduler\", \"timestep_scaling\": 0}", BR_ERROR_FORMAT, "timestep_scaling is 0"},
        {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 0}", BR_ERROR_FORMAT, "num_train_timesteps"},
        {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 1000000000}", BR_ERROR_FORMAT, "num_train_timesteps"},
        {"{\"_class_name\": \"DDIMScheduler\", \"steps_offset\": -1}", BR_ERROR_FORMAT, "steps_offset"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_start\": 0}", BR_ERROR_ARGUMENT, "beta_start"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_start\": 0.5, \"beta_end\": 0.1}", BR_ERROR_ARGUMENT, "beta_end"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_end\": \"a\"}", BR_ERROR_FORMAT, "beta_end"},
        {"{\"_class_name\": \"DDIMScheduler\", \"trained_betas\": [0.1]}", BR_ERROR_FORMAT, "trained_betas"},
        {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 2, \"trained_betas\": [0.1, \"x\"]}", BR_ERROR_FORMAT,
         "trained_betas[1]"},
        {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 2, \"trained_betas\": [0.1, 1.5]}", BR_ERROR_ARGUMENT,
         "beta 1"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_start\": 0.9, \"beta_end\": 0.9}", BR_ERROR_ARGUMENT, "alpha_bar"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        br_schedule schedule;
        br_sampler sampler;
        memset(&schedule, 0xa5, sizeof schedule);
        assert_status(read_config(cases[i].text, NULL, &schedule, &sampler), cases[i].code, cases[i].message);
        assert_null(schedule.beta);
    }
}

static void sampler_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        br_sampler sampler;
    } names[] = {
        {"ddim", BR_SAMPLER_DDIM},
        {"DDPM", BR_SAMPLER_DDPM},
        {"Euler", BR_SAMPLER_EULER},
        {"Euler a", BR_SAMPLER_EULER_A},
        {"euler-ancestral", BR_SAMPLER_EULER_A},
        {"heun", BR_SAMPLER_HEUN},
        {"PLMS", BR_SAMPLER_PNDM},
        {"DPM++ 2M", BR_SAMPLER_DPMPP_2M},
        {"dpm++2m", BR_SAMPLER_DPMPP_2M},
        {"dpmpp_2m", BR_SAMPLER_DPMPP_2M},
    };
    br_sampler sampler;
    br_sigmas sigmas;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_status_ok(br_sampler_from_name(names[i].name, &sampler));
        assert_int_equal(sampler, names[i].sampler);
    }
    for (int i = 0; i < BR_SAMPLER_COUNT; i++) { /* every name and label leads back */
        assert_status_ok(br_sampler_from_name(br_sampler_name((br_sampler)i), &sampler));
        assert_int_equal(sampler, i);
        assert_status_ok(br_sampler_from_name(br_sampler_label((br_sampler)i), &sampler));
        assert_int_equal(sampler, i);
    }
    assert_status(br_sampler_from_name("plmss", &sampler), BR_ERROR_ARGUMENT, "ddim, ddpm, pndm, lms, euler, euler_a, heun, ");
    assert_status(br_sampler_from_name("", &sampler), BR_ERROR_ARGUMENT, "unknown sampler");
    assert_status(br_sampler_from_name("a name that is far longer than any sampler's", &sampler), BR_ERROR_ARGUMENT,
                  "unknown sampler");
    assert_status_ok(br_sigmas_from_name("karras", &sigmas));
    assert_int_equal(sigmas, BR_SIGMAS_KARRAS);
    for (int i = 0; i < BR_SIGMAS_COUNT; i++) {
        assert_status_ok(br_sigmas_from_name(br_sigmas_name((br_sigmas)i), &sigmas));
        assert_int_equal(sigmas, i);
        const char *label = br_sigmas_label((br_sigmas)i);
        if (label)
            assert_status_ok(br_sigmas_from_name(label, &sigmas));
        assert_int_equal(sigmas, i);
    }
    assert_status(br_sigmas_from_name("exponentially", &sigmas), BR_ERROR_ARGUMENT, "default, discrete, karras, exponential");
}

static void bad_plans(void **state)
{
    (void)state;
    br_schedule_params schedule_params = br_schedule_params_default();
    schedule_params.steps_offset = 1;
    br_schedule schedule;
    assert_status_ok(br_schedule_init(&schedule_params, &schedule));
    const struct {
        br_sampler_params params;
        const char *message;
    } cases[] = {
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 0}, "steps is 0"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_EULER, .steps = 1001}, "steps is 1001"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 1000}, "1000 steps"}, /* would begin at timestep 1000 */
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DPMPP_2M, .steps = 1000}, "1000 steps"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 20, .eta = 1.5}, "eta is 1.5"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 20, .eta = NAN}, "eta"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_LCM, .steps = 51}, "steps is 51, but sampler lcm knows only the 50"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_TCD, .steps = 51}, "distilled"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_EULER_A, .steps = 20, .s_noise = -1}, "s_noise is -1"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 20, .s_noise = 0.5}, "sampler ddim has none"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_EULER, .steps = 20, .eta = 0.5}, "sampler euler has none"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDIM, .steps = 20, .sigmas = BR_SIGMAS_KARRAS}, "karras"},
        {{.schedule = &schedule, .sampler = BR_SAMPLER_DDPM, .steps = 20, .sigmas = BR_SIGMAS_KARRAS}, "ddpm"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        br_sampler_plan plan;
        memset(&plan, 0xa5, sizeof plan);
        assert_status(br_sampler_plan_init(&cases[i].params, &plan), BR_ERROR_ARGUMENT, cases[i].message);
        assert_null(plan.evaluations);
    }
    br_schedule_finish(&schedule);
}

/* Every coefficient of every plan is finite, for every step count up to what the schedule allows and on tiny schedules. */
static void coefficients_are_finite(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 13, 89, 1000};
    static const int steps[] = {1, 2, 3, 7, 13, 14, 15, 89, 113, 499, 997, 999, 1000};
    int plans = 0;
    for (size_t n = 0; n < 2 * sizeof sizes / sizeof *sizes; n++) {
        br_schedule_params schedule_params = br_schedule_params_default();
        schedule_params.timesteps = sizes[n / 2];
        schedule_params.zero_terminal_snr = n % 2 && sizes[n / 2] > 1;
        br_schedule schedule;
        assert_status_ok(br_schedule_init(&schedule_params, &schedule));
        for (int sampler = 0; sampler < BR_SAMPLER_COUNT; sampler++)
            for (size_t s = 0; s < (BR_SIGMAS_COUNT - 1) * sizeof steps / sizeof *steps; s++) {
                br_sampler_plan plan;
                br_sampler_params params = {
                    .schedule = &schedule, .sampler = (br_sampler)sampler, .steps = steps[s / (BR_SIGMAS_COUNT - 1)]};
                params.sigmas = (br_sigmas)(BR_SIGMAS_DISCRETE + s % (BR_SIGMAS_COUNT - 1));
                br_status status = br_sampler_plan_init(&params, &plan);
                if (status) {
                    assert_int_equal(br_status_code(status), BR_ERROR_ARGUMENT);
                    br_status_free(status);
                    continue;
                }
                plans++;
                for (int i = 0; i < plan.evaluation_count; i++) {
                    const br_sampler_step *e = &plan.evaluations[i];
                    double all = e->timestep + e->input_scale + e->x_scale + e->out_scale + e->noise_scale + e->h_x + e->h_out +
                                 e->x0_x + e->x0_out + e->sigma;
                    for (int k = 0; k < BR_SAMPLER_HISTORY; k++)
                        all += e->history_scale[k];
                    if (!isfinite(all)) {
                        print_error("%s, %d timesteps, %d steps, %s: evaluation %d is not finite\n",
                                    br_sampler_name(params.sampler), sizes[n / 2], params.steps, br_sigmas_name(params.sigmas), i);
                        fail();
                    }
                    assert_true(e->timestep >= 0 && e->timestep <= sizes[n / 2] - 1);
                }
                br_sampler_plan_finish(&plan);
            }
        br_schedule_finish(&schedule);
    }
    assert_true(plans > 3000);
    print_message("%d plans\n", plans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_matches_diffusers),
        cmocka_unit_test(emoji_model),
        cmocka_unit_test(pndm_of_sd15),
        cmocka_unit_test(defaults_follow_the_class),
        cmocka_unit_test(dpm_solver_as_saved),
        cmocka_unit_test(bad_configs),
        cmocka_unit_test(sampler_names),
        cmocka_unit_test(bad_plans),
        cmocka_unit_test(coefficients_are_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
