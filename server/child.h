/* child.h - what all children of the master do at their beginning and at their end. */
#ifndef AKIN_CHILD_H
#define AKIN_CHILD_H

/* Take a name ("worker-0", borrowed), for the log and for ps as "akin-worker-0", and stand before the master in the line of
 * those whom the kernel kills when memory runs out: a child can be replaced. */
void child_become(const char *name);

#define CHILD_NICE 10		/* of those who answer nobody: who is answered has the cores first */

/* Let whoever is woken to answer a client have this thread's core at once: at least this nice, and in turns of 0.1 ms instead
 * of some. A kernel before 6.12 knows no turns of its own for a thread, and it is nice alone. Threads made afterwards by
 * this one are so, too. */
void child_yield(int nice);

/* Leave without what the master would do at its own end. In a build with the leak sanitizer, look for leaks first. */
_Noreturn void child_leave(int status);

#endif
