/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/quiet.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <search.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "netlink/message.h"
#include "netlink/query.h"
#include "netlink/quiet_message.h"

/* A table that is full, made and removed by one transaction. */
#define BATCH_BYTES (QUIET_TABLE_BYTES + QUIET_BATCH * QUIET_PAIR_BYTES + QUIET_FRAME_BYTES)
/* An answer of the kernel's holds at most the message that it is about. */
#define ANSWER_BYTES 8192

/* A source's address and MAC, in one of its filter's two queues. */
struct pair {
    TAILQ_ENTRY(pair) in_queue;
    struct ip_address ip;
    struct mac_address mac;
    bool wanted;   /* by the caller */
    bool present;  /* in the kernel */
    bool changing; /* in `changes`, else in `settled` */
};
TAILQ_HEAD(pair_queue, pair);

/* The filter of one family. */
struct filter {
    uint8_t family;            /* AF_INET, AF_INET6 */
    struct mnl_socket *socket; /* owns the table; NULL before the first pair, and after an error */
    char table[QUIET_NAME];
    bool made;    /* the table is in the kernel */
    bool gave_up; /* nothing is tried before another pair is added */
    uint32_t sequence;
    void *pairs;               /* tree of all, see tsearch(3) */
    struct pair_queue changes; /* wanted and not present, or the reverse */
    struct pair_queue settled; /* the others */
    size_t n_changes;
    size_t n_present;
};

struct quiet {
    struct filter filters[2];
};

/* What the kernel said to one transaction. */
struct answer {
    uint32_t sequence;
    bool given;
    int error; /* the first */
};

static int compare_pairs(const void *one, const void *other)
{
    const struct pair *a = one, *b = other;
    int order = memcmp(a->ip.bytes, b->ip.bytes, sizeof a->ip.bytes);

    return order != 0 ? order : mac_address_compare(&a->mac, &b->mac);
}

static struct pair *find_pair(const struct filter *filter, const struct ip_address *ip, const struct mac_address *mac)
{
    struct pair key = {.ip = *ip, .mac = *mac};
    struct pair **found = tfind(&key, &filter->pairs, compare_pairs);

    return found ? *found : NULL;
}

static struct filter *filter_of(struct quiet *quiet, uint8_t family)
{
    return &quiet->filters[family == AF_INET6];
}

int quiet_open(struct quiet **ret)
{
    struct quiet *quiet = calloc(1, sizeof *quiet);

    if (!quiet)
        return -ENOMEM;
    for (size_t i = 0; i < 2; i++) {
        quiet->filters[i].family = i == 0 ? AF_INET : AF_INET6;
        TAILQ_INIT(&quiet->filters[i].changes);
        TAILQ_INIT(&quiet->filters[i].settled);
    }
    *ret = quiet;
    return 0;
}

/* The kernel removes the table. */
static void close_socket(struct filter *filter)
{
    if (filter->socket)
        mnl_socket_close(filter->socket);
    filter->socket = NULL;
    filter->made = false;
    filter->n_present = 0;
}

void quiet_close(struct quiet *quiet)
{
    if (!quiet)
        return;
    for (size_t i = 0; i < 2; i++) {
        close_socket(&quiet->filters[i]);
        tdestroy(quiet->filters[i].pairs, free);
    }
    free(quiet);
}

static void put_in_queue(struct filter *filter, struct pair *pair, bool changing)
{
    pair->changing = changing;
    filter->n_changes += changing;
    if (changing)
        TAILQ_INSERT_TAIL(&filter->changes, pair, in_queue);
    else
        TAILQ_INSERT_TAIL(&filter->settled, pair, in_queue);
}

static void take_from_queue(struct filter *filter, struct pair *pair)
{
    filter->n_changes -= pair->changing;
    if (pair->changing)
        TAILQ_REMOVE(&filter->changes, pair, in_queue);
    else
        TAILQ_REMOVE(&filter->settled, pair, in_queue);
}

static void forget(struct filter *filter, struct pair *pair)
{
    take_from_queue(filter, pair);
    tdelete(pair, &filter->pairs, compare_pairs);
    free(pair);
}

/* Puts the pair where it belongs, once what is wanted or present has changed. */
static void place(struct filter *filter, struct pair *pair)
{
    if (!pair->wanted && !pair->present) {
        forget(filter, pair);
        return;
    }
    take_from_queue(filter, pair);
    put_in_queue(filter, pair, pair->wanted != pair->present && !filter->gave_up);
}

static int make_pair(struct filter *filter, const struct ip_address *ip, const struct mac_address *mac,
                     struct pair **ret)
{
    struct pair *pair = calloc(1, sizeof *pair);

    if (!pair)
        return -ENOMEM;
    pair->ip = *ip;
    pair->mac = *mac;
    if (!tsearch(pair, &filter->pairs, compare_pairs)) {
        free(pair);
        return -ENOMEM;
    }
    put_in_queue(filter, pair, false);
    *ret = pair;
    return 0;
}

