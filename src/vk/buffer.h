/* Device buffers, suballocated from memory.h's arenas, and moving bytes in and out of them. */
#ifndef BR_VK_BUFFER_H
#define BR_VK_BUFFER_H

#include <stdint.h>

#include "vk/device.h"

typedef enum br_vk_buffer_kind {
    BR_VK_BUFFER_DEVICE,   /* device-local; mapped too where memory is unified */
    BR_VK_BUFFER_UPLOAD,   /* host writes, device reads: step buffer, tokens, noise. Mapped, coherent */
    BR_VK_BUFFER_READBACK, /* device writes, host reads. Mapped, cached where that exists */
} br_vk_buffer_kind;

typedef struct br_vk_buffer br_vk_buffer;

/* From here on the device holds next to nothing that no buffer needs: not more than br_vk_spare_bytes beyond the sum of the buffers' sizes, each rounded up
 * to BR_VK_BUFFER_ALIGNMENT; what moves bytes where the host does not see device memory is among it. */
BR_MUST_CHECK br_status br_vk_device_spare(br_vk_device *device);
uint64_t br_vk_spare_bytes(const br_vk_caps *caps);
#define BR_VK_BUFFER_ALIGNMENT 256

/* `name` appears in debug tools and in error messages. Errors: BR_ERROR_OUT_OF_DEVICE_MEMORY with name, bytes asked and bytes in use. */
BR_MUST_CHECK br_status br_vk_buffer_create(br_vk_device *device, br_vk_buffer_kind kind, uint64_t size, const char *name,
                                            br_vk_buffer **out_buffer);
void br_vk_buffer_destroy(br_vk_buffer *buffer);
uint64_t br_vk_buffer_size(const br_vk_buffer *buffer);
/* Persistent mapping; NULL for a device buffer that the host cannot see. */
void *br_vk_buffer_mapped(const br_vk_buffer *buffer);

/* Writes [offset, offset + size) of a buffer of any kind, `fill` being called with ascending chunks of staging memory (or of the buffer itself where
 * the host sees it): dst[0 .. size) is to receive bytes [at, at + size) of the range. Returns when `fill` has been called for everything; the bytes are there
 * for every later submission. Chunks are multiples of 64 bytes except the last. */
typedef br_status (*br_vk_fill)(void *user, void *dst, uint64_t at, uint64_t size);
typedef struct br_vk_upload_params {
    br_vk_buffer *buffer;
    uint64_t offset, size;
    br_vk_fill fill;
    void *user;
} br_vk_upload_params;
BR_MUST_CHECK br_status br_vk_upload_fill(br_vk_device *device, const br_vk_upload_params *params);
BR_MUST_CHECK br_status br_vk_upload(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size, const void *data);
/* Submits what is still staged and waits for it. br_vk_recording_run does this by itself. */
BR_MUST_CHECK br_status br_vk_upload_flush(br_vk_device *device);
/* Waits for all submitted work that writes the buffer, then copies [offset, offset + size) to `out_data`. */
BR_MUST_CHECK br_status br_vk_download(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size, void *out_data);

#endif
