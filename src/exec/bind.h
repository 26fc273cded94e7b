/* Weights of a model file on the device, in the layout and precision that a graph asks for. */
#ifndef BR_EXEC_BIND_H
#define BR_EXEC_BIND_H

#include "exec/cut.h"
#include "graph/graph.h"
#include "vk/buffer.h"
#include "weights/weights.h"

typedef struct br_bound_weights br_bound_weights;

/* Where a value's bytes are on the device. */
typedef struct br_location {
    br_vk_buffer *buffer; /* borrowed; NULL: nowhere */
    uint64_t offset;
} br_location;

typedef struct br_bind_params {
    br_vk_device *device;  /* borrowed; outlives the result */
    const br_graph *graph; /* its WEIGHT values are bound */
    const br_weights *
        weights; /* borrowed during the call, or with a cut as long as the result; with a cut NULL: all weights are the same number */
    const char *name; /* of the component, for messages: "unet"; borrowed likewise */
    const br_cut *
        cut; /* borrowed during the call: nothing is uploaded, br_bound_weights_load brings in its chunks one by one. NULL: all is uploaded */
} br_bind_params;

/* Checks that every weight of the graph is in the file with the right shape (and, of a block type, in those blocks), then converts and uploads, several threads
 * at once, in the order of the file, whose pages leave our memory when they are done. Errors: BR_ERROR_FORMAT (missing tensor, wrong shape or blocks),
 * BR_ERROR_OUT_OF_DEVICE_MEMORY. */
BR_MUST_CHECK br_status br_bound_weights_create(const br_bind_params *params, br_bound_weights **out_weights);
/* The checks alone: no device is needed. */
BR_MUST_CHECK br_status br_bound_weights_check(const br_graph *graph, const br_weights *weights, const char *name);
void br_bound_weights_destroy(br_bound_weights *weights);
/* Chunk `index` of the cut goes to `location`. `meanwhile` (may be NULL) is called again and again until that is done. */
typedef struct br_load_params {
    int index;
    br_location location;
    void (*meanwhile)(void *user);
    void *user;
} br_load_params;
BR_MUST_CHECK br_status br_bound_weights_load(br_bound_weights *weights, const br_load_params *params);
/* That chunk will be loaded soon. */
void br_bound_weights_expect(const br_bound_weights *weights, int index);
/* Of weights without a cut. By the tensor's name, dtype and layout, so graphs of other sizes of the same model share one upload. {NULL} when it is not there. */
br_location br_bound_weights_find(const br_bound_weights *weights, const br_value_info *info);
uint64_t br_bound_weights_bytes(const br_bound_weights *weights);

#endif
