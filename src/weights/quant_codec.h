/* The codecs of each block type, behind quant.h. Shared by the quant*.c files only. */
#ifndef BR_WEIGHTS_QUANT_CODEC_H
#define BR_WEIGHTS_QUANT_CODEC_H

#include <stddef.h>
#include <stdint.h>

typedef void br_quant_decoder(const uint8_t *source, size_t blocks, float *out_values);

br_quant_decoder br_decode_q4_0, br_decode_q4_1, br_decode_q5_0, br_decode_q5_1, br_decode_q8_0;
br_quant_decoder br_decode_q2_k, br_decode_q3_k, br_decode_q4_k, br_decode_q5_k, br_decode_q6_k;
typedef void br_quant_encoder(const float *values, size_t blocks, uint8_t *out_blocks);

br_quant_encoder br_encode_q4_0, br_encode_q4_1, br_encode_q5_0, br_encode_q5_1, br_encode_q8_0;
br_quant_encoder br_encode_q2_k, br_encode_q3_k, br_encode_q4_k, br_encode_q5_k, br_encode_q6_k;

#endif
