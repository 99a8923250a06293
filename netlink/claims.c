/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of requests, in order: answered and reported | sent, answer awaited | queued. A request's place in the ring is
 * its sequence number, so that an answer finds it at once.
 *
 * The kernel does the work, and queues the answers, within our send. So whatever has no answer when the receive queue
 * is empty will never have one: it was lost (ENOBUFS), and the address itself is looked up instead.
 */
#include "netlink/claims.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <stdalign.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "netlink/lookup.h"
#include "netlink/query.h"

#define RING_MIN 256
/* A send of additions that took longer was slow; one that took less than half of it was quick. */
#define SEND_NS (2 * NSEC_PER_MSEC)
/* Answers are 36 bytes where NETLINK_CAP_ACK is there; else they repeat the request. */
#define ANSWER_BYTES 8192
/* Reads in one go that may fail because answers were lost; then it is the socket that has failed. */
#define UNREADABLE_MAX 64

/* A request on its way. */
struct entry {
    struct claims_request request;
    int verdict;    /* what was found out before sending; not 0: nothing is asked of the kernel */
    int error;      /* the kernel's answer */
    bool answered;  /* `error` is set */
    bool prepare;   /* REMOVE, RENEW: message_build_preparation goes first */
    uint32_t flags; /* REMOVE, RENEW: IFA_F_... that the address has */
};

struct claims {
    struct mnl_socket *socket; /* requests and their answers */
    struct query *query;       /* questions that are answered at once */
    claims_result_fn result;   /* told of every request, once */
    void *userdata;            /* handed to `result` */
    struct entry *ring;        /* `capacity` entries, each at its number modulo capacity */
    uint32_t capacity;         /* a power of two, or 0 */
    uint32_t head, sent, tail; /* numbers: [head, sent) await answers, [sent, tail) are queued; may wrap */
    uint32_t additions;        /* how many may go in the next send */
    bool reporting;            /* within `result` calls */
    struct lookup *lookups;    /* CLAIMS_IN_FLIGHT_MAX; scratch of both directions */
};

/* As the kernel tells of it. */
static uint32_t lease_of(const struct claims_request *request)
{
    return request->valid_s ? request->valid_s : MESSAGE_FOREVER;
}

static struct entry *entry_at(const struct claims *claims, uint32_t number)
{
    return &claims->ring[number & (claims->capacity - 1)];
}

int claims_open(struct claims **ret, claims_result_fn result, void *userdata)
{
    struct claims *claims = calloc(1, sizeof *claims);
    int error;

    if (!claims)
        return -ENOMEM;
    claims->result = result;
    claims->userdata = userdata;
    claims->head = claims->sent = claims->tail = 1;
    claims->additions = CLAIMS_BATCH_FIRST;
    claims->lookups = calloc(CLAIMS_IN_FLIGHT_MAX, sizeof *claims->lookups);
    error = claims->lookups ? query_socket_open(&claims->socket, NETLINK_ROUTE, false) : -ENOMEM;
    if (error == 0)
        error = query_open(&claims->query);
    if (error < 0) {
        claims_close(claims);
        return error;
    }
    *ret = claims;
    return 0;
}

void claims_close(struct claims *claims)
{
    if (!claims)
        return;
    assert(!claims->reporting);
    if (claims->socket)
        mnl_socket_close(claims->socket);
    query_close(claims->query);
    free(claims->lookups);
    free(claims->ring);
    free(claims);
}

int claims_fd(const struct claims *claims)
{
    return mnl_socket_get_fd(claims->socket);
}

