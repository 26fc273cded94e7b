#include "prof/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "prof/page.h"
#include "prof/peak.h"
#include "prof/summary.h"

static br_status out_of_memory(void)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the profile's report");
}

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Hardware counters, the mean of all runs: {"CATEGORY: NAME (UNIT)": value}. NULL without them. */
static json_t *gauges_json(const br_profile *profile, int program, int kernel, int calls)
{
    json_t *object = profile->gauge_count > 0 ? json_object() : NULL;
    for (int g = 0; g < profile->gauge_count; g++) {
        const br_vk_gauge *gauge = &profile->gauges[g];
        char key[3 * VK_MAX_DESCRIPTION_SIZE];
        double sum = 0;
        for (int r = 0; r < profile->run_count; r++)
            if (profile->runs[r].program == program && profile->runs[r].gauges)
                sum += profile->runs[r].gauges[(size_t)kernel * (size_t)profile->gauge_count + (size_t)g];
        snprintf(key, sizeof key, "%s: %s%s%s%s", gauge->category, gauge->name, *gauge->unit ? " (" : "", gauge->unit,
                 *gauge->unit ? ")" : "");
        json_object_set_new(object, key, json_real(calls > 0 ? sum / calls : 0));
    }
    return object;
}

/* Sum and extremes of one dispatch over the runs of its program. */
static json_t *kernel_json(const br_profile *profile, int program, int index)
{
    const br_prof_kernel *kernel = &profile->programs[program].kernels[index];
    double seconds = 0, least = 0, most = 0, compute, memory;
    br_prof_runs runs = br_prof_count_runs(profile, program);
    int timed = 0;
    for (int r = 0; r < profile->run_count; r++) {
        if (profile->runs[r].program != program || !profile->runs[r].times)
            continue;
        double one = br_prof_kernel_seconds(&profile->runs[r], index);
        least = timed++ == 0 || one < least ? one : least;
        most = one > most ? one : most;
        seconds += one;
    }
    seconds *= br_prof_runs_scale(runs);
    br_prof_kernel_roof(&profile->roof, kernel, &compute, &memory);
    double roof = compute > memory ? compute : memory;
    br_prof_bound bound = roof <= 0 ? BR_PROF_BOUND_UNKNOWN : compute >= memory ? BR_PROF_BOUND_COMPUTE : BR_PROF_BOUND_MEMORY;
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:o, s:o, s:f, s:s, s:o*}", "path", kernel->path, "op", kernel->op,
                     "shader", kernel->shader, "dtype", kernel->f16 ? "f16" : "f32", "calls", runs.all, "seconds", seconds,
                     "seconds_min", least, "seconds_max", most, "flops", integer(kernel->flops), "bytes", integer(kernel->bytes),
                     "roof_seconds", roof, "bound", br_prof_bound_name(bound), "counters",
                     gauges_json(profile, program, index, runs.all));
}

/* What is alive at each dispatch, where each value lies, and the peak with the largest values that make it. */
static json_t *memory_json(const br_prof_program *program)
{
    json_t *live = json_array(), *values = json_array(), *holders = json_array();
    br_prof_peak peak = br_prof_find_peak(program);
    for (int i = 0; i < program->kernel_count; i++)
        json_array_append_new(live, integer(br_prof_live_bytes(program, i)));
    for (int i = 0; i < program->value_count; i++) {
        const br_prof_value *value = &program->values[i];
        json_array_append_new(values, json_pack("[s, o, o, i, i]", value->name, integer(value->offset), integer(value->bytes),
                                                value->first, value->last));
    }
    for (int i = 0; i < peak.value_count; i++)
        json_array_append_new(holders,
                              json_pack("{s:s, s:o}", "name", peak.values[i]->name, "bytes", integer(peak.values[i]->bytes)));
    return json_pack("{s:o, s:o, s:o, s:o, s:i, s:s, s:o, s:o, s:o}", "arena_bytes", integer(program->arena_bytes),
                     "lower_bound_bytes", integer(program->lower_bound_bytes), "weight_bytes", integer(program->weight_bytes),
                     "peak_bytes", integer(peak.bytes), "peak_dispatch", peak.dispatch, "peak_path",
                     program->kernel_count ? program->kernels[peak.dispatch].path : "", "peak_values", holders, "live_bytes", live,
                     "values", values);
}

