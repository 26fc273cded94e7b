#include "prof/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

/* Where the name of a group ends in a dispatch's own strings. */
typedef struct group_name {
    const char *text;
    size_t length;
} group_name;

static group_name name_of(const br_prof_program *program, const br_prof_kernel *kernel, br_prof_group group)
{
    size_t scope = br_scope_length(kernel->path);
    switch (group) {
    case BR_PROF_BY_STAGE:
        return (group_name){program->name, strlen(program->name)};
    case BR_PROF_BY_LAYER:
        return (group_name){kernel->path, scope ? scope - 1 : strlen(kernel->path)};
    case BR_PROF_BY_OP:
        return (group_name){kernel->op, strlen(kernel->op)};
    case BR_PROF_BY_SHADER:
        return (group_name){kernel->shader, strlen(kernel->shader)};
    default:
        return (group_name){kernel->path, strlen(kernel->path)};
    }
}

/* Ops and shaders are shared by the stages; layers are not, even if two stages named one alike. */
static bool same(const br_prof_row *row, const br_prof_program *program, group_name name, br_prof_group group)
{
    bool shared = group == BR_PROF_BY_OP || group == BR_PROF_BY_SHADER;
    return strncmp(row->name, name.text, name.length) == 0 && row->name[name.length] == '\0' &&
           (shared || strcmp(row->stage, program->name) == 0);
}

static br_status row_of(br_prof_summary *summary, int *capacity, const br_prof_program *program, group_name name,
                        br_prof_group group, br_prof_row **out_row)
{
    /* Neighbours in a program are mostly of one group. */
    for (int i = summary->count - 1; i >= 0; i--) {
        if (same(&summary->rows[i], program, name, group)) {
            *out_row = &summary->rows[i];
            return NULL;
        }
    }
    if (summary->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        br_prof_row *rows = realloc(summary->rows, (size_t)*capacity * sizeof *rows);
        if (!rows)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the profile's summary");
        summary->rows = rows;
    }
    br_prof_row *row = &summary->rows[summary->count];
    *row = (br_prof_row){.name = malloc(name.length + 1), .stage = program->name};
    if (!row->name)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the profile's summary");
    memcpy(row->name, name.text, name.length);
    row->name[name.length] = '\0';
    summary->count++;
    *out_row = row;
    return NULL;
}

void br_prof_kernel_roof(const br_prof_roof *roof, const br_prof_kernel *kernel, double *out_compute, double *out_memory)
{
    double flops = kernel->f16 && roof->f16_flops > 0 ? roof->f16_flops : roof->f32_flops;
    *out_compute = flops > 0 ? (double)kernel->flops / flops : 0;
    *out_memory = roof->bytes > 0 ? (double)kernel->bytes / roof->bytes : 0;
}

static int longest_first(const void *a, const void *b)
{
    double left = ((const br_prof_row *)a)->seconds, right = ((const br_prof_row *)b)->seconds;
    return (left < right) - (left > right);
}

/* Times of all runs of a program are added up by dispatch first, so that each dispatch is looked up once. */
static br_status add_program(const br_profile *profile, int index, br_prof_group group, br_prof_summary *summary, int *capacity)
{
    const br_prof_program *program = &profile->programs[index];
    br_prof_runs count = br_prof_count_runs(profile, index);
    int runs = count.all;
    if (runs == 0)
        return NULL;
    for (int i = 0; i < program->kernel_count; i++) {
        const br_prof_kernel *kernel = &program->kernels[i];
        double seconds = 0, compute, memory;
        for (int r = 0; r < profile->run_count; r++)
            if (profile->runs[r].program == index)
                seconds += br_prof_kernel_seconds(&profile->runs[r], i);
        seconds *= br_prof_runs_scale(count);
        br_prof_kernel_roof(&profile->roof, kernel, &compute, &memory);
        br_prof_row *row;
        BR_TRY(row_of(summary, capacity, program, name_of(program, kernel, group), group, &row));
        row->calls += runs;
        row->seconds += seconds;
        row->flops += (double)kernel->flops * runs;
        row->bytes += (double)kernel->bytes * runs;
        row->compute_seconds += compute * runs;
        row->memory_seconds += memory * runs;
        row->roof_seconds += (compute > memory ? compute : memory) * runs;
        summary->seconds += seconds;
    }
    return NULL;
}

br_status br_prof_summarise(const br_profile *profile, br_prof_group group, br_prof_summary *out_summary)
{
    *out_summary = (br_prof_summary){0};
    int capacity = 0;
    br_status status = NULL;
    for (int i = 0; i < profile->program_count; i++)
        BR_TRY_GOTO(add_program(profile, i, group, out_summary, &capacity));
    if (out_summary->count > 0)
        qsort(out_summary->rows, (size_t)out_summary->count, sizeof *out_summary->rows, longest_first);
    return NULL;
fail:
    br_prof_summary_finish(out_summary);
    return status;
}

void br_prof_summary_finish(br_prof_summary *summary)
{
    for (int i = 0; i < summary->count; i++)
        free(summary->rows[i].name);
    free(summary->rows);
    *summary = (br_prof_summary){0};
}

double br_prof_row_efficiency(const br_prof_row *row)
{
    return row->seconds > 0 ? row->roof_seconds / row->seconds : 0;
}

br_prof_bound br_prof_row_bound(const br_prof_row *row)
{
    if (row->roof_seconds <= 0)
        return BR_PROF_BOUND_UNKNOWN;
    return row->compute_seconds >= row->memory_seconds ? BR_PROF_BOUND_COMPUTE : BR_PROF_BOUND_MEMORY;
}

const char *br_prof_bound_name(br_prof_bound bound)
{
    return bound == BR_PROF_BOUND_COMPUTE ? "compute" : bound == BR_PROF_BOUND_MEMORY ? "memory" : "";
}

double br_prof_stage_wall(const br_profile *profile, const char *stage)
{
    double seconds = 0;
    for (int i = 0; i < profile->run_count; i++)
        if (strcmp(profile->programs[profile->runs[i].program].name, stage) == 0)
            seconds += profile->runs[i].done - profile->runs[i].began;
    return seconds;
}
