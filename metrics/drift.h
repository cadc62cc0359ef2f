/* drift.h - how far two distributions are apart, and whether that could be chance. Pure: no shared memory, no allocation.
 *
 * A distribution comes as counts in bins, the same bins on both sides, in ascending order where order matters (KS) and in
 * any where it doesn't (PSI). What is expected may also come as weights: numbers at or above 0, of which only the ratio
 * counts. Distances are of what the bins let see: of values in one bin the order is lost, so a binned KS distance is at most
 * the one of the values, and its p-value at least theirs.
 *
 * NaN says that there is no answer: a side without anything in it, mostly. A NaN that goes in comes out. Comparisons with
 * NaN are false, so `p < alpha` needs no special case. */
#ifndef AKIN_DRIFT_H
#define AKIN_DRIFT_H

#include <stdint.h>

/* sup |F_a - F_b|, 0 to 1. NaN: a side is empty (bins 0 included). Sums must stay below 2^63. */
double ks_distance(const uint64_t *a, const uint64_t *b, unsigned bins);
/* The same against weights. NaN: nothing counted, or weights without a sum above 0. */
double ks_distance_weights(const uint64_t *counts, const double *weights, unsigned bins);

/* Of all mixtures F_l = (1 - l) F_u + l F_m, 0 <= l <= 1, the one nearest to what was counted. The distance to F_l is a
 * maximum of |straight lines| in l, so it is convex and has one least value, which is never above that of either end. Where
 * several l have it, share is any of them; 0 when it makes no difference at all. Both NaN: as ks_distance_weights(). */
struct mixture {
	double share;			/* l: how much of F_m is in it */
	double distance;		/* sup |F - F_l| */
};
struct mixture ks_nearest_mixture(const uint64_t *counts, const double *u, const double *m, unsigned bins);
/* That mixture as weights, summing up to 1: weights[bins] is the caller's, and may be u or m. NaNs where there is none. */
void mixture_weights(double share, const double *u, const double *m, unsigned bins, double *weights);

/* P(distance >= d) when n and m draws come from one distribution, two-sided: exact when n * m <= KS_EXACT (special.h), else
 * Kolmogorov's limit at d * sqrt(n m / (n + m)), which is on the safe side: near 0.001 it is larger by a third where it takes
 * over, and by more where a side has only some ten. NaN: n or m is 0, or d is NaN. */
double ks_p_value(double d, uint64_t n, uint64_t m);
/* The least distance of which that is below alpha, 0 < alpha < 1. Infinity: no distance is, there is too little. NaN: n or
 * m is 0. */
double ks_critical(double alpha, uint64_t n, uint64_t m);

/* Population stability index: sum over groups of (p - q) ln(p / q), with p = (a + 0.5) / (n + G / 2), q alike. The half a
 * count keeps a group that one side lacks finite; a group that both lack is left out. Symmetric, 0 when the shares are the same.
 * NaN: a side is empty. */
struct psi {
	double value;
	unsigned groups;		/* G: those that a side has something in */
};
struct psi psi_counts(const uint64_t *a, const uint64_t *b, unsigned groups);
/* Against weights that stand for a reference of m entities: b = m * weight / sum of weights. m above 0. */
struct psi psi_weights(const uint64_t *counts, const double *weights, double m, unsigned groups);

/* Without any drift PSI is about (1/n + 1/m) * chi-square with groups - 1 degrees of freedom (Yurdakul 2018): its mean,
 * and what it exceeds with probability alpha. The second is good within 2 % from n = 100 and 10 groups on. NaN: n or m is 0. With
 * one group both are 0. */
double psi_expected(unsigned groups, uint64_t n, uint64_t m);
double psi_critical(double alpha, unsigned groups, uint64_t n, uint64_t m);

/* P(a share at least so much above the other's) when both are draws from one: hits of n against reference_hits of m, z with
 * the pooled share. One-sided: a fall has a p-value above 0.5. 1: both shares are 0, or both 1. NaN: n or m is 0, or hits exceed
 * them. The normal approximation says too little for a handful of hits; ask for an effect besides. */
double proportion_p_value(uint64_t hits, uint64_t n, uint64_t reference_hits, uint64_t m);

#endif
