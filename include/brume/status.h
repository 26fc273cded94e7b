/* Outcome of a call. A br_status is NULL on success; otherwise it is an error that the caller owns: read it with
 * br_status_code and br_status_message, then release it with br_status_free. Errors are plain values: they may be passed between
 * threads, and there is no global "last error". */
#ifndef BRUME_STATUS_H
#define BRUME_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define BR_API
#define BR_MUST_CHECK
#else
#define BR_API __attribute__((visibility("default")))
#define BR_MUST_CHECK __attribute__((warn_unused_result))
#endif

typedef enum br_code {
    BR_OK = 0,
    BR_ERROR_ARGUMENT,    /* a parameter is out of its range */
    BR_ERROR_FORMAT,      /* a file or a text does not have the form it should have */
    BR_ERROR_UNSUPPORTED, /* well formed, but nothing Brume can run */
    BR_ERROR_NOT_FOUND,   /* file, tensor, device or name that does not exist */
    BR_ERROR_IO,          /* read, write or rename failed; disk full */
    BR_ERROR_OUT_OF_HOST_MEMORY,
    BR_ERROR_OUT_OF_DEVICE_MEMORY,
    BR_ERROR_NO_VULKAN, /* no Vulkan loader, or no usable device */
    BR_ERROR_DEVICE_LOST,
    BR_ERROR_VULKAN,    /* any other VkResult */
    BR_ERROR_CANCELLED, /* a callback asked to stop */
} br_code;

typedef struct br_error *br_status;

/* BR_OK for NULL. */
BR_API br_code br_status_code(br_status status);
/* One line of UTF-8 without a newline; "ok" for NULL. Borrowed: valid until br_status_free. */
BR_API const char *br_status_message(br_status status);
/* Takes NULL. */
BR_API void br_status_free(br_status status);

#ifdef __cplusplus
}
#endif
#endif
