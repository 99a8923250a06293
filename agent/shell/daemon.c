/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/shell/daemon_internal.h"
#include "agent/shell/log.h"
#include "agent/shell/process.h"
#include "netlink/shelf.h"

/* A release that takes longer than this at the end is left to whoever comes after us. */
#define LEAVE_WITHIN_NS (50 * NSEC_PER_SEC)
/* Of thousands of rounds some are always due: the loop is well as long as nothing is overdue by more than this. */
#define WELL_WITHIN_NS (20 * NSEC_PER_MSEC)
/* systemd is told how things stand no more often than this. */
#define STATUS_EVERY_NS (1 * NSEC_PER_SEC)

static nsec_t daemon_deadline(const struct daemon *d)
{
    nsec_t due_ns = control_server_deadline(d->control), beat_ns = guarding_deadline(d->guarding);

    if (beat_ns < due_ns)
        due_ns = beat_ns;
    if (d->watchdog_ns && d->watchdog_due_ns < due_ns)
        due_ns = d->watchdog_due_ns;
    if (d->leaving_until_ns && d->leaving_until_ns < due_ns)
        due_ns = d->leaving_until_ns;
    return due_ns;
}

static void tell_systemd(struct daemon *d, nsec_t now_ns)
{
    char status[sizeof d->status];

    if (now_ns < d->status_due_ns)
        return;
    d->status_due_ns = now_ns + STATUS_EVERY_NS;
    agent_summary(world_agent(d->world), status, sizeof status);
    if (strcmp(status, d->status) == 0)
        return;
    memcpy(d->status, status, sizeof status);
    sd_notifyf(0, "STATUS=%s", status);
}

static bool is_well(const struct daemon *d, nsec_t now_ns)
{
    return agent_deadline(world_agent(d->world)) > now_ns - WELL_WITHIN_NS;
}

static void on_due(void *userdata, nsec_t now_ns)
{
    struct daemon *d = userdata;

    control_server_on_deadline(d->control, now_ns);
    /* Only a turn in which due timers were served is a sign of life. */
    if (d->watchdog_ns && d->watchdog_due_ns <= now_ns && is_well(d, now_ns)) {
        sd_notify(0, "WATCHDOG=1");
        d->watchdog_due_ns = now_ns + d->watchdog_ns;
    }
}

/* After every event: what it set off goes out, and we see whether it was the last one. */
static void after_event(struct daemon *d)
{
    nsec_t now_ns = world_flush(d->world);

    guarding_feed(d->guarding, now_ns, is_well(d, now_ns));
    world_end_event(d->world);
    tell_systemd(d, now_ns);
    if (d->leaving_until_ns && (agent_is_idle(world_agent(d->world)) || now_ns >= d->leaving_until_ns)) {
        bool idle = agent_is_idle(world_agent(d->world));

        if (!idle && !guarding_is_on(d->guarding))
            log_line(now_ns, LOG_ERR, "not everything could be released in time");
        sd_event_exit(d->event, idle || guarding_is_on(d->guarding) ? 0 : 1);
    }
}

/* Control. */

static void on_answer(void *cookie, char *answer)
{
    control_answer_text(cookie, answer);
}

/* Whether the command only looks. Others are logged, with who gave them. */
static bool only_looks(const char *command)
{
    static const char *const looking[] = {"status", "show", "version", "check"};

    for (size_t i = 0; i < sizeof looking / sizeof *looking; i++)
        if (strcmp(command, looking[i]) == 0)
            return true;
    return false;
}

static void on_request(void *userdata, struct control_client *client, const struct control_peer *peer, json_t *request)
{
    struct daemon *d = userdata;
    const char *command = json_string_value(json_object_get(request, "command"));
    const char *source = json_string_value(json_object_get(request, "source"));
    const char *nic = json_string_value(json_object_get(request, "nic"));
    struct agent *agent = world_agent(d->world);
    struct report_agent *header = agent_report_header(agent);
    nsec_t now_ns = world_now();

    if (!only_looks(command))
        log_format(now_ns, LOG_NOTICE, "command %.32s%s%.63s%s%.63s%s from uid %u, pid %d", command, source ? " " : "",
                   source ? source : "", nic ? "/" : "", nic ? nic : "",
                   json_is_true(json_object_get(request, "force")) ? " --force" : "", peer->uid, peer->pid);
    header->uptime_ns = now_ns - d->started_ns;
    header->guard = guarding_text(d->guarding);
    header->journal = keeper_text(d->keeper);
    if (strcmp(command, "reload") == 0 || strcmp(command, "check") == 0)
        load_on_command(d, client, command[0] == 'r');
    else if (strcmp(command, "version") == 0)
        control_answer(client, json_pack("{s:b, s:s}", "ok", 1, "version", STANDIN_VERSION));
    else
        agent_command(agent, now_ns, request, on_answer, client);
}

