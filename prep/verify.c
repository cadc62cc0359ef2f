/* verify.c - the verdict on a model file. The checks themselves stand in shm/, where the server uses them too; here
 * they are run in order and the result is said in one line, or as JSON. */
#include "verify.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "../shm/model_file.h"

bool verify_open(struct opened *o, const char *path, struct fault *why)
{
	*o = (struct opened){0};
	if (!model_file_load(path, &o->image, &o->size, why)) {
		*o = (struct opened){0};
		return false;
	}
	if (model_view(&o->model, o->image, o->size, why) && model_verify(&o->model, why))
		return true;
	verify_close(o);
	return fault_at(why, "%s", path);
}

void verify_close(struct opened *o)
{
	model_file_free(o->image, o->size);
	*o = (struct opened){0};
}

static bool say_json(const struct verify_options *opt, const struct model_head *h, const struct fault *why)
{
	char path[1024], reason[sizeof why->text * 4];

	fault_quote(path, sizeof path, opt->model, strlen(opt->model));
	fault_quote(reason, sizeof reason, why->text, strlen(why->text));
	return report_print_json(
		!h ? json_pack("{s:s, s:b, s:s}", "model", path, "ok", 0, "error", reason)
		   : json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:b}", "model", path, "ok", 1,
			       "bytes", (json_int_t)h->size,
			       "customers", (json_int_t)h->customers,
			       "items", (json_int_t)h->items,
			       "interactions", (json_int_t)h->interactions,
			       "rows_counted", !opt->quick));
}

static bool say_text(const struct verify_options *opt, const struct model_head *h)
{
	printf("%s: ok, %u customers, %u items, %llu interactions, %llu bytes%s\n", opt->model, h->customers, h->items,
	       (unsigned long long)h->interactions, (unsigned long long)h->size,
	       opt->quick ? "; rows not counted again" : "; every row counted again");
	return report_flushed();
}

int verify_main(int argc, char **argv)
{
	struct verify_options opt;
	struct opened o;
	struct fault why = {""};
	int status;

	if (!options_verify(&opt, argc, argv, &status))
		return status;

	bool sound = verify_open(&o, opt.model, &why);

	if (sound && !opt.quick && !model_verify_rows(&o.model, &why)) {
		fault_at(&why, "%s", opt.model);
		verify_close(&o);
		sound = false;
	}
	if (!sound)
		fprintf(stderr, "akin-prep: %s\n", why.text);

	bool said = opt.json ? say_json(&opt, sound ? o.model.head : NULL, &why)
			     : !sound || opt.quiet || say_text(&opt, o.model.head);

	if (sound)
		verify_close(&o);
	return sound && said ? 0 : 1;
}
