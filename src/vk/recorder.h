/* Records dispatches into command buffers that can be replayed. Barriers come from the hazards between the ranges that dispatches read and
 * write, so independent dispatches overlap. Long recordings are split into several submissions by estimated FLOPs (GPU watchdogs), and a dispatch that is too long for one submission into
 * parts: shaders may not rely on gl_NumWorkGroups other than to fold a grid into x and y. */
#ifndef BR_VK_RECORDER_H
#define BR_VK_RECORDER_H

#include "vk/buffer.h"
#include "vk/pipeline.h"

#define BR_VK_BINDING_MAX 8

typedef enum br_vk_access { BR_VK_READ = 1, BR_VK_WRITE = 2, BR_VK_READ_WRITE = 3 } br_vk_access;

typedef struct br_vk_binding {
    const br_vk_buffer *buffer;
    uint64_t offset, size; /* bytes; offset is a multiple of caps.storage_alignment */
    br_vk_access access;
} br_vk_binding;

typedef struct br_vk_dispatch {
    const char *name; /* debug label and timestamp name; copied */
    const br_vk_pipeline *pipeline;
    uint32_t binding_count;
    br_vk_binding bindings[BR_VK_BINDING_MAX];
    const void *push; /* copied; the pipeline's push_size bytes */
    uint32_t groups[3];
    uint64_t flops;
} br_vk_dispatch;

typedef struct br_vk_recorder br_vk_recorder;
typedef struct br_vk_recording br_vk_recording;

typedef struct br_vk_recorder_params {
    br_vk_device *device; /* borrowed; outlives recorder and recording */
    const char *name;
    uint32_t dispatch_max;     /* how many dispatches will be recorded at the most */
    uint64_t flops_per_submit; /* 0: chosen by the kind of device, see recorder.c */
    bool timestamps;           /* around every dispatch; where dispatches follow each other, one between them */
    bool beside;               /* for the second queue (caps.side_queue) */
    bool serialise;            /* a full barrier before every dispatch: each runs alone */
    bool
        gauges; /* hardware counters around every dispatch, where the device was opened with them; each in a submission of its own */
} br_vk_recorder_params;

BR_MUST_CHECK br_status br_vk_recorder_create(const br_vk_recorder_params *params, br_vk_recorder **out_recorder);
/* Abandons a recording that was not ended. Takes NULL. */
void br_vk_recorder_destroy(br_vk_recorder *recorder);
BR_MUST_CHECK br_status br_vk_recorder_dispatch(br_vk_recorder *recorder, const br_vk_dispatch *dispatch);
/* Ends recording and consumes the recorder, on failure too. */
BR_MUST_CHECK br_status br_vk_recorder_end(br_vk_recorder *recorder, br_vk_recording **out_recording);

/* Submits everything and waits. Host writes made before the call are seen by it, its writes are seen by the host after it.
 * Errors: BR_ERROR_DEVICE_LOST with the recording's name. */
BR_MUST_CHECK br_status br_vk_recording_run(br_vk_recording *recording);
/* The same, and asks `stop` before each submission but the first two whether to go on; at most two are under way then. Errors: BR_ERROR_CANCELLED,
 * the submitted part of the recording having run. */
typedef bool (*br_vk_stop)(void *user);
BR_MUST_CHECK br_status br_vk_recording_run_until(br_vk_recording *recording, br_vk_stop stop, void *user);
/* br_vk_recording_run_until for a host that has something else to do meanwhile: begin submits what may be under way at first, advance what may follow by now,
 * without waiting; done tells whether all of it has run; end submits the rest, and waits. An error, of whichever of them, is told by end, which every begin needs,
 * or br_vk_recording_destroy, which waits too. In between nobody else touches what the recording reads and writes; uploads to something else may be made. What
 * was uploaded must be there already where the recording is for the second queue: host-visible buffers are, and others once a recording for the first that was
 * run after the upload has returned. */
void br_vk_recording_begin(br_vk_recording *recording, br_vk_stop stop, void *user);
void br_vk_recording_advance(br_vk_recording *recording);
bool br_vk_recording_done(const br_vk_recording *recording);
BR_MUST_CHECK br_status br_vk_recording_end(br_vk_recording *recording);
/* Number of barriers between dispatches (not the one at each end) and of submissions it consists of (tests, inspect). */
uint32_t br_vk_recording_barriers(const br_vk_recording *recording);
uint32_t br_vk_recording_submissions(const br_vk_recording *recording);
/* Hardware counters of dispatch `index` in the last run, one for each of br_vk_device_gauges. False without them. */
bool br_vk_recording_gauges(const br_vk_recording *recording, uint32_t index, double *out_values);
/* When the last run happened on the host, in br_clock_seconds(). */
typedef struct br_vk_run_times {
    double began, submitted, done; /* before the first submission, after the last, and after waiting for it */
} br_vk_run_times;
br_vk_run_times br_vk_recording_run_times(const br_vk_recording *recording);
uint32_t br_vk_recording_dispatches(const br_vk_recording *recording);
/* The device's tick count where the times of br_vk_recording_time begin. False without timestamps. */
bool br_vk_recording_origin(const br_vk_recording *recording, uint64_t *out_ticks);
/* Timestamps of the last run: begin and end of dispatch `index` in ns since the first one. False without timestamps. */
bool br_vk_recording_time(const br_vk_recording *recording, uint32_t index, double *out_begin, double *out_end);
void br_vk_recording_destroy(br_vk_recording *recording);

#endif
