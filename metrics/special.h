/* special.h - the distributions that significance is read from. Pure; no shared memory, no allocation, no state.
 *
 * Upper tails throughout, so that a probability of 1e-20 is that and not 0: 1 - F(x) would lose it. A NaN that goes in comes
 * out. Accuracy: 1e-9 relative or better, tested against SciPy. */
#ifndef AKIN_SPECIAL_H
#define AKIN_SPECIAL_H

#include <stdint.h>

/* P(K >= x) of Kolmogorov's limiting distribution: 2 * sum over k >= 1 of (-1)^(k-1) exp(-2 k^2 x^2), and for small x the
 * theta transform of it. 1 for x <= 0. (scipy.special.kolmogorov) */
double kolmogorov_tail(double x);
/* The x of which that is alpha. 0 < alpha <= 1; else NaN. */
double kolmogorov_critical(double alpha);

/* P(D >= d), exactly, of the two-sample Kolmogorov-Smirnov distance of n and m draws from one continuous distribution:
 * the share of the paths from (0, 0) to (n, m) that leave the band |i/n - j/m| < d. Counted as a share and never as a number
 * of paths, which would overflow. Time n * m, memory on the stack the smaller of both: n * m must be at most KS_EXACT. n, m
 * at least 1. (scipy.stats.ks_2samp, method="exact") */
#define KS_EXACT 10000
double ks_exact_tail(double d, uint64_t n, uint64_t m);

/* P(X >= x) of chi-square with df degrees of freedom, df > 0. 1 for x <= 0. (scipy.stats.chi2.sf) */
double chi2_tail(double x, double df);
/* The x of which that is alpha, the 1 - alpha quantile. 0 < alpha <= 1, df > 0; else NaN. (scipy.stats.chi2.isf) */
double chi2_critical(double alpha, double df);

/* P(Z >= z) of the standard normal distribution. (scipy.stats.norm.sf) */
double normal_tail(double z);

#endif
