#include "diffusion/beta_quantile.h"

#include <float.h>
#include <math.h>

/* The fraction below gains more than one binary digit a term where it is used; halving the interval takes 53 + exponent steps. */
#define MAX_TERMS 500
#define MAX_HALVINGS 1100

/* The continued fraction of the NIST Digital Library of Mathematical Functions, 8.17.22, by Lentz's method (Thompson and Barnett
 * 1986). Converges fast for x < (a + 1) / (a + b + 2). */
static double fraction(double x, double a, double b)
{
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), value = d;
    for (int m = 1; m <= MAX_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        value *= c * d;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        value *= c * d;
        if (fabs(c * d - 1) <= DBL_EPSILON)
            break;
    }
    return value;
}

double br_beta_distribution(double x, double a, double b)
{
    if (x <= 0 || x >= 1)
        return x >= 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * fraction(x, a, b) / a;
    return 1 - front * fraction(1 - x, b, a) / b;
}

double br_beta_quantile(double probability, double a, double b)
{
    if (!(probability > 0))
        return 0;
    if (!(probability < 1))
        return 1;
    double low = 0, high = 1;
    for (int i = 0; i < MAX_HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (br_beta_distribution(middle, a, b) < probability)
            low = middle;
        else
            high = middle;
    }
    return high;
}
