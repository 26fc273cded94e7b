#include "prof/table.h"

#include <string.h>

#include "prof/peak.h"
#include "prof/summary.h"

/* Wide enough for most names; longer ones lose their beginning, which the neighbours share. */
#define NAME_WIDTH 44
/* Of the values that are alive at the peak of a stage. */
#define HOLDERS_SHOWN 5

static const struct {
    br_prof_group group;
    const char *title;
} groups[] = {
    {BR_PROF_BY_STAGE, "stage"},   {BR_PROF_BY_LAYER, "layer"},       {BR_PROF_BY_OP, "op"},
    {BR_PROF_BY_SHADER, "shader"}, {BR_PROF_BY_DISPATCH, "dispatch"},
};

static const char *time_text(double seconds, char out[16])
{
    if (seconds >= 1)
        snprintf(out, 16, "%.3f s", seconds);
    else if (seconds >= 1e-3)
        snprintf(out, 16, "%.3f ms", seconds * 1e3);
    else
        snprintf(out, 16, "%.2f us", seconds * 1e6);
    return out;
}

static void print_row(const br_prof_summary *summary, const br_prof_row *row, FILE *stream)
{
    char time[16];
    size_t length = strlen(row->name);
    bool cut = length > NAME_WIDTH;
    fprintf(stream, "%s%-*s %10s %6.2f%% %7d", cut ? "..." : "", cut ? NAME_WIDTH - 3 : NAME_WIDTH,
            cut ? row->name + length - (NAME_WIDTH - 3) : row->name, time_text(row->seconds, time),
            100 * row->seconds / (summary->seconds > 0 ? summary->seconds : 1), row->calls);
    if (row->seconds > 0)
        fprintf(stream, " %9.2f %8.2f", row->flops / row->seconds * 1e-9, row->bytes / row->seconds * 1e-9);
    if (row->seconds > 0 && row->roof_seconds > 0)
        fprintf(stream, " %6.1f%% %s", 100 * br_prof_row_efficiency(row), br_prof_bound_name(br_prof_row_bound(row)));
    fputc('\n', stream);
}

static br_status print_group(const br_profile *profile, br_prof_group group, const char *title, FILE *stream, int rows)
{
    br_prof_summary summary;
    BR_TRY(br_prof_summarise(profile, group, &summary));
    fprintf(stream, "\n%-*s %10s %7s %7s %9s %8s %7s %s\n", NAME_WIDTH, title, "time", "share", "calls", "GFLOP/s", "GB/s",
            "of roof", "bound");
    int shown = rows > 0 && rows < summary.count ? rows : summary.count;
    for (int i = 0; i < shown; i++)
        print_row(&summary, &summary.rows[i], stream);
    if (shown < summary.count)
        fprintf(stream, "... and %d more\n", summary.count - shown);
    br_prof_summary_finish(&summary);
    return NULL;
}

static br_prof_runs count_stage_runs(const br_profile *profile, const char *stage)
{
    br_prof_runs sum = {0};
    for (int i = 0; i < profile->program_count; i++) {
        br_prof_runs runs = br_prof_count_runs(profile, i);
        bool own = strcmp(profile->programs[i].name, stage) == 0;
        sum.all += own ? runs.all : 0;
        sum.timed += own ? runs.timed : 0;
    }
    return sum;
}

static br_status print_stages(const br_profile *profile, FILE *stream)
{
    br_prof_summary stages;
    char busy[16], wall[16];
    BR_TRY(br_prof_summarise(profile, BR_PROF_BY_STAGE, &stages));
    for (int i = 0; i < stages.count; i++) {
        double host = br_prof_stage_wall(profile, stages.rows[i].stage);
        br_prof_runs runs = count_stage_runs(profile, stages.rows[i].stage);
        fprintf(stream, "%s: dispatches %s of %s between submitting and the end of waiting (%.1f %%)", stages.rows[i].name,
                time_text(stages.rows[i].seconds, busy), time_text(host, wall), host > 0 ? 100 * stages.rows[i].seconds / host : 0);
        if (runs.timed > 0 && runs.timed < runs.all)
            fprintf(stream, ", by %d of its %d runs", runs.timed, runs.all);
        fputc('\n', stream);
    }
    br_prof_summary_finish(&stages);
    return NULL;
}

