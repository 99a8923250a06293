/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services in the world: TCP checks, the runner of commands, the helper for URLs and names, systemd, the flag files.
 * All of it is opened with the first file that wants it: where nothing is checked or run, nothing is started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shell/log.h"
#include "agent/shell/world_internal.h"

/* Connections that ended, handled in one go. */
#define ENDS_AT_ONCE 64
#define FLAGS_PATH (WORLD_PATH + 8)
/* Below the probes: they are read first. */
#define UNITS_PRIORITY SD_EVENT_PRIORITY_IDLE

#ifndef STANDIN_LIBDIR
#define STANDIN_LIBDIR "/usr/lib/standin"
#endif

static void on_tcp(void *userdata, uint32_t check, enum tcp_outcome outcome, int error, nsec_t took_ns)
{
    struct world *world = userdata;

    agent_on_tcp(world->agent, world->clock.now_ns, check, outcome, error, took_ns);
}

static void on_job(void *userdata, const struct job_answer *answer)
{
    struct world *world = userdata;

    agent_on_job(world->agent, world->clock.now_ns, answer);
}

static void on_unit(void *userdata, uint64_t id, int error, const char *text)
{
    struct world *world = userdata;

    world_take_time(world);
    agent_on_unit(world->agent, world->clock.now_ns, id, error, text);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct world *world = userdata;

    (void)source;
    (void)revents;
    world_take_time(world);
    if (world->tcp && fd == tcp_check_fd(world->tcp))
        tcp_check_on_readable(world->tcp, world->clock.now_ns, ENDS_AT_ONCE);
    else if (world->runner && fd == jobs_fd(world->runner))
        jobs_on_readable(world->runner, world->clock.now_ns);
    else if (world->helper && fd == jobs_fd(world->helper))
        jobs_on_readable(world->helper, world->clock.now_ns);
    return 0;
}

nsec_t world_services_deadline(const struct world *world)
{
    nsec_t due_ns = world->tcp ? tcp_check_deadline(world->tcp) : NSEC_NEVER;

    if (world->runner)
        due_ns = nsec_min(due_ns, jobs_deadline(world->runner));
    if (world->helper)
        due_ns = nsec_min(due_ns, jobs_deadline(world->helper));
    if (world->units)
        due_ns = nsec_min(due_ns, units_deadline(world->units));
    return due_ns;
}

/* Drain, then judge: what has come in is read before anything is found to take too long. */
void world_services_on_time(struct world *world)
{
    nsec_t now_ns = world->clock.now_ns;

    if (world->tcp && tcp_check_deadline(world->tcp) <= now_ns) {
        tcp_check_on_readable(world->tcp, now_ns, LIMIT_CHECKS);
        tcp_check_on_time(world->tcp, now_ns);
    }
    for (int i = 0; i < 2; i++) {
        struct jobs *jobs = i == 0 ? world->runner : world->helper;

        if (!jobs || jobs_deadline(jobs) > now_ns)
            continue;
        jobs_on_readable(jobs, now_ns);
        jobs_on_deadline(jobs, now_ns);
    }
    if (world->units && units_deadline(world->units) <= now_ns)
        units_on_time(world->units, now_ns);
}

/* What a file wants of the world. */
struct wants {
    uint32_t n_checks;
    bool tcp, runner, helper, units;
};

static struct wants wants_of(const struct ipmap *ipmap)
{
    struct wants wants = {0};

    for (size_t i = 0; i < ipmap->n_sources; i++) {
        const struct ipmap_source *s = &ipmap->sources[i];

        wants.n_checks += (uint32_t)s->n_checks;
        wants.runner = wants.runner || s->n_hooks > 0 || s->fence;
        wants.helper = wants.helper || s->dns;
        wants.units = wants.units || s->n_units > 0 || s->n_hooks > 0 || s->n_checks > 0 || s->dns || s->fence;
        for (size_t k = 0; k < s->n_checks; k++) {
            wants.tcp = wants.tcp || s->checks[k].kind == IPMAP_CHECK_TCP;
            wants.helper = wants.helper || s->checks[k].kind == IPMAP_CHECK_URL;
            wants.runner = wants.runner || s->checks[k].kind == IPMAP_CHECK_EXEC;
        }
    }
    return wants;
}

static int watch_fd(struct world *world, int fd)
{
    int r = sd_event_add_io(world->event, NULL, fd, EPOLLIN, on_readable, world);

    return r < 0 ? r : 0;
}

/* The numbers of checks are those of the file: what was under way has been cancelled by then. */
static int open_tcp(struct world *world, uint32_t n_checks)
{
    struct tcp_check *tcp;
    int r = tcp_check_open(&tcp, n_checks, on_tcp, world);

    if (r < 0)
        return r;
    sd_event_source_disable_unref(world->tcp_source);
    world->tcp_source = NULL;
    tcp_check_close(world->tcp);
    world->tcp = tcp;
    r = sd_event_add_io(world->event, &world->tcp_source, tcp_check_fd(tcp), EPOLLIN, on_readable, world);
    return r < 0 ? r : 0;
}

