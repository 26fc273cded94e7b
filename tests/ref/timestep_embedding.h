/* diffusers.models.embeddings.get_timestep_embedding in double. */
#ifndef BR_REF_TIMESTEP_EMBEDDING_H
#define BR_REF_TIMESTEP_EMBEDDING_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/op.h"

void br_ref_timestep_embedding(double t, const br_timestep_embedding_params *params, double *y);

#endif
