/*
 * A disk that loses power, and a disk that fails, under a program that knows nothing of it: a library to preload
 * (LD_PRELOAD) that stands between the program and the calls by which SQLite writes. Only files whose name contains
 * ".db" are concerned. tests/it/machine.rs compiles it and sets what it reads from the environment:
 *
 * DISK_DURABLE=FOLDER  what a power cut would leave. After each fsync that succeeded the folder holds a copy of that
 *     file as it was then, put there in one step; what was only written is not in it. A file that was deleted leaves
 *     it with the next fsync of its directory.
 * DISK_FAULT=FILE while that file exists its first word says what fails:
 *     enospc  writes, as on a full disk; not those of "-shm", which is shared memory, and of ".lock", which has its byte
 *     eio     fsync, and nothing has become durable; "eio written": it has all the same
 *     hang    fsync does not return until the file is gone or says something else; FILE.hangs is there once one does
 *
 * What the model leaves out: a new file counts as there when it was synced, whether or not its directory was; and data
 * that nobody synced, some or all of which a real disk may hold as well: tests/it/microscope.rs cuts logs for that; and
 * pages that a kernel has given up after an fsync that failed: here the next fsync that succeeds has them.
 * The copy is taken after the real fsync. Nobody writes to a file while it is synced: the store has one thread that
 * writes.
 *
 * A file of the program is never opened here to be read: closing it would let go of SQLite's locks on it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

/* A test that relies on a copy must not go on without it. */
static void must(int done, const char *what)
{
	if (!done) {
		perror(what);
		abort();
	}
}

/* The name of an open file that is concerned, NULL for any other. */
static const char *concerned(int fd, char path[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length <= 0 || path[0] != '/')
		return NULL;
	path[length] = 0;
	const char *name = strrchr(path, '/') + 1;
	return strstr(name, ".db") && !strstr(name, " (deleted)") ? name : NULL;
}

/* True while the control file begins with these words. */
static int fails_with(const char *words)
{
	const char *control = getenv("DISK_FAULT");
	int fd = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	char text[64] = "";
	ssize_t length = read(fd, text, sizeof text - 1);
	close(fd);
	return length > 0 && strncmp(text, words, strlen(words)) == 0;
}

static void tell_that_it_hangs(void)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s.hangs", getenv("DISK_FAULT"));
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	must(fd >= 0 && close(fd) == 0, path);
}

static void keep(int fd, const char *name)
{
	const char *durable = getenv("DISK_DURABLE");
	if (!durable)
		return;
	char copied[PATH_MAX], kept[PATH_MAX];
	snprintf(copied, sizeof copied, "%s/.%s", durable, name);
	snprintf(kept, sizeof kept, "%s/%s", durable, name);
	pthread_mutex_lock(&copying);
	int copy = open(copied, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(copy >= 0, copied);
	off_t at = 0;
	ssize_t sent;
	while ((sent = sendfile(copy, fd, &at, 1 << 20)) > 0)
		;
	must(sent == 0 && close(copy) == 0, copied);
	must(rename(copied, kept) == 0, kept);
	pthread_mutex_unlock(&copying);
}

/* The directory has been synced: what is not in it any more is gone for good. SQLite syncs that of its files only. */
static void forget_deleted(int directory)
{
	const char *durable = getenv("DISK_DURABLE");
	DIR *kept = durable ? opendir(durable) : NULL;
	if (!kept)
		return;
	for (struct dirent *entry; (entry = readdir(kept));)
		if (entry->d_name[0] != '.' && faccessat(directory, entry->d_name, F_OK, 0) && errno == ENOENT)
			unlinkat(dirfd(kept), entry->d_name, 0);
	closedir(kept);
}

static int synced(int fd, int (*sync)(int))
{
	char path[PATH_MAX];
	const char *name = concerned(fd, path);
	while (name && fails_with("hang")) {
		tell_that_it_hangs();
		usleep(10000);
	}
	int fails = name && fails_with("eio");
	if (!fails || fails_with("eio written")) {
		if (sync(fd))
			return -1;
		struct stat about;
		must(fstat(fd, &about) == 0, "fstat");
		if (name && S_ISREG(about.st_mode))
			keep(fd, name);
		else if (S_ISDIR(about.st_mode))
			forget_deleted(fd);
	}
	if (fails)
		errno = EIO;
	return fails ? -1 : 0;
}

static int is_full(int fd)
{
	if (!fails_with("enospc"))
		return 0;
	char path[PATH_MAX];
	const char *name = concerned(fd, path);
	if (!name || strstr(name, "-shm") || strstr(name, ".lock"))
		return 0;
	errno = ENOSPC;
	return 1;
}

int fsync(int fd)
{
	return synced(fd, REAL(fsync));
}

int fdatasync(int fd)
{
	return synced(fd, REAL(fdatasync));
}

ssize_t write(int fd, const void *data, size_t length)
{
	return is_full(fd) ? -1 : REAL(write)(fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
	return is_full(fd) ? -1 : REAL(pwrite)(fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
	return is_full(fd) ? -1 : REAL(pwrite64)(fd, data, length, at);
}
