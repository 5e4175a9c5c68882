/* Preloaded into a station under test: a disk that is slow or takes no writes, and a wall clock that was stepped.
 *
 * The file named by FAULTS_CONTROL holds three 64-bit numbers and is mapped, so that a test changes them while the
 * station runs: milliseconds that every fsync and fdatasync takes; the error number that every write to a journal
 * gives (0: none); nanoseconds by which CLOCK_REALTIME is ahead. CLOCK_MONOTONIC is left alone, as a kernel does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("FAULTS_CONTROL");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 24, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    control = mapped == MAP_FAILED ? NULL : mapped;
}

static void take_time(void) {
    int64_t ms = control ? control[0] : 0;
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    if (ms)
        nanosleep(&wait, NULL);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "fsync");
    take_time();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "fdatasync");
    take_time();
    return real(fd);
}

static int refused(int fd) {
    char link[32], path[4096];
    int64_t number = control ? control[1] : 0;
    if (!number)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (!strstr(path, "journal.sqlite"))
        return 0;
    errno = (int)number;
    return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "pwrite64");
    return refused(fd) ? -1 : real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "pwrite");
    return refused(fd) ? -1 : real(fd, data, size, offset);
}

/* Only what asks through Python sees the stepped clock. Libraries that wait for an absolute wall-clock time hand it to
 * the kernel, which steps those waits itself when the clock is really stepped, and knows nothing of this one. */
static int asked_by_python(void *caller) {
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return 0;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *name = slash ? slash + 1 : info.dli_fname;
    return !strncmp(name, "python", 6) || !strncmp(name, "libpython", 9);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    int64_t step = control ? control[2] : 0;
    if (clock == CLOCK_REALTIME && step && !result && asked_by_python(__builtin_return_address(0))) {
        int64_t at = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + step;
        now->tv_sec = at / 1000000000;
        now->tv_nsec = at % 1000000000;
    }
    return result;
}
