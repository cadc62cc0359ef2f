/* special.c - tails of distributions, and where they have a given size.
 *
 * Called by drift.c once a feature and window, so clarity counts for more than speed: what has no closed form is found by
 * halving an interval, sixty steps of some hundred operations. Nothing here can fail. */
#include "special.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Where tail(x, parameter), which falls, is alpha: halved until two numbers are neighbours. high: tail there is at most alpha. */
static double where_tail_is(double (*tail)(double, double), double parameter, double alpha, double high)
{
	double low = 0;

	for (;;) {
		double middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			return high;
		if (tail(middle, parameter) > alpha)
			low = middle;
		else
			high = middle;
	}
}

double kolmogorov_tail(double x)
{
	double sum = 0;

	if (isnan(x))
		return x;
	if (x <= 0.04)			/* 1 - 1e-333 */
		return 1;
	if (x < 1) {			/* two series for one function: here the other one needs many terms, and cancels */
		for (int k = 1; k < 20; k += 2)
			sum += exp(-k * k * PI * PI / (8 * x * x));
		return 1 - sqrt(2 * PI) / x * sum;
	}
	for (int k = 1, sign = 1; k < 10; k++, sign = -sign)
		sum += sign * exp(-2.0 * k * k * x * x);
	return 2 * sum;
}

static double kolmogorov_of(double x, double unused)
{
	(void)unused;
	return kolmogorov_tail(x);
}

double kolmogorov_critical(double alpha)
{
	if (!(alpha > 0 && alpha <= 1))
		return NAN;
	return where_tail_is(kolmogorov_of, 0, alpha, 30); /* below e^-1800 is no double */
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b > 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* left[i] is, after line j, the share of the paths to (i, j) that have been outside the band by then. The last step of a
 * path to (i, j) is one in i with probability i / (i + j), all paths being equally likely. */
double ks_exact_tail(double d, uint64_t n, uint64_t m)
{
	double left[101];		/* the smaller of two whose product is at most KS_EXACT, and one */
	uint64_t few = n < m ? n : m, many = n < m ? m : n, divisor = common_divisor(n, m);
	int64_t step_few = (int64_t)(many / divisor), step_many = (int64_t)(few / divisor);
	/* distances are whole multiples of 1 / (few * step_few); a little less than one is that one, rounded */
	double band = ceil(d * (double)few * (double)step_few - 1e-7);

	if (isnan(d) || few == 0 || n > KS_EXACT / m)
		return NAN;
	if (band <= 0)
		return 1;
	for (uint64_t j = 0; j <= many; j++) {
		for (uint64_t i = 0; i <= few; i++) {
			int64_t apart = (int64_t)i * step_few - (int64_t)j * step_many;

			if ((double)(apart < 0 ? -apart : apart) >= band)
				left[i] = 1;
			else if (j == 0)
				left[i] = i == 0 ? 0 : left[i - 1];
			else if (i > 0)
				left[i] = (left[i] * (double)j + left[i - 1] * (double)i) / (double)(i + j);
		}
	}
	return left[few];
}

/* The regularized upper incomplete gamma function Q(a, x), by the series below where that converges fast, else by the
 * continued fraction (Lentz), as in Abramowitz and Stegun 6.5.29 and 6.5.31. */
static double gamma_tail(double a, double x)
{
	int sign;
	double front = exp(a * log(x) - x - lgamma_r(a, &sign));

	if (x < a + 1) {
		double term = 1 / a, sum = term;

		for (double k = a + 1; term > sum * 1e-17; k++)
			sum += term *= x / k;
		return 1 - front * sum;
	}
	double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;

	for (int k = 1; k < 10000; k++) {
		double numerator = -k * (k - a);

		b += 2;
		d = 1 / (b + numerator * d);
		c = b + numerator / c;
		fraction *= c * d;
		if (fabs(c * d - 1) < 1e-15)
			break;
	}
	return front * fraction;
}

double chi2_tail(double x, double df)
{
	if (isnan(x) || !(df > 0))
		return NAN;
	return x <= 0 ? 1 : gamma_tail(df / 2, x / 2);
}

double chi2_critical(double alpha, double df)
{
	double high = df + 1;

	if (!(alpha > 0 && alpha <= 1 && df > 0))
		return NAN;
	while (chi2_tail(high, df) > alpha)
		high *= 2;
	return where_tail_is(chi2_tail, df, alpha, high);
}

double normal_tail(double z)
{
	return 0.5 * erfc(z / sqrt(2));
}
