/* build.h - akin-prep build: from transactions to a model file. */
#ifndef AKIN_BUILD_H
#define AKIN_BUILD_H

/* The subcommand. Returns what to exit with. */
int build_main(int argc, char **argv);

#endif
