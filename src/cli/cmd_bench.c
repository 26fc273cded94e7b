#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "brume/bench.h"
#include "cli/format.h"
#include "cli/session.h"

#define OP_SIZES_MAX 16

typedef struct arguments {
    br_session_options session;
    br_size_options size; /* of the picture */
    const char *op;
    int64_t sizes[OP_SIZES_MAX];
    int size_count;
    const char *stage;
    int64_t batch_size, runs;
    bool roof, list, growth;
    const char *output; /* of the growth's picture */
    double seconds;     /* for measuring it */
} arguments;

/* "linear" of "linear M,N,K". */
static bool is_op(const char *usage, const char *name)
{
    size_t length = strlen(name);
    return strncmp(usage, name, length) == 0 && (usage[length] == ' ' || !usage[length]);
}

static br_status check_op(br_call *call, const char *name)
{
    char all[256] = "";
    size_t used = 0;
    for (int i = 0; br_bench_op_usage(i); i++) {
        const char *usage = br_bench_op_usage(i);
        if (is_op(usage, name))
            return NULL;
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%.*s", i ? ", " : "", (int)strcspn(usage, " "), usage);
    }
    return br_wrong_usage(call, "\"%s\" given, expected an op: one of %s", name, all);
}

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"}, .batch_size = 1, .runs = 5, .output = "growth.png", .seconds = 60};
    const char *words[2] = {NULL, NULL};
    const br_option rows[] = {
        {"stage", 0, BR_OPTION_CHOICE, &a->stage, "NAME", "time a stage of a model, one of", "", .choices = br_stage_list},
        {"roof", 0, BR_OPTION_FLAG, &a->roof, NULL, "measure what the device can do: a large matrix product, a large copy"},
        {"growth", 0, BR_OPTION_FLAG, &a->growth, NULL, "draw how time and memory grow with the size and with the batch"},
        {"output", 'o', BR_OPTION_TEXT, &a->output, "FILE", "of --growth"},
        {"seconds", 0, BR_OPTION_NUMBER, &a->seconds, "S", "for measuring --growth; larger shapes are planned only", NULL, 0, 1e6},
        {"list", 0, BR_OPTION_FLAG, &a->list, NULL, "list the ops and what their sizes mean"},
        {"runs", 0, BR_OPTION_INT, &a->runs, "N", "timed runs, after one that is not counted", NULL, 1, 100000},
        BR_ROWS_MODEL(a->session),
        BR_ROW_ARCH(a->session),
        BR_ROWS_SIZE(a->size),
        {"batch", 0, BR_OPTION_INT, &a->batch_size, "N", "pictures at once, for a stage; --batch-size is the same", NULL, 1,
         INT_MAX},
        {"batch-size", 0, BR_OPTION_INT, &a->batch_size, "N", "of --batch", "", 1, INT_MAX},
        {"random-weights", 0, BR_OPTION_FLAG, &a->session.random_weights, NULL,
         "noise for weights, made on the device, with a model's shape too; as --arch"},
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        BR_ROWS_UNITS(a->session),
        BR_ROWS_MEMORY(a->session),
        BR_ROW_JSON(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], words, 2,
                                "; sizes are written with commas: linear 1024,1024,1024"};
    BR_TRY(br_options_parse(call, &options, out_help));
    if (*out_help || a->list)
        return NULL;
    BR_TRY(br_size_options_check(call, &a->size));
    a->op = words[0];
    if (a->op && a->stage)
        return br_wrong_usage(call, "an op (%s) and a stage (%s) given, expected one of the two", a->op, a->stage);
    if (a->growth && (a->op || a->stage))
        return br_wrong_usage(call, "--growth and %s given, expected one of the two", a->op ? a->op : "--stage");
    if (!a->op && !a->stage && !a->roof && !a->growth)
        return br_wrong_usage(call, "what should be timed? An op (brume bench linear 1024,1024,1024), --stage unet, or --roof");
    a->roof |= a->stage && a->session.json; /* what a figure is held against belongs to it */
    if (!a->op)
        return NULL;
    BR_TRY(check_op(call, a->op));
    if (!words[1])
        return br_wrong_usage(call, "%s needs sizes; \"brume bench --list\" says which", a->op);
    const br_int_list list = {a->op, words[1], 0, INT_MAX, OP_SIZES_MAX, a->sizes};
    return br_parse_int_list(call, &list, &a->size_count);
}

