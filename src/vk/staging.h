/* The ring of host-visible chunks through which bytes get into and out of device memory that the host does not see. */
#ifndef BR_VK_STAGING_H
#define BR_VK_STAGING_H

#include "vk/buffer.h"

/* Two chunks, so that one is filled while the other is copied; large enough that a submission's cost does not show beside 8 MiB of copying. */
#define BR_VK_STAGING_CHUNKS 2
#define BR_VK_STAGING_CHUNK_BYTES (UINT64_C(8) << 20)
/* All of it: one more chunk is for reading. */
#define BR_VK_STAGING_BYTES ((BR_VK_STAGING_CHUNKS + 1) * BR_VK_STAGING_CHUNK_BYTES)

/* Creates device->staging unless it exists. */
BR_MUST_CHECK br_status br_vk_staging_ensure(br_vk_device *device);
void br_vk_staging_destroy(br_vk_device *device);

BR_MUST_CHECK br_status br_vk_staging_upload(br_vk_device *device, const br_vk_upload_params *params);
BR_MUST_CHECK br_status br_vk_staging_download(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size,
                                               void *out_data);
/* Submits the copies that were recorded; later submissions come after them. Does nothing without staging. */
BR_MUST_CHECK br_status br_vk_staging_submit(br_vk_device *device);
/* Waits for all submitted copies. */
BR_MUST_CHECK br_status br_vk_staging_wait(br_vk_device *device);

#endif
