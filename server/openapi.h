/* openapi.h - the machine-readable description of the API, built into the program. */
#ifndef AKIN_OPENAPI_H
#define AKIN_OPENAPI_H

#include "http.h"
#include "settings.h"

/* openapi.json with this program's version and these settings' numbers in their places. */
void openapi_write(struct answer *a, const struct settings *s);

#endif
