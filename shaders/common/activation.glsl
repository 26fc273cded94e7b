// Pointwise non-linearities, finite for every finite x. Kinds are the values of br_activation in src/ops/op.h.
#ifndef BR_ACTIVATION_GLSL
#define BR_ACTIVATION_GLSL

#define BR_ACT_NONE 0
#define BR_ACT_SILU 1
#define BR_ACT_GELU 2
#define BR_ACT_GELU_TANH 3
#define BR_ACT_QUICK_GELU 4
#define BR_ACT_RELU 5
#define BR_ACT_TANH 6

// e^88 is the last whole power below the largest float: past it exp() may give infinity, or worse on some drivers.
#define BR_EXP_MAX 88.0

float br_sigmoid(float x)
{
    return 1.0 / (1.0 + exp(min(-x, BR_EXP_MAX)));
}

// Absolute error at most 8.5e-8 with a correctly rounded exp(). Below 0.92: x + x·P(x²); above: 1 - exp(Q(|x|)), the form of N. Juffa's erff. Both
// polynomials are minimax fits (Lawson's iteration) to the double-precision function, Q weighted by erfc. 1 - erf(3.95) is below half an ulp.
float br_erf(float x)
{
    float s = x * x;
    float p = 8.40992288e-05;
    p = p * s - 0.000815262843;
    p = p * s + 0.00520196045;
    p = p * s - 0.0268597994;
    p = p * s + 0.112837031;
    p = p * s - 0.376126349;
    p = p * s + 0.128379166;
    float a = min(abs(x), 3.95);
    float q = 0.00019494594;
    q = q * a - 0.00303368503;
    q = q * a + 0.0221897494;
    q = q * a - 0.103856318;
    q = q * a - 0.637265801;
    q = q * a - 1.12762737;
    q = q * a - 0.000207015939;
    return abs(x) < 0.92 ? x + x * p : sign(x) * (1.0 - exp(q));
}

float br_gelu(float x)
{
    return 0.5 * x * (1.0 + br_erf(x * 0.707106781));
}

// (1 + tanh u) / 2 = sigmoid(2u), which needs no tanh().
float br_gelu_tanh(float x)
{
    return x * br_sigmoid(1.59576912 * (x + 0.044715 * x * x * x));
}

// 1 - 2 / (e^2x + 1) loses what is small: below 1/4 the Taylor series to x^9, whose next term is 8e-9 of x there.
float br_tanh(float x)
{
    float s = x * x;
    float series = x + x * s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0))));
    return abs(x) < 0.25 ? series : sign(x) * (1.0 - 2.0 / (exp(min(2.0 * abs(x), BR_EXP_MAX)) + 1.0));
}

float br_activate(int kind, float x)
{
    if (kind == BR_ACT_SILU)
        return x * br_sigmoid(x);
    if (kind == BR_ACT_GELU)
        return br_gelu(x);
    if (kind == BR_ACT_GELU_TANH)
        return br_gelu_tanh(x);
    if (kind == BR_ACT_QUICK_GELU)
        return x * br_sigmoid(1.702 * x);
    if (kind == BR_ACT_RELU)
        return max(x, 0.0);
    if (kind == BR_ACT_TANH)
        return br_tanh(x);
    return x;
}

vec4 br_activate4(int kind, vec4 x)
{
    return vec4(br_activate(kind, x.x), br_activate(kind, x.y), br_activate(kind, x.z), br_activate(kind, x.w));
}

#endif
