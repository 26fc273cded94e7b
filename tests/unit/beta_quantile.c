/* The beta distribution and its quantiles against closed forms. */
#include "support/test.h"

#include <math.h>

#include "diffusion/beta_quantile.h"

#define PI 3.14159265358979323846
/* The continued fraction and the logarithms before it: some ten roundings. */
#define TOLERANCE 1e-14

static void distribution_has_closed_forms(void **state)
{
    (void)state;
    for (int i = 1; i < 113; i++) {
        double x = i / 113.0, y = 1 - x;
        assert_true(fabs(br_beta_distribution(x, 0.5, 0.5) - 2 / PI * asin(sqrt(x))) <= TOLERANCE);
        assert_true(fabs(br_beta_distribution(x, 1, 3.7) - (1 - pow(y, 3.7))) <= TOLERANCE);
        assert_true(fabs(br_beta_distribution(x, 2.3, 1) - pow(x, 2.3)) <= TOLERANCE);
        assert_true(fabs(br_beta_distribution(x, 2, 3) - x * x * (6 - 8 * x + 3 * x * x)) <= TOLERANCE);
        assert_true(fabs(br_beta_distribution(x, 0.6, 0.6) + br_beta_distribution(y, 0.6, 0.6) - 1) <= TOLERANCE);
    }
    assert_true(br_beta_distribution(0, 0.6, 0.6) == 0);
    assert_true(br_beta_distribution(1, 0.6, 0.6) == 1);
}

static void quantile_inverts(void **state)
{
    (void)state;
    for (int i = 0; i <= 89; i++) {
        double p = i / 89.0, s = sin(PI * p / 2);
        assert_true(fabs(br_beta_quantile(p, 0.5, 0.5) - s * s) <= TOLERANCE);
        assert_true(fabs(br_beta_quantile(p, 1, 3.7) - (1 - pow(1 - p, 1 / 3.7))) <= TOLERANCE);
        double x = br_beta_quantile(p, 0.6, 0.6);
        assert_true(fabs(br_beta_distribution(x, 0.6, 0.6) - p) <= 1e-12); /* steep at both ends */
        assert_true(fabs(x + br_beta_quantile(1 - p, 0.6, 0.6) - 1) <= TOLERANCE);
    }
    /* Deep in the tail x^a / (a B(a, b)) is all there is; B(0.6, 0.6) = Gamma(0.6)² / Gamma(1.2). */
    double b = exp(2 * lgamma(0.6) - lgamma(1.2)), tail = pow(1e-12 * 0.6 * b, 1 / 0.6);
    assert_true(fabs(br_beta_quantile(1e-12, 0.6, 0.6) - tail) <= 1e-12 * tail);
    assert_true(br_beta_quantile(0, 0.6, 0.6) == 0);
    assert_true(br_beta_quantile(1, 0.6, 0.6) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distribution_has_closed_forms),
        cmocka_unit_test(quantile_inverts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
