/* destination.h - may a model be written there? Asked before a build reads its input, not after. */
#ifndef AKIN_DESTINATION_H
#define AKIN_DESTINATION_H

#include "../shm/fault.h"

/* False when path can't become the model: no such folder, or not writable, or something stands there that is no
 * regular file, or one of the inputs does. It can still fail later (a full disk). */
bool destination_check(const char *path, const char *const *inputs, unsigned input_count, struct fault *why);

#endif
