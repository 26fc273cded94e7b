#include "prof/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vk/clock.h"

static double now(const br_profile *profile)
{
    return br_clock_seconds() - profile->origin;
}

/* Room for one more; false when there is no memory. */
static bool grow(void **list, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int larger = *capacity ? 2 * *capacity : 64;
    void *moved = realloc(*list, (size_t)larger * size);
    if (!moved)
        return false;
    *list = moved;
    *capacity = larger;
    return true;
}

static br_status out_of_memory(void)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the profile");
}

br_status br_prof_create(br_prof_mode mode, br_profile **out_profile)
{
    *out_profile = calloc(1, sizeof **out_profile);
    if (!*out_profile)
        return out_of_memory();
    (*out_profile)->mode = mode;
    (*out_profile)->origin = br_clock_seconds();
    return NULL;
}

static void finish_program(br_prof_program *program)
{
    for (int i = 0; i < program->kernel_count; i++) {
        free(program->kernels[i].path);
        free(program->kernels[i].op);
        free(program->kernels[i].shader);
    }
    for (int i = 0; i < program->value_count; i++)
        free(program->values[i].name);
    free(program->kernels);
    free(program->values);
    free(program->name);
}

void br_prof_destroy(br_profile *profile)
{
    if (!profile)
        return;
    for (int i = 0; i < profile->program_count; i++)
        finish_program(&profile->programs[i]);
    for (int i = 0; i < profile->run_count; i++) {
        free(profile->runs[i].times);
        free(profile->runs[i].gauges);
    }
    free(profile->gauges);
    for (int i = 0; i < profile->span_count; i++)
        free((char *)profile->spans[i].name);
    free(profile->programs);
    free(profile->runs);
    free(profile->spans);
    free(profile);
}

void br_prof_attach(br_profile *profile, const br_vk_device *device)
{
    if (!profile)
        return;
    const br_vk_caps *caps = br_vk_device_caps(device);
    profile->device = device;
    snprintf(profile->device_name, sizeof profile->device_name, "%s", caps->name);
    snprintf(profile->driver, sizeof profile->driver, "%s%s%s", caps->driver, *caps->driver_info ? " " : "", caps->driver_info);
    profile->timestamp_period = caps->timestamp_period;
    profile->timestamp_bits = caps->timestamp_bits;
}

void br_prof_describe(br_profile *profile, const char *model, const char *dtype)
{
    if (!profile)
        return;
    snprintf(profile->model, sizeof profile->model, "%s", model);
    snprintf(profile->dtype, sizeof profile->dtype, "%s", dtype);
}

void br_prof_describe_size(br_profile *profile, int width, int height, int batch)
{
    if (profile)
        snprintf(profile->size, sizeof profile->size, "%dx%d, batch %d", width, height, batch);
}

void br_prof_detach(br_profile *profile)
{
    if (profile)
        profile->device = NULL;
}

int br_prof_begin(br_profile *profile, const char *name)
{
    if (!profile || !grow((void **)&profile->spans, profile->span_count, &profile->span_capacity, sizeof *profile->spans))
        return -1;
    char *copy = strdup(name);
    if (!copy)
        return -1;
    profile->spans[profile->span_count] = (br_prof_span){.name = copy, .begin = now(profile), .end = -1};
    return profile->span_count++;
}

void br_prof_end(br_profile *profile, int span)
{
    if (!profile || span < 0)
        return;
    profile->spans[span].end = now(profile);
    if (profile->device)
        profile->spans[span].memory = br_vk_device_counters(profile->device)->memory_bytes;
}

static br_status copy_program(const br_prof_program *from, br_prof_program *to)
{
    *to = (br_prof_program){
        .arena_bytes = from->arena_bytes, .lower_bound_bytes = from->lower_bound_bytes, .weight_bytes = from->weight_bytes};
    to->name = strdup(from->name);
    to->kernels = calloc((size_t)from->kernel_count + 1, sizeof *to->kernels);
    to->values = calloc((size_t)from->value_count + 1, sizeof *to->values);
    if (!to->name || !to->kernels || !to->values)
        return out_of_memory();
    for (int i = 0; i < from->kernel_count; i++) {
        br_prof_kernel *kernel = &to->kernels[i];
        *kernel = from->kernels[i];
        kernel->path = strdup(kernel->path);
        kernel->op = strdup(kernel->op);
        kernel->shader = strdup(kernel->shader);
        to->kernel_count++;
        if (!kernel->path || !kernel->op || !kernel->shader)
            return out_of_memory();
    }
    for (int i = 0; i < from->value_count; i++) {
        to->values[i] = from->values[i];
        to->values[i].name = strdup(from->values[i].name);
        to->value_count++;
        if (!to->values[i].name)
            return out_of_memory();
    }
    return NULL;
}

br_status br_prof_add_program(br_profile *profile, const br_prof_program *program, int *out_index)
{
    if (!grow((void **)&profile->programs, profile->program_count, &profile->program_capacity, sizeof *profile->programs))
        return out_of_memory();
    br_prof_program *added = &profile->programs[profile->program_count];
    br_status status = copy_program(program, added);
    if (status) {
        finish_program(added);
        return status;
    }
    *out_index = profile->program_count++;
    return NULL;
}

static br_status know_gauges(br_profile *profile, const br_vk_gauges *gauges)
{
    if (profile->gauges)
        return NULL;
    profile->gauges = malloc(gauges->count * sizeof *profile->gauges);
    if (!profile->gauges)
        return out_of_memory();
    memcpy(profile->gauges, gauges->list, gauges->count * sizeof *profile->gauges);
    profile->gauge_count = (int)gauges->count;
    return NULL;
}

