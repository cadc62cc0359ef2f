/* diff.h - akin-prep diff: two models side by side. */
#ifndef AKIN_DIFF_H
#define AKIN_DIFF_H

/* The subcommand. Returns what to exit with. */
int diff_main(int argc, char **argv);

#endif