/* What was given up is queued again: none of it is in the kernel. */
static void try_again(struct filter *filter)
{
    struct pair *pair;

    filter->gave_up = false;
    while ((pair = TAILQ_FIRST(&filter->settled)))
        place(filter, pair);
}

int quiet_add(struct quiet *quiet, const struct ip_address *ip, const struct mac_address *mac)
{
    struct filter *filter = filter_of(quiet, ip->family);
    struct pair *pair;
    int error;

    if (ip->family != AF_INET && ip->family != AF_INET6)
        return -EINVAL;
    if (filter->gave_up)
        try_again(filter);
    pair = find_pair(filter, ip, mac);
    if (!pair) {
        error = make_pair(filter, ip, mac, &pair);
        if (error < 0)
            return error;
    }
    pair->wanted = true;
    place(filter, pair);
    return 0;
}

void quiet_remove(struct quiet *quiet, const struct ip_address *ip, const struct mac_address *mac)
{
    struct filter *filter = filter_of(quiet, ip->family);
    struct pair *pair = find_pair(filter, ip, mac);

    if (!pair)
        return;
    pair->wanted = false;
    place(filter, pair);
}

/* An owned table is removed by the kernel, and with all its pairs. */
static void give_up(struct filter *filter)
{
    struct pair *pair;

    close_socket(filter);
    filter->gave_up = true;
    TAILQ_FOREACH(pair, &filter->settled, in_queue)
    pair->present = false;
    while ((pair = TAILQ_FIRST(&filter->changes))) {
        pair->present = false;
        place(filter, pair);
    }
}

static int open_socket(struct filter *filter)
{
    int error = query_socket_open(&filter->socket, NETLINK_NETFILTER, false);

    if (error < 0)
        return error;
    /* The number of a socket is its own in the whole network namespace; process ids may not be. */
    snprintf(filter->table, sizeof filter->table, "standin-%u", mnl_socket_get_portid(filter->socket));
    return 0;
}

static bool read_answer(void *userdata, const struct nlmsghdr *message)
{
    struct answer *answer = userdata;
    int error;

    if (message->nlmsg_seq != answer->sequence || message_parse_result(message, &error) < 0)
        return true;
    answer->given = true;
    if (answer->error == 0)
        answer->error = error;
    return true;
}

/* The kernel does the work within the send, so that the answer is there. One that is not was lost. */
static int carry_out(const struct filter *filter, const struct quiet_message *message)
{
    alignas(struct nlmsghdr) char buffer[ANSWER_BYTES];
    struct answer answer = {.sequence = message->sequence};
    ssize_t length;

    if (mnl_socket_sendto(filter->socket, message->bytes, message->length) < 0)
        return -errno;
    while ((length = query_socket_receive(filter->socket, buffer, sizeof buffer)) != -EAGAIN) {
        if (length < 0)
            return (int)length;
        message_each(buffer, (size_t)length, read_answer, &answer);
    }
    return answer.given ? answer.error : -ENOBUFS;
}

/* Writes the transaction that carries out the first changes. Returns how many. */
static size_t write_changes(const struct filter *filter, struct quiet_message *message)
{
    size_t n = 0, n_present = filter->n_present;
    const struct pair *pair;

    quiet_message_begin(message);
    if (!filter->made)
        quiet_message_make_table(message);
    TAILQ_FOREACH(pair, &filter->changes, in_queue)
    {
        if (n == QUIET_BATCH)
            break;
        quiet_message_change_pair(message, pair->wanted, &pair->ip, &pair->mac);
        n_present += pair->wanted ? 1 : -1;
        n++;
    }
    if (n_present == 0)
        quiet_message_remove_table(message);
    quiet_message_end(message);
    return n;
}

static int flush_filter(struct filter *filter)
{
    alignas(struct nlmsghdr) char buffer[BATCH_BYTES] = {};
    struct quiet_message message = {.bytes = buffer, .table = filter->table, .family = filter->family};
    int error = filter->socket ? 0 : open_socket(filter);
    size_t n = 0;

    if (error == 0) {
        message.sequence = ++filter->sequence;
        n = write_changes(filter, &message);
        error = carry_out(filter, &message);
    }
    if (error < 0) {
        give_up(filter);
        return error;
    }
    for (size_t i = 0; i < n; i++) {
        struct pair *pair = TAILQ_FIRST(&filter->changes);

        pair->present = pair->wanted;
        filter->n_present += pair->present ? 1 : -1;
        place(filter, pair);
    }
    filter->made = filter->n_present > 0;
    return 0;
}

int quiet_flush(struct quiet *quiet)
{
    struct filter *filter = &quiet->filters[quiet->filters[0].n_changes == 0];
    int error = filter->n_changes > 0 ? flush_filter(filter) : 0;

    return error < 0 ? error : (int)(quiet->filters[0].n_changes + quiet->filters[1].n_changes);
}
