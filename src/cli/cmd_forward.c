#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "brume/forward.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session.h"

#define TIMESTEPS_MAX 64

typedef struct arguments {
    br_session_options session;
    const char *input, *output, *at;
    int64_t seed;
    bool pixels;
    int timesteps[TIMESTEPS_MAX];
    int timestep_count; /* 0: the library's choice */
} arguments;

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"}, .seed = -1};
    const br_option rows[] = {
        {"output", 'o', BR_OPTION_TEXT, &a->output, "FILE.png", "where the strip goes", "strip.png"},
        {"at", 0, BR_OPTION_TEXT, &a->at, "T,T,...", "timesteps to show", "0,100,300,600,999"},
        {"pixels", 0, BR_OPTION_FLAG, &a->pixels, NULL, "add the noise to the picture itself, not to its latents"},
        {"seed", 's', BR_OPTION_INT, &a->seed, "N", "of the noise", "-1, a random one", -1, (double)INT64_MAX},
        BR_ROWS_MODEL(a->session),
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        BR_ROW_JSON(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], &a->input, 1, "; one picture is expected"};
    BR_TRY(br_options_parse(call, &options, out_help));
    if (*out_help)
        return NULL;
    if (!a->input)
        return br_wrong_usage(call, "which picture? brume forward IN.png -o strip.png");
    if (a->at) {
        int64_t values[TIMESTEPS_MAX];
        const br_int_list list = {"--at", a->at, 0, INT_MAX, TIMESTEPS_MAX, values};
        BR_TRY(br_parse_int_list(call, &list, &a->timestep_count));
        for (int i = 0; i < a->timestep_count; i++)
            a->timesteps[i] = (int)values[i];
    }
    return NULL;
}

static br_status show(br_session *session, const arguments *a, const br_image *image, const br_output *output)
{
    br_image strip = {0};
    int64_t seed = a->seed < 0 ? br_clock_seed() : a->seed;
    const br_forward_params params = {
        .image = image,
        .timesteps = a->timestep_count ? a->timesteps : NULL,
        .timestep_count = a->timestep_count,
        .seed = seed,
        .pixels = a->pixels,
        .progress = br_bar_progress,
        .progress_user = &session->bar,
    };
    br_session_say(session, "seed", "%lld", (long long)seed);
    BR_TRY(br_forward(session->pipeline, &params, &strip));
    br_bar_clear(&session->bar);
    br_status status = br_image_save(&strip, output->paths[0], NULL);
    if (!status && a->session.json)
        status = br_print_json(json_pack("{s:s, s:I, s:i, s:i}", "path", output->paths[0], "seed", (json_int_t)seed, "width",
                                         strip.width, "height", strip.height));
    else if (!status && !output->to_stdout)
        puts(output->paths[0]);
    br_image_finish(&strip);
    return status;
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    br_session session;
    br_output output = {0};
    br_image image = {0};
    br_session_init(&session, &a.session);
    br_interrupt_init();
    BR_TRY_GOTO(br_output_init(call, &(br_output_params){a.output, "strip.png", 1, false}, &output));
    BR_TRY_GOTO(br_image_load(a.input, &image));
    BR_TRY_GOTO(br_session_open_model(&session));
    BR_TRY_GOTO(br_session_open_device(&session));
    BR_TRY_GOTO(br_session_open_pipeline(&session));
    BR_TRY_GOTO(show(&session, &a, &image, &output));
fail:
    br_image_finish(&image);
    br_output_finish(&output);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_forward = {
    .name = "forward",
    .summary = "show what noising does to a picture, step by step",
    .synopsis = "[options] IN.png",
    .details = "The strip shows the picture at each timestep, and under it the schedule's beta, alpha-bar and SNR.\n"
               "The picture is scaled to the model's size. Without -o the strip goes to strip.png, or to the first free\n"
               "of strip-001.png, ...; a name given with -o is replaced.\n",
    .examples = "brume forward cat.png -o strip.png\n"
                "brume forward cat.png --at 0,50,100,200,400,800 --pixels\n",
    .run = run,
};
