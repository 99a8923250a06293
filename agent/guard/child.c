/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's loop. It waits, reads all that the agent sent, and only then judges:
 *
 *                   silent for patience          a beat, or nothing left
 *        watching -----------------------> removing -----------------------> watching
 *           | EOF                             | EOF
 *           +---------------+-----------------+
 *                           v    patience is over, no successor is starting             nothing left
 *                  waits for a successor --------------------------------> removing ------------------> end
 *                           | another guard is in charge                      |
 *                           +--------------------> end <----------------------+
 *
 * Removing is a batch a turn, so that whatever speaks against it is heard in between.
 */
#include "agent/guard/child.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/guard/asking.h"
#include "agent/guard/message.h"
#include "agent/guard/privilege.h"
#include "agent/guard/successor.h"
#include "netlink/claims.h"
#include "netlink/shelf.h"

/* How long, in patiences since the agent went, one that holds the lock may take until its guard is in charge. */
#define SUCCESSOR_PATIENCES 5
/* Looks for a successor in one patience. */
#define LOOKS 20
/* Woken later than this part of the patience, we stood still ourselves. */
#define STALL_PART 8
/* Packets read before judging: more than the socket holds, so all that was there. */
#define PACKETS_MAX 4096
/* So many reads in a row that fail where the other end is closed are that end, too. */
#define UNREAD_MAX 100
/* Between two batches: others need the kernel's locks, and a sleep resets the count of RLIMIT_RTTIME. */
#define BATCH_PAUSE_NS (200 * NSEC_PER_USEC)
/* The same after a batch of which something failed that may succeed later; and how many of these are enough. */
#define TROUBLE_PAUSE_NS (10 * NSEC_PER_MSEC)
#define TROUBLES_MAX 200

/* Names in one line: below what a pipe takes at once (PIPE_BUF). */
#define NAMES_BYTES 1024

struct child {
    const struct child_options *options;
    int socket;               /* leads to the agent; -EBADF when that is gone */
    unsigned unread;          /* reads in a row that failed after its other end was closed */
    struct claims *claims;    /* opened at the start: in need there may be no memory or descriptor for it */
    struct asking asking;     /* opened as early, for what it takes to open it */
    struct notes held;        /* what the agent holds, the newest last */
    nsec_t beat_ns;           /* when the agent was last well, or when it began to hold something */
    nsec_t excused_until_ns;  /* not judged before */
    bool excused;             /* in this silence already */
    nsec_t gone_ns;           /* when the agent was seen to be gone; NSEC_UNSET */
    bool hung_up;             /* the socket's other end was closed: what was sent may still be there */
    bool removing;            /* of an agent that is gone: decided once, for all */
    bool dismissed;           /* told to end */
    nsec_t wake_ns;           /* when there is something to be judged again; NSEC_NEVER */
    unsigned asked;           /* removals whose result is not known yet */
    bool trouble;             /* in this batch something failed that may succeed later */
    unsigned troubles;        /* such batches in a row */
    unsigned released, stuck; /* to be told: taken off; could not be */
    const char *why;          /* what the agent did, for which these were */
    char names[NAMES_BYTES];  /* of those released that were not named yet */
    bool overfull;            /* that there is no memory for a note was said already */
};

static nsec_t now_on_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Never waits: better unsaid than a guard that stands still. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    struct pollfd taker = {.fd = STDERR_FILENO, .events = POLLOUT};
    va_list arguments;

    if (poll(&taker, 1, 0) != 1 || !(taker.revents & POLLOUT))
        return;
    va_start(arguments, format);
    vdprintf(STDERR_FILENO, format, arguments);
    va_end(arguments);
}

/* What the journal takes for the priority "alert". */
static const char *alert_prefix(void)
{
    return getenv("JOURNAL_STREAM") ? "<1>" : "";
}

