/* What a recorder leaves behind: command buffers and what they need, replayed by recording.c. */
#ifndef BR_VK_RECORDING_H
#define BR_VK_RECORDING_H

#include "vk/recorder.h"

typedef struct br_vk_submission {
    VkCommandBuffer commands; /* owned by the pool */
    VkFence fence;            /* owned */
} br_vk_submission;

struct br_vk_recording {
    br_vk_device *device;         /* borrowed */
    VkQueue queue;                /* borrowed */
    char name[64];                /* cut when longer */
    VkCommandPool pool;           /* owned */
    VkDescriptorPool descriptors; /* owned */
    VkQueryPool queries;          /* owned; VK_NULL_HANDLE without timestamps */
    uint64_t *ticks;              /* owned; [query_count] of the last run, in the order in which they were written */
    uint32_t (*stamps)[2];        /* owned; [dispatch_count]: the queries at which a dispatch begins and ends */
    uint32_t query_count;
    bool have_ticks;
    br_vk_run_times times;
    VkQueryPool gauges;                     /* owned; hardware counters, VK_NULL_HANDLE without */
    VkPerformanceCounterResultKHR *results; /* owned; [dispatch_count][gauges] of the last run */
    bool locked, have_results;
    br_vk_submission *submissions; /* owned */
    uint32_t submission_count, submission_capacity;
    /* of the run under way */
    br_vk_stop stop; /* NULL: it is not asked */
    void *stop_user;
    br_status error; /* owned; the first one */
    uint32_t submitted, waited;
    uint32_t dispatch_count, barrier_count;
};

#endif
