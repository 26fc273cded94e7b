#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/session.h"

typedef struct arguments {
    br_session_options session;
    bool tensors;
    int64_t width, height, batch_size;
} arguments;

typedef struct memory_report {
    br_memory_info info;
    int width, height, batch_size;
    uint64_t budget;   /* as asked for; 0: none */
    char device[256];  /* whose memory it is about */
    char *no_device;   /* owned; why a minimum device was assumed, or NULL */
    const char *dtype; /* as asked for */
} memory_report;

/* Dtypes of a component's tensors, "F16" or "F16, F32". */
static void list_dtypes(const br_model *model, int component, char *out_text, size_t size)
{
    size_t used = 0;
    *out_text = 0;
    for (int i = 0; i < br_model_component(model, component).tensor_count; i++) {
        const char *dtype = br_model_tensor(model, component, i).dtype;
        if (!strstr(out_text, dtype) && used + strlen(dtype) + 3 < size)
            used += (size_t)snprintf(out_text + used, size - used, "%s%s", used ? ", " : "", dtype);
    }
}

static void print_shape(const br_tensor_info *tensor)
{
    putchar('[');
    for (int i = 0; i < tensor->rank; i++)
        printf("%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    putchar(']');
}

static void print_tensors(const br_model *model)
{
    for (int c = 0; c < br_model_component_count(model); c++) {
        br_component_info component = br_model_component(model, c);
        printf("\n%s\n", component.name);
        for (int i = 0; i < component.tensor_count; i++) {
            br_tensor_info tensor = br_model_tensor(model, c, i);
            printf("  %-4s %-68s ", tensor.dtype, tensor.name);
            print_shape(&tensor);
            putchar('\n');
        }
    }
}

static void print_components(const br_model *model)
{
    char parameters[BR_FORMAT_SIZE], bytes[BR_FORMAT_SIZE], dtypes[64];
    br_model_defaults defaults = br_model_get_defaults(model);
    uint64_t all_parameters = 0, all_bytes = 0;
    int all_tensors = 0;
    printf("model     %s\n", br_model_name(model));
    printf("path      %s\n", br_model_path(model));
    if (br_model_format(model))
        printf("format    %s\n", br_model_format(model));
    printf("family    %s\n", br_model_family(model) ? br_model_family(model) : "not known");
    for (int i = 0; br_model_note(model, i); i++)
        printf("%-9s %s\n", i ? "" : "note", br_model_note(model, i));
    printf("draws     %dx%d, sizes are multiples of %d\n", defaults.width, defaults.height, defaults.size_multiple);
    printf("with      %d steps of %s, schedule %s, cfg %g\n\n", defaults.steps, defaults.sampler, defaults.schedule,
           defaults.guidance);
    printf("%-14s %-22s %7s %11s  %-9s %10s\n", "component", "class", "tensors", "parameters", "dtype", "bytes");
    for (int c = 0; c < br_model_component_count(model); c++) {
        br_component_info component = br_model_component(model, c);
        list_dtypes(model, c, dtypes, sizeof dtypes);
        printf("%-14s %-22s %7d %11s  %-9s %10s\n", component.name, component.class_name, component.tensor_count,
               br_format_si((double)component.parameter_count, "", parameters), dtypes,
               br_format_bytes((double)component.file_bytes, bytes));
        all_tensors += component.tensor_count;
        all_parameters += component.parameter_count;
        all_bytes += component.file_bytes;
    }
    printf("%-14s %-22s %7d %11s  %-9s %10s\n", "all", "", all_tensors, br_format_si((double)all_parameters, "", parameters), "",
           br_format_bytes((double)all_bytes, bytes));
}

/* What becomes of the weights that there is no room for. */
static void print_budget(const memory_report *report)
{
    const br_memory_info *info = &report->info;
    char budget[BR_FORMAT_SIZE], least[BR_FORMAT_SIZE], whole[BR_FORMAT_SIZE], streamed[BR_FORMAT_SIZE];
    printf("\nOf a memory budget of %s; at least %s would do, and %s hold everything at once.\n",
           br_format_bytes((double)report->budget, budget), br_format_bytes((double)info->least_budget, least),
           br_format_bytes((double)info->whole_budget, whole));
    for (int i = 0; i < info->stage_count; i++)
        if (info->stages[i].streamed_bytes)
            printf("%-14s streams %s of its weights in every run, of %d segments\n", info->stages[i].name,
                   br_format_bytes((double)info->stages[i].streamed_bytes, streamed), info->stages[i].segments);
    if (info->tile_width < report->width || info->tile_height < report->height)
        printf("%-14s works in tiles of %dx%d\n", "decode", info->tile_width, info->tile_height);
}

static void print_memory(const memory_report *report)
{
    char flops[BR_FORMAT_SIZE], weights[BR_FORMAT_SIZE], activations[BR_FORMAT_SIZE], bound[BR_FORMAT_SIZE], total[BR_FORMAT_SIZE];
    const br_memory_info *info = &report->info;
    printf("\nDevice memory and work for %dx%d, %d at once, on %s\n\n", report->width, report->height, report->batch_size,
           report->device);
    printf("%-14s %5s %10s %14s %12s %12s %15s\n", "stage", "dtype", "dispatches", "work", "weights", "activations", "at least");
    for (int i = 0; i < info->stage_count; i++) {
        const br_stage_info *stage = &info->stages[i];
        printf("%-14s %5s %10d %14s %12s %12s %15s\n", stage->name, stage->dtype, stage->dispatches,
               br_format_si((double)stage->flops, "FLOP", flops), br_format_bytes((double)stage->weight_bytes, weights),
               br_format_bytes((double)stage->activation_bytes, activations),
               br_format_bytes((double)stage->activation_lower_bound_bytes, bound));
    }
    printf("%-14s %5s %10s %14s %12s %12s\n\n", "all", "", "", "", br_format_bytes((double)info->weight_bytes, weights),
           br_format_bytes((double)info->activation_bytes, activations));
    printf(
        "%s in all. The work of \"denoise\" is that of one step with guidance; the stages use the same memory for activations.\n",
        br_format_bytes((double)info->total_bytes, total));
    if (report->budget)
        print_budget(report);
    if (report->no_device)
        printf("There is no device here (%s): a minimum device is assumed.\n", report->no_device);
}

static json_t *component_json(const br_model *model, int index, bool with_tensors)
{
    char dtypes[64];
    br_component_info component = br_model_component(model, index);
    list_dtypes(model, index, dtypes, sizeof dtypes);
    json_t *root = json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:s}", "name", component.name, "class", component.class_name, "path",
                             component.path, "tensor_count", component.tensor_count, "parameters",
                             (json_int_t)component.parameter_count, "bytes", (json_int_t)component.file_bytes, "dtype", dtypes);
    if (!root || !with_tensors)
        return root;
    json_t *tensors = json_array();
    for (int i = 0; i < component.tensor_count; i++) {
        br_tensor_info tensor = br_model_tensor(model, index, i);
        json_t *shape = json_array();
        for (int k = 0; k < tensor.rank; k++)
            json_array_append_new(shape, json_integer(tensor.shape[k]));
        json_array_append_new(tensors, json_pack("{s:s, s:s, s:o, s:I}", "name", tensor.name, "dtype", tensor.dtype, "shape", shape,
                                                 "bytes", (json_int_t)tensor.bytes));
    }
    json_object_set_new(root, "tensors", tensors);
    return root;
}

