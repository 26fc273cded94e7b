/* Quantiles of the beta distribution. Private to src/diffusion. */
#ifndef BR_DIFFUSION_BETA_QUANTILE_H
#define BR_DIFFUSION_BETA_QUANTILE_H

/* I_x(a, b), the regularised incomplete beta function: the distribution function of Beta(a, b). 0 <= x <= 1; a, b > 0. */
double br_beta_distribution(double x, double a, double b);

/* Its inverse in x: the value that a Beta(a, b) variable stays below with the given probability, 0 to 1. */
double br_beta_quantile(double probability, double a, double b);

#endif
