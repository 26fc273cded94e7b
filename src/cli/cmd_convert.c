#include <stdlib.h>
#include <string.h>

#include "brume/convert.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"

/* --tensor-type may name this many rules. */
#define RULES_MAX 32

typedef struct arguments {
    const char *input, *output, *type, *rules;
    bool quiet, json;
} arguments;

static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){0};
    const char *words[2] = {0};
    const br_option rows[] = {
        {"type", 't', BR_OPTION_CHOICE, &a->type, "TYPE", "of the tensors", "as stored", .choices = br_convert_type_list},
        {"tensor-type", 0, BR_OPTION_TEXT, &a->rules, "PATTERN=TYPE,...",
         "another type for tensors whose name has PATTERN in it;\nthe first that fits counts, * stands for anything, ^ and $ for "
         "the ends",
         ""},
        {"quiet", 'q', BR_OPTION_FLAG, &a->quiet, NULL, "say nothing but errors"},
        {"json", 0, BR_OPTION_FLAG, &a->json, NULL, "print the result as JSON"},
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], words, 2, "; IN and OUT are expected"};
    BR_TRY(br_options_parse(call, &options, out_help));
    a->input = words[0];
    a->output = words[1];
    if (!*out_help && !a->output)
        return br_wrong_usage(call, "%s; expected: brume convert IN OUT", a->input ? "OUT is missing" : "IN and OUT are missing");
    return NULL;
}

/* Cuts "a=f16,b=q8_0" up in place. */
static br_status split_rules(br_call *call, char *text, br_convert_rule rules[RULES_MAX], int *out_count)
{
    *out_count = 0;
    for (char *next; *text; text = next) {
        char *end = strchr(text, ',');
        next = end ? end + 1 : text + strlen(text);
        if (end)
            *end = 0;
        char *equals = strrchr(text, '=');
        if (!equals || equals == text)
            return br_wrong_usage(call, "--tensor-type: \"%s\" is not PATTERN=TYPE", text);
        if (*out_count == RULES_MAX)
            return br_wrong_usage(call, "--tensor-type: more than %d rules", RULES_MAX);
        *equals = 0;
        rules[(*out_count)++] = (br_convert_rule){.pattern = text, .type = equals + 1};
    }
    return NULL;
}

static br_status print_result(const arguments *a, const br_convert_result *r)
{
    if (a->json)
        return br_print_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:f, s:f}", "path", a->output, "tensors",
                                       r->tensor_count, "converted", r->converted_count, "fallback", r->fallback_count, "left_out",
                                       r->left_out_count, "input_bytes", (json_int_t)r->input_bytes, "output_bytes",
                                       (json_int_t)r->output_bytes, "relative_error", r->relative_error, "seconds", r->seconds));
    puts(a->output);
    if (a->quiet)
        return NULL;
    char before[BR_FORMAT_SIZE], after[BR_FORMAT_SIZE];
    fprintf(stderr, "tensors   %d, %d of them in another type than before", r->tensor_count, r->converted_count);
    if (r->fallback_count)
        fprintf(stderr, " (%d in q8_0: their rows are not whole blocks of 256)", r->fallback_count);
    if (r->left_out_count)
        fprintf(stderr, "; %d that no model reads were left out", r->left_out_count);
    fprintf(stderr, "\nsize      %s, before %s\n", br_format_bytes((double)r->output_bytes, after),
            br_format_bytes((double)r->input_bytes, before));
    if (r->converted_count)
        fprintf(stderr, "error     %.3g of the converted values' norm\n", r->relative_error);
    fprintf(stderr, "time      %.2f s\n", r->seconds);
    return NULL;
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    br_convert_rule rules[RULES_MAX];
    br_convert_params params = {.input = a.input, .output = a.output, .type = a.type, .rules = rules, .progress = br_bar_progress};
    char *text = a.rules ? strdup(a.rules) : NULL;
    br_bar bar;
    br_convert_result result;
    if (a.rules && !text)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    br_bar_init(&bar, a.quiet);
    params.progress_user = &bar;
    br_interrupt_init();
    if (text)
        BR_TRY_GOTO(split_rules(call, text, rules, &params.rule_count));
    status = br_convert(&params, &result);
    br_bar_clear(&bar);
    if (!status)
        status = print_result(&a, &result);
fail:
    free(text);
    return status;
}

const br_command br_cmd_convert = {
    .name = "convert",
    .summary = "write a model's weights in another format or type",
    .synopsis = "[options] IN OUT",
    .details =
        "IN is a .safetensors, .gguf or .ckpt file or a diffusers folder; the ending of OUT, .safetensors or .gguf, says what is "
        "written.\n"
        "Quantized types are for GGUF files and apply to matrices: biases, norms, embeddings and most convolutions stay 16 "
        "bits wide.\n"
        "K types (q2_k ... q6_k) need rows of whole blocks of 256; other rows become q8_0.\n"
        "EMA copies, noise schedules and position ids are left out.\n"
        "OUT appears complete or not at all. Its path is printed on standard output, everything else on standard error.\n",
    .examples = "brume convert v1-5.safetensors v1-5.q8_0.gguf --type q8_0\n"
                "brume convert sdxl.safetensors sdxl.q4_k.gguf -t q4_k --tensor-type \"^first_stage_model=f16,attn2=q6_k\"\n"
                "brume convert model.gguf model.safetensors --type f16\n"
                "brume convert path/to/folder model.gguf\n",
    .run = run,
};
