/* Device memory that programs which run one after the other share: arenas at address 0, chunks of weights where their cuts put them (cut.h). The pool knows
 * whose bytes it holds, so that nothing is brought in twice while it is still there. */
#ifndef BR_EXEC_POOL_H
#define BR_EXEC_POOL_H

#include "exec/bind.h"
#include "exec/cut.h"

typedef struct br_pool br_pool;

/* In as few buffers as the device allows. Errors: BR_ERROR_OUT_OF_DEVICE_MEMORY. */
BR_MUST_CHECK br_status br_pool_create(br_vk_device *device, uint64_t bytes, br_pool **out_pool);
/* Takes NULL. */
void br_pool_destroy(br_pool *pool);
/* Of each of its buffers, for a pool of `bytes` on a device of these caps. */
uint64_t br_pool_bank_bytes(const br_vk_caps *caps, uint64_t bytes);
uint64_t br_pool_bytes(const br_pool *pool);
br_location br_pool_at(const br_pool *pool, uint64_t address);

/* Bytes [begin, end) get a new owner, who is known by an address and a number; whoever held any of them holds nothing of his any more. */
typedef struct br_claim {
    const void *owner;
    int index;
    uint64_t begin, end;
} br_claim;
BR_MUST_CHECK br_status br_pool_claim(br_pool *pool, const br_claim *claim);
bool br_pool_holds(const br_pool *pool, const void *owner, int index);
void br_pool_forget(br_pool *pool, const void *owner);

#endif
