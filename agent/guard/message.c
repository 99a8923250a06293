/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

size_t message_build_order(struct message_order *ret, const struct notes *notes, nsec_t beat_ns)
{
    ret->kind = MESSAGE_NOTES;
    ret->n = 0;
    ret->beat_ns = beat_ns;
    for (const struct note *note = notes_oldest(notes); note && ret->n < MESSAGE_NOTES_MAX;
         note = notes_after(notes, note))
        ret->notes[ret->n++] = *note;
    return MESSAGE_ORDER_BYTES(ret->n);
}

/* Whether these bytes are a note about what a NIC can hold, which is then in *ret, zero where it is unused. */
static bool parse_note(const uint8_t *bytes, struct note *ret)
{
    struct guard_held held;

    memcpy(&held, bytes + offsetof(struct note, held), sizeof held);
    if ((held.ip.family != AF_INET && held.ip.family != AF_INET6) || held.prefix > ip_address_bits(held.ip.family) ||
        held.ifindex <= 0)
        return false;
    ret->held.ifindex = held.ifindex;
    ret->held.ip = ip_address_of(held.ip.family, held.ip.bytes);
    ret->held.prefix = held.prefix;
    /* Not read as a bool before it is one. */
    ret->holds = bytes[offsetof(struct note, holds)] != 0;
    return true;
}

int message_parse_order(const void *packet, size_t length, struct message_order *ret)
{
    struct message_order order = {};
    uint32_t n;

    if (length < MESSAGE_ORDER_BYTES(0))
        return -EBADMSG;
    memcpy(&order, packet, MESSAGE_ORDER_BYTES(0));
    n = order.n;
    if ((order.kind != MESSAGE_NOTES && order.kind != MESSAGE_DISMISS) || n > MESSAGE_NOTES_MAX ||
        length != MESSAGE_ORDER_BYTES(n))
        return -EBADMSG;
    order.n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (parse_note((const uint8_t *)packet + MESSAGE_ORDER_BYTES(i), &order.notes[order.n]))
            order.n++;
    *ret = order;
    return 0;
}
