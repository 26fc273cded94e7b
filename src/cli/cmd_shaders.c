#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "brume/shaders.h"
#include "cli/format.h"
#include "cli/session.h"

typedef struct arguments {
    br_session_options session;
    br_size_options size;
    bool stats, disassemble;
    const char *spirv_dir;
    int64_t batch_size;
} arguments;

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"}, .batch_size = 1};
    const br_option rows[] = {
        {"stats", 0, BR_OPTION_FLAG, &a->stats, NULL, "what the driver's compiler says: registers, spills, instructions, ..."},
        {"disassemble", 0, BR_OPTION_FLAG, &a->disassemble, NULL, "intermediate and machine code, where the driver shows them"},
        {"spirv", 0, BR_OPTION_TEXT, &a->spirv_dir, "DIR",
         "write the SPIR-V of every shader to DIR/NAME.spv, for spirv-dis and its kin", "none is written"},
        BR_ROWS_MODEL(a->session),
        BR_ROW_ARCH(a->session),
        BR_ROWS_SIZE(a->size),
        {"batch-size", 0, BR_OPTION_INT, &a->batch_size, "N", "pictures at once", NULL, 1, INT_MAX},
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        BR_ROWS_UNITS(a->session),
        BR_ROW_JSON(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], NULL, 0, NULL};
    BR_TRY(br_options_parse(call, &options, out_help));
    return *out_help ? NULL : br_size_options_check(call, &a->size);
}

/* ---- for people ---- */

static double all_flops(const br_shader_info *shader)
{
    double sum = 0;
    for (int i = 0; i < BR_SHADER_STAGE_COUNT; i++)
        sum += shader->flops[i];
    return sum;
}

static void print_uses(const br_shader_info *shader)
{
    for (int i = 0, any = 0; i < BR_SHADER_STAGE_COUNT; i++)
        if (shader->dispatches[i])
            printf("%s%s %d", any++ ? ", " : "", br_shader_stage_name(i), shader->dispatches[i]);
}

static void print_numbers(const br_shader_info *shader)
{
    int any = 0;
    for (int i = 0; i < BR_SHADER_NUMBER_COUNT; i++)
        if (!isnan(shader->numbers[i]))
            printf("%s%s %.10g", any++ ? ", " : "    ", br_shader_number_name((br_shader_number)i), shader->numbers[i]);
    if (any)
        putchar('\n');
}

static void print_executable(const br_shader_executable *executable)
{
    printf("    %s (%s), subgroups of %u\n", executable->name, executable->description, executable->subgroup_size);
    for (int i = 0; i < executable->statistic_count; i++)
        printf("      %-32s %.10g\n", executable->statistics[i].name, executable->statistics[i].value);
    for (int i = 0; i < executable->representation_count; i++) {
        const br_shader_representation *code = &executable->representations[i];
        printf("    -- %s: %s\n", code->name, code->description);
        if (code->is_text)
            printf("%s\n", code->data);
        else
            printf("(%zu bytes that are not text)\n", code->size);
    }
}

static void print_shader(const br_shader_info *shader, double total)
{
    printf("%5.1f %%  %s  ", total > 0 ? 100 * all_flops(shader) / total : 0, shader->shader);
    print_uses(shader);
    printf("\n   ");
    for (int i = 0; i < shader->constant_count; i++)
        printf(" %s=%u", shader->constants[i].name, shader->constants[i].value);
    putchar('\n');
    print_numbers(shader);
    for (int i = 0; i < shader->executable_count; i++)
        print_executable(&shader->executables[i]);
}

static void print_list(const br_shader_list *list, const arguments *a)
{
    double total = 0;
    for (int i = 0; i < list->count; i++)
        total += all_flops(&list->shaders[i]);
    printf("%s (%s), %s, %dx%d, %d at once: %d pipelines\n", list->device, list->driver, list->dtype, list->width, list->height,
           list->batch_size, list->count);
    if ((a->stats || a->disassemble) && !list->has_statistics)
        printf("The driver tells nothing about its code: it has no VK_KHR_pipeline_executable_properties.\n");
    puts("Share of the work of text encoder, one UNet step with guidance, decoder and encoder; shader; dispatches of each.\n");
    for (int i = 0; i < list->count; i++)
        print_shader(&list->shaders[i], total);
}

/* ---- for programs ---- */