static double roof_flops(const br_bench_roof *roof, const char *dtype)
{
    if (!roof)
        return 0;
    return strcmp(dtype, "f16") == 0 && roof->gemm_f16_flops > 0 ? roof->gemm_f16_flops : roof->gemm_f32_flops;
}

static void print_roof(const br_bench_roof *roof)
{
    char f32[BR_FORMAT_SIZE], f16[BR_FORMAT_SIZE], copy[BR_FORMAT_SIZE];
    printf("roof\n  matrix product  f32 %s", br_format_si(roof->gemm_f32_flops, "FLOP/s", f32));
    if (roof->gemm_f16_flops > 0)
        printf(", f16 %s", br_format_si(roof->gemm_f16_flops, "FLOP/s", f16));
    printf("\n  copy            %s, read plus written\n", br_format_si(roof->copy_bytes, "B/s", copy));
}

static void print_result(const br_bench_result *result, const br_bench_roof *roof, bool is_stage)
{
    char a[BR_FORMAT_SIZE], b[BR_FORMAT_SIZE], c[BR_FORMAT_SIZE];
    double flops = result->flops / result->seconds_median, bytes = result->bytes / result->seconds_median;
    printf("%s, %s%s%s\n", result->name, result->dtype, *result->variant ? ", mostly " : "", result->variant);
    printf("  time    %s median, %s to %s in %d runs\n", br_format_seconds(result->seconds_median, a),
           br_format_seconds(result->seconds_min, b), br_format_seconds(result->seconds_max, c), result->runs);
    printf("  speed   %s", br_format_si(flops, "FLOP/s", a));
    if (roof)
        printf(" (%.0f %% of the roof)", 100 * flops / roof_flops(roof, result->dtype));
    printf(", %s", br_format_si(bytes, "B/s", b));
    if (roof)
        printf(" (%.0f %%)", 100 * bytes / roof->copy_bytes);
    printf("\n  work    %s, %s\n", br_format_si(result->flops, "FLOP", a), br_format_si(result->bytes, "B", b));
    if (is_stage)
        printf("  memory  %s weights, %s activations, %s at most in all\n", br_format_bytes((double)result->weight_bytes, a),
               br_format_bytes((double)result->activation_bytes, b), br_format_bytes((double)result->peak_device_bytes, c));
    printf("  host    %s of CPU time a run, %d dispatches\n", br_format_seconds(result->cpu_seconds, a), result->dispatches);
    if (is_stage && !result->finite)
        printf("  result  not finite: the numbers overflow, or the driver computes nothing\n");
}

static json_t *roof_json(const br_bench_roof *roof)
{
    return json_pack("{s:f, s:o, s:f}", "gemm_f32_flops", roof->gemm_f32_flops, "gemm_f16_flops",
                     roof->gemm_f16_flops > 0 ? json_real(roof->gemm_f16_flops) : json_null(), "copy_bytes_per_second",
                     roof->copy_bytes);
}

/* `stage` is NULL for an op. */
static json_t *result_json(const arguments *a, const char *device, const char *stage, const br_bench_result *result,
                           const br_bench_roof *roof)
{
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:o}", "name", result->name, "dtype", result->dtype, "variant",
                  result->variant, "runs", result->runs, "seconds_median", result->seconds_median, "seconds_min",
                  result->seconds_min, "seconds_max", result->seconds_max, "gflops", result->flops / result->seconds_median * 1e-9,
                  "gbytes_per_second", result->bytes / result->seconds_median * 1e-9, "roof_gflops",
                  roof ? json_real(roof_flops(roof, result->dtype) * 1e-9) : json_null());
    if (!root)
        return NULL;
    json_object_set_new(root, "cpu_seconds_per_step", json_real(result->cpu_seconds));
    json_object_set_new(root, "dispatches", json_integer(result->dispatches));
    json_object_set_new(root, "device", json_string(device));
    if (a->op) {
        json_t *sizes = json_array();
        for (int i = 0; i < a->size_count; i++)
            json_array_append_new(sizes, json_integer(a->sizes[i]));
        json_object_set_new(root, "op", json_string(a->op));
        json_object_set_new(root, "size", sizes);
        return root;
    }
    json_object_set_new(root, "stage", json_string(stage));
    json_object_set_new(root, "size", json_pack("[i, i]", (int)a->size.width, (int)a->size.height));
    json_object_set_new(root, "batch_size", json_integer(a->batch_size));
    json_object_set_new(root, "outputs_finite", json_boolean(result->finite));
    json_object_set_new(root, "activation_bytes", json_integer((json_int_t)result->activation_bytes));
    json_object_set_new(root, "weight_bytes", json_integer((json_int_t)result->weight_bytes));
    json_object_set_new(root, "peak_device_bytes", json_integer((json_int_t)result->peak_device_bytes));
    return root;
}

