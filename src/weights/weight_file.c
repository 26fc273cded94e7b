#include "weights/weight_file.h"

#include <string.h>

#include "weights/ckpt.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"

br_status br_weight_file_open(const char *path, br_weights **out_weights, const char **out_format)
{
    br_file_map map;
    *out_weights = NULL;
    *out_format = NULL;
    BR_TRY(br_file_map_init(path, &map));
    bool gguf = map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0, ckpt = br_ckpt_recognise(map.data, map.size);
    br_file_map_finish(&map);
    *out_format = gguf ? "gguf" : ckpt ? "ckpt" : "safetensors";
    if (gguf)
        return br_gguf_open(path, out_weights);
    return ckpt ? br_ckpt_open(path, out_weights) : br_safetensors_open(path, out_weights);
}
