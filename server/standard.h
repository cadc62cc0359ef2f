/* standard.h - descriptors 0, 1 and 2 are never anything else than standard input, output and error. */
#ifndef AKIN_STANDARD_H
#define AKIN_STANDARD_H

#include <stdbool.h>

/* main()'s first call: have /dev/null stand in for those that the starter has closed. False: it could not, and there may
 * be nobody to be told. */
bool standard_open(void);

#endif
