/* show_text.c - tables. Columns are as wide as their widest cell, counted in characters, not bytes; a description
 * stands last, where its width does not matter. */
#include "show_text.h"

#include <stdio.h>
#include <string.h>

#include "../shm/fault.h"

#define CELL 400

/* A member as safe text. */
static const char *cell(char out[CELL], const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return fault_quote(out, CELL, json_string_value(value), json_string_length(value));
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Characters, taking each code point for one column. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_padded(const char *text, int to)
{
	printf("%s%*s", text, to - width(text), "");
}

/* Behind everything else; customers have none and items may have an empty one. */
static void print_description(const json_t *one)
{
	char text[CELL];

	if (json_string_length(json_object_get(one, "description")) > 0)
		printf("  %s", cell(text, one, "description"));
}

static int widest_id(const json_t *array, int at_least)
{
	char id[CELL];
	const json_t *one;
	size_t i;

	json_array_foreach(array, i, one) {
		int w = width(cell(id, one, "id"));

		at_least = w > at_least ? w : at_least;
	}
	return at_least;
}

static void print_neighbours(const json_t *array, const char *what)
{
	int w = widest_id(array, (int)strlen(what));
	char text[CELL];
	const json_t *one;
	size_t i;

	printf("\n%4s  %-*s  %8s  %6s  %6s\n", "", w, what, "score", "common", "of");
	json_array_foreach(array, i, one) {
		printf("%4zu  ", i + 1);
		print_padded(cell(text, one, "id"), w);
		printf("  %8.6f  %6lld  %6lld", json_number_value(json_object_get(one, "score")), number(one, "common"),
		       number(one, "of"));
		print_description(one);
		putchar('\n');
	}
	if (json_array_size(array) == 0)
		puts("      none: nobody has anything in common with it");
}

static void print_popular(const char *label, const json_t *popular)
{
	if (json_is_object(popular))
		printf("%-12s place %lld, %lld customers\n", label, number(popular, "place"), number(popular, "customers"));
	else
		printf("%-12s no\n", label);
}

void show_text_item(const json_t *item)
{
	char text[CELL];

	printf("%-12s %s\n", "item", cell(text, item, "item"));
	printf("%-12s %s\n", "description", cell(text, item, "description"));
	printf("%-12s %lld\n", "customers", number(item, "customers"));
	printf("%-12s %lld, counted from 0\n", "first seen", number(item, "first_seen"));
	print_popular("popular", json_object_get(item, "popular"));
	print_popular("last 30 days", json_object_get(item, "recent"));
	print_neighbours(json_object_get(item, "neighbours"), "similar item");
}

void show_text_customer(const json_t *customer)
{
	const json_t *items = json_object_get(customer, "items"), *one;
	int w = widest_id(items, (int)strlen("item"));
	char text[CELL];
	size_t i;

	printf("%-12s %s\n", "customer", cell(text, customer, "customer"));
	printf("%-12s %lld\n", "items", number(customer, "item_count"));
	one = json_array_get(json_object_get(customer, "neighbours"), 0);
	if (one)
		printf("%-12s %s\n", "most similar", cell(text, one, "id"));
	printf("\n%4s  item\n", "");
	json_array_foreach(items, i, one) {
		printf("%4zu  ", i + 1);
		print_padded(cell(text, one, "id"), w);
		print_description(one);
		putchar('\n');
	}
	if ((long long)i < number(customer, "item_count"))
		printf("      and %lld more\n", number(customer, "item_count") - (long long)i);
	print_neighbours(json_object_get(customer, "neighbours"), "similar customer");
}
