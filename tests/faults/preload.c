/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload: of the functions below, the Nth call fails, or all from the Nth on, in the one process that the
 * file STANDIN_FAULTS names. That file is a struct control, which faults.py writes. It counts calls, too.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Order and names as faults.py has them. */
enum function {
    F_MEMORY,
    F_SOCKET,
    F_SOCKETPAIR,
    F_BIND,
    F_CONNECT,
    F_LISTEN,
    F_ACCEPT,
    F_SETSOCKOPT,
    F_GETSOCKOPT,
    F_SEND,
    F_RECV,
    F_OPEN,
    F_READ,
    F_WRITE,
    F_IOCTL,
    F_EPOLL_CREATE,
    F_EPOLL_CTL,
    F_EPOLL_WAIT,
    F_TIMERFD,
    F_SIGNALFD,
    F_EVENTFD,
    F_FORK,
    F_THREAD,
    F_POLL,
    F_FCNTL,
    F_FILE, /* fsync, rename, unlink, chmod, chown */
    F_MMAP,
    F_FUNCTIONS,
};

struct control {
    _Atomic int32_t pid;      /* whose calls count; 0: nobody's; -1: everybody's named standind or standinctl */
    _Atomic int32_t function; /* enum function; -1: every one */
    _Atomic uint32_t nth;     /* from 1; 0: they are only counted */
    _Atomic uint32_t lasting; /* all from the Nth on */
    _Atomic int32_t error;    /* errno */
    _Atomic uint32_t hits;    /* so many failed */
    _Atomic uint32_t calls[F_FUNCTIONS];
    _Atomic uint32_t all; /* calls of any */
};

static struct control nobody;
static struct control *control = &nobody;
static bool named; /* this is one of the programs under test */

/* Of glibc: what malloc is before anybody has taken its name. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("STANDIN_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory;

    if (fd < 0)
        return;
    memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        abort();
    named = strncmp(program_invocation_short_name, "standin", 7) == 0;
    control = memory;
}

/* Whether this call fails; sets errno. */
static bool fails(enum function function)
{
    int32_t pid = atomic_load(&control->pid), chosen = atomic_load(&control->function);
    uint32_t count, nth = atomic_load(&control->nth);

    if (pid == 0 || (pid == -1 ? !named : pid != getpid()))
        return false;
    count = atomic_fetch_add(&control->calls[function], 1) + 1;
    if (chosen < 0)
        count = atomic_fetch_add(&control->all, 1) + 1;
    else if (chosen != (int32_t)function)
        return false;
    if (nth == 0 || count < nth || (count > nth && !atomic_load(&control->lasting)))
        return false;
    atomic_fetch_add(&control->hits, 1);
    errno = atomic_load(&control->error);
    return true;
}

#ifndef KEEP_MEMORY
void *malloc(size_t size)
{
    return fails(F_MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails(F_MEMORY) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(F_MEMORY) ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return fails(F_MEMORY) ? NULL : __libc_realloc(memory, bytes);
}

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fails(F_MEMORY) ? NULL : __libc_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
#endif

/* A function of the C library, with faults in front of it. */
#define FAULTY(kind, type, name, parameters, ...)          \
    type name parameters                                   \
    {                                                      \
        static type(*real) parameters;                     \
        if (!real)                                         \
            *(void **)&real = dlsym(RTLD_NEXT, #name);     \
        return fails(kind) ? (type)-1 : real(__VA_ARGS__); \
    }

FAULTY(F_SOCKET, int, socket, (int domain, int type, int protocol), domain, type, protocol)
FAULTY(F_SOCKETPAIR, int, socketpair, (int domain, int type, int protocol, int ends[2]), domain, type, protocol, ends)
FAULTY(F_BIND, int, bind, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
FAULTY(F_CONNECT, int, connect, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
FAULTY(F_LISTEN, int, listen, (int fd, int n), fd, n)
FAULTY(F_ACCEPT, int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), fd, address, size, flags)
FAULTY(F_SETSOCKOPT, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), fd, level, name,
       value, size)
FAULTY(F_GETSOCKOPT, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), fd, level, name,
       value, size)
FAULTY(F_SEND, ssize_t, send, (int fd, const void *data, size_t size, int flags), fd, data, size, flags)
FAULTY(F_SEND, ssize_t, sendto,
       (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size), fd, data, size,
       flags, to, to_size)
FAULTY(F_SEND, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
FAULTY(F_SEND, int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags), fd, messages, n, flags)
FAULTY(F_RECV, ssize_t, recv, (int fd, void *data, size_t size, int flags), fd, data, size, flags)
FAULTY(F_RECV, ssize_t, recvfrom,
       (int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size), fd, data, size, flags,
       from, from_size)
FAULTY(F_RECV, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
FAULTY(F_RECV, int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *wait), fd,
       messages, n, flags, wait)
FAULTY(F_READ, ssize_t, read, (int fd, void *data, size_t size), fd, data, size)
FAULTY(F_WRITE, ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)
FAULTY(F_EPOLL_CREATE, int, epoll_create1, (int flags), flags)
FAULTY(F_EPOLL_WAIT, int, epoll_wait, (int fd, struct epoll_event *events, int n, int wait), fd, events, n, wait)
FAULTY(F_TIMERFD, int, timerfd_create, (int clock, int flags), clock, flags)
FAULTY(F_SIGNALFD, int, signalfd, (int fd, const sigset_t *mask, int flags), fd, mask, flags)
FAULTY(F_EVENTFD, int, eventfd, (unsigned value, int flags), value, flags)
FAULTY(F_FORK, pid_t, fork, (void), )
FAULTY(F_POLL, int, poll, (struct pollfd * fds, nfds_t n, int wait), fds, n, wait)
FAULTY(F_POLL, int, ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *wait, const sigset_t *mask), fds, n,
       wait, mask)