static void print_memory(const br_profile *profile, FILE *stream)
{
    fprintf(stream, "\nmemory\n");
    for (int i = 0; i < profile->program_count; i++) {
        const br_prof_program *program = &profile->programs[i];
        bool ran = false;
        for (int r = 0; r < profile->run_count && !ran; r++)
            ran = profile->runs[r].program == i;
        if (!ran || program->kernel_count == 0)
            continue;
        br_prof_peak peak = br_prof_find_peak(program);
        fprintf(stream, "  %s: weights %.2f MiB, arena %.2f MiB, at most %.2f MiB of it in use, at %s\n", program->name,
                (double)program->weight_bytes / (1 << 20), (double)program->arena_bytes / (1 << 20), (double)peak.bytes / (1 << 20),
                program->kernels[peak.dispatch].path);
        for (int v = 0; v < peak.value_count && v < HOLDERS_SHOWN; v++)
            fprintf(stream, "    %10.2f MiB  %s\n", (double)peak.values[v]->bytes / (1 << 20), peak.values[v]->name);
    }
}

static void print_spans(const br_profile *profile, FILE *stream)
{
    /* Spans of one name are added up: twenty denoising steps are one line. */
    char time[16];
    fprintf(stream, "\nhost\n");
    for (int i = 0; i < profile->span_count; i++) {
        const br_prof_span *span = &profile->spans[i];
        int calls = 0;
        double seconds = 0;
        bool earlier = false;
        for (int j = 0; j < profile->span_count && !earlier; j++) {
            const br_prof_span *other = &profile->spans[j];
            if (strcmp(other->name, span->name) != 0 || other->end < 0)
                continue;
            earlier = j < i;
            seconds += other->end - other->begin;
            calls++;
        }
        if (!earlier && calls > 0)
            fprintf(stream, "  %-20s %10s  x%d\n", span->name, time_text(seconds, time), calls);
    }
}

static void print_clock(const br_profile *profile, FILE *stream)
{
    char time[16];
    switch (profile->alignment) {
    case BR_PROF_CALIBRATED:
        fprintf(stream, "clock: device and host read together, %s apart at the most\n", time_text(profile->deviation, time));
        return;
    case BR_PROF_BOUNDED:
        fprintf(stream,
                "clock: the device's times are placed between submission and end, they may lie off by %s against the host's\n",
                time_text(profile->deviation, time));
        return;
    default:
        fprintf(stream, profile->device_name[0] && profile->timestamp_bits == 0
                            ? "clock: the queue of this device writes no timestamps, so there are figures of the host only\n"
                            : "clock: nothing ran on the device\n");
    }
}

br_status br_prof_print(const br_profile *profile, FILE *stream, int rows)
{
    fprintf(stream, "profile: %s%s%s on %s, %s\n", profile->model, *profile->size ? ", " : "", profile->size, profile->device_name,
            profile->mode == BR_PROF_SERIALISED ? "each dispatch alone" : "dispatches as they run");
    print_clock(profile, stream);
    if (profile->gauge_count > 0)
        fprintf(stream, "counters: %d of the hardware, in the JSON\n", profile->gauge_count);
    if (profile->roof.bytes > 0)
        fprintf(stream, "roof: matrix product f32 %.1f, f16 %.1f GFLOP/s, copy %.1f GB/s\n", profile->roof.f32_flops * 1e-9,
                profile->roof.f16_flops * 1e-9, profile->roof.bytes * 1e-9);
    if (profile->alignment != BR_PROF_NO_TIMES) {
        BR_TRY(print_stages(profile, stream));
        for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
            BR_TRY(print_group(profile, groups[i].group, groups[i].title, stream, rows));
    }
    print_memory(profile, stream);
    print_spans(profile, stream);
    return NULL;
}
