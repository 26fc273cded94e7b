/* The non-linearities in double. */
#ifndef BR_REF_ACTIVATION_H
#define BR_REF_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/op.h"

double br_ref_activation(br_activation kind, double x);

#endif
