/* show.h - akin-prep show: a model, one item of it, or one customer. */
#ifndef AKIN_SHOW_H
#define AKIN_SHOW_H

/* The subcommand. Returns what to exit with. */
int show_main(int argc, char **argv);

#endif
