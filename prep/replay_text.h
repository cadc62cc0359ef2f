/* replay_text.h - the object of replay_report.c for people: aligned lines, safe for a terminal. On standard output. */
#ifndef AKIN_REPLAY_TEXT_H
#define AKIN_REPLAY_TEXT_H

#include <jansson.h>

void replay_text_report(const json_t *all);

#endif
