// sum + a · b as four multiply-adds one after the other: dot() would be a multiplication, three of them and an addition on CPU devices that have them, and four
// separate additions are twice as many instructions for a compiler that optimises a tile's thousand of them.
#ifndef BR_DOT_GLSL
#define BR_DOT_GLSL

float br_add_dot(float sum, vec4 a, vec4 b)
{
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

#endif