static int grow(struct claims *claims)
{
    uint32_t capacity = claims->capacity ? claims->capacity * 2 : RING_MIN;
    struct entry *ring;

    if (capacity > CLAIMS_QUEUE_MAX)
        return -ENOMEM;
    ring = calloc(capacity, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    for (uint32_t number = claims->head; number != claims->tail; number++)
        ring[number & (capacity - 1)] = *entry_at(claims, number);
    free(claims->ring);
    claims->ring = ring;
    claims->capacity = capacity;
    return 0;
}

int claims_submit(struct claims *claims, const struct claims_request *request)
{
    int error;

    if (request->ip.family != AF_INET && request->ip.family != AF_INET6)
        return -EINVAL;
    if (request->prefix > ip_address_bits(request->ip.family) || request->ifindex <= 0)
        return -EINVAL;
    if (claims->tail - claims->head == claims->capacity) {
        error = grow(claims);
        if (error < 0)
            return error;
    }
    *entry_at(claims, claims->tail++) = (struct entry){.request = *request};
    return 0;
}

uint32_t claims_queued(const struct claims *claims)
{
    return claims->tail - claims->sent;
}

/* How many of the queued requests go out together: all of one operation, so that each looked up is as it will be. */
static uint32_t batch_size(const struct claims *claims)
{
    uint32_t room = CLAIMS_IN_FLIGHT_MAX - (claims->sent - claims->head), queued = claims->tail - claims->sent, n = 0;
    enum claims_operation operation = queued > 0 ? entry_at(claims, claims->sent)->request.operation : CLAIMS_ADD;
    /* What is looked up before costs a dump each time: more, smaller batches would cost more in all. */
    uint32_t most = operation == CLAIMS_ADD ? claims->additions : CLAIMS_BATCH;

    while (n < most && n < room && n < queued && entry_at(claims, claims->sent + n)->request.operation == operation)
        n++;
    return n;
}

static nsec_t time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* What a send of n additions tells of the next; the first of the next lot begins anew. */
static void learn_pace(struct claims *claims, uint32_t n, nsec_t took_ns)
{
    if (claims->sent == claims->tail)
        claims->additions = CLAIMS_BATCH_FIRST;
    else if (took_ns > SEND_NS && n > 1)
        claims->additions = n / 2;
    else if (took_ns < SEND_NS / 2 && n < CLAIMS_BATCH)
        claims->additions = n * 2 < CLAIMS_BATCH ? n * 2 : CLAIMS_BATCH;
}

/* What the lookup says about a removal or a renewal, before anything is asked of the kernel. */
static int verdict_of_lookup(const struct lookup *lookup)
{
    if (lookup->error < 0)
        return lookup->error;
    if (!lookup->found)
        return -EADDRNOTAVAIL;
    return lookup->ours ? 0 : -EACCES;
}

/*
 * The kernel keeps no account of the route that it makes for the prefix of an IPv6 address (Linux 6.18):
 * - of a leased address it leaves the route behind, until the lease would have ended;
 * - where an address for ever is given a lease, the route ends at once, also for the host's own addresses of it.
 */
static bool needs_preparation(const struct claims_request *request, const struct lookup *lookup)
{
    bool leased = lookup->valid_s != MESSAGE_FOREVER;

    if (!lookup->found || request->ip.family != AF_INET6 || (lookup->flags & IFA_F_NOPREFIXROUTE))
        return false;
    return request->operation == CLAIMS_REMOVE ? leased : !leased && lease_of(request) != MESSAGE_FOREVER;
}

/* So it first becomes an address for ever, which takes its route along; or one without route, which then adds it. */
static struct nlmsghdr *build_preparation(void *buffer, uint32_t number, const struct claims_request *request,
                                          uint32_t flags)
{
    return message_build_renewal(buffer, number, request,
                                 request->operation == CLAIMS_REMOVE ? flags : flags | IFA_F_NOPREFIXROUTE, 0);
}

/* Looks all removals or renewals of the batch up, and refuses those that are not ours to make. */
static void judge_batch(struct claims *claims, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        claims->lookups[i] = (struct lookup){.request = &entry_at(claims, claims->sent + i)->request, .number = i};
    lookup_all(claims->query, claims->lookups, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct lookup *lookup = &claims->lookups[i];
        struct entry *entry = entry_at(claims, claims->sent + lookup->number);

        entry->verdict = verdict_of_lookup(lookup);
        entry->flags = lookup->flags;
        entry->prepare = needs_preparation(&entry->request, lookup);
    }
}

/* The NICs whose promote_secondaries a batch turned on. */
struct promoted {
    int ifindex[CLAIMS_BATCH];
    size_t n;
};

/*
 * Makes the kernel promote secondary addresses, where it would delete them together with the one they hang on. Returns
 * 0 or negative errno: then that one must stay.
 */
static int promote_secondaries(struct query *query, int ifindex, struct promoted *promoted)
{
    uint32_t value;
    int error = query_get_devconf(query, ifindex, IPV4_DEVCONF_PROMOTE_SECONDARIES, &value);

    if (error < 0 || value != 0)
        return error;
    error = query_set_devconf(query, ifindex, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
    if (error == 0)
        promoted->ifindex[promoted->n++] = ifindex;
    return error;
}

/* Follows judge_batch, whose lookups it reads: those of one NIC stand together. */
static void protect_from_removal(struct claims *claims, uint32_t n, struct promoted *promoted)
{
    int asked_ifindex = 0, error = 0;

    for (uint32_t i = 0; i < n; i++) {
        const struct lookup *lookup = &claims->lookups[i];
        struct entry *entry = entry_at(claims, claims->sent + lookup->number);

        if (entry->verdict != 0 || !lookup->takes_along)
            continue;
        if (lookup->request->ifindex != asked_ifindex) {
            asked_ifindex = lookup->request->ifindex;
            error = promote_secondaries(claims->query, asked_ifindex, promoted);
        }
        entry->verdict = error;
    }
}

/*
 * An address that the host was given in the subnet of our claim hangs on ours, and would go when our lease ends: when
 * nobody is left to have it promoted. So the setting stays on. Where that fails, renewing is still the best there is.
 */
static void protect_from_expiry(struct claims *claims, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct lookup *lookup = &claims->lookups[i];
        struct promoted promoted = {.n = 0};

        if (lookup->ours && lookup->takes_foreign && lease_of(lookup->request) != MESSAGE_FOREVER)
            promote_secondaries(claims->query, lookup->request->ifindex, &promoted);
    }
}

static struct nlmsghdr *build_request(void *buffer, uint32_t number, const struct entry *entry)
{
    if (entry->verdict != 0)
        return message_build_nothing(buffer, number);
    if (entry->request.operation == CLAIMS_RENEW)
        return message_build_renewal(buffer, number, &entry->request, entry->flags, entry->request.valid_s);
    return message_build_claim(buffer, number, &entry->request);
}

/*
 * Sends the batch in one datagram. What is refused already goes as a message that does nothing, to keep the order. The
 * answer to a preparation, which comes only where that fails, makes room for the one to the request.
 */
static int send_batch(struct claims *claims, uint32_t n)
{
    /* libmnl leaves padding as it is: nothing of our stack is for the kernel to see. */
    alignas(struct nlmsghdr) char buffer[2 * CLAIMS_BATCH * MESSAGE_BYTES_MAX] = {};
    struct nlmsghdr *message;
    size_t length = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = claims->sent + i;
        const struct entry *entry = entry_at(claims, number);

        if (entry->verdict == 0 && entry->prepare) {
            message = build_preparation(buffer + length, number, &entry->request, entry->flags);
            message->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
            length += MNL_ALIGN(message->nlmsg_len);
        }
        length += MNL_ALIGN(build_request(buffer + length, number, entry)->nlmsg_len);
    }
    if (mnl_socket_sendto(claims->socket, buffer, length) < 0)
        return -errno;
    claims->sent += n;
    return 0;
}

