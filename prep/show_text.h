/* show_text.h - the objects of show.c for people: aligned, in UTF-8, safe for a terminal. On standard output. */
#ifndef AKIN_SHOW_TEXT_H
#define AKIN_SHOW_TEXT_H

#include <jansson.h>

void show_text_item(const json_t *item);
void show_text_customer(const json_t *customer);

#endif
