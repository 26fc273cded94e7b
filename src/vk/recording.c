#include "vk/recording.h"

#include <stdlib.h>

#include "base/clock.h"
#include "vk/clock.h"
#include "vk/handles.h"
#include "vk/staging.h"

/* Submissions under way while the caller may still change its mind: one that runs and one that waits, so that the device is never idle. */
#define AHEAD 2

static br_status wait_for_next(br_vk_recording *recording)
{
    br_vk_wait_params wait = {.fence = recording->submissions[recording->waited++].fence, .what = recording->name};
    return br_vk_device_wait(recording->device, &wait);
}

static br_status submit_next(br_vk_recording *recording)
{
    br_vk_device *device = recording->device;
    br_vk_submission *submission = &recording->submissions[recording->submitted];
    BR_TRY(BR_VK(device->fn.vkResetFences(device->handle, 1, &submission->fence)));
    BR_TRY(br_status_prefix(br_vk_device_submit(device, recording->queue, submission->commands, submission->fence), "%s",
                            recording->name));
    recording->submitted++;
    return NULL;
}

/* Whether the next submission has to wait for one that is under way. */
static bool is_full(const br_vk_recording *recording)
{
    return recording->stop && recording->submitted - recording->waited >= AHEAD;
}

static br_status ask(br_vk_recording *recording)
{
    BR_TRY(wait_for_next(recording));
    return recording->stop(recording->stop_user) ? br_fail(BR_ERROR_CANCELLED, "%s was cancelled", recording->name) : NULL;
}

static void submit_all(br_vk_recording *recording, bool may_wait)
{
    br_vk_device *device = recording->device;
    while (!recording->error && recording->submitted < recording->submission_count) {
        if (is_full(recording)) {
            VkFence oldest = recording->submissions[recording->waited].fence;
            if (!may_wait && device->fn.vkGetFenceStatus(device->handle, oldest) == VK_NOT_READY)
                return;
            recording->error = ask(recording);
        }
        if (!recording->error)
            recording->error = submit_next(recording);
    }
}

void br_vk_recording_begin(br_vk_recording *recording, br_vk_stop stop, void *user)
{
    recording->have_ticks = false;
    recording->stop = stop;
    recording->stop_user = user;
    recording->submitted = recording->waited = 0;
    recording->times.began = br_clock_seconds();
    recording->error = br_vk_staging_submit(recording->device);
    submit_all(recording, false);
}

void br_vk_recording_advance(br_vk_recording *recording)
{
    submit_all(recording, false);
}

bool br_vk_recording_done(const br_vk_recording *recording)
{
    br_vk_device *device = recording->device;
    for (uint32_t i = recording->waited; i < recording->submitted; i++)
        if (device->fn.vkGetFenceStatus(device->handle, recording->submissions[i].fence) == VK_NOT_READY)
            return false;
    return recording->error || recording->submitted == recording->submission_count; /* or lost, as br_vk_recording_end will say */
}

/* Nothing is under way when this returns, whatever happens. The first thing that did. */
static br_status settle(br_vk_recording *recording)
{
    br_status status = recording->error;
    recording->error = NULL;
    while (recording->waited < recording->submitted) {
        br_status late = wait_for_next(recording);
        if (!status)
            status = late;
        else
            br_status_free(late);
    }
    return status;
}

br_status br_vk_recording_end(br_vk_recording *recording)
{
    br_vk_device *device = recording->device;
    submit_all(recording, true);
    recording->times.submitted = br_clock_seconds();
    br_status status = settle(recording);
    recording->times.done = br_clock_seconds();
    recording->have_results = false;
    if (!status && recording->gauges && recording->dispatch_count > 0) {
        size_t stride = device->gauges.count * sizeof *recording->results;
        status = BR_VK(device->fn.vkGetQueryPoolResults(device->handle, recording->gauges, 0, recording->dispatch_count,
                                                        recording->dispatch_count * stride, recording->results, stride, 0));
        recording->have_results = !status;
    }
    if (!status && recording->queries && recording->dispatch_count > 0) {
        size_t size = recording->query_count * sizeof *recording->ticks;
        status = BR_VK(device->fn.vkGetQueryPoolResults(device->handle, recording->queries, 0, recording->query_count, size,
                                                        recording->ticks, sizeof *recording->ticks, VK_QUERY_RESULT_64_BIT));
        recording->have_ticks = !status;
        br_vk_ticks_unwrap(&device->caps, recording->ticks, recording->query_count);
    }
    return status;
}

br_status br_vk_recording_run_until(br_vk_recording *recording, br_vk_stop stop, void *user)
{
    br_vk_recording_begin(recording, stop, user);
    return br_vk_recording_end(recording);
}

br_status br_vk_recording_run(br_vk_recording *recording)
{
    return br_vk_recording_run_until(recording, NULL, NULL);
}

uint32_t br_vk_recording_barriers(const br_vk_recording *recording)
{
    return recording->barrier_count;
}

uint32_t br_vk_recording_submissions(const br_vk_recording *recording)
{
    return recording->submission_count;
}

bool br_vk_recording_gauges(const br_vk_recording *recording, uint32_t index, double *out_values)
{
    if (!recording->have_results || index >= recording->dispatch_count)
        return false;
    const br_vk_gauges *gauges = &recording->device->gauges;
    for (uint32_t i = 0; i < gauges->count; i++)
        out_values[i] = br_vk_gauge_value(&gauges->list[i], &recording->results[(size_t)index * gauges->count + i]);
    return true;
}

uint32_t br_vk_recording_dispatches(const br_vk_recording *recording)
{
    return recording->dispatch_count;
}

br_vk_run_times br_vk_recording_run_times(const br_vk_recording *recording)
{
    return recording->times;
}

bool br_vk_recording_origin(const br_vk_recording *recording, uint64_t *out_ticks)
{
    if (!recording->have_ticks)
        return false;
    *out_ticks = recording->ticks[0];
    return true;
}

bool br_vk_recording_time(const br_vk_recording *recording, uint32_t index, double *out_begin, double *out_end)
{
    if (!recording->have_ticks || index >= recording->dispatch_count)
        return false;
    double period = recording->device->caps.timestamp_period;
    const uint64_t *ticks = recording->ticks;
    *out_begin = (double)(int64_t)(ticks[recording->stamps[index][0]] - ticks[0]) * period;
    *out_end = (double)(int64_t)(ticks[recording->stamps[index][1]] - ticks[0]) * period;
    return true;
}

void br_vk_recording_destroy(br_vk_recording *recording)
{
    if (!recording)
        return;
    br_vk_device *device = recording->device;
    br_status_free(settle(recording));
    for (uint32_t i = 0; i < recording->submission_count; i++)
        if (recording->submissions[i].fence)
            device->fn.vkDestroyFence(device->handle, recording->submissions[i].fence, NULL);
    if (recording->gauges)
        device->fn.vkDestroyQueryPool(device->handle, recording->gauges, NULL);
    if (recording->locked)
        br_vk_gauges_unlock(device);
    if (recording->queries)
        device->fn.vkDestroyQueryPool(device->handle, recording->queries, NULL);
    if (recording->descriptors)
        device->fn.vkDestroyDescriptorPool(device->handle, recording->descriptors, NULL);
    if (recording->pool)
        device->fn.vkDestroyCommandPool(device->handle, recording->pool, NULL);
    free(recording->submissions);
    free(recording->ticks);
    free(recording->stamps);
    free(recording->results);
    free(recording);
}
