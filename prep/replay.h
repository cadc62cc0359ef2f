/* replay.h - akin-prep replay: a model, or a running server, against transactions it has not seen. */
#ifndef AKIN_REPLAY_H
#define AKIN_REPLAY_H

/* The subcommand. Returns what to exit with. */
int replay_main(int argc, char **argv);

#endif
