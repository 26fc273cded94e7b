#include <math.h>
#include <stdio.h>

#include "brume/tune.h"
#include "cli/format.h"
#include "cli/session.h"

typedef struct arguments {
    br_session_options session;
    double seconds;
    bool reset;
} arguments;

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"}, .seconds = 2};
    const br_option rows[] = {
        {"reset", 0, BR_OPTION_FLAG, &a->reset, NULL, "forget what was measured, and measure nothing"},
        {"seconds", 0, BR_OPTION_NUMBER, &a->seconds, "S", "after which no further candidate is begun", NULL, 0.001, 3600},
        BR_ROW_DEVICE(a->session),
        BR_ROW_JSON(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], NULL, 0, ""};
    return br_options_parse(call, &options, out_help);
}

static void print_table(const br_tune_result *result)
{
    if (result->count == 0) {
        puts("nothing to choose: this kind of device has one form");
        return;
    }
    printf("shape                     candidate       GFLOP/s     error\n");
    for (int i = 0; i < result->count; i++) {
        const br_tune_row *row = &result->rows[i];
        char shape[64];
        snprintf(shape, sizeof shape, "%s %dx%dx%d", row->shape, row->m, row->n, row->k);
        printf("%-25s %-11s %11.1f %9.1e%s%s%s\n", shape, row->candidate, row->gflops, row->error,
               row->right       ? ""
               : row->error < 0 ? "  did not run"
                                : "  wrong numbers",
               row->chosen ? "  chosen" : "", row->is_default ? "  (default)" : "");
    }
}

static br_status print_json(const br_session *session, const br_tune_result *result)
{
    json_t *rows = json_array();
    for (int i = 0; i < result->count; i++) {
        const br_tune_row *row = &result->rows[i];
        json_array_append_new(rows, json_pack("{s:s, s:[i, i, i], s:s, s:f, s:f, s:b, s:b, s:b}", "shape", row->shape, "size",
                                              row->m, row->n, row->k, "candidate", row->candidate, "gflops", row->gflops, "error",
                                              isfinite(row->error) ? row->error : -1, "right", row->right, "default",
                                              row->is_default, "chosen", row->chosen));
    }
    return br_print_json(
        json_pack("{s:s, s:f, s:o}", "device", br_device_name(session->device), "seconds", result->seconds, "rows", rows));
}

static br_status tune(br_session *session, const arguments *a)
{
    br_tune_result result;
    BR_TRY(br_session_open_device(session));
    br_session_say(session, "device", "%s", br_device_name(session->device));
    if (a->reset) {
        br_device_forget_tuning(session->device);
        return NULL;
    }
    BR_TRY(br_device_tune(session->device, a->seconds, &result));
    if (a->session.json)
        return print_json(session, &result);
    print_table(&result);
    return NULL;
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    br_session session;
    br_session_init(&session, &a.session);
    status = tune(&session, &a);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_tune = {
    .name = "tune",
    .summary = "measure which forms of matrix products and attention a device is fastest with, and remember them",
    .synopsis = "[options]",
    .details = "Three kinds of products (with many, some and few workgroups) are tried with tiles of three sizes and, where the\n"
               "device has them, with matrix units; then attention by them, and a product with Q8_0 plainly and by integer dot\n"
               "products. What is chosen is used whatever the device claims of itself; matrix units only in f16, the chosen tile\n"
               "for all other products.\n"
               "\n"
               "Each candidate is first held against the host's own arithmetic; one whose numbers are wrong is not used. The\n"
               "first drawing on a GPU does the same within two seconds, so this is for looking, and for after a change of\n"
               "cooling or power. What is remembered belongs to the device and the version of its driver. --integer-dot and\n"
               "--matrix-units of other commands go before what was measured.\n",
    .examples = "brume tune\n"
                "brume tune -d 1 --seconds 10 --json\n"
                "brume tune --reset\n",
    .run = run,
};