FAULTY(F_FILE, int, fsync, (int fd), fd)
FAULTY(F_FILE, int, rename, (const char *from, const char *to), from, to)
FAULTY(F_FILE, int, renameat, (int from_fd, const char *from, int to_fd, const char *to), from_fd, from, to_fd, to)
FAULTY(F_FILE, int, unlink, (const char *path), path)
FAULTY(F_FILE, int, unlinkat, (int fd, const char *path, int flags), fd, path, flags)
FAULTY(F_FILE, int, chmod, (const char *path, mode_t mode), path, mode)
FAULTY(F_FILE, int, fchmod, (int fd, mode_t mode), fd, mode)
FAULTY(F_FILE, int, lchown, (const char *path, uid_t uid, gid_t gid), path, uid, gid)

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "mmap");
    return fails(F_MMAP) ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}

FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    return fails(F_OPEN) ? NULL : real(path, mode);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return fails(F_THREAD) ? errno : real(thread, attributes, run, argument);
}

/* Only what is added takes memory. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    static int (*real)(int, int, int, struct epoll_event *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
    return operation == EPOLL_CTL_ADD && fails(F_EPOLL_CTL) ? -1 : real(epoll, operation, fd, event);
}

/* Those with a third argument that may not be there; it is handed on as it is. */
#define FAULTY_VARIADIC(kind, name, fixed, ...)        \
    {                                                  \
        static int (*real)(fixed, ...);                \
        va_list arguments;                             \
        void *third;                                   \
        va_start(arguments, __VA_ARGS__);              \
        third = va_arg(arguments, void *);             \
        va_end(arguments);                             \
        if (!real)                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        if (fails(kind))                               \
            return -1;                                 \
        return RUN(third);                             \
    }

#define PAIR(...) __VA_ARGS__
#define RUN(third) real(fd, request, third)
int ioctl(int fd, unsigned long request, ...) FAULTY_VARIADIC(F_IOCTL, ioctl, PAIR(int, unsigned long), request)
#undef RUN
#define RUN(third) real(fd, command, third)
    int fcntl(int fd, int command, ...) FAULTY_VARIADIC(F_FCNTL, fcntl, PAIR(int, int), command)
#undef RUN
#define RUN(third) real(path, flags, (mode_t)(uintptr_t)(third))
        int open(const char *path, int flags, ...) FAULTY_VARIADIC(F_OPEN, open, PAIR(const char *, int), flags)
#undef RUN

            int openat(int fd, const char *path, int flags, ...)
{
    static int (*real)(int, const char *, int, ...);
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "openat");
    return fails(F_OPEN) ? -1 : real(fd, path, flags, mode);
}

/* What libraries that were built for large files call. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int fd, const char *path, int flags, ...) __attribute__((alias("openat")));
FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));
