/* drift.c - distances between distributions, their significance, and the mixture that comes nearest.
 *
 * Called by the monitor for each feature when a window closes; a few thousand operations each. Nothing here can fail: what
 * has no answer is NaN, and stays that. */
#include "drift.h"

#include <math.h>

#include "special.h"

static uint64_t total(const uint64_t *counts, unsigned bins)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < bins; i++)
		sum += counts[i];
	return sum;
}

static double weight(const double *weights, unsigned bins)
{
	double sum = 0;

	for (unsigned i = 0; i < bins; i++)
		sum += weights[i];
	return sum;
}

/* Integers as far as they go: a distance of 0 is 0, and equal distances are equal. */
double ks_distance(const uint64_t *a, const uint64_t *b, unsigned bins)
{
	uint64_t n = total(a, bins), m = total(b, bins), below_a = 0, below_b = 0;
	unsigned __int128 most = 0;

	if (n == 0 || m == 0)
		return NAN;
	for (unsigned i = 0; i < bins; i++) {
		below_a += a[i];
		below_b += b[i];
		unsigned __int128 x = (unsigned __int128)below_a * m, y = (unsigned __int128)below_b * n;

		if ((x > y ? x - y : y - x) > most)
			most = x > y ? x - y : y - x;
	}
	return (double)most / ((double)n * (double)m);
}

/* The greatest |F - F_l|, where u and m sum up to u_sum and m_sum. */
static double distance_to(double l, const uint64_t *counts, double n, const double *u, double u_sum, const double *m, double m_sum,
			  unsigned bins)
{
	double below = 0, below_u = 0, below_m = 0, most = 0;

	for (unsigned i = 0; i < bins; i++) {
		below += (double)counts[i];
		below_u += u[i];
		below_m += m[i];
		/* what the same shares are mixed of is exactly these */
		most = fmax(most, fabs(below / n - below_u / u_sum - l * (below_m / m_sum - below_u / u_sum)));
	}
	return most;
}

double ks_distance_weights(const uint64_t *counts, const double *weights, unsigned bins)
{
	uint64_t n = total(counts, bins);
	double sum = weight(weights, bins);

	if (n == 0 || !(sum > 0))
		return NAN;
	return distance_to(0, counts, (double)n, weights, sum, weights, sum, bins);
}

/* A convex function falls to its least value and rises from there, so of two points in between the higher one cuts off
 * what lies beyond it. 90 cuts leave (2/3)^90 of the whole, which a double can't tell from a point. */
struct mixture ks_nearest_mixture(const uint64_t *counts, const double *u, const double *m, unsigned bins)
{
	double n = (double)total(counts, bins), u_sum = weight(u, bins), m_sum = weight(m, bins), low = 0, high = 1;

	if (n <= 0 || !(u_sum > 0) || !(m_sum > 0))
		return (struct mixture){NAN, NAN};
	for (int cut = 0; cut < 90; cut++) {
		double left = low + (high - low) / 3, right = high - (high - low) / 3;

		if (distance_to(left, counts, n, u, u_sum, m, m_sum, bins) <=
		    distance_to(right, counts, n, u, u_sum, m, m_sum, bins))
			high = right;
		else
			low = left;
	}
	struct mixture best = {0, distance_to(0, counts, n, u, u_sum, m, m_sum, bins)};
	const double others[] = {1, low + (high - low) / 2};

	for (int i = 0; i < 2; i++) {
		double there = distance_to(others[i], counts, n, u, u_sum, m, m_sum, bins);

		if (there < best.distance)
			best = (struct mixture){others[i], there};
	}
	return best;
}

void mixture_weights(double share, const double *u, const double *m, unsigned bins, double *weights)
{
	double u_sum = weight(u, bins), m_sum = weight(m, bins);

	for (unsigned i = 0; i < bins; i++)
		weights[i] = (1 - share) * u[i] / u_sum + share * m[i] / m_sum;
}

double ks_p_value(double d, uint64_t n, uint64_t m)
{
	if (n == 0 || m == 0)
		return NAN;
	if (n <= KS_EXACT / m)
		return ks_exact_tail(d, n, m);
	return kolmogorov_tail(d * sqrt((double)n / ((double)n + (double)m) * (double)m));
}

/* Of the distances that are possible, k / (n * m), the least k with a p-value below alpha. */
static double exact_critical(double alpha, uint64_t n, uint64_t m)
{
	uint64_t low = 0, high = n * m;	/* p of low is 1 */

	if (!(ks_exact_tail(1, n, m) < alpha))
		return INFINITY;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (ks_exact_tail((double)middle / (double)(n * m), n, m) < alpha)
			high = middle;
		else
			low = middle;
	}
	return (double)high / (double)(n * m);
}

double ks_critical(double alpha, uint64_t n, uint64_t m)
{
	if (n == 0 || m == 0)
		return NAN;
	if (n <= KS_EXACT / m)
		return exact_critical(alpha, n, m);
	return kolmogorov_critical(alpha) / sqrt((double)n / ((double)n + (double)m) * (double)m);
}

/* One group's part, where n and m are in G groups. */
static double psi_part(double a, double n, double b, double m, unsigned groups)
{
	double p = (a + 0.5) / (n + 0.5 * groups), q = (b + 0.5) / (m + 0.5 * groups);

	return (p - q) * log(p / q);
}

struct psi psi_counts(const uint64_t *a, const uint64_t *b, unsigned groups)
{
	uint64_t n = total(a, groups), m = total(b, groups);
	struct psi psi = {n > 0 && m > 0 ? 0 : NAN, 0};

	for (unsigned i = 0; i < groups; i++)
		psi.groups += a[i] > 0 || b[i] > 0;
	for (unsigned i = 0; i < groups; i++)
		if (a[i] > 0 || b[i] > 0)
			psi.value += psi_part((double)a[i], (double)n, (double)b[i], (double)m, psi.groups);
	return psi;
}

struct psi psi_weights(const uint64_t *counts, const double *weights, double m, unsigned groups)
{
	uint64_t n = total(counts, groups);
	double sum = weight(weights, groups);
	struct psi psi = {n > 0 && sum > 0 && m > 0 ? 0 : NAN, 0};

	for (unsigned i = 0; i < groups; i++)
		psi.groups += counts[i] > 0 || weights[i] > 0;
	for (unsigned i = 0; i < groups; i++)
		if (counts[i] > 0 || weights[i] > 0)
			psi.value += psi_part((double)counts[i], (double)n, m * weights[i] / sum, m, psi.groups);
	return psi;
}

double psi_expected(unsigned groups, uint64_t n, uint64_t m)
{
	if (n == 0 || m == 0)
		return NAN;
	return groups < 2 ? 0 : (groups - 1) * (1 / (double)n + 1 / (double)m);
}

double psi_critical(double alpha, unsigned groups, uint64_t n, uint64_t m)
{
	if (n == 0 || m == 0)
		return NAN;
	return groups < 2 ? 0 : chi2_critical(alpha, groups - 1) * (1 / (double)n + 1 / (double)m);
}

double proportion_p_value(uint64_t hits, uint64_t n, uint64_t reference_hits, uint64_t m)
{
	if (n == 0 || m == 0 || hits > n || reference_hits > m)
		return NAN;
	double pooled = ((double)hits + (double)reference_hits) / ((double)n + (double)m);
	double error = sqrt(pooled * (1 - pooled) * (1 / (double)n + 1 / (double)m));

	if (!(error > 0))
		return 1;
	return normal_tail(((double)hits / (double)n - (double)reference_hits / (double)m) / error);
}
