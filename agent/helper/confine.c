/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "agent/base/cleanup.h"

/* Descriptors: two for each URL that is asked, two more while its name is looked up. */
#define DESCRIPTORS 32768
/* Threads: one for each name that is looked up, and see threads.c. Other processes of the same user count, too. */
#define THREADS 3072
#define THREAD_STACK ((size_t)256 << 10)
#define MEMORY ((rlim_t)1 << 30)
/* Of the memory that runs out on a host, the agent's is the last that may be taken, and this the first. */
#define OOM_SCORE "500"

/* Address sanitizers reserve more memory than there is, and look into their own process when it ends. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Of the agent's: its priority over all others, and whatever it does with signals. */
static void reset_process(void)
{
    static const struct sched_param ordinary = {0};
    sigset_t none;
    int fd;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    /* A peer that closes is no reason to end; TLS writes without a flag that says so. */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sched_setscheduler(0, SCHED_OTHER, &ordinary);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, OOM_SCORE, strlen(OOM_SCORE));
        close(fd);
    }
}

/* As low as said, or as the administrator has it where that is less. */
static int limit(int resource, rlim_t most)
{
    struct rlimit now;

    if (getrlimit(resource, &now) < 0)
        return -errno;
    if (now.rlim_max == RLIM_INFINITY || now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    return setrlimit(resource, &now) < 0 ? -errno : 0;
}

static int limit_all(void)
{
    pthread_attr_t attributes;
    int r = limit(RLIMIT_NOFILE, DESCRIPTORS);

    if (r == 0)
        r = limit(RLIMIT_NPROC, THREADS);
    if (r == 0)
        r = limit(RLIMIT_CORE, 0);
    if (r == 0 && !SANITIZED)
        r = limit(RLIMIT_DATA, MEMORY);
    if (r < 0)
        return r;
    r = -pthread_attr_init(&attributes);
    if (r == 0)
        r = -pthread_attr_setstacksize(&attributes, THREAD_STACK);
    return r == 0 ? -pthread_setattr_default_np(&attributes) : r;
}

/*
 * The group is nobody's in any case: the group `standin` may have been given the agent's control socket, which nothing
 * that talks with strangers may open.
 */
static int drop_user(void)
{
    const struct passwd *entry = getpwnam("nobody");
    bool may_empty = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    uid_t user;
    gid_t group;

    if (geteuid() != 0)
        return 0;
    if (!entry)
        return -ENOENT;
    user = entry->pw_uid;
    group = entry->pw_gid;
    entry = getpwnam("standin");
    if (entry)
        user = entry->pw_uid;
    if (user == 0 || group == 0)
        return -EPERM;
    /* Without SETPCAP the bounding set stays; nothing is gained from it without new privileges. */
    return capng_change_id((int)user, (int)group,
                           CAPNG_DROP_SUPP_GRP | (may_empty ? CAPNG_CLEAR_BOUNDING : CAPNG_NO_FLAG)) < 0
               ? -EPERM
               : 0;
}

static int drop_capabilities(void)
{
    capng_clear(CAPNG_SELECT_CAPS);
    return capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE ? -EPERM : 0;
}

int confine(const char **ret_what)
{
    int r = limit_all();

    *ret_what = "limits";
    reset_process();
    if (r < 0)
        return r;
    *ret_what = "user";
    if (capng_get_caps_process() < 0)
        return -EPERM;
    r = drop_user();
    if (r < 0)
        return r;
    *ret_what = "capabilities";
    r = drop_capabilities();
    if (r < 0)
        return r;
    *ret_what = "privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, SANITIZED ? 1 : 0, 0, 0, 0) < 0)
        return -errno;
    *ret_what = "system calls";
    return SANITIZED ? 0 : confine_filter();
}