static json_t *number_json(double value)
{
    return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *executable_json(const br_shader_executable *executable)
{
    json_t *statistics = json_object(), *codes = json_array();
    for (int i = 0; i < executable->statistic_count; i++) {
        const br_shader_statistic *statistic = &executable->statistics[i];
        json_object_set_new(statistics, statistic->name,
                            statistic->is_float ? json_real(statistic->value) : number_json(statistic->value));
    }
    for (int i = 0; i < executable->representation_count; i++) {
        const br_shader_representation *code = &executable->representations[i];
        json_array_append_new(codes, json_pack("{s:s, s:s, s:o}", "name", code->name, "description", code->description, "text",
                                               code->is_text ? json_string(code->data) : json_null()));
    }
    return json_pack("{s:s, s:s, s:i, s:o, s:o}", "name", executable->name, "description", executable->description, "subgroup_size",
                     (int)executable->subgroup_size, "statistics", statistics, "representations", codes);
}

static json_t *shader_json(const br_shader_info *shader)
{
    json_t *constants = json_object(), *dispatches = json_object(), *flops = json_object(), *numbers = json_object();
    json_t *executables = json_array();
    for (int i = 0; i < shader->constant_count; i++)
        json_object_set_new(constants, shader->constants[i].name, json_integer(shader->constants[i].value));
    for (int i = 0; i < BR_SHADER_STAGE_COUNT; i++) {
        json_object_set_new(dispatches, br_shader_stage_name(i), json_integer(shader->dispatches[i]));
        json_object_set_new(flops, br_shader_stage_name(i), number_json(shader->flops[i]));
    }
    for (int i = 0; i < BR_SHADER_NUMBER_COUNT; i++)
        if (!isnan(shader->numbers[i]))
            json_object_set_new(numbers, br_shader_number_name((br_shader_number)i), number_json(shader->numbers[i]));
    for (int i = 0; i < shader->executable_count; i++)
        json_array_append_new(executables, executable_json(&shader->executables[i]));
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:i, s:i, s:I, s:f, s:o, s:o}", "shader", shader->shader, "constants", constants,
                     "layer", shader->layer, "dispatches", dispatches, "flops", flops, "bindings", (int)shader->binding_count,
                     "push_bytes", (int)shader->push_bytes, "spirv_bytes", (json_int_t)shader->spirv_bytes, "compile_seconds",
                     shader->compile_seconds, "numbers", numbers, "executables", executables);
}

static br_status print_json(const br_shader_list *list)
{
    json_t *shaders = json_array();
    for (int i = 0; i < list->count; i++)
        json_array_append_new(shaders, shader_json(&list->shaders[i]));
    return br_print_json(json_pack("{s:s, s:s, s:b, s:s, s:i, s:i, s:i, s:o}", "device", list->device, "driver", list->driver,
                                   "has_statistics", list->has_statistics, "dtype", list->dtype, "width", list->width, "height",
                                   list->height, "batch_size", list->batch_size, "shaders", shaders));
}

/* ---- SPIR-V ---- */

/* Pipelines of one variant share its module; writing it again changes nothing. */
static br_status write_spirv(const br_shader_list *list, const char *folder)
{
    for (int i = 0; i < list->count; i++) {
        const br_shader_info *shader = &list->shaders[i];
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s.spv", folder, shader->shader) >= (int)sizeof path)
            return br_fail(BR_ERROR_IO, "%s: the name is too long", folder);
        BR_TRY(br_file_write(path, shader->spirv, shader->spirv_bytes));
    }
    return NULL;
}

static br_status list_shaders(br_session *session, const arguments *a)
{
    br_shader_list list;
    BR_TRY(br_session_open_model(session));
    BR_TRY(br_session_open_context(session));
    const br_shader_list_params params = {
        .context = session->context,
        .selector = a->session.device,
        .integer_dot = br_choice_named(a->session.integer_dot),
        .matrix_units = br_choice_named(a->session.matrix_units),
        .model = session->model,
        .precision = br_precision_named(a->session.dtype),
        .width = (int)a->size.width,
        .height = (int)a->size.height,
        .batch_size = (int)a->batch_size,
        .statistics = a->stats,
        .representations = a->disassemble,
    };
    BR_TRY(br_shader_list_create(&params, &list));
    br_status status = a->spirv_dir ? write_spirv(&list, a->spirv_dir) : NULL;
    if (!status && a->session.json)
        status = print_json(&list);
    else if (!status)
        print_list(&list, a);
    br_shader_list_finish(&list);
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
    br_session_init(&session, &a.session);
    status = list_shaders(&session, &a);
    br_session_finish(&session);
    return status;
}

const br_command br_cmd_shaders = {
    .name = "shaders",
    .summary = "list the compute pipelines of a model on a device, and what the driver says about them",
    .synopsis = "[options]",
    .details = "Every pipeline is built, nothing is uploaded and nothing runs. --stats and --disassemble need a driver with\n"
               "VK_KHR_pipeline_executable_properties; the numbers in one line are common names for what that driver counts,\n"
               "the lines below it are its own words.\n",
    .examples = "brume shaders\n"
                "brume shaders --arch sd15 --size 512x512 --stats\n"
                "brume shaders --stats --json | jq '.shaders[] | select(.numbers.spills > 0) | .shader'\n"
                "brume shaders --disassemble -d 1 > code.txt\n",
    .run = run,
};