static br_status open_model(br_session *session, arguments *a)
{
    BR_TRY(br_session_open_model(session));
    BR_TRY(br_session_open_device(session));
    BR_TRY(br_session_open_pipeline(session));
    br_model_defaults defaults = br_model_get_defaults(session->model);
    a->size.width = a->size.width > 0 ? a->size.width : defaults.width;
    a->size.height = a->size.height > 0 ? a->size.height : defaults.height;
    return NULL;
}

static br_status time_stage(br_session *session, const arguments *a, const char *stage, br_bench_result *out_result)
{
    const br_bench_stage_params params = {
        .pipeline = session->pipeline,
        .stage = stage,
        .width = (int)a->size.width,
        .height = (int)a->size.height,
        .batch_size = (int)a->batch_size,
        .runs = (int)a->runs,
    };
    return br_bench_stage(&params, out_result);
}

static br_status time_op(br_session *session, const arguments *a, br_bench_result *out_result)
{
    BR_TRY(br_session_open_device(session));
    br_session_say(session, "device", "%s", br_device_name(session->device));
    const br_bench_op_params params = {
        .device = session->device,
        .op = a->op,
        .sizes = a->sizes,
        .size_count = a->size_count,
        .precision = br_precision_named(a->session.dtype),
        .runs = (int)a->runs,
    };
    return br_bench_op(&params, out_result);
}

/* Up to BR_PICTURE_STAGES results; the names of their stages, or NULL for an op, go to `stages`. */
static br_status time_all(br_session *session, arguments *a, const char **stages, br_bench_result *results, int *out_count)
{
    *out_count = 0;
    if (a->op) {
        stages[0] = NULL;
        BR_TRY(time_op(session, a, &results[0]));
        *out_count = 1;
        return NULL;
    }
    if (!a->stage)
        return br_session_open_device(session);
    BR_TRY(open_model(session, a));
    bool all = strcmp(a->stage, "all") == 0;
    for (int i = 0; all ? i < BR_PICTURE_STAGES : i < 1; i++) {
        const char *stage = all ? br_stage_list(i) : a->stage;
        if (all && !br_session_takes_stage(session, stage))
            continue;
        stages[*out_count] = stage;
        BR_TRY(time_stage(session, a, stage, &results[*out_count]));
        ++*out_count;
    }
    return NULL;
}

static br_status bench(br_session *session, arguments *a)
{
    const char *stages[BR_PICTURE_STAGES];
    br_bench_result results[BR_PICTURE_STAGES];
    int count;
    br_bench_roof roof_storage, *roof = a->roof ? &roof_storage : NULL;
    BR_TRY(time_all(session, a, stages, results, &count));
    if (roof)
        BR_TRY(br_bench_measure_roof(session->device, (int)a->runs, roof));
    if (!a->session.json) {
        if (roof)
            print_roof(roof);
        for (int i = 0; i < count; i++)
            print_result(&results[i], roof, a->stage != NULL);
        return NULL;
    }
    const char *device = br_device_name(session->device);
    json_t *root = count == 1 ? result_json(a, device, stages[0], &results[0], roof) : json_pack("{s:s}", "device", device);
    if (count > 1) {
        json_t *list = json_array();
        for (int i = 0; i < count; i++)
            json_array_append_new(list, result_json(a, device, stages[i], &results[i], roof));
        json_object_set_new(root, "stages", list);
    }
    if (roof)
        json_object_set_new(root, "roof", roof_json(roof));
    return br_print_json(root);
}

