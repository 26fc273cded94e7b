#include "exec/pool.h"

#include <stdlib.h>

#define BANK_ALIGNMENT 256

struct br_pool {
    br_vk_buffer **banks; /* owned */
    int bank_count;
    uint64_t bytes, bank_bytes;
    br_claim *claims; /* owned */
    int claim_count, claim_capacity;
};

/* As large as may be, for the largest arena: all but the last are full. */
uint64_t br_pool_bank_bytes(const br_vk_caps *caps, uint64_t bytes)
{
    uint64_t most = caps->max_buffer_size / BANK_ALIGNMENT * BANK_ALIGNMENT;
    uint64_t aligned = (bytes + BANK_ALIGNMENT - 1) / BANK_ALIGNMENT * BANK_ALIGNMENT;
    return aligned < most ? aligned : most;
}

br_status br_pool_create(br_vk_device *device, uint64_t bytes, br_pool **out_pool)
{
    *out_pool = NULL;
    br_status status = NULL;
    br_pool *pool = calloc(1, sizeof *pool);
    uint64_t bank = br_pool_bank_bytes(br_vk_device_caps(device), bytes);
    size_t count = (size_t)((bytes + bank - 1) / bank);
    if (pool)
        *pool = (br_pool){.bytes = bytes, .bank_bytes = bank, .banks = calloc(count + 1, sizeof *pool->banks)};
    if (!pool || !pool->banks)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a pool of device memory");
    for (uint64_t at = 0; at < bytes; at += bank) {
        uint64_t size = bytes - at < bank ? bytes - at : bank;
        BR_TRY_GOTO(
            br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, size, "weights and activations", &pool->banks[pool->bank_count]));
        pool->bank_count++;
    }
    *out_pool = pool;
    return NULL;
fail:
    br_pool_destroy(pool);
    return status;
}

void br_pool_destroy(br_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->bank_count; i++)
        br_vk_buffer_destroy(pool->banks[i]);
    free(pool->banks);
    free(pool->claims);
    free(pool);
}

uint64_t br_pool_bytes(const br_pool *pool)
{
    return pool->bytes;
}

br_location br_pool_at(const br_pool *pool, uint64_t address)
{
    return (br_location){pool->banks[address / pool->bank_bytes], address % pool->bank_bytes};
}

br_status br_pool_claim(br_pool *pool, const br_claim *claim)
{
    int kept = 0;
    for (int i = 0; i < pool->claim_count; i++) {
        const br_claim *other = &pool->claims[i];
        if (other->end <= claim->begin || other->begin >= claim->end)
            pool->claims[kept++] = *other;
    }
    pool->claim_count = kept;
    if (kept == pool->claim_capacity) {
        int capacity = 2 * kept + 16;
        br_claim *grown = realloc(pool->claims, (size_t)capacity * sizeof *grown);
        if (!grown)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a pool of device memory");
        pool->claims = grown;
        pool->claim_capacity = capacity;
    }
    pool->claims[pool->claim_count++] = *claim;
    return NULL;
}

bool br_pool_holds(const br_pool *pool, const void *owner, int index)
{
    for (int i = 0; i < pool->claim_count; i++)
        if (pool->claims[i].owner == owner && pool->claims[i].index == index)
            return true;
    return false;
}

void br_pool_forget(br_pool *pool, const void *owner)
{
    int kept = 0;
    for (int i = 0; i < pool->claim_count; i++)
        if (pool->claims[i].owner != owner)
            pool->claims[kept++] = pool->claims[i];
    pool->claim_count = kept;
}
