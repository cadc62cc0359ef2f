/* fuzz_json.c - JSON out of any bytes. What is UTF-8 comes back from a JSON parser as it was; what is not is only ever
 * written after it was quoted, and then is text. Numbers come back as they were, the head's length is the body's. */
#include "fuzz.h"

#include <math.h>

static struct answer a;

/* Bytes behind the body that must stay as they are are the sanitizer's business: the memory is from malloc(). */
static void check_string(struct text s)
{
	answer_reset(&a);
	answer_bytes(&a, "{\"s\":", 5);
	answer_string(&a, s);
	answer_text(&a, "}");
	REQUIRE(!a.failed && a.body_len <= 6 * s.len + 8);
	for (size_t i = 0; i < a.body_len; i++)
		REQUIRE((uint8_t)a.memory[ANSWER_HEAD + i] >= 0x20);
	if (!utf8_valid(s.at, s.len))
		return;
	json_t *all = fuzz_body(&a), *back = json_object_get(all, "s");

	REQUIRE(json_string_length(back) == s.len && memcmp(json_string_value(back), s.at, s.len) == 0);
	json_decref(all);
}

static void check_numbers(const uint8_t *data, size_t size)
{
	uint64_t bits = 0;
	double score;
	char text[64];

	memcpy(&bits, data, size < sizeof bits ? size : sizeof bits);
	memcpy(&score, &bits, sizeof score);
	if (!isfinite(score))
		score = 0.5;
	answer_reset(&a);
	answer_text(&a, "{\"n\":");
	answer_number(&a, bits);
	snprintf(text, sizeof text, "{\"n\":%llu", (unsigned long long)bits);
	REQUIRE(a.body_len == strlen(text) && memcmp(a.memory + ANSWER_HEAD, text, a.body_len) == 0);

	answer_reset(&a);
	answer_text(&a, "{\"x\":");
	answer_score(&a, score);
	answer_text(&a, "}");
	if (fabs(score) > 1e300 || (score != 0 && fabs(score) < 1e-300))
		return;			/* rounding may leave what a double holds; scores are 0 to 1 */
	json_t *all = fuzz_body(&a);
	double back = json_number_value(json_object_get(all, "x"));

	REQUIRE(fabs(back - score) <= fabs(score) * 1e-14);
	json_decref(all);
}

/* Any text in a detail, and the message around it. */
static void check_message(struct text s, bool keep, bool without_body)
{
	char shown[128], expected[64];
	size_t len;

	answer_reset(&a);
	fault_quote(shown, 8 + s.len % 120, s.at, s.len);
	REQUIRE(strlen(shown) < 8 + s.len % 120);
	answer_detail(&a, 400 + (int)(s.len % 140), *shown ? shown : "?");
	a.generation = s.len % 3;
	fuzz_is_detail(&a);

	const char *message = answer_message(&a, keep, without_body, &len);
	const char *blank = memmem(message, len, "\r\n\r\n", 4);

	REQUIRE(blank && memcmp(message, "HTTP/1.1 ", 9) == 0);
	size_t head = (size_t)(blank - message) + 4;

	REQUIRE(len == head + (without_body ? 0 : answer_length(&a)));
	snprintf(expected, sizeof expected, "\r\nContent-Length: %zu\r\n", answer_length(&a));
	REQUIRE(memmem(message, head, expected, strlen(expected)));
	REQUIRE(memmem(message, head, keep ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n", keep ? 26 : 21));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text s = {(const char *)data, size};

	check_string(s);
	check_numbers(data, size);
	check_message(s, size & 1, size & 2);
	if (size % 64 == 63)
		answer_free(&a);	/* so that its growing is seen, too */
	return 0;
}