static json_t *memory_json(const memory_report *report)
{
    const br_memory_info *info = &report->info;
    json_t *stages = json_array();
    for (int i = 0; i < info->stage_count; i++) {
        const br_stage_info *stage = &info->stages[i];
        json_array_append_new(stages,
                              json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:i}", "name", stage->name, "dtype", stage->dtype,
                                        "dispatches", stage->dispatches, "flops", (json_int_t)stage->flops, "weight_bytes",
                                        (json_int_t)stage->weight_bytes, "activation_bytes", (json_int_t)stage->activation_bytes,
                                        "activation_lower_bound_bytes", (json_int_t)stage->activation_lower_bound_bytes,
                                        "streamed_bytes", (json_int_t)stage->streamed_bytes, "segments", stage->segments));
    }
    return json_pack("{s:s?, s:s?, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:[i, i], s:o}", "device",
                     report->no_device ? NULL : report->device, "no_device", report->no_device, "width", report->width, "height",
                     report->height, "batch_size", report->batch_size, "weight_bytes", (json_int_t)info->weight_bytes,
                     "activation_bytes", (json_int_t)info->activation_bytes, "total_bytes", (json_int_t)info->total_bytes,
                     "least_budget", (json_int_t)info->least_budget, "whole_budget", (json_int_t)info->whole_budget, "tile",
                     info->tile_width, info->tile_height, "stages", stages);
}