int claims_flush(struct claims *claims)
{
    struct promoted promoted = {.n = 0};
    uint32_t n = batch_size(claims);
    enum claims_operation operation;
    nsec_t began_ns;
    int error;

    if (n == 0)
        return (int)claims_queued(claims);
    operation = entry_at(claims, claims->sent)->request.operation;
    if (operation != CLAIMS_ADD)
        judge_batch(claims, n);
    if (operation == CLAIMS_REMOVE)
        protect_from_removal(claims, n, &promoted);
    else if (operation == CLAIMS_RENEW)
        protect_from_expiry(claims, n);
    began_ns = time_ns();
    error = send_batch(claims, n);
    if (operation == CLAIMS_ADD)
        learn_pace(claims, n, time_ns() - began_ns);
    /* Where this fails the NIC is gone, or the setting stays on and keeps addresses that would have been lost. */
    for (size_t i = 0; i < promoted.n; i++)
        query_set_devconf(claims->query, promoted.ifindex[i], IPV4_DEVCONF_PROMOTE_SECONDARIES, 0);
    return error < 0 ? error : (int)claims_queued(claims);
}

static bool read_answer(void *userdata, const struct nlmsghdr *message)
{
    struct claims *claims = userdata;
    struct entry *entry;
    int error;

    if (message_parse_result(message, &error) < 0 || message->nlmsg_seq - claims->head >= claims->sent - claims->head)
        return true;
    entry = entry_at(claims, message->nlmsg_seq);
    entry->answered = true;
    entry->error = error;
    return true;
}

/* Whether only a look at the address tells what became of the request. */
static bool is_open_question(const struct entry *entry)
{
    if (entry->verdict != 0)
        return false;
    return !entry->answered || (entry->request.operation == CLAIMS_ADD && entry->error == -EEXIST);
}