static void on_gone(void *userdata, struct control_client *client)
{
    struct daemon *d = userdata;

    agent_forget(world_agent(d->world), client);
    load_forget(d, client);
}

static int on_control(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct daemon *d = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    control_server_on_readable(d->control, world_now());
    return 0;
}

/* Signals. */

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct daemon *d = userdata;
    int r;

    (void)source;
    log_format(world_now(), LOG_NOTICE, "SIGHUP from pid %u: loading %s anew", info->ssi_pid, d->options.file);
    r = reload_start(d);
    if (r < 0)
        log_format(world_now(), LOG_ERR, "cannot reload: %s", strerror(-r));
    return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct daemon *d = userdata;
    nsec_t now_ns = world_now();

    (void)source;
    if (d->leaving_until_ns) {
        log_line(now_ns, LOG_WARNING, "told to end again: ending at once");
        sd_event_exit(d->event, 1);
        return 0;
    }
    sd_notify(0, "STOPPING=1");
    if (guarding_is_on(d->guarding)) {
        log_format(now_ns, LOG_NOTICE,
                   "signal %u from pid %u: ending; a successor takes over what is held, or the guard "
                   "removes it",
                   info->ssi_signo, info->ssi_pid);
        d->leaving_until_ns = now_ns;
        return 0;
    }
    log_format(now_ns, LOG_NOTICE, "signal %u from pid %u: releasing everything, as there is no guard", info->ssi_signo,
               info->ssi_pid);
    d->leaving_until_ns = now_ns + LEAVE_WITHIN_NS;
    agent_release_all(world_agent(d->world), now_ns);
    return 0;
}

static int add_signals(struct daemon *d)
{
    sigset_t set;
    int r;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    if ((r = sd_event_add_signal(d->event, NULL, SIGHUP, on_hangup, d)) < 0 ||
        (r = sd_event_add_signal(d->event, NULL, SIGTERM, on_terminate, d)) < 0)
        return r;
    return sd_event_add_signal(d->event, NULL, SIGINT, on_terminate, d);
}

/* Start. */

static int fail(int r, const char *what)
{
    fprintf(stderr, "standind: %s: %s\n", what, strerror(-r));
    return r;
}

static int read_first(struct daemon *d)
{
    struct ipmap_messages messages = {0};
    int r = loader_load(d->options.file, &d->first, &messages);

    ipmap_messages_print(&messages, stderr);
    ipmap_messages_free(&messages);
    if (r == -EINVAL)
        return r; /* every mistake has its line already */
    return r < 0 ? fail(r, d->options.file) : 0;
}

static int load_first(struct daemon *d)
{
    int r = world_load(d->world, d->first, true);

    if (r < 0)
        return fail(r, d->options.file);
    d->first = NULL; /* the agent's now */
    return 0;
}

/* The guard took off what we held, because we hung. */
static void on_hung(void *userdata)
{
    struct daemon *d = userdata;

    agent_on_hung(world_agent(d->world), world_now());
}

static void tell_one(void *userdata, int ifindex, const struct ip_address *ip, uint8_t prefix)
{
    guarding_hold(userdata, ifindex, ip, prefix);
}

static void on_tell(void *userdata, struct guarding *guarding)
{
    struct daemon *d = userdata;

    if (d->world)
        agent_each_held(world_agent(d->world), tell_one, guarding);
}

/* As early as can be: a small process that inherits neither sockets nor rights that it does not need. */
static int open_guard(struct daemon *d)
{
    struct guarding_owner owner = {.hung = on_hung, .tell = on_tell, .userdata = d};
    int r = guarding_open(&d->guarding, d->event, d->options.control, d->first->guard_ns, &owner);

    return r < 0 ? fail(r, "cannot start the guard") : 0;
}

static int open_control(struct daemon *d)
{
    int r = control_server_open(&d->control, d->options.control, d->options.control_group, on_request, on_gone, d);

    if (r == -EADDRINUSE) {
        fprintf(stderr, "standind: another agent listens at %s; there can be one for each control path\n",
                d->options.control);
        return r;
    }
    if (r >= 0)
        r = sd_event_add_io(d->event, NULL, control_server_fd(d->control), EPOLLIN, on_control, d);
    return r < 0 ? fail(r, d->options.control) : 0;
}

/* Whether this host forwards IPv6; its advertisements must say so. */
static bool forwards_ipv6(void)
{
    CLEANUP_FILE FILE *file = fopen("/proc/sys/net/ipv6/conf/all/forwarding", "re");

    return file && fgetc(file) == '1';
}

static void set_up_header(struct daemon *d)
{
    struct report_agent *header = agent_report_header(world_agent(d->world));

    header->version = STANDIN_VERSION;
    header->file = d->options.file;
    header->pid = getpid();
    header->realtime = process_become_realtime();
    header->memory_lock = process_lock_memory();
    process_spare_memory();
    if (strncmp(header->realtime, "refused", 7) == 0)
        log_format(d->started_ns, LOG_WARNING, "real-time class %s; a busy host will make us late", header->realtime);
    agent_set_ipv6_router(world_agent(d->world), forwards_ipv6());
}

