/* Names with slashes, "unet/down.1/attn.0/to_q": what labels, traces and reports nest by. */
#ifndef BR_BASE_SCOPE_H
#define BR_BASE_SCOPE_H

#include <stddef.h>

/* Bytes of `path` up to and with its last slash; 0 without one. */
size_t br_scope_length(const char *path);
/* Bytes up to and with the last slash before which both paths are the same: 12 for "unet/down.1/conv" and "unet/down.1/attn.0/to_q". */
size_t br_scope_common(const char *a, const char *b);

#endif
