/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/shell/log.h"
#include "agent/shell/world.h"

/* After an attempt that failed the next one comes so much later. */
#define AGAIN_NS (10 * NSEC_PER_SEC)

struct keeper {
    sd_event *event;
    struct agent *agent;
    const char *state;             /* the folder */
    int lock_fd;                   /* that it is ours; -EBADF */
    struct journal_writer *writer; /* NULL: the folder is not ours (yet) */
    sd_event_source *source;
    int error;   /* of the newest attempt, for which it was said */
    int refused; /* why what was found at the start was not believed; 0 */
    char text[512];
};

/* Why what was found is not believed. */
static const char *why_refused(int error)
{
    switch (-error) {
    case EBADMSG:
        return "torn, or changed by hand";
    case ENOTSUP:
        return "of another version of standin";
    case EMEDIUMTYPE:
        return "no journal of standin";
    case EPERM:
        return "another user's, or others may write it";
    default:
        return strerror(-error);
    }
}

static const char *why_not_kept(int error)
{
    return error == -EBUSY ? "another agent keeps its journal there; give each its own --state" : strerror(-error);
}

/* Said once, and once more when it works again. */
static void note(struct keeper *k, int error)
{
    nsec_t now_ns = world_now();

    if (error < 0)
        agent_journal_again(k->agent, now_ns + AGAIN_NS);
    if (error == k->error)
        return;
    if (error < 0)
        log_format(now_ns, LOG_ERR, "no journal is kept in %s: %s; a restart would forget what only this agent knows",
                   k->state, why_not_kept(error));
    else
        log_format(now_ns, LOG_NOTICE, "the journal is kept in %s again", k->state);
    k->error = error;
}

static int on_written(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct keeper *k = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    note(k, journal_writer_result(k->writer));
    return 0;
}

static int take_folder(struct keeper *k)
{
    int r = k->lock_fd < 0 ? journal_lock(k->state, &k->lock_fd) : 0;

    if (r >= 0)
        r = journal_writer_open(&k->writer, k->state);
    if (r >= 0)
        r = sd_event_add_io(k->event, &k->source, journal_writer_fd(k->writer), EPOLLIN, on_written, k);
    return r;
}

/* What cannot be believed is kept for a look, and not overwritten. */
static void refuse(struct keeper *k, int error)
{
    int r = journal_set_aside(k->state);

    k->refused = error;
    log_format(world_now(), LOG_ERR,
               "the journal in %s is not used: %s%s; what is held is known by its mark, and what only the agent before "
               "knew is forgotten",
               k->state, why_refused(error), r < 0 ? "" : " (now " JOURNAL_ASIDE ")");
}

static void recall(struct keeper *k)
{
    struct journal journal = {0};
    char boot_id[JOURNAL_BOOT_ID] = "";
    int r = k->lock_fd < 0 ? -ENOENT : journal_load(k->state, &journal);

    if (r < 0 && r != -ENOENT)
        refuse(k, r);
    r = journal_boot_id(boot_id);
    if (r < 0)
        log_format(world_now(), LOG_WARNING, "the id of this boot is not known: %s", strerror(-r));
    agent_recall(k->agent, boot_id, &journal);
}

int keeper_open(struct keeper **ret, sd_event *event, const char *state, struct agent *agent)
{
    struct keeper *k = calloc(1, sizeof *k);
    int r;

    if (!k)
        return -ENOMEM;
    k->event = event;
    k->agent = agent;
    k->state = state;
    k->lock_fd = -EBADF;
    r = take_folder(k);
    recall(k);
    if (r < 0)
        note(k, r);
    *ret = k;
    return 0;
}

void keeper_close(struct keeper *k)
{
    if (!k)
        return;
    sd_event_source_disable_unref(k->source);
    journal_writer_close(k->writer);
    if (k->lock_fd >= 0)
        close(k->lock_fd);
    free(k);
}

void keeper_submit(struct keeper *k, char *text, size_t length)
{
    int r = k->writer ? 0 : take_folder(k);

    if (r >= 0) {
        journal_writer_submit(k->writer, text, length);
        return;
    }
    free(text);
    note(k, r);
}

const char *keeper_text(struct keeper *k)
{
    if (!k)
        return "not kept";
    if (k->error < 0)
        snprintf(k->text, sizeof k->text, "not kept in %s: %s", k->state, why_not_kept(k->error));
    else if (k->refused < 0)
        snprintf(k->text, sizeof k->text, "the one found at the start was not used: %s; a new one is kept in %s",
                 why_refused(k->refused), k->state);
    else
        snprintf(k->text, sizeof k->text, "kept in %s", k->state);
    return k->text;
}
