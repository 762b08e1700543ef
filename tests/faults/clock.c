/*
 * A wall clock that a test sets, under a program that knows nothing of it: a library to preload (LD_PRELOAD) that stands
 * between the program and the calls by which it reads the time. tests/it/wall_clock.rs sets what it reads from the
 * environment:
 *
 * CLOCK_OFF=FILE  holds eight bytes, a number of nanoseconds in the order of the machine, that every reading of the wall
 *     clock is off by from now on. The file is shared memory: the test writes into it and never puts another in its place.
 *
 * Clocks that count from the boot are as they are. libfaketime does the same and more, but not under a program whose
 * malloc reads a clock before the library has looked up its own functions, as jemalloc's does, which Redis uses. Nor
 * under two threads that read the clock at the same time while it looks for a step at each reading: its buffers are
 * shared, and of four threads' readings one in four hundred was off by nothing at all (0.9.10). So nothing is looked up
 * or kept here: the kernel is asked, and one word is read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;

/* Until the library is set up the clock is right. */
static volatile const int64_t *off_ns;

/* A test that relies on the clock must not go on without it. */
static void give_up(const char *what)
{
	static const char told[] = "tests/faults/clock.c: no ";

	(void)!write(STDERR_FILENO, told, sizeof(told) - 1);
	(void)!write(STDERR_FILENO, what, sizeof("CLOCK_OFF") - 1);
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(70);
}

__attribute__((constructor)) static void set_up(void)
{
	const char *path = getenv("CLOCK_OFF");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *shared;

	if (file < 0)
		give_up("CLOCK_OFF");
	shared = mmap(NULL, sizeof(*off_ns), PROT_READ, MAP_SHARED, file, 0);
	if (shared == MAP_FAILED)
		give_up("CLOCK_OFF");
	close(file);
	off_ns = shared;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, now);

	if (!failed && off_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t off = *off_ns;
		int64_t nanoseconds = now->tv_nsec + off % SECOND;

		now->tv_sec += off / SECOND + (nanoseconds < 0 ? -1 : nanoseconds / SECOND);
		now->tv_nsec = (nanoseconds + SECOND) % SECOND;
	}
	return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	int failed = clock_gettime(CLOCK_REALTIME, &precise);

	(void)zone;
	if (!failed) {
		now->tv_sec = precise.tv_sec;
		now->tv_usec = precise.tv_nsec / 1000;
	}
	return failed;
}

time_t time(time_t *into)
{
	struct timespec precise;

	if (clock_gettime(CLOCK_REALTIME, &precise))
		return -1;
	if (into)
		*into = precise.tv_sec;
	return precise.tv_sec;
}
