/* samples_predictions.c - what was predicted: how often, how well filled, with what scores.
 *
 * Every series is there from the start. Ids have one source for each kind, but for the fill, so they are not counted once
 * more by source. */
#include "page.h"

static const char *const kind_label[] = {[AXIS_ITEM] = "item", [AXIS_CUSTOMER] = "user"};

void samples_predictions(struct page *p)
{
	static const char *const label[] = {
#define X(symbol, text) [DELIVERY_##symbol] = text,
		DELIVERIES(X)
#undef X
	};

	for (unsigned kind = AXES; kind-- > 0;) {
		for (unsigned i = 0; i < DELIVERY_COUNT; i++) {
			struct labels l = {.len = 0};

			labels_add(&l, "kind", kind_label[kind]);
			labels_add(&l, "outcome", label[i]);
			write_value(&p->w, &l, LOAD(p->sum->predictions[kind].outcome[i]));
			write_created(&p->w, &l);
		}
	}
}

void samples_predicted_ids(struct page *p)
{
	const struct predicted *of = p->sum->predictions;

	page_value_by(p, "source", "user", LOAD(of[AXIS_CUSTOMER].own_ids));
	page_value_by(p, "source", "item", LOAD(of[AXIS_ITEM].own_ids));
	page_value_by(p, "source", "popular", LOAD(of[AXIS_CUSTOMER].fill_ids) + LOAD(of[AXIS_ITEM].fill_ids));
}

/* Bins as cumulated buckets; returns how many there are in all. */
static uint64_t buckets(struct page *p, const struct labels *l, const _Atomic uint64_t *bin, const char *const *le, size_t n)
{
	uint64_t below = 0;

	for (size_t i = 0; i < n; i++) {
		below += LOAD(bin[i]);
		write_bucket(&p->w, l, le[i], below);
	}
	below += LOAD(bin[n]);
	write_bucket(&p->w, l, "+Inf", below);
	return below;
}

void samples_prediction_top_score(struct page *p)
{
	static const char *const le[] = {
#define X(bound, text) text,
		SCORE_BOUNDS(X)
#undef X
	};

	for (unsigned kind = AXES; kind-- > 0;) {
		const struct predicted *of = &p->sum->predictions[kind];
		struct labels l = {.len = 0};

		labels_add(&l, "kind", kind_label[kind]);
		write_count(&p->w, &l, buckets(p, &l, of->top_score, le, SCORE_BOUND_COUNT));
		write_sum_seconds(&p->w, &l, LOAD(of->score)); /* in units of 1e-9, as nanoseconds are */
		write_created(&p->w, &l);
	}
}

void samples_prediction_own_results(struct page *p)
{
	static const char *const le[] = {
#define X(bound, text) text,
		RESULT_BOUNDS(X)
#undef X
	};

	for (unsigned kind = AXES; kind-- > 0;) {
		const struct predicted *of = &p->sum->predictions[kind];
		struct labels l = {.len = 0};

		labels_add(&l, "kind", kind_label[kind]);
		write_count(&p->w, &l, buckets(p, &l, of->own_results, le, RESULT_BOUND_COUNT));
		write_sum(&p->w, &l, LOAD(of->own_ids));
		write_created(&p->w, &l);
	}
}