static json_t *stage_json(const br_profile *profile, int index)
{
    const br_prof_program *program = &profile->programs[index];
    json_t *kernels = json_array(), *runs = json_array();
    double seconds = 0, wall = 0;
    br_prof_runs count = br_prof_count_runs(profile, index);
    for (int i = 0; i < profile->run_count; i++) {
        const br_prof_run *run = &profile->runs[i];
        if (run->program != index)
            continue;
        double busy = br_prof_run_seconds(profile, run);
        seconds += busy;
        wall += run->done - run->began;
        json_array_append_new(runs, json_pack("{s:f, s:f, s:f, s:f}", "began", run->began, "submitted", run->submitted, "done",
                                              run->done, "device_seconds", busy));
    }
    for (int i = 0; i < program->kernel_count; i++)
        json_array_append_new(kernels, kernel_json(profile, index, i));
    seconds *= br_prof_runs_scale(count);
    return json_pack("{s:s, s:i, s:i, s:f, s:f, s:o, s:o, s:o}", "name", program->name, "calls", count.all, "calls_timed",
                     count.timed, "seconds", seconds, "wall_seconds", wall, "runs", runs, "dispatches", kernels, "memory",
                     memory_json(program));
}

static json_t *roof_json(const br_prof_roof *roof)
{
    if (roof->bytes <= 0)
        return json_null();
    return json_pack("{s:f, s:f, s:f}", "f32_flops", roof->f32_flops, "f16_flops", roof->f16_flops, "bytes", roof->bytes);
}

static const char *alignment_name(br_prof_alignment alignment)
{
    return alignment == BR_PROF_CALIBRATED ? "calibrated" : alignment == BR_PROF_BOUNDED ? "bounded" : "none";
}

br_status br_prof_report(const br_profile *profile, json_t **out_root)
{
    json_t *stages = json_array(), *spans = json_array();
    for (int i = 0; i < profile->program_count; i++)
        json_array_append_new(stages, stage_json(profile, i));
    for (int i = 0; i < profile->span_count; i++) {
        const br_prof_span *span = &profile->spans[i];
        if (span->end >= 0)
            json_array_append_new(spans, json_pack("{s:s, s:f, s:f, s:o}", "name", span->name, "begin", span->begin, "end",
                                                   span->end, "memory_bytes", integer(span->memory)));
    }
    *out_root =
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:f, s:f, s:i}, s:o, s:o, s:o}", "format", BR_PROF_FORMAT,
                  "version", BR_PROF_VERSION, "mode", profile->mode == BR_PROF_SERIALISED ? "serialised" : "concurrent", "model",
                  profile->model, "size", profile->size, "dtype", profile->dtype, "device", "name", profile->device_name, "driver",
                  profile->driver, "clock", "alignment", alignment_name(profile->alignment), "deviation_seconds",
                  profile->deviation, "timestamp_period_ns", profile->timestamp_period, "timestamp_bits",
                  (int)profile->timestamp_bits, "roof", roof_json(&profile->roof), "stages", stages, "spans", spans);
    return *out_root ? NULL : out_of_memory();
}

static br_status dump(const br_profile *profile, char **out_text)
{
    json_t *root;
    BR_TRY(br_prof_report(profile, &root));
    *out_text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(root);
    return *out_text ? NULL : out_of_memory();
}

br_status br_prof_write_json(const br_profile *profile, const char *path)
{
    char *text;
    BR_TRY(dump(profile, &text));
    br_status status = br_file_write(path, text, strlen(text));
    free(text);
    return status;
}

/* A name may hold "</script>": inside a JSON string "\/" means "/". */
static void put_data(FILE *stream, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (at[0] == '<' && at[1] == '/')
            fputs("<\\", stream);
        else
            fputc(*at, stream);
    }
}

br_status br_prof_write_html(const br_profile *profile, const char *path)
{
    char *text;
    br_file_writer file;
    BR_TRY(dump(profile, &text));
    br_status status = br_file_writer_begin(path, &file);
    if (!status) {
        const char *mark = strstr(br_prof_page, BR_PROF_PAGE_MARK);
        fwrite(br_prof_page, 1, (size_t)(mark - br_prof_page), file.stream);
        put_data(file.stream, text);
        fputs(mark + strlen(BR_PROF_PAGE_MARK), file.stream);
        status = br_file_writer_commit(&file);
    }
    free(text);
    return status;
}
