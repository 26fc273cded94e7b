#include "cli/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"

/* Of --vae-tiling: as stable-diffusion-webui and diffusers have it for models of 512 pixels. */
#define VAE_TILE 512

const char *br_precision_list(int index)
{
    static const char *const names[] = {"auto", "f32", "f16"};
    return index >= 0 && index < 3 ? names[index] : NULL;
}

const char *br_choice_list(int index)
{
    static const char *const names[] = {"on", "off"};
    return index >= 0 && index < 2 ? names[index] : NULL;
}

br_choice br_choice_named(const char *name)
{
    return !name ? BR_CHOICE_AUTO : strcmp(name, "on") == 0 ? BR_CHOICE_ON : BR_CHOICE_OFF;
}

br_precision br_precision_named(const char *name)
{
    return strcmp(name, "f32") == 0 ? BR_PRECISION_F32 : strcmp(name, "f16") == 0 ? BR_PRECISION_F16 : BR_PRECISION_AUTO;
}

const char *br_stage_list(int index)
{
    static const char *const names[] = {"text", "text_2", "unet", "vae", "encode", "all"};
    return index >= 0 && index < 6 ? names[index] : NULL;
}

bool br_session_takes_stage(const br_session *session, const char *stage)
{
    const char *part = strcmp(stage, "text") == 0 ? "text_encoder" : strcmp(stage, "text_2") == 0 ? "text_encoder_2" : NULL;
    for (int i = 0; part && i < br_model_component_count(session->model); i++)
        if (strcmp(br_model_component(session->model, i).name, part) == 0)
            return true;
    return part == NULL;
}

int br_session_vae_tile(const br_session_options *options)
{
    return options->vae_tile ? (int)options->vae_tile : options->vae_tiling ? VAE_TILE : 0;
}

br_status br_size_options_check(br_call *call, br_size_options *size)
{
    int width, height;
    char end;
    if (!size->text)
        return NULL;
    if (size->width || size->height)
        return br_wrong_usage(call, "--size and --width or --height given, expected one or the other");
    if (sscanf(size->text, "%9dx%9d%c", &width, &height, &end) != 2 || width < 1 || height < 1)
        return br_wrong_usage(call, "--size: \"%s\" given, expected WIDTHxHEIGHT, like 512x512", size->text);
    size->width = width;
    size->height = height;
    return NULL;
}

void br_session_init(br_session *session, const br_session_options *options)
{
    *session = (br_session){.options = *options};
    br_bar_init(&session->bar, options->quiet);
}

void br_session_finish(br_session *session)
{
    br_bar_clear(&session->bar);
    br_pipeline_destroy(session->pipeline);
    br_pipeline_destroy(session->refiner);
    br_profile_destroy(session->profile);
    br_model_close(session->model);
    br_model_close(session->refiner_model);
    br_device_close(session->device);
    br_context_destroy(session->context);
    *session = (br_session){0};
}

static br_log_level log_level(const br_session *session)
{
    return session->options.verbose ? BR_LOG_DEBUG : BR_LOG_WARNING;
}

br_status br_session_open_model(br_session *session)
{
    if (session->options.profile)
        BR_TRY(br_profile_create(session->options.profile_mode, &session->profile));
    int span = br_profile_begin(session->profile, "load");
    br_model_params params = {.path = session->options.model,
                              .config = session->options.config,
                              .vae = session->options.vae,
                              .prediction = session->options.prediction,
                              .architecture = session->options.arch,
                              .log = br_bar_log,
                              .log_user = &session->bar,
                              .log_level = log_level(session)};
    br_status status = br_model_open(&params, &session->model);
    if (!status && session->options.refiner) {
        params.path = session->options.refiner;
        params.config = params.prediction = NULL;
        status = br_status_prefix(br_model_open(&params, &session->refiner_model), "--refiner");
    }
    br_profile_end(session->profile, span);
    return status;
}

br_status br_session_open_context(br_session *session)
{
    const br_context_params params = {.log = br_bar_log, .log_user = &session->bar, .log_level = log_level(session)};
    return br_context_create(&params, &session->context);
}

br_status br_session_open_device(br_session *session)
{
    if (!session->context)
        BR_TRY(br_session_open_context(session));
    const br_device_params params = {.context = session->context,
                                     .selector = session->options.device,
                                     .integer_dot = br_choice_named(session->options.integer_dot),
                                     .matrix_units = br_choice_named(session->options.matrix_units),
                                     .hardware_counters = session->options.hardware_counters};
    return br_device_open(&params, &session->device);
}

br_status br_session_open_pipeline(br_session *session)
{
    BR_TRY(br_interrupt_check());
    br_pipeline_params params = {.device = session->device,
                                 .model = session->refiner_model,
                                 .precision = br_precision_named(session->options.dtype),
                                 .memory_budget = session->options.memory_budget / (session->refiner_model ? 2 : 1),
                                 .vae_tile = br_session_vae_tile(&session->options),
                                 .profile = session->profile,
                                 .width = session->options.width,
                                 .height = session->options.height,
                                 .batch_size = session->options.batch_size,
                                 .random_weights = session->options.random_weights};
    if (session->refiner_model)
        BR_TRY(br_status_prefix(br_pipeline_create(&params, &session->refiner), "--refiner"));
    params.model = session->model; /* last: a profile bears its name */
    BR_TRY(br_pipeline_create(&params, &session->pipeline));
    br_session_say(session, "model", "%s", br_model_path(session->model));
    if (session->refiner_model)
        br_session_say(session, "refiner", "%s", br_model_path(session->refiner_model));
    br_session_say(session, "device", "%s, %s", br_device_name(session->device), br_pipeline_dtype(session->pipeline));
    return br_interrupt_check();
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

br_status br_session_write_profile(br_session *session, const char *path)
{
    br_profile_format format = BR_PROFILE_JSON;
    if (ends_with(path, ".html") || ends_with(path, ".htm"))
        format = BR_PROFILE_HTML;
    else if (ends_with(path, ".png"))
        format = BR_PROFILE_MEMORY;
    else if (ends_with(path, ".trace.json") || ends_with(path, ".trace"))
        format = BR_PROFILE_TRACE;
    BR_TRY(br_profile_write(session->profile, format, path));
    br_session_say(session, "profile", "%s", path);
    return NULL;
}

br_status br_session_report_profile(br_session *session)
{
    if (!session->profile)
        return NULL;
    BR_TRY(br_profile_measure_roof(session->profile, session->device));
    if (!session->options.quiet) {
        br_bar_clear(&session->bar);
        BR_TRY(br_profile_print(session->profile, stderr, BR_PROFILE_ROWS));
    }
    return *session->options.profile ? br_session_write_profile(session, session->options.profile) : NULL;
}

void br_session_say(br_session *session, const char *label, const char *format, ...)
{
    if (session->options.quiet)
        return;
    br_bar_clear(&session->bar);
    fprintf(stderr, "%-8s", label);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
