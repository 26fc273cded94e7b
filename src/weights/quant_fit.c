/* For fixed codes the best scale (and minimum) is linear least squares; for a fixed scale the best codes are the nearest. Neither says
 * which scale to begin with, so a ladder of them around "the largest value has the largest code" is tried, as ggml's make_qkx2_quants and
 * make_qx_quants do (src/ggml-quants.c), here without their weighting by magnitude. */
#include "weights/quant_fit.h"

#include <math.h>

/* The ladder: the widest value is taken to lie this many codes beyond (or short of) the last one. */
#define OFFSET_FIRST -1.0f
#define OFFSET_STEP 0.1f
#define OFFSET_TRIES 21
#define SYMMETRIC_FIRST -0.9f
#define SYMMETRIC_STEP 0.1f
#define SYMMETRIC_TRIES 19

/* To the nearest whole number, ties to even, for |value| < 2^22. */
static float round_small(float value)
{
    return value + 0x1.8p23f - 0x1.8p23f;
}

/* NaN becomes `low`. */
static float clamp(float value, float low, float high)
{
    value = value > low ? value : low;
    return value < high ? value : high;
}

int br_fit_code(float value, float step, br_fit_range range)
{
    float code = step != 0 ? value / step : 0;
    return (int)round_small(clamp(code, (float)range.low, (float)range.high));
}

/* Sums over a group in lanes, an order that compilers can turn into vectors without changing results. */
typedef struct lanes {
    float of[BR_FIT_LANES];
} lanes;

static float total(const lanes *l)
{
    return ((l->of[0] + l->of[4]) + (l->of[2] + l->of[6])) + ((l->of[1] + l->of[5]) + (l->of[3] + l->of[7]));
}

typedef struct offset_fit {
    float scale, offset, error; /* x is about scale * q + offset */
} offset_fit;

/* Codes for x = q / inverse + low, then the scale and the offset <= 0 that suit them best. */
static offset_fit try_offset(const float *x, int count, float high, float inverse, float low)
{
    float q[BR_FIT_GROUP_MAX];
    lanes sum_q = {0}, sum_qq = {0}, sum_xq = {0}, sum_x = {0}, sum_error = {0};
    for (int i = 0; i < count; i += BR_FIT_LANES)
        for (int k = 0; k < BR_FIT_LANES; k++) {
            float code = round_small(clamp(inverse * (x[i + k] - low), 0, high));
            q[i + k] = code;
            sum_q.of[k] += code;
            sum_qq.of[k] += code * code;
            sum_xq.of[k] += code * x[i + k];
            sum_x.of[k] += x[i + k];
        }
    float n = (float)count, sq = total(&sum_q), sqq = total(&sum_qq), sxq = total(&sum_xq), sx = total(&sum_x);
    float determinant = n * sqq - sq * sq;
    offset_fit fit = {.error = INFINITY};
    if (!(determinant > 0))
        return fit;
    fit.scale = (n * sxq - sx * sq) / determinant;
    fit.offset = (sqq * sx - sq * sxq) / determinant;
    if (fit.offset > 0) {
        fit.scale = sxq / sqq;
        fit.offset = 0;
    }
    for (int i = 0; i < count; i += BR_FIT_LANES)
        for (int k = 0; k < BR_FIT_LANES; k++) {
            float difference = fit.scale * q[i + k] + fit.offset - x[i + k];
            sum_error.of[k] += difference * difference;
        }
    fit.error = total(&sum_error);
    return fit;
}

float br_fit_offset(const float *x, int count, int high, float *out_minimum)
{
    float low = 0, top = x[0];
    for (int i = 0; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        top = x[i] > top ? x[i] : top;
    }
    *out_minimum = -low;
    if (!(top > low))
        return 0;
    /* Of all elements equal and positive, or of values too small to tell apart, no fit has a determinant. */
    offset_fit best = {.scale = (top - low) / (float)high, .offset = low, .error = INFINITY};
    for (int i = 0; i < OFFSET_TRIES; i++) {
        float inverse = ((float)high + OFFSET_FIRST + OFFSET_STEP * (float)i) / (top - low);
        offset_fit fit = try_offset(x, count, (float)high, inverse, low);
        if (fit.error < best.error)
            best = fit;
    }
    *out_minimum = -best.offset;
    return best.scale;
}

float br_fit_symmetric(const float *x, int count, br_fit_range range)
{
    float widest = 0;
    for (int i = 0; i < count; i++)
        widest = fabsf(x[i]) > fabsf(widest) ? x[i] : widest;
    if (widest == 0)
        return 0;
    float low = (float)range.low, high = (float)range.high;
    float scale = widest / low, gain = 0; /* the error is the sum of x² less the gain */
    for (int i = 0; i < SYMMETRIC_TRIES; i++) {
        float inverse = (low - SYMMETRIC_FIRST - SYMMETRIC_STEP * (float)i) / widest;
        lanes sum_qq = {0}, sum_xq = {0};
        for (int j = 0; j < count; j += BR_FIT_LANES)
            for (int k = 0; k < BR_FIT_LANES; k++) {
                float code = round_small(clamp(inverse * x[j + k], low, high));
                sum_qq.of[k] += code * code;
                sum_xq.of[k] += code * x[j + k];
            }
        float sqq = total(&sum_qq), sxq = total(&sum_xq);
        if (sqq > 0 && sxq * sxq > gain * sqq) {
            gain = sxq * sxq / sqq;
            scale = sxq / sqq;
        }
    }
    return scale;
}