static void report(const struct child *child, enum message_kind kind, int value)
{
    struct message_report message = {.kind = kind, .value = value};

    send(child->socket, &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Waits for the agent, or until wake_ns. */
static void wait_for_event(struct child *child)
{
    struct pollfd agent = {.fd = child->socket, .events = POLLIN};
    nsec_t now_ns = now_on_clock(), wait_ns = child->wake_ns > now_ns ? child->wake_ns - now_ns : 0;
    struct timespec wait = {.tv_sec = wait_ns / NSEC_PER_SEC, .tv_nsec = wait_ns % NSEC_PER_SEC};

    child->hung_up =
        ppoll(&agent, 1, child->wake_ns == NSEC_NEVER ? NULL : &wait, NULL) > 0 && (agent.revents & POLLHUP);
}

static void take_note(struct child *child, const struct note *note)
{
    if (!note->holds) {
        notes_take(&child->held, &note->held);
        return;
    }
    /* An agent that starts sends what it adopted before its loop runs: silence counts from when it matters. */
    if (child->held.n == 0)
        child->beat_ns = now_on_clock();
    if (notes_put(&child->held, &note->held, true) < 0 && !child->overfull) {
        child->overfull = true;
        say("%sthe guard has no memory for more addresses, and would leave these\n", alert_prefix());
    }
}

static void take_order(struct child *child, const struct message_order *order)
{
    if (order->kind == MESSAGE_DISMISS) {
        child->dismissed = true;
        return;
    }
    for (uint32_t i = 0; i < order->n; i++)
        take_note(child, &order->notes[i]);
    if (order->beat_ns > child->beat_ns && order->beat_ns <= now_on_clock()) {
        child->beat_ns = order->beat_ns;
        child->excused = false;
    }
}

static void lose_agent(struct child *child)
{
    close(child->socket);
    child->socket = -EBADF;
    child->gone_ns = now_on_clock();
}

/* Reads all that is there, so that nobody is judged for what was not read yet. */
static void read_agent(struct child *child)
{
    uint8_t packet[sizeof(struct message_order)];
    struct message_order order;

    for (unsigned i = 0; i < PACKETS_MAX && child->socket >= 0; i++) {
        ssize_t length = recv(child->socket, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

        child->unread = length < 0 && child->hung_up ? child->unread + 1 : 0;
        if (length > 0) {
            if (message_parse_order(packet, (size_t)length, &order) == 0)
                take_order(child, &order);
        } else if (length == 0 || child->unread == UNREAD_MAX) {
            lose_agent(child);
        } else if (errno != ECONNRESET && errno != EINTR) {
            /* ECONNRESET comes once, before what the agent said last: it ended without reading what we said. */
            return;
        }
    }
}

static bool is_gone(const struct child *child)
{
    return child->gone_ns != NSEC_UNSET;
}

static void say_names(struct child *child)
{
    if (child->names[0] != '\0')
        say("%sreleased by the guard: %s\n", alert_prefix(), child->names);
    child->names[0] = '\0';
}

static void note_name(struct child *child, const struct guard_held *held)
{
    char ip[IP_ADDRESS_TEXT], nic[IF_NAMESIZE], name[IP_ADDRESS_TEXT + IF_NAMESIZE + 16];
    size_t used;

    if (!if_indextoname((unsigned)held->ifindex, nic))
        snprintf(nic, sizeof nic, "NIC %d", held->ifindex);
    snprintf(name, sizeof name, "%s/%u on %s", ip_address_format(&held->ip, ip), held->prefix, nic);
    if (strlen(child->names) + strlen(name) + sizeof ", " > sizeof child->names)
        say_names(child);
    used = strlen(child->names);
    snprintf(child->names + used, sizeof child->names - used, "%s%s", used > 0 ? ", " : "", name);
}

static void on_result(void *userdata, const struct claims_request *request, int error)
{
    struct guard_held held = {.ifindex = request->ifindex, .ip = request->ip, .prefix = request->prefix};
    struct child *child = userdata;

    child->asked--;
    if (error == 0) {
        child->released++;
        asking_ask(&child->asking, &held);
        note_name(child, &held);
    } else if (error != -EADDRNOTAVAIL && error != -EACCES && error != -ENODEV) {
        child->trouble = true;
        return;
    }
    notes_take(&child->held, &held);
}

/* Asks for the newest that are left. The kernel does the work within the send, so the results are there after it. */
static void remove_batch(struct child *child)
{
    const struct note *note = child->asked == 0 ? notes_newest(&child->held) : NULL;

    if (child->released == 0)
        asking_look(&child->asking, &child->held);
    child->why = is_gone(child) ? "died" : "hung";
    child->trouble = false;
    for (unsigned i = 0; note && i < CLAIMS_BATCH; i++, note = notes_before(&child->held, note)) {
        struct claims_request request = {.operation = CLAIMS_REMOVE,
                                         .ifindex = note->held.ifindex,
                                         .ip = note->held.ip,
                                         .prefix = note->held.prefix};

        if (claims_submit(child->claims, &request) < 0)
            child->trouble = true;
        else
            child->asked++;
    }
    if (claims_flush(child->claims) < 0 || claims_on_readable(child->claims) < 0)
        child->trouble = true;
    child->troubles = child->trouble ? child->troubles + 1 : 0;
    if (child->troubles == TROUBLES_MAX) {
        child->stuck += child->held.n;
        child->troubles = 0;
        notes_free(&child->held);
    }
}

static nsec_t silent_until(const struct child *child)
{
    nsec_t patience_over_ns = child->beat_ns + child->options->patience_ns;

    return child->excused_until_ns > patience_over_ns ? child->excused_until_ns : patience_over_ns;
}

/* Whether now is the time to remove what is left. */
static bool is_due(struct child *child, nsec_t now_ns)
{
    const struct child_options *options = child->options;

    if (child->held.n == 0)
        return false;
    if (!is_gone(child))
        return now_ns >= silent_until(child);
    if (now_ns - child->gone_ns < options->patience_ns)
        return false;
    if (!child->removing)
        child->removing = now_ns - child->gone_ns >= SUCCESSOR_PATIENCES * options->patience_ns ||
                          !successor_is_starting(options->lock_path);
    return child->removing;
}

static nsec_t next_look(const struct child *child, nsec_t now_ns)
{
    nsec_t look_ns = now_ns + child->options->patience_ns / LOOKS;
    nsec_t patience_over_ns = child->gone_ns + child->options->patience_ns;

    return now_ns < patience_over_ns && patience_over_ns < look_ns ? patience_over_ns : look_ns;
}

/* Tells everybody what was removed, once that is over. */
static void tell(struct child *child)
{
    if (child->released == 0 && child->stuck == 0)
        return;
    say_names(child);
    if (!is_gone(child) && child->released > 0)
        report(child, MESSAGE_RELEASED, (int)child->released);
    say("%sthe agent %s: %u address%s released by the guard\n", alert_prefix(), child->why, child->released,
        child->released == 1 ? "" : "es");
    if (child->stuck > 0)
        say("%s%u could not be released and stay\n", alert_prefix(), child->stuck);
    child->released = child->stuck = 0;
}

/* Does what is to be done now. Returns whether the guard has come to its end. */
static bool judge(struct child *child, nsec_t now_ns)
{
    bool due;

    if (child->dismissed || (is_gone(child) && (child->held.n == 0 || successor_in_charge(child->options->pid_path)))) {
        tell(child);
        return true;
    }
    due = is_due(child, now_ns);
    if (due)
        remove_batch(child);
    if (!due || child->held.n == 0)
        tell(child);
    if (due)
        child->wake_ns = now_on_clock() + (child->trouble ? TROUBLE_PAUSE_NS : BATCH_PAUSE_NS);
    else if (is_gone(child))
        child->wake_ns = next_look(child, now_ns);
    else
        child->wake_ns = child->held.n > 0 ? silent_until(child) : NSEC_NEVER;
    return false;
}

/*
 * This process may be stopped between any two lines. So it is judged as of a time before the last read, and what was
 * read is dated when it was read: a guard that stood still is then too kind, never too harsh.
 */
static void turn_until_end(struct child *child)
{
    nsec_t now_ns;
    bool stalled, over;

    do {
        wait_for_event(child);
        now_ns = now_on_clock();
        stalled = now_ns - child->wake_ns > child->options->patience_ns / STALL_PART;
        read_agent(child);
        /* What stopped us may have stopped the agent, or its beats wait for room in the socket: hear it once more. */
        if (stalled && !child->excused) {
            child->excused = true;
            child->excused_until_ns = now_ns + child->options->patience_ns;
        }
        over = judge(child, now_ns);
    } while (!over);
}

_Noreturn void child_run(int socket, const struct child_options *options)
{
    struct child child = {.options = options, .socket = socket, .wake_ns = NSEC_NEVER};
    int error;

    privilege_separate(&child.socket);
    asking_open(&child.asking);
    error = privilege_drop();
    if (error == 0)
        error = claims_open(&child.claims, on_result, &child);
    report(&child, MESSAGE_READY, error < 0 ? error : getpid());
    if (error < 0)
        _exit(EXIT_FAILURE);
    turn_until_end(&child);
    /* Nothing is left on them, and nobody is there to use them. */
    if (is_gone(&child) && !child.dismissed && !successor_in_charge(options->pid_path) &&
        !successor_is_starting(options->lock_path))
        (void)shelf_sweep();
    successor_free_charge(options->pid_path);
    notes_free(&child.held);
    claims_close(child.claims);
    asking_close(&child.asking);
    _exit(EXIT_SUCCESS);
}
