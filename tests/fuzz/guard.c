/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from an agent, each after two bytes with its length: nothing is read beyond it, and what is accepted holds
 * its promises and is accepted in that length alone. The guard's table, which follows, is the one that a slow and plain
 * list comes to; and what the agent's side would send of it comes back the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/guard/message.h"

#define LENGTH_BYTES 2
#define LIST_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct list {
    struct note notes[LIST_MAX];
    size_t n;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_about(const struct note *note, const struct guard_held *held)
{
    return note->held.ifindex == held->ifindex && note->held.prefix == held->prefix &&
           ip_address_equal(&note->held.ip, &held->ip);
}

static void list_take(struct list *list, const struct guard_held *held)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!is_about(&list->notes[i], held))
            continue;
        memmove(&list->notes[i], &list->notes[i + 1], (list->n - i - 1) * sizeof *list->notes);
        list->n--;
        return;
    }
}

static void check_note(const struct note *note)
{
    uint8_t family = note->held.ip.family;
    struct ip_address canonical;

    check(family == AF_INET || family == AF_INET6);
    canonical = ip_address_of(family, note->held.ip.bytes);
    check(ip_address_equal(&canonical, &note->held.ip));
    check(note->held.prefix <= ip_address_bits(family) && note->held.ifindex > 0);
}

static void follow(const struct note *note, struct notes *table, struct list *list)
{
    notes_take(table, &note->held);
    list_take(list, &note->held);
    if (!note->holds || list->n == LIST_MAX)
        return;
    check(notes_put(table, &note->held, true) == 0);
    list->notes[list->n++] = *note;
}

static void check_alike(const struct notes *table, const struct list *list)
{
    const struct note *note = notes_oldest(table);

    check(table->n == list->n);
    for (size_t i = 0; i < list->n; i++, note = notes_after(table, note))
        check(note && is_about(note, &list->notes[i].held) && note->holds);
    check(!note);
    note = notes_newest(table);
    for (size_t i = list->n; i > 0; i--, note = notes_before(table, note))
        check(note && is_about(note, &list->notes[i - 1].held));
    check(!note);
}

/* Takes all out of the table, as the agent's side sends its queue. */
static void check_round_trip(struct notes *table)
{
    struct message_order sent, received;
    size_t length;

    do {
        uint32_t before = table->n;

        length = message_build_order(&sent, table, before);
        check(message_parse_order(&sent, length, &received) == 0);
        check(received.kind == MESSAGE_NOTES && received.n == sent.n && received.beat_ns == before);
        check(memcmp(&received, &sent, length) == 0);
        for (uint32_t i = 0; i < sent.n; i++)
            notes_take(table, &sent.notes[i].held);
        check(table->n + sent.n == before && (sent.n == MESSAGE_NOTES_MAX || table->n == 0));
    } while (table->n > 0);
}

/* The packet in memory of its own, so that a look beyond it shows. */
static void take_packet(const uint8_t *data, size_t length, struct notes *table, struct list *list)
{
    struct message_order order, other;
    uint8_t *packet = malloc(length + 1);
    int r;

    memcpy(packet + 1, data, length);
    r = message_parse_order(packet + 1, length, &order);
    check(r == 0 || r == -EBADMSG);
    if (r == 0) {
        check(order.kind == MESSAGE_NOTES || order.kind == MESSAGE_DISMISS);
        check(order.n <= MESSAGE_NOTES_MAX && length >= MESSAGE_ORDER_BYTES(order.n));
        check(message_parse_order(packet + 1, length - 1, &other) == -EBADMSG);
        for (uint32_t i = 0; i < order.n; i++) {
            check_note(&order.notes[i]);
            follow(&order.notes[i], table, list);
        }
    }
    free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct list list;
    struct notes table = {};

    list.n = 0;
    while (size > LENGTH_BYTES) {
        size_t length = (size_t)data[0] << 8 | data[1];

        data += LENGTH_BYTES;
        size -= LENGTH_BYTES;
        if (length > size)
            length = size;
        take_packet(data, length, &table, &list);
        check_alike(&table, &list);
        data += length;
        size -= length;
    }
    check_round_trip(&table);
    notes_free(&table);
    return 0;
}
