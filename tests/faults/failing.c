/* failing.c - memory that runs out where a test wants it: preloaded into akin-prep or akin-server by LD_PRELOAD.
 *
 * The variable FAILING names a file of struct control, which the test maps as well. The library counts what is asked for
 * in the process that `who` names, and lets the request number `at` fail, or that and all behind it. Counted are malloc()
 * and its kin, also as called by glibc and other libraries, mmap() and mremap(), room for a segment, threads and forks.
 * So each is one place at which a system without memory says no.
 *
 * Only glibc's own names for its allocator are called from here: looking names up while malloc() is asked for the first
 * time would ask for more. What is asked for before the file is mapped is not counted. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY	   0			/* `who`, else a process id */
#define FIRST	   (-1)			/* the process that was started */
#define NEXT_CHILD (-2)			/* the next one forked; becomes its id */

struct control {			/* test_allocations.py knows this layout */
	_Atomic int32_t who;
	_Atomic uint32_t at;		/* from 1; 0: only count */
	_Atomic uint32_t on;		/* 1: all behind it fail, too */
	_Atomic uint32_t seen;		/* counted so far */
	_Atomic uint32_t failed;
	_Atomic uint32_t made;		/* bytes in names */
	char where[244];		/* the first that failed: who asked for it */
	char names[3840];		/* of shared memory that was created, each with a NUL */
};

static struct control *control;
static pid_t first;			/* the process the library was loaded into */
static pid_t self;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("FAILING");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *at = (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	first = self = getpid();
	if (at != MAP_FAILED)
		control = at;
}

static void remember(const void *caller)
{
	Dl_info found;

	if (dladdr(caller, &found) && found.dli_fname)
		snprintf(control->where, sizeof control->where, "%s+0x%tx %s", strrchr(found.dli_fname, '/') + 1,
			 (const char *)caller - (const char *)found.dli_fbase, found.dli_sname ? found.dli_sname : "");
}

/* Is this one to fail? */
static bool fails(const void *caller)
{
	if (!control)
		return false;
	int32_t who = atomic_load(&control->who);

	if (who == NOBODY || (who == FIRST ? self != first : who != self))
		return false;
	uint32_t number = atomic_fetch_add(&control->seen, 1) + 1, at = atomic_load(&control->at);

	if (at == 0 || (atomic_load(&control->on) ? number < at : number != at))
		return false;
	if (atomic_fetch_add(&control->failed, 1) == 0)
		remember(caller);
	errno = ENOMEM;
	return true;
}

#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t size) { return FAILS ? NULL : __libc_malloc(size); }

void *calloc(size_t n, size_t size) { return FAILS ? NULL : __libc_calloc(n, size); }

void *realloc(void *p, size_t size) { return FAILS ? NULL : __libc_realloc(p, size); }

void *memalign(size_t alignment, size_t size) { return FAILS ? NULL : __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return FAILS ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **p, size_t alignment, size_t size)
{
	void *got = FAILS ? NULL : __libc_memalign(alignment, size);

	if (!got)
		return ENOMEM;
	*p = got;
	return 0;
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return FAILS ? NULL : __libc_realloc(p, all);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
	return FAILS ? MAP_FAILED : (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

void *mremap(void *at, size_t old, size_t new, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	void *to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;

	va_end(ap);
	return FAILS ? MAP_FAILED : (void *)syscall(SYS_mremap, at, old, new, flags, to);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
	if (FAILS)
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off_t offset, off_t length) __attribute__((alias("posix_fallocate")));

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *of)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return FAILS ? EAGAIN : real(thread, attributes, run, of);
}

pid_t fork(void)
{
	static pid_t (*real)(void);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fork");
	if (FAILS)
		return -1;
	pid_t child = real();

	if (child == 0) {
		int32_t next = NEXT_CHILD;

		self = getpid();
		if (control)
			atomic_compare_exchange_strong(&control->who, &next, self);
	}
	return child;
}

/* Noted, so that the test can see whether the name went again. */
int shm_open(const char *name, int flags, mode_t mode)
{
	static int (*real)(const char *, int, mode_t);
	size_t len = strlen(name) + 1;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "shm_open");
	if (control && flags & O_CREAT) {
		uint32_t at = atomic_fetch_add(&control->made, (uint32_t)len);

		if (at + len <= sizeof control->names)
			memcpy(control->names + at, name, len);
	}
	return real(name, flags, mode);
}