static json_t *growth_json(const br_bench_growth_point *point, const char *stage)
{
    const br_bench_result *r = &point->result;
    bool measured = r->seconds_median > 0;
    return json_pack("{s:s, s:i, s:i, s:f, s:I, s:I, s:i, s:o, s:o}", "stage", stage, "size", point->size, "batch_size",
                     point->batch_size, "flops", r->flops, "activation_bytes", (json_int_t)r->activation_bytes, "weight_bytes",
                     (json_int_t)r->weight_bytes, "dispatches", r->dispatches, "seconds",
                     measured ? json_real(r->seconds_median) : json_null(), "peak_device_bytes",
                     measured ? json_integer((json_int_t)r->peak_device_bytes) : json_null());
}

static void print_growth(const br_bench_growth_point *point, const char *stage)
{
    const br_bench_result *r = &point->result;
    char flops[BR_FORMAT_SIZE], bytes[BR_FORMAT_SIZE], seconds[BR_FORMAT_SIZE] = "planned";
    if (r->seconds_median > 0)
        br_format_seconds(r->seconds_median, seconds);
    printf("%-5s %5d %6d %14s %14s %10d %12s\n", stage, point->size, point->batch_size, br_format_si(r->flops, "FLOP", flops),
           br_format_bytes((double)r->activation_bytes, bytes), r->dispatches, seconds);
}

static br_status draw_growth(br_session *session, arguments *a)
{
    static const char *const names[BR_GROWTH_STAGES] = {"unet", "vae"};
    br_bench_growth growth;
    br_image picture = {0};
    BR_TRY(br_image_check_path(a->output));
    BR_TRY(open_model(session, a));
    BR_TRY(br_bench_measure_growth(&(br_bench_growth_params){.pipeline = session->pipeline, .seconds = a->seconds}, &growth));
    BR_TRY(br_bench_draw_growth(&growth, &picture));
    br_status status = br_image_save(&picture, a->output, NULL);
    br_image_finish(&picture);
    BR_TRY(status);
    json_t *list = json_array();
    if (!a->session.json)
        printf("stage  size  batch           work    activations dispatches         time\n");
    for (int stage = 0; stage < BR_GROWTH_STAGES; stage++)
        for (int axis = 0; axis < BR_GROWTH_AXES; axis++)
            for (int i = 0; i < BR_GROWTH_POINTS; i++) {
                const br_bench_growth_point *point = &growth.points[stage][axis][i];
                bool repeated = axis == BR_GROWTH_BATCH && point->batch_size <= 1; /* no point, or the first size */
                if (a->session.json && !repeated)
                    json_array_append_new(list, growth_json(point, names[stage]));
                else if (!repeated)
                    print_growth(point, names[stage]);
            }
    if (a->session.json)
        return br_print_json(json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "path", a->output, "device", growth.device, "model",
                                       growth.model, "dtype", growth.dtype, "measured", growth.measured, "points", list));
    json_decref(list);
    puts(a->output);
    return NULL;
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    if (a.list) {
        for (int i = 0; br_bench_op_usage(i); i++)
            puts(br_bench_op_usage(i));
        return NULL;
    }
    br_session session;
    br_session_init(&session, &a.session);
    status = a.growth ? draw_growth(&session, &a) : bench(&session, &a);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_bench = {
    .name = "bench",
    .summary = "time an op, a stage of a model, or the device itself",
    .synopsis = "[options] OP SIZES | --stage NAME | --roof | --growth",
    .details = "With --roof, an op or a stage is also shown as a share of what the device can do.\n"
               "\"unet\" is one step with guidance, \"all\" is text, unet and vae one after the other. The first run\n"
               "compiles shaders and is not counted. --arch needs no files: every weight is noise.\n",
    .examples = "brume bench linear 1024,1024,1024\n"
                "brume bench --stage unet --roof\n"
                "brume bench --stage vae --size 512x512 --dtype f32 --runs 10\n"
                "brume bench --arch sd15 --stage all --size 512x512\n"
                "brume bench --arch sd15 --growth -o growth.png --seconds 600\n"
                "brume bench --list\n",
    .run = run,
};