static int open_keeper(struct daemon *d)
{
    int r = keeper_open(&d->keeper, d->event, d->options.state, world_agent(d->world));

    world_set_keeper(d->world, d->keeper);
    return r < 0 ? fail(r, "the journal") : 0;
}

/* In the folder of the control socket. */
static int prepare_services(struct daemon *d)
{
    const char *slash = strrchr(d->options.control, '/');
    char folder[WORLD_PATH];

    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - d->options.control) : 1,
             slash ? d->options.control : ".");
    return world_prepare_services(d->world, folder, d->first);
}

static int daemon_open(struct daemon *d)
{
    const char *what;
    uint64_t watchdog_us;
    int r;

    if (process_check_capabilities() < 0)
        return fail(-EPERM, "needs CAP_NET_ADMIN and CAP_NET_RAW: run as root, or from the unit");
    if ((r = sd_event_default(&d->event)) < 0 || (r = add_signals(d)) < 0)
        return fail(r, "the event loop");
    if ((r = read_first(d)) < 0 || (r = open_guard(d)) < 0 || (r = open_control(d)) < 0)
        return r;
    if ((r = world_open(&d->world, d->event, &what)) < 0)
        return fail(r, what);
    world_set_guarding(d->world, d->guarding);
    if ((r = prepare_services(d)) < 0)
        return fail(r, "what runs hooks and checks");
    set_up_header(d);
    if ((r = process_drop_capabilities()) < 0)
        return fail(r, "cannot drop capabilities");
    if ((r = open_keeper(d)) < 0 || (r = load_first(d)) < 0)
        return r;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        d->watchdog_ns = (nsec_t)watchdog_us * NSEC_PER_USEC / 3;
    world_on_due(d->world, on_due, d);
    world_flush(d->world);
    world_end_event(d->world);
    return 0;
}

static void daemon_close(struct daemon *d)
{
    bool idle = !d->world || agent_is_idle(world_agent(d->world));

    /* First of all, because it may wait for the disk: should that hang, the guard takes us for hung, as it must. */
    if (d->keeper)
        agent_journal_last(world_agent(d->world), world_now());
    keeper_close(d->keeper);
    /* What is still held is left to a successor; where none comes, the guard removes it. */
    guarding_close(d->guarding, idle);
    ipmap_free(d->first);
    sd_event_source_disable_unref(d->loader_source);
    control_server_close(d->control);
    world_close(d->world);
    sd_event_unref(d->event);
    /* An agent that was refused its start must leave those of another alone. */
    if (idle && d->leaving_until_ns)
        (void)shelf_sweep();
}

/* The exit status, or negative errno. */
static int run(struct daemon *d)
{
    int r = 0, status;

    while (r >= 0 && sd_event_get_exit_code(d->event, &status) < 0) {
        r = world_wait(d->world, daemon_deadline(d));
        if (r > 0)
            after_event(d);
    }
    return r < 0 ? r : status;
}

/* --check: what is wrong with the file, on stderr; warnings do not change the exit status. */
static int check_file(const char *path)
{
    struct ipmap *ipmap = NULL;
    struct ipmap_messages messages = {0};
    int r = loader_load(path, &ipmap, &messages);

    ipmap_messages_print(&messages, stderr);
    ipmap_messages_free(&messages);
    ipmap_free(ipmap);
    return r < 0 ? 1 : 0;
}

/* --targets: what systemd's generator makes. Without a file that loads there are none. */
static int print_targets(const char *path)
{
    struct ipmap *ipmap = NULL;
    struct ipmap_messages messages = {0};
    char name[AGENT_UNIT_NAME];
    int r = loader_load(path, &ipmap, &messages);

    ipmap_messages_free(&messages);
    for (size_t i = 0; r >= 0 && i < ipmap->n_sources; i++) {
        agent_name_target(&ipmap->sources[i], name, sizeof name);
        puts(name);
    }
    ipmap_free(ipmap);
    return r < 0 ? 1 : 0;
}

int daemon_main(int argc, char **argv)
{
    CLEANUP(daemon_close) struct daemon d = {.started_ns = world_now()};
    int r = options_read(argc, argv, &d.options);

    if (r >= 0)
        return r;
    if (d.options.check)
        return check_file(d.options.file);
    if (d.options.targets)
        return print_targets(d.options.file);
    process_fill_standard_fds();
    log_open(d.options.verbose ? LOG_DEBUG : LOG_INFO);
    if (daemon_open(&d) < 0)
        return 1;
    sd_notify(0, "READY=1");
    log_format(world_now(), LOG_NOTICE, "standind %s watches as %s says", STANDIN_VERSION, d.options.file);
    r = run(&d);
    return r < 0 ? fail(r, "the event loop"), 1 : r;
}
