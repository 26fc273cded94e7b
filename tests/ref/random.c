#include "ref/random.h"

double br_ref_random(uint32_t seed, uint32_t number)
{
    uint64_t h = number ^ seed;
    h = (h ^ (h >> 16)) * 0x7feb352d % ((uint64_t)1 << 32);
    h = (h ^ (h >> 15)) * 0x846ca68b % ((uint64_t)1 << 32);
    h ^= h >> 16;
    return (double)(h >> 8) / 8388608 - 1;
}
