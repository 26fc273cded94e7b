/* br_clip_bpe_open_shipped: the vocabulary in assets/tokenizer/clip. */
#include <stdlib.h>

#include "base/place.h"
#include "tokenizer/clip_bpe.h"

#define MERGES "tokenizer/clip/merges.txt"

br_status br_clip_bpe_open_shipped(const char *pad, br_clip_bpe **out_bpe)
{
    *out_bpe = NULL;
    char *path = br_place_asset(MERGES);
    if (!path)
        return br_fail(BR_ERROR_NOT_FOUND, "CLIP's vocabulary is neither in %s/%s beside the program nor in %s/%s",
                       BRUME_INSTALLED_ASSETS, MERGES, BRUME_ASSETS_DIR, MERGES);
    br_status status = br_clip_bpe_create(&(br_clip_bpe_params){.merges_path = path, .pad = pad}, out_bpe);
    free(path);
    return status;
}