/* Where the first timestamp lies on the profile's clock. Without a common clock all that is known is that the dispatches lie between submission and end, so
 * they are put into the middle. */
static double align(br_profile *profile, const br_vk_recording *recording, br_prof_run *run, double length)
{
    br_vk_moment moment;
    uint64_t origin;
    double deviation = 0, first;
    br_vk_run_times host = br_vk_recording_run_times(recording);
    if (br_vk_recording_origin(recording, &origin) && br_vk_device_moment(profile->device, &moment)) {
        profile->alignment = BR_PROF_CALIBRATED;
        deviation = moment.deviation;
        first = moment.seconds - profile->origin + br_vk_ticks_between(br_vk_device_caps(profile->device), moment.ticks, origin);
    } else {
        double room = host.done - host.began - length;
        profile->alignment = BR_PROF_BOUNDED;
        deviation = room > 0 ? room / 2 : 0;
        first = host.began - profile->origin + deviation;
    }
    if (deviation > run->deviation)
        run->deviation = deviation;
    return first;
}

/* Takes in the dispatches of one recording, which are the run's from `first` on. */
static void take_recording(br_profile *profile, const br_vk_recording *recording, uint32_t first, br_prof_run *run)
{
    uint32_t count = br_vk_recording_dispatches(recording);
    double begin, end, length = 0;
    if (run->times && count > 0 && br_vk_recording_time(recording, count - 1, &begin, &length)) {
        double origin = align(profile, recording, run, length * 1e-9);
        for (uint32_t i = 0; i < count; i++) {
            if (!br_vk_recording_time(recording, i, &begin, &end))
                begin = end = 0;
            run->times[2 * (size_t)(first + i)] = origin + begin * 1e-9;
            run->times[2 * (size_t)(first + i) + 1] = origin + end * 1e-9;
        }
    }
    for (uint32_t i = 0; i < count && run->gauges; i++)
        if (!br_vk_recording_gauges(recording, i, run->gauges + (size_t)(first + i) * (size_t)profile->gauge_count))
            break;
}

br_status br_prof_add_run(br_profile *profile, int program, br_vk_recording *const *recordings, int count)
{
    double begin, end;
    uint32_t dispatches = 0;
    if (profile->paused)
        return NULL;
    if (!grow((void **)&profile->runs, profile->run_count, &profile->run_capacity, sizeof *profile->runs))
        return out_of_memory();
    br_vk_run_times from = br_vk_recording_run_times(recordings[0]), to = br_vk_recording_run_times(recordings[count - 1]);
    br_prof_run *run = &profile->runs[profile->run_count++];
    *run = (br_prof_run){.program = program,
                         .began = from.began - profile->origin,
                         .submitted = to.submitted - profile->origin,
                         .done = to.done - profile->origin};
    for (int i = 0; i < count; i++)
        dispatches += br_vk_recording_dispatches(recordings[i]);
    if (br_vk_recording_time(recordings[0], 0, &begin, &end)) {
        run->times = malloc(2 * (size_t)dispatches * sizeof *run->times);
        if (!run->times)
            return out_of_memory();
    }
    const br_vk_gauges *gauges = br_vk_device_gauges(profile->device);
    if (gauges) {
        BR_TRY(know_gauges(profile, gauges));
        run->gauges = calloc((size_t)dispatches * gauges->count + 1, sizeof *run->gauges);
        if (!run->gauges)
            return out_of_memory();
    }
    for (int i = 0, first = 0; i < count; i++) {
        take_recording(profile, recordings[i], (uint32_t)first, run);
        first += (int)br_vk_recording_dispatches(recordings[i]);
    }
    if (run->times && run->deviation > profile->deviation)
        profile->deviation = run->deviation;
    return NULL;
}

br_prof_runs br_prof_count_runs(const br_profile *profile, int program)
{
    br_prof_runs runs = {0};
    for (int i = 0; i < profile->run_count; i++) {
        bool own = profile->runs[i].program == program;
        runs.all += own;
        runs.timed += own && profile->runs[i].times;
    }
    return runs;
}

double br_prof_runs_scale(br_prof_runs runs)
{
    return runs.timed > 0 ? (double)runs.all / runs.timed : 0;
}

double br_prof_kernel_seconds(const br_prof_run *run, int kernel)
{
    return run->times ? run->times[2 * (size_t)kernel + 1] - run->times[2 * (size_t)kernel] : 0;
}

double br_prof_run_seconds(const br_profile *profile, const br_prof_run *run)
{
    double seconds = 0;
    for (int i = 0; i < profile->programs[run->program].kernel_count; i++)
        seconds += br_prof_kernel_seconds(run, i);
    return seconds;
}

static uint64_t shared_bytes(const br_prof_value *a, const br_prof_value *b)
{
    uint64_t begin = a->offset > b->offset ? a->offset : b->offset;
    uint64_t a_end = a->offset + a->bytes, b_end = b->offset + b->bytes, end = a_end < b_end ? a_end : b_end;
    return end > begin ? end - begin : 0;
}

uint64_t br_prof_live_bytes(const br_prof_program *program, int dispatch)
{
    uint64_t bytes = 0;
    for (int i = 0; i < program->value_count; i++) {
        const br_prof_value *value = &program->values[i];
        if (dispatch < value->first || dispatch > value->last)
            continue;
        /* An op in place: its result lies where its argument lies, or in part, for the dispatches in which both are alive. */
        uint64_t counted = 0;
        for (int j = 0; j < i; j++) {
            const br_prof_value *other = &program->values[j];
            if (other->first <= dispatch && dispatch <= other->last)
                counted += shared_bytes(value, other);
        }
        bytes += value->bytes - counted;
    }
    return bytes;
}
