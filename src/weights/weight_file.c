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
    return br_weights_open(path, gguf ? br_gguf_parse : ckpt ? br_ckpt_parse : br_safetensors_parse, out_weights);
}
