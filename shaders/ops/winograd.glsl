// Winograd's F(4 × 4, 3 × 3): Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A takes 36 products for 16 outputs where the sum itself takes 144. (Lavin and Gray, Fast Algorithms
// for Convolutional Neural Networks, 2015.) Points of interpolation: 0, ±√½, ±√2, ∞, whose errors in f32 are half of those of 0, ±1, ±2, ∞. Each of the
// functions below is one side of a transform, for a column or a row.
#ifndef BR_WINOGRAD_GLSL
#define BR_WINOGRAD_GLSL

#define WINOGRAD_OUT 4  // outputs of a tile, in a line
#define WINOGRAD_IN 6   // its inputs
#define WINOGRAD_ALL 36 // its products

const float WINOGRAD_A = 0.70710678118654752; // √½
const float WINOGRAD_B = 1.41421356237309505; // √2

// Bᵀ d
void winograd_input(vec4 d[6], out vec4 v[6])
{
    vec4 even = d[4] - 2.0 * d[2], odd = WINOGRAD_A * (d[3] - 2.0 * d[1]);
    v[0] = d[0] - 2.5 * d[2] + d[4];
    v[1] = even + odd;
    v[2] = even - odd;
    even = d[4] - 0.5 * d[2], odd = WINOGRAD_B * (d[3] - 0.5 * d[1]);
    v[3] = even + odd;
    v[4] = even - odd;
    v[5] = d[1] - 2.5 * d[3] + d[5];
}

// G g
void winograd_weights(vec4 g0, vec4 g1, vec4 g2, out vec4 u[6])
{
    vec4 even = (g0 + 0.5 * g2) / -1.5, odd = WINOGRAD_A / -1.5 * g1;
    u[0] = g0;
    u[1] = even + odd;
    u[2] = even - odd;
    even = (g0 + 2.0 * g2) / 6.0, odd = WINOGRAD_B / 6.0 * g1;
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = g2;
}

// Aᵀ m
void winograd_output(vec4 m[6], out vec4 y[4])
{
    vec4 even_a = m[1] + m[2], odd_a = WINOGRAD_A * (m[1] - m[2]), even_b = m[3] + m[4], odd_b = WINOGRAD_B * (m[3] - m[4]);
    y[0] = m[0] + even_a + even_b;
    y[1] = odd_a + odd_b;
    y[2] = 0.5 * even_a + 2.0 * even_b;
    y[3] = 0.5 * odd_a + 2.0 * odd_b + m[5];
}

#endif