/* Beside the agent's own program, as after a build; else where programs of the package are. */
static void find_program(const char *name, char *text, size_t size)
{
    char own[256];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash;

    own[length > 0 ? length : 0] = '\0';
    slash = strrchr(own, '/');
    snprintf(text, size, "%.*s/standin-%s", slash ? (int)(slash - own) : 0, own, name);
    if (!slash || access(text, X_OK) < 0)
        snprintf(text, size, STANDIN_LIBDIR "/standin-%s", name);
}

static int open_jobs(struct world *world, struct jobs **ret, const char *name)
{
    char program[WORLD_PATH], socket[WORLD_PATH + 16];
    struct jobs_options options = {.name = name, .socket = socket, .program = program};
    int r;

    if (*ret)
        return 0;
    snprintf(socket, sizeof socket, "%s/%s.sock", world->folder, name);
    find_program(name, program, sizeof program);
    r = jobs_open(ret, &options, world->clock.now_ns);
    return r < 0 ? r : watch_fd(world, jobs_fd(*ret));
}

int world_services_open(struct world *world, const struct ipmap *ipmap)
{
    struct wants wants = wants_of(ipmap);
    int r = 0;

    if (wants.runner)
        r = open_jobs(world, &world->runner, "runner");
    if (r >= 0 && wants.helper)
        r = open_jobs(world, &world->helper, "helper");
    if (r >= 0 && wants.units && !world->units)
        r = units_open(&world->units, world->event, UNITS_PRIORITY, NULL, on_unit, world);
    return r;
}

int world_prepare_services(struct world *world, const char *folder, const struct ipmap *ipmap)
{
    snprintf(world->folder, sizeof world->folder, "%s", folder);
    return world_services_open(world, ipmap);
}

int world_services_load(struct world *world, const struct ipmap *ipmap)
{
    struct wants wants = wants_of(ipmap);
    int r = world_services_open(world, ipmap);

    if (r >= 0 && (wants.tcp || world->tcp))
        r = open_tcp(world, wants.n_checks);
    return r;
}

void world_services_close(struct world *world)
{
    sd_event_source_disable_unref(world->tcp_source);
    tcp_check_close(world->tcp);
    jobs_close(world->runner);
    jobs_close(world->helper);
    units_close(world->units);
}

/* Ports. */

int world_port_tcp(void *userdata, uint32_t check, const struct tcp_request *request)
{
    struct world *world = userdata;

    return world->tcp ? tcp_check_begin(world->tcp, world->clock.now_ns, check, request) : -ENOTCONN;
}

void world_port_tcp_cancel(void *userdata, uint32_t check)
{
    struct world *world = userdata;

    if (world->tcp)
        tcp_check_cancel(world->tcp, check);
}

int world_port_job(void *userdata, struct job_request *request)
{
    struct world *world = userdata;
    struct jobs *jobs = request->kind == JOB_RUN ? world->runner : world->helper;

    return jobs ? jobs_submit(jobs, world->clock.now_ns, request, on_job, world, NULL) : -ENOTCONN;
}

void world_port_job_cancel(void *userdata, uint64_t tag)
{
    struct world *world = userdata;
    uint64_t id = world->runner ? jobs_find(world->runner, tag) : 0;

    if (id != 0) {
        jobs_kill(world->runner, id);
        jobs_forget(world->runner, id);
    }
    if (world->helper && (id = jobs_find(world->helper, tag)) != 0)
        jobs_forget(world->helper, id);
}

int world_port_unit(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns)
{
    struct world *world = userdata;

    return world->units ? units_request(world->units, world->clock.now_ns, id, operation, name, timeout_ns) : -ENOTCONN;
}

static void name_flags(const struct world *world, char folder[static FLAGS_PATH])
{
    snprintf(folder, FLAGS_PATH, "%s/held", world->folder);
}

/* Those of an agent whose guard has released everything, and of sources that the file does without. */
void world_sweep_flags(struct world *world)
{
    char folder[FLAGS_PATH];
    const struct dirent *entry;
    DIR *flags;

    name_flags(world, folder);
    flags = opendir(folder);
    while (flags && (entry = readdir(flags)))
        if (entry->d_name[0] != '.' && !agent_stands_in(world->agent, entry->d_name)) {
            unlinkat(dirfd(flags), entry->d_name, 0);
            agent_on_left_over(world->agent, entry->d_name);
        }
    if (flags)
        closedir(flags);
}

/* An empty file on a file system in memory: nothing to wait for. */
void world_port_flag(void *userdata, const char *source, bool held)
{
    struct world *world = userdata;
    char folder[FLAGS_PATH], path[sizeof folder + LIMIT_NAME + 2];
    int fd, r = 0;

    name_flags(world, folder);
    snprintf(path, sizeof path, "%s/%s", folder, source);
    /* "." and ".." are names for a source, but not for a file. */
    if (source[0] == '.')
        return;
    if (!held) {
        r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
    } else {
        mkdir(folder, 0755);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        r = fd < 0 ? -errno : close(fd);
    }
    if (r < 0)
        log_format(world->clock.now_ns, LOG_WARNING, "cannot %s %s: %s", held ? "make" : "remove", path, strerror(-r));
}
