/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/runner/safety.h"

#define SHELL "/bin/sh"
/* Folders that are root's on every system; /usr/local is not. */
#define PATH_VARIABLE "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
#define LANG_VARIABLE "LANG=C"
#define NEWS_FD 3

/* Says why the command was not let go, and ends. */
__attribute__((format(printf, 2, 3))) static _Noreturn void give_up(char how, const char *format, ...)
{
    char text[CHILD_NEWS_MAX] = {how};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + 1, sizeof text - 1, format, arguments);
    va_end(arguments);
    /* An empty pipe takes this much at once. */
    _exit(write(NEWS_FD, text, strlen(text)) < 0);
}

/* As in a login shell: nothing is left of what the runner set up for itself, or got from the agent. */
static void reset(void)
{
    static const struct sched_param ordinary;
    sigset_t none;
    int fd;

    setsid();
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sched_setscheduler(0, SCHED_OTHER, &ordinary);
    setpriority(PRIO_PROCESS, 0, 0);
    /* An agent that is not to be killed for memory is no reason to spare its commands. */
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "0", 1) < 0)
            errno = 0;
        close(fd);
    }
    umask(022);
}

static void take_pipes(const struct child_pipes *pipes)
{
    dup2(pipes->input, STDIN_FILENO);
    dup2(pipes->output, STDOUT_FILENO);
    dup2(pipes->output, STDERR_FILENO);
    if (pipes->news == NEWS_FD)
        fcntl(NEWS_FD, F_SETFD, FD_CLOEXEC);
    else
        dup3(pipes->news, NEWS_FD, O_CLOEXEC);
    /* Ends of other commands' pipes would keep those open. */
    close_range(NEWS_FD + 1, ~0U, 0);
}

static void become(const char *name)
{
    const struct passwd *user;

    errno = 0;
    user = getpwnam(name);
    if (!user && (errno == 0 || errno == ENOENT || errno == ESRCH))
        give_up(CHILD_REFUSED, "there is no user %s", name);
    else if (!user)
        give_up(CHILD_FAILED, "cannot look up the user %s: %s", name, strerror(errno));
    else if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
        give_up(CHILD_FAILED, "cannot become the user %s: %s", name, strerror(errno));
}

static bool is_given(const struct job_run *run, const char *variable)
{
    size_t length = strcspn(variable, "=") + 1;

    for (size_t i = 0; run->env[i]; i++) {
        if (strncmp(run->env[i], variable, length) == 0)
            return true;
    }
    return false;
}

static void fill_environment(const struct job_run *run, const char *environment[static JOB_ENV_MAX + 3])
{
    size_t n = 0;

    if (!is_given(run, PATH_VARIABLE))
        environment[n++] = PATH_VARIABLE;
    if (!is_given(run, LANG_VARIABLE))
        environment[n++] = LANG_VARIABLE;
    for (size_t i = 0; run->env[i]; i++)
        environment[n++] = run->env[i];
    environment[n] = NULL;
}

/* Errors that a change of the command or its file would mend, and nothing else. */
static char blame(int error)
{
    return error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR || error == ELOOP ||
                   error == EISDIR || error == EPERM || error == ENAMETOOLONG || error == EINVAL
               ? CHILD_REFUSED
               : CHILD_FAILED;
}

static int open_program(const char *path)
{
    char why[SAFETY_WHY];
    int fd = safety_open(path, why);

    if (fd < 0)
        give_up(blame(-fd), "%s", why);
    return fd;
}

/*
 * A script: its interpreter opens it by name, so that the descriptor is of no use. The name leads to the same file: who
 * could change that is root alone.
 */
static _Noreturn void run_script(const char *path, int fd, char *const argv[], char *const environment[])
{
    int again = open_program(path);
    struct stat before, now;

    if (fstat(fd, &before) < 0 || fstat(again, &now) < 0)
        give_up(CHILD_FAILED, "%.400s: %s", path, strerror(errno));
    if (before.st_dev != now.st_dev || before.st_ino != now.st_ino)
        give_up(CHILD_REFUSED, "%.400s was replaced just now", path);
    execve(path, argv, environment);
    give_up(blame(errno), "cannot execute %.400s: %s", path, strerror(errno));
}

_Noreturn void child_run(const struct job_run *run, const struct child_pipes *pipes, pid_t parent)
{
    const char *shell_argv[] = {SHELL, "-c", run->argv[0], NULL};
    const char *const *words = run->shell ? shell_argv : run->argv;
    const char *environment[JOB_ENV_MAX + 3];
    /* exec takes them without const, and changes nothing. */
    char *const *argv = (char *const *)(const void *)words, *const *env = (char *const *)(const void *)environment;
    int fd;

    reset();
    take_pipes(pipes);
    if (chdir("/") < 0)
        give_up(CHILD_FAILED, "cannot go to /: %s", strerror(errno));
    fd = open_program(words[0]);
    if (run->user)
        become(run->user);
    fill_environment(run, environment);
    /* After the change of user, which the kernel takes for a reason to forget it. */
    if (run->check && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        _exit(1);
    execveat(fd, "", argv, env, AT_EMPTY_PATH);
    if (errno == ENOENT)
        run_script(words[0], fd, argv, env);
    give_up(blame(errno), "cannot execute %.400s: %s", words[0], strerror(errno));
}
