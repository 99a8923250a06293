/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/guarding.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/base/cleanup.h"
#include "agent/guard/guard.h"
#include "agent/shell/log.h"
#include "agent/shell/world.h"

/* Signs of life in one patience: some may be late on a busy host. */
#define BEATS 5
/* A guard that is gone is replaced after this, and tried again as often. */
#define REPLACE_NS (1 * NSEC_PER_SEC)
/* What could not be sent at once is tried again after this. */
#define AGAIN_NS (5 * NSEC_PER_MSEC)

struct guarding {
    sd_event *event;
    char pid_path[PATH_MAX];
    char lock_path[PATH_MAX];
    nsec_t patience_ns;  /* NSEC_NEVER: off */
    struct guard *guard; /* NULL: none */
    sd_event_source *source;
    bool in_charge; /* its pid stands in the file */
    nsec_t due_ns;  /* next beat, or next try */
    bool adopted;   /* nothing that the guard before this one knows is unknown to us */
    struct guarding_owner owner;
    char text[96]; /* for status */
};

static void lose(struct guarding *g, nsec_t now_ns)
{
    g->source = sd_event_source_disable_unref(g->source);
    guard_dismiss(g->guard);
    g->guard = NULL;
    g->in_charge = false;
    g->due_ns = now_ns + REPLACE_NS;
    snprintf(g->text, sizeof g->text, "gone, to be replaced");
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct guarding *g = userdata;
    nsec_t now_ns = world_now();
    int count = guard_news(g->guard);

    (void)source;
    (void)fd;
    (void)revents;
    if (count > 0) {
        log_format(now_ns, LOG_ALERT, "this agent hung, and its guard took %d addresses off", count);
        g->owner.hung(g->owner.userdata);
    } else if (count < 0) {
        log_line(now_ns, LOG_ERR, "the guard is gone; another is started");
        lose(g, now_ns - REPLACE_NS);
    }
    return 0;
}

static int start(struct guarding *g)
{
    int r = guard_start(&g->guard, g->pid_path, g->lock_path, g->patience_ns);

    if (r >= 0)
        r = sd_event_add_io(g->event, &g->source, guard_fd(g->guard), EPOLLIN, on_news, g);
    /* What the guard did while we hung must be known before anything else is read. */
    if (r >= 0)
        r = sd_event_source_set_priority(g->source, SD_EVENT_PRIORITY_IMPORTANT);
    if (r < 0) {
        if (g->guard)
            guard_dismiss(g->guard);
        g->guard = NULL;
        snprintf(g->text, sizeof g->text, "cannot be started: %s", strerror(-r));
        return r;
    }
    snprintf(g->text, sizeof g->text, "pid %d, removes after %lld ms", (int)guard_pid(g->guard),
             (long long)(g->patience_ns / NSEC_PER_MSEC));
    g->due_ns = 0;
    g->owner.tell(g->owner.userdata, g);
    return 0;
}

int guarding_open(struct guarding **ret, sd_event *event, const char *control, nsec_t patience_ns,
                  const struct guarding_owner *owner)
{
    CLEANUP_FREE struct guarding *g = calloc(1, sizeof *g);
    int r = 0;

    if (!g)
        return -ENOMEM;
    if (snprintf(g->pid_path, sizeof g->pid_path, "%s.guard", control) >= (int)sizeof g->pid_path ||
        snprintf(g->lock_path, sizeof g->lock_path, "%s.lock", control) >= (int)sizeof g->lock_path)
        return -ENAMETOOLONG;
    g->event = event;
    g->owner = *owner;
    g->patience_ns = patience_ns;
    g->due_ns = NSEC_NEVER;
    snprintf(g->text, sizeof g->text, "off");
    if (patience_ns != NSEC_NEVER)
        r = start(g);
    if (r < 0)
        return r;
    *ret = TAKE_POINTER(g);
    return 0;
}

void guarding_close(struct guarding *g, bool all_released)
{
    if (!g)
        return;
    sd_event_source_disable_unref(g->source);
    if (g->guard && all_released)
        guard_dismiss(g->guard);
    else if (g->guard)
        guard_abandon(g->guard);
    free(g);
}

int guarding_set_patience(struct guarding *g, nsec_t patience_ns)
{
    struct guard *before = g->guard;
    int r = 0;

    if (patience_ns == g->patience_ns)
        return 0;
    g->patience_ns = patience_ns;
    g->source = sd_event_source_disable_unref(g->source);
    g->guard = NULL;
    g->in_charge = false;
    g->due_ns = NSEC_NEVER;
    snprintf(g->text, sizeof g->text, "off");
    if (patience_ns != NSEC_NEVER)
        r = start(g);
    if (r < 0)
        g->due_ns = NSEC_UNSET; /* tried again in the next turn */
    if (before)
        guard_dismiss(before);
    return r;
}

bool guarding_is_on(const struct guarding *g)
{
    return g && g->guard;
}

const char *guarding_text(const struct guarding *g)
{
    return g ? g->text : "off";
}

void guarding_adopted(struct guarding *g)
{
    if (g)
        g->adopted = true;
}

void guarding_hold(struct guarding *g, int ifindex, const struct ip_address *ip, uint8_t prefix)
{
    if (guarding_is_on(g) && guard_hold(g->guard, &(struct guard_held){ifindex, *ip, prefix}) < 0)
        log_line(world_now(), LOG_ERR, "no memory to tell the guard of an address; its lease alone guards it");
}

void guarding_drop(struct guarding *g, int ifindex, const struct ip_address *ip, uint8_t prefix)
{
    /* Without memory it is told of too much, and finds nothing there to take off. */
    if (guarding_is_on(g))
        guard_drop(g->guard, &(struct guard_held){ifindex, *ip, prefix});
}

static void take_charge(struct guarding *g, nsec_t now_ns)
{
    int r = guard_take_charge(g->guard);

    if (r >= 0)
        g->in_charge = true;
    else if (r != -EBUSY)
        log_format(now_ns, LOG_ERR, "cannot put the guard in charge at %s: %s", g->pid_path, strerror(-r));
}

void guarding_feed(struct guarding *g, nsec_t now_ns, bool well)
{
    int left;

    if (!g || g->patience_ns == NSEC_NEVER)
        return;
    if (!g->guard && now_ns >= g->due_ns && start(g) < 0) {
        log_format(now_ns, LOG_ERR, "the guard %s", g->text);
        g->due_ns = now_ns + REPLACE_NS;
    }
    if (!g->guard)
        return;
    if (well && now_ns >= g->due_ns) {
        guard_beat(g->guard, now_ns);
        g->due_ns = now_ns + g->patience_ns / BEATS;
    }
    left = guard_flush(g->guard);
    if (left == -EPIPE) {
        lose(g, now_ns);
        return;
    }
    if (left > 0 && g->due_ns > now_ns + AGAIN_NS)
        g->due_ns = now_ns + AGAIN_NS;
    if (left == 0 && g->adopted && !g->in_charge)
        take_charge(g, now_ns);
}

nsec_t guarding_deadline(const struct guarding *g)
{
    return g && g->patience_ns != NSEC_NEVER ? g->due_ns : NSEC_NEVER;
}
