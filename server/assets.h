/* assets.h - the pages /docs and /redoc with their files, built into the program. */
#ifndef AKIN_ASSETS_H
#define AKIN_ASSETS_H

#include "http.h"

/* The file at the path that folder and name make together, gzipped for who accepts that; 304 to who has it; 404 when
 * there is none. The body is borrowed: it is the program's own memory. */
void assets_answer(struct answer *a, const struct request *q, const char *folder, struct text name);

#endif
