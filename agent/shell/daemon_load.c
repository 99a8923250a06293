/* SPDX-License-Identifier: Apache-2.0 */
/* The file, read again while the loop runs: for a reload, or only to be checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "agent/base/cleanup.h"
#include "agent/shell/daemon_internal.h"
#include "agent/shell/log.h"

/* What status says of the last reload: its first error as one line, else `r`; nothing where it went well. */
static void set_file_error(struct daemon *d, int r, const struct ipmap_messages *messages)
{
    size_t i = 0;

    while (i < messages->n && messages->list[i].warning)
        i++;
    if (r < 0 && i < messages->n) {
        const struct ipmap_message *m = &messages->list[i];

        snprintf(d->file_error, sizeof d->file_error, "%s:%u:%u: %s%s", m->place.file, m->place.line, m->place.column,
                 m->text, messages->n_errors > 1 ? " (and more)" : "");
    } else {
        snprintf(d->file_error, sizeof d->file_error, "%s", r < 0 ? strerror(-r) : "");
    }
    agent_report_header(world_agent(d->world))->file_error = r < 0 ? d->file_error : NULL;
}

static void log_messages(const struct ipmap_messages *messages)
{
    for (size_t i = 0; i < messages->n; i++) {
        const struct ipmap_message *m = &messages->list[i];

        log_format(world_now(), m->warning ? LOG_WARNING : LOG_ERR, "%s:%u:%u: %s", m->place.file, m->place.line,
                   m->place.column, m->text);
    }
}

static json_t *load_answer(const struct ipmap_messages *messages, int r, const char *good, const char *bad)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < messages->n; i++) {
        const struct ipmap_message *m = &messages->list[i];

        json_array_append_new(lines, json_sprintf("%s:%u:%u: %s%s", m->place.file, m->place.line, m->place.column,
                                                  m->warning ? "warning: " : "", m->text));
    }
    if (r >= 0)
        return json_pack("{s:b, s:s, s:o}", "ok", 1, "message", good, "warnings", lines);
    return json_pack("{s:b, s:s, s:o}", "ok", 0, "error", bad, "warnings", lines);
}

/* Who asked later wants to hear of a reading that began later. */
static void answer_served(struct daemon *d, json_t *answer)
{
    for (size_t i = 0; i < d->n_served; i++)
        control_answer(d->waiting[i], json_incref(answer));
    d->n_waiting -= d->n_served;
    memmove(d->waiting, d->waiting + d->n_served, d->n_waiting * sizeof *d->waiting);
    d->n_served = 0;
    json_decref(answer);
}

static void answer_failed_start(struct daemon *d, int r)
{
    log_format(world_now(), LOG_ERR, "cannot read the file: %s", strerror(-r));
    d->n_served = d->n_waiting;
    answer_served(d, json_pack("{s:b, s:s}", "ok", 0, "error", strerror(-r)));
}

static int on_loaded(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int load_start(struct daemon *d, bool apply)
{
    struct ipmap *ipmap = NULL;
    struct ipmap_messages messages = {0};
    int r = loader_start(&d->loader, d->options.file);

    if (r < 0)
        return r;
    r = sd_event_add_io(d->event, &d->loader_source, loader_fd(d->loader), EPOLLIN, on_loaded, d);
    if (r < 0) {
        /* Its end would never be seen. */
        loader_finish(TAKE_POINTER(d->loader), &ipmap, &messages);
        ipmap_free(ipmap);
        ipmap_messages_free(&messages);
        return r;
    }
    d->applying = apply;
    d->n_served = d->n_waiting;
    if (apply)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(world_now() / NSEC_PER_USEC));
    return 0;
}

int reload_start(struct daemon *d)
{
    if (!d->loader)
        return load_start(d, true);
    d->reload_again = true;
    return 0;
}

static int reload_apply(struct daemon *d, struct ipmap *ipmap, int r, const struct ipmap_messages *messages)
{
    nsec_t now_ns = world_now();

    log_messages(messages);
    nsec_t guard_ns = r >= 0 ? ipmap->guard_ns : NSEC_NEVER;

    if (r >= 0)
        r = world_load(d->world, ipmap, false);
    if (r >= 0 && guarding_set_patience(d->guarding, guard_ns) < 0)
        log_format(now_ns, LOG_ERR, "the guard %s", guarding_text(d->guarding));
    set_file_error(d, r, messages);
    if (r >= 0) {
        log_format(now_ns, LOG_NOTICE, "%s is loaded anew", d->options.file);
    } else {
        ipmap_free(ipmap);
        log_format(now_ns, LOG_ERR, "%s is not loaded, the one before stays in effect", d->options.file);
    }
    sd_notify(0, "READY=1");
    return r;
}

static int on_loaded(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct daemon *d = userdata;
    struct ipmap *ipmap = NULL;
    struct ipmap_messages messages = {0};
    int r;

    (void)source;
    (void)fd;
    (void)revents;
    d->loader_source = sd_event_source_disable_unref(d->loader_source);
    r = loader_finish(TAKE_POINTER(d->loader), &ipmap, &messages);
    if (d->applying) {
        r = reload_apply(d, ipmap, r, &messages);
        answer_served(d, load_answer(&messages, r, "the file is in effect",
                                     "the file is not loaded; the one before stays in effect"));
    } else {
        ipmap_free(ipmap);
        answer_served(d, load_answer(&messages, r, "the file loads", "the file has errors"));
    }
    ipmap_messages_free(&messages);
    if (!d->reload_again)
        return 0;
    /* The file may have changed since. What was read took effect all the same: reloads may never end. */
    d->reload_again = false;
    r = load_start(d, true);
    if (r < 0)
        answer_failed_start(d, r);
    return 0;
}

void load_on_command(struct daemon *d, struct control_client *client, bool apply)
{
    int r;

    if (d->n_waiting == RELOAD_CLIENTS_MAX || (d->loader && !apply)) {
        control_answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", "the file is being read just now; try again"));
        return;
    }
    d->waiting[d->n_waiting++] = client;
    r = apply ? reload_start(d) : load_start(d, false);
    if (r < 0)
        answer_failed_start(d, r);
}

void load_forget(struct daemon *d, const struct control_client *client)
{
    for (size_t i = 0; i < d->n_waiting; i++)
        if (d->waiting[i] == client) {
            d->n_waiting--;
            d->n_served -= i < d->n_served;
            memmove(&d->waiting[i], &d->waiting[i + 1], (d->n_waiting - i) * sizeof *d->waiting);
            i--;
        }
}
