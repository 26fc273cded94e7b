#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/session.h"

typedef struct arguments {
    br_session_options session;
    br_size_options size;
    const char *stage, *mode;
    const char *trace, *json, *html, *memory;
    const char *words[2];
    int64_t batch_size, runs, rows;
    bool compare, random_weights, no_roof;
} arguments;

static const char *mode_list(int index)
{
    static const char *const names[] = {"serialised", "concurrent"};
    return index >= 0 && index < 2 ? names[index] : NULL;
}

static br_status check(br_call *call, arguments *a)
{
    if (a->compare && !a->words[1])
        return br_wrong_usage(call, "--compare needs two profiles: brume profile --compare A.json B.json");
    if (!a->compare && a->words[0])
        return br_wrong_usage(call, "unexpected \"%s\"; two files are for --compare, a model is given with -m", a->words[0]);
    if (a->random_weights && !a->session.arch)
        return br_wrong_usage(call, "--random-weights are those of --arch, which was not given");
    BR_TRY(br_size_options_check(call, &a->size));
    a->session.profile = "";
    a->session.profile_mode = strcmp(a->mode, "concurrent") == 0 ? BR_PROFILE_CONCURRENT : BR_PROFILE_SERIALISED;
    return NULL;
}

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){
        .session = {.dtype = "auto"}, .stage = "all", .mode = "serialised", .batch_size = 1, .runs = 1, .rows = BR_PROFILE_ROWS};
    const br_option rows[] = {
        BR_ROWS_MODEL(a->session),
        BR_ROW_ARCH(a->session),
        {"random-weights", 0, BR_OPTION_FLAG, &a->random_weights, NULL, "noise for weights; what --arch always has"},
        {"stage", 0, BR_OPTION_CHOICE, &a->stage, "NAME", "what to run, one of", NULL, .choices = br_stage_list},
        BR_ROWS_SIZE(a->size),
        {"batch-size", 0, BR_OPTION_INT, &a->batch_size, "N", "pictures at once", NULL, 1, INT_MAX},
        {"mode", 0, BR_OPTION_CHOICE, &a->mode, "MODE", "each dispatch alone, or as they run", .choices = mode_list},
        {"runs", 0, BR_OPTION_INT, &a->runs, "N", "timed runs of each stage, after one that is not counted", NULL, 1, 1000},
        {"rows", 0, BR_OPTION_INT, &a->rows, "N", "lines of each table; 0: all", NULL, 0, INT_MAX},
        {"html", 0, BR_OPTION_TEXT, &a->html, "FILE.html", "write a page with flame chart, table, roofline, memory"},
        {"trace", 0, BR_OPTION_TEXT, &a->trace, "FILE.json", "write a trace for ui.perfetto.dev"},
        {"json", 0, BR_OPTION_TEXT, &a->json, "FILE.json", "write all figures (or what --compare found) for machines"},
        {"memory", 0, BR_OPTION_MAYBE, &a->memory, "FILE.png", "draw which values lie where in the arena", "memory.png"},
        {"compare", 0, BR_OPTION_FLAG, &a->compare, NULL, "run nothing; say what changed from A.json to B.json"},
        {"counters", 0, BR_OPTION_FLAG, &a->session.hardware_counters, NULL,
         "also read the hardware's counters (VK_KHR_performance_query)\ninto the JSON"},
        {"no-roof", 0, BR_OPTION_FLAG, &a->no_roof, NULL, "do not measure what the device can do"},
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        BR_ROWS_UNITS(a->session),
        BR_ROWS_MEMORY(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], a->words, 2, NULL};
    BR_TRY(br_options_parse(call, &options, out_help));
    return *out_help ? NULL : check(call, a);
}

static br_status run_stages(br_session *session, const arguments *a)
{
    bool all = strcmp(a->stage, "all") == 0;
    for (int i = 0; all ? i < BR_PICTURE_STAGES : i < 1; i++) {
        if (all && !br_session_takes_stage(session, br_stage_list(i)))
            continue;
        BR_TRY(br_interrupt_check());
        BR_TRY(br_profile_stage(&(br_profile_stage_params){.pipeline = session->pipeline,
                                                           .stage = all ? br_stage_list(i) : a->stage,
                                                           .width = (int)a->size.width,
                                                           .height = (int)a->size.height,
                                                           .batch_size = (int)a->batch_size,
                                                           .runs = (int)a->runs}));
    }
    return NULL;
}

static br_status write_as(br_session *session, br_profile_format format, const char *path)
{
    if (!path)
        return NULL;
    BR_TRY(br_profile_write(session->profile, format, path));
    br_session_say(session, "wrote", "%s", path);
    return NULL;
}

static br_status profile(br_session *session, const arguments *a)
{
    BR_TRY(br_session_open_model(session));
    BR_TRY(br_session_open_device(session));
    BR_TRY(br_session_open_pipeline(session));
    BR_TRY(run_stages(session, a));
    if (!a->no_roof)
        BR_TRY(br_profile_measure_roof(session->profile, session->device));
    BR_TRY(br_profile_print(session->profile, stdout, (int)a->rows));
    fflush(stdout);
    BR_TRY(write_as(session, BR_PROFILE_JSON, a->json));
    BR_TRY(write_as(session, BR_PROFILE_TRACE, a->trace));
    BR_TRY(write_as(session, BR_PROFILE_HTML, a->html));
    return write_as(session, BR_PROFILE_MEMORY, a->memory && !*a->memory ? "memory.png" : a->memory);
}

static br_status compare(const arguments *a)
{
    br_profile_compare_params params = {.before = a->words[0], .after = a->words[1], .rows = (int)a->rows};
    BR_TRY(br_profile_compare(&params, stdout));
    if (!a->json)
        return NULL;
    br_file_writer file;
    BR_TRY(br_file_writer_begin(a->json, &file));
    params.json = true;
    br_status status = br_profile_compare(&params, file.stream);
    if (status)
        br_file_writer_abort(&file);
    else
        status = br_file_writer_commit(&file);
    return status;
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    if (a.compare)
        return compare(&a);
    br_session session;
    br_session_init(&session, &a.session);
    br_interrupt_init();
    status = profile(&session, &a);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_profile = {
    .name = "profile",
    .summary = "time every dispatch of a model, layer by layer, and show its memory",
    .synopsis = "[-m MODEL | --arch NAME] [options] | --compare A.json B.json",
    .details = "\"serialised\" runs each dispatch alone, so that its time is its own; \"concurrent\" shows how they run\n"
               "when pictures are drawn. --arch needs no files: every weight is noise. See docs/profiling.md.\n",
    .examples = "brume profile\n"
                "brume profile --arch sd15 --stage unet --size 512x512 --html unet.html\n"
                "brume profile --stage vae --json before.json\n"
                "brume profile --compare before.json after.json\n",
    .run = run,
};
