#include "weights/quant.h"

#include "weights/quant_codec.h"

void br_quant_decode(br_weight_dtype dtype, const void *source, size_t blocks, float *out_values)
{
    static br_quant_decoder *const decoders[BR_WEIGHT_DTYPE_COUNT] = {
        [BR_WEIGHT_Q4_0] = br_decode_q4_0, [BR_WEIGHT_Q4_1] = br_decode_q4_1, [BR_WEIGHT_Q5_0] = br_decode_q5_0,
        [BR_WEIGHT_Q5_1] = br_decode_q5_1, [BR_WEIGHT_Q8_0] = br_decode_q8_0, [BR_WEIGHT_Q2_K] = br_decode_q2_k,
        [BR_WEIGHT_Q3_K] = br_decode_q3_k, [BR_WEIGHT_Q4_K] = br_decode_q4_k, [BR_WEIGHT_Q5_K] = br_decode_q5_k,
        [BR_WEIGHT_Q6_K] = br_decode_q6_k,
    };
    decoders[dtype](source, blocks, out_values);
}

void br_quant_encode(br_weight_dtype dtype, const float *values, size_t blocks, void *out_blocks)
{
    static br_quant_encoder *const encoders[BR_WEIGHT_DTYPE_COUNT] = {
        [BR_WEIGHT_Q4_0] = br_encode_q4_0, [BR_WEIGHT_Q4_1] = br_encode_q4_1, [BR_WEIGHT_Q5_0] = br_encode_q5_0,
        [BR_WEIGHT_Q5_1] = br_encode_q5_1, [BR_WEIGHT_Q8_0] = br_encode_q8_0, [BR_WEIGHT_Q2_K] = br_encode_q2_k,
        [BR_WEIGHT_Q3_K] = br_encode_q3_k, [BR_WEIGHT_Q4_K] = br_encode_q4_k, [BR_WEIGHT_Q5_K] = br_encode_q5_k,
        [BR_WEIGHT_Q6_K] = br_encode_q6_k,
    };
    encoders[dtype](values, blocks, out_blocks);
}