static br_status print_json(const br_model *model, const memory_report *report, bool with_tensors)
{
    br_model_defaults defaults = br_model_get_defaults(model);
    json_t *components = json_array(), *notes = json_array();
    for (int i = 0; br_model_note(model, i); i++)
        json_array_append_new(notes, json_string(br_model_note(model, i)));
    for (int i = 0; i < br_model_component_count(model); i++)
        json_array_append_new(components, component_json(model, i, with_tensors));
    return br_print_json(json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:{s:i, s:i, s:i, s:i, s:f, s:s, s:s}, s:o, s:o}", "name",
                                   br_model_name(model), "path", br_model_path(model), "format", br_model_format(model), "family",
                                   br_model_family(model), "notes", notes, "defaults", "width", defaults.width, "height",
                                   defaults.height, "size_multiple", defaults.size_multiple, "steps", defaults.steps, "cfg",
                                   defaults.guidance, "sampler", defaults.sampler, "schedule", defaults.schedule, "components",
                                   components, "memory", memory_json(report)));
}

/* The device as it was asked for, or the preferred one by its name. */
static void name_device(const br_session *session, char *out_text, size_t size)
{
    br_device_info info;
    br_status status = session->options.device ? NULL : br_context_device_info(session->context, 0, &info);
    if (session->options.device)
        snprintf(out_text, size, "device \"%s\"", session->options.device);
    else
        snprintf(out_text, size, "%s", status ? "the preferred device" : info.name);
    br_status_free(status);
}

/* A machine without Vulkan can look at a model too, unless a device was asked for. */
static br_status plan_memory(br_session *session, const arguments *a, memory_report *out_report)
{
    br_model_defaults defaults = br_model_get_defaults(session->model);
    *out_report = (memory_report){
        .width = a->width > 0 ? (int)a->width : defaults.width,
        .height = a->height > 0 ? (int)a->height : defaults.height,
        .batch_size = (int)a->batch_size,
        .budget = a->session.memory_budget,
    };
    br_memory_params params = {
        .selector = a->session.device,
        .precision = br_precision_named(a->session.dtype),
        .width = out_report->width,
        .height = out_report->height,
        .batch_size = out_report->batch_size,
        .memory_budget = a->session.memory_budget,
        .vae_tile = br_session_vae_tile(&a->session),
    };
    br_status status = br_session_open_context(session);
    if (!status) {
        params.context = session->context;
        status = br_model_memory(session->model, &params, &out_report->info);
        name_device(session, out_report->device, sizeof out_report->device);
    }
    if (br_status_code(status) != BR_ERROR_NO_VULKAN || a->session.device)
        return status;
    out_report->no_device = strdup(br_status_message(status));
    snprintf(out_report->device, sizeof out_report->device, "a minimum device");
    br_status_free(status);
    params.context = NULL;
    return br_model_memory(session->model, &params, &out_report->info);
}

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"}, .width = -1, .height = -1, .batch_size = 1};
    const char *word = NULL, *model = "the model's";
    const br_option rows[] = {
        BR_ROWS_MODEL(a->session),
        BR_ROW_ARCH(a->session),
        {"tensors", 0, BR_OPTION_FLAG, &a->tensors, NULL, "list every tensor: dtype, name, shape"},
        {"width", 'W', BR_OPTION_INT, &a->width, "N", "of the picture whose memory is planned", model, 1, INT_MAX},
        {"height", 'H', BR_OPTION_INT, &a->height, "N", "of the picture whose memory is planned", model, 1, INT_MAX},
        {"batch-size", 0, BR_OPTION_INT, &a->batch_size, "N", "pictures drawn at once", NULL, 1, INT_MAX},
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        BR_ROWS_MEMORY(a->session),
        BR_ROW_JSON(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], &word, 1, "; one model is expected"};
    BR_TRY(br_options_parse(call, &options, out_help));
    if (word && a->session.model)
        return br_wrong_usage(call, "unexpected \"%s\": the model was given with -m", word);
    if (word)
        a->session.model = word;
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
    memory_report report = {0};
    br_session_init(&session, &a.session);
    BR_TRY_GOTO(br_session_open_model(&session));
    BR_TRY_GOTO(plan_memory(&session, &a, &report));
    if (a.session.json) {
        BR_TRY_GOTO(print_json(session.model, &report, a.tensors));
    } else {
        print_components(session.model);
        if (a.tensors)
            print_tensors(session.model);
        print_memory(&report);
    }
fail:
    free(report.no_device);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_inspect = {
    .name = "inspect",
    .summary = "show what a model is made of, and the device memory it will need",
    .synopsis = "[options] [MODEL]",
    .details = "Nothing is drawn and no device is needed: without one, a device that offers the least Brume runs on is assumed.\n",
    .examples = "brume inspect\n"
                "brume inspect path/to/model --tensors\n"
                "brume inspect -W 512 -H 512 --batch-size 4 --dtype f32\n"
                "brume inspect --arch sdxl -W 1024 -H 1024\n"
                "brume inspect --json | jq .memory.total_bytes\n",
    .run = run,
};