/* Gives an address of ours that was there already the lease that is asked for. */
static int adopt(struct claims *claims, const struct claims_request *request, const struct lookup *lookup)
{
    alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX] = {};
    int error = 0;

    if (lookup->valid_s == lease_of(request))
        return 0;
    if (needs_preparation(request, lookup))
        error = query_carry_out(claims->query, build_preparation(buffer, 0, request, lookup->flags));
    if (error == 0)
        error =
            query_carry_out(claims->query, message_build_renewal(buffer, 0, request, lookup->flags, request->valid_s));
    return error;
}

/* What the address, as it is now, says about an answer that was lost, or about an address that was there already. */
static int result_of_lookup(struct claims *claims, const struct entry *entry, const struct lookup *lookup)
{
    bool ours = lookup->found && lookup->ours;

    switch (entry->request.operation) {
    case CLAIMS_ADD:
        if (lookup->error == 0 && ours)
            return adopt(claims, &entry->request, lookup);
        if (lookup->error == 0 && lookup->found)
            return -EEXIST;
        if (lookup->error < 0)
            return lookup->error;
        return entry->answered ? entry->error : -ENOBUFS;
    case CLAIMS_REMOVE:
        if (lookup->error < 0)
            return lookup->error == -ENODEV ? 0 : lookup->error;
        return ours ? -ENOBUFS : 0;
    case CLAIMS_RENEW:
        if (verdict_of_lookup(lookup) < 0)
            return verdict_of_lookup(lookup);
        /* A second later the lease reads shorter than asked for, and is renewed for nothing. */
        return lookup->valid_s == lease_of(&entry->request) ? 0 : -ENOBUFS;
    }
    return -EINVAL;
}

static void settle_open_questions(struct claims *claims)
{
    struct lookup *lookups = claims->lookups;
    size_t n = 0;

    for (uint32_t number = claims->head; number != claims->sent; number++)
        if (is_open_question(entry_at(claims, number)))
            lookups[n++] = (struct lookup){.request = &entry_at(claims, number)->request, .number = number};
    if (n == 0)
        return;
    lookup_all(claims->query, lookups, n);
    for (size_t i = 0; i < n; i++) {
        struct entry *entry = entry_at(claims, lookups[i].number);

        entry->error = result_of_lookup(claims, entry, &lookups[i]);
    }
}

/* Each request is taken out before its result is told, so that the caller may submit meanwhile. */
static void report(struct claims *claims)
{
    uint32_t end = claims->sent;

    claims->reporting = true;
    while (claims->head != end) {
        struct entry entry = *entry_at(claims, claims->head++);

        claims->result(claims->userdata, &entry.request, entry.verdict != 0 ? entry.verdict : entry.error);
    }
    claims->reporting = false;
}

int claims_on_readable(struct claims *claims)
{
    alignas(struct nlmsghdr) char buffer[ANSWER_BYTES];
    unsigned unreadable = 0;
    ssize_t length;

    assert(!claims->reporting);
    for (;;) {
        length = query_socket_receive(claims->socket, buffer, sizeof buffer);
        /* Lost or unreadable answers show as missing ones; the rest of the queue is whole. */
        if ((length == -ENOBUFS || length == -EMSGSIZE) && unreadable++ < UNREADABLE_MAX)
            continue;
        if (length < 0)
            break;
        message_each(buffer, (size_t)length, read_answer, claims);
    }
    /* Also where reading failed: nothing may ever wake us for what was read before, or was lost with it. */
    settle_open_questions(claims);
    report(claims);
    return length == -EAGAIN ? 0 : (int)length;
}

int claims_list_held(void (*each)(void *userdata, const struct claims_held *held), void *userdata)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    const struct address_message *addresses;
    struct query *query = NULL;
    size_t n;
    int error = query_open(&query);

    for (size_t f = 0; f < sizeof families && error == 0; f++) {
        error = query_addresses(query, families[f], 0, &addresses, &n);
        for (size_t i = 0; i < n && error == 0; i++) {
            struct claims_held held = {.ifindex = addresses[i].ifindex,
                                       .ip = addresses[i].ip,
                                       .prefix = addresses[i].prefix,
                                       .valid_s = addresses[i].valid_s};

            if (addresses[i].proto == CLAIMS_PROTO && !addresses[i].peer)
                each(userdata, &held);
        }
    }
    query_close(query);
    return error;
}
