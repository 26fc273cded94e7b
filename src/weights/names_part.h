/* One tensor's new name, by part: what the files of names.h share. */
#ifndef BR_WEIGHTS_NAMES_PART_H
#define BR_WEIGHTS_NAMES_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "weights/names.h"

#define BR_NAME_MAX 256
/* Far beyond any published UNet (12 input blocks and as many output blocks). */
#define BR_NAME_BLOCK_MAX 64

typedef enum br_name_place {
    BR_NAME_UNKNOWN,
    BR_NAME_IGNORED, /* known to change nothing */
    BR_NAME_PLACED,
    BR_NAME_FUSED,     /* q, k and v one below the other: '*' stands for which */
    BR_NAME_TRANSPOSED /* [in, out] */
} br_name_place;

/* Which block of diffusers' an LDM block belongs to; filled by br_name_unet_scan. */
typedef struct br_name_unet {
    int input_block[BR_NAME_BLOCK_MAX], input_layer[BR_NAME_BLOCK_MAX];
    int output_block[BR_NAME_BLOCK_MAX], output_layer[BR_NAME_BLOCK_MAX];
} br_name_unet;

/* `prefix` stands before the UNet's names in `file`. */
void br_name_unet_scan(const br_weights *file, const char *prefix, br_name_unet *out_unet);
/* Blocks of an LDM decoder, which counts them from the picture on; 0 for other names. */
int br_name_vae_scan(const br_weights *file, const char *prefix);

/* `name` without its prefix; `out_name` holds BR_NAME_MAX bytes. */
br_name_place br_name_of_unet(const br_name_unet *unet, const char *name, char *out_name);
br_name_place br_name_of_vae(int up_blocks, const char *name, char *out_name);
br_name_place br_name_of_text(const char *name, char *out_name, bool *out_open_clip);
/* A layer of TAESD's own decoder or encoder: "3.conv.0.weight". */
br_name_place br_name_of_taesd(bool decoder, const char *name, char *out_name);

/* The text behind `prefix`, or NULL. */
const char *br_name_after(const char *name, const char *prefix);
/* A number and a dot at *name, at most BR_NAME_BLOCK_MAX - 1; moves behind them. */
bool br_name_number(const char **name, int *out_number);
bool br_name_has(const br_weights *file, const char *format, ...) BR_PRINTF(2, 3);

#endif
