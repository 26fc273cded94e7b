/* Numbers from a hash of their place, in double. */
#ifndef BR_REF_RANDOM_H
#define BR_REF_RANDOM_H

#include <stdint.h>

/* Element `number` of what is drawn with `seed`: in [-1, 1). */
double br_ref_random(uint32_t seed, uint32_t number);

#endif
