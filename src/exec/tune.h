/* Which forms of matrix products and of attention a device is fastest with: measured, and held against the host's own arithmetic. */
#ifndef BR_EXEC_TUNE_H
#define BR_EXEC_TUNE_H

#include "vk/device.h"

/* What is chosen apart: each br_gemm_shape, how matrices in blocks are multiplied, attention by heads that matrix units can take. */
#define BR_TUNING_BLOCKS BR_VK_TUNED_SHAPES
#define BR_TUNING_ATTENTION (BR_TUNING_BLOCKS + 1)
/* A row's form is the index of a tile or this one: matrix units. */
#define BR_TUNING_MATRIX BR_VK_TUNED_TILES
/* Of BR_TUNING_BLOCKS. */
enum { BR_TUNING_PLAIN, BR_TUNING_DOT, BR_TUNING_BLOCK_FORMS };
/* Of BR_TUNING_ATTENTION: br_vk_attention less one. */
#define BR_TUNING_ATTENTION_FORMS BR_VK_ATTENTION_REDUCE
#define BR_TUNING_ROWS (BR_VK_TUNED_SHAPES * (BR_VK_TUNED_TILES + 1) + BR_TUNING_BLOCK_FORMS + BR_TUNING_ATTENTION_FORMS)

/* Fields as in brume/tune.h. */
typedef struct br_tuning_row {
    const char *shape, *candidate; /* static text */
    int kind, form;                /* a br_gemm_shape, BR_TUNING_BLOCKS or BR_TUNING_ATTENTION; as above */
    int m, n, k;                   /* of attention queries, columns of all heads, keys */
    double gflops, error;
    bool right, is_default, chosen;
} br_tuning_row;

typedef struct br_tuning {
    br_tuning_row rows[BR_TUNING_ROWS]; /* those of a kind together, by form; only what was measured */
    int count;
    br_vk_tuned tuned;
    double seconds; /* that it took */
} br_tuning;

typedef struct br_tuning_params {
    br_vk_device *device; /* borrowed; nothing of it is changed */
    const br_vk_caps
        *caps;      /* borrowed; those that ops choose by: the device's own, or as if it were another kind of device (tests) */
    double seconds; /* after which no further candidate is begun */
    int divisor;    /* of the products' depth and number, for tests: 1 */
} br_tuning_params;
/* A candidate that cannot be built is one whose numbers are not right. Errors: BR_ERROR_DEVICE_LOST. */
BR_MUST_CHECK br_status br_tuning_search(const br_tuning_params *params, br_tuning *out_tuning);
/* From the rows, marks those that win and says so in `tuned`: a tile for each kind of shape, then matrix units against that tile, then one of the forms for blocks, and for attention.
 * Where candidates are missing, nothing is chosen. Matrix units that are wrong once while another form is right are refused for all shapes: convolutions take
 * them too, and are not measured. Where nothing is right, nothing is learned and what is believed of the device holds. */
void br_tuning_decide(br_tuning *tuning);
/* Marks the row that wins: the fastest whose numbers were right, unless the default is right and nearly as fast; the default when none was right. Returns its
 * index. */
int br_tuning_pick(br_tuning_row *rows, int count);

#endif
