/* What is behind br_vk_buffer: for the files of src/vk only. */
#ifndef BR_VK_BUFFER_HANDLE_H
#define BR_VK_BUFFER_HANDLE_H

#include "vk/buffer.h"
#include "vk/memory.h"

struct br_vk_buffer {
    br_vk_device *device; /* borrowed */
    VkBuffer handle;
    br_vk_slice slice;
    uint64_t size;
    void *mapped;   /* NULL when the host cannot see it or should not read it */
    void *writable; /* where the host may write; NULL when copies must do it */
    char name[64];  /* cut when longer */
};

#endif
