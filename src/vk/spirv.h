/* The little of SPIR-V that the engine reads itself. */
#ifndef BR_VK_SPIRV_H
#define BR_VK_SPIRV_H

#include <stddef.h>
#include <stdint.h>

/* out_names[i] is the source's name of specialization constant i, pointing into `words`; "local_size_x" and its kin for the workgroup's size;
 * NULL where the module has no such constant or gives it no name. `size` in bytes. */
void br_spirv_constant_names(const uint32_t *words, size_t size, const char **out_names, uint32_t name_count);

#endif
