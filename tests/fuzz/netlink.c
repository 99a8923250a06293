/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of the kernel: cut into messages, each read as an address, a result and a NIC's settings. */
#include <errno.h>
#include <linux/ip.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"
#include "netlink/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What was read as an address, claimed: the message that says so reads the same. */
static void check_round_trip(const struct address_message *address)
{
    alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX];
    struct claims_request request = {
        .operation = CLAIMS_ADD, .ifindex = address->ifindex, .ip = address->ip, .prefix = address->prefix};
    struct nlmsghdr *message = message_build_claim(buffer, 1, &request);
    struct address_message again;

    check(message->nlmsg_len <= MESSAGE_BYTES_MAX);
    check(message_parse_address(message, &again) == 0);
    check(again.ifindex == address->ifindex && again.prefix == address->prefix && again.proto == CLAIMS_PROTO);
    check(ip_address_equal(&again.ip, &address->ip) && !again.peer);
}

static bool read_message(void *userdata, const struct nlmsghdr *message)
{
    struct address_message address;
    uint32_t value;
    int error;

    (void)userdata;
    if (message_parse_address(message, &address) == 0) {
        check(address.ip.family == AF_INET || address.ip.family == AF_INET6);
        check(address.ifindex >= 0 && address.prefix <= ip_address_bits(address.ip.family));
        check_round_trip(&address);
    }
    if (message_parse_result(message, &error) == 0)
        check(error <= 0);
    error = message_parse_devconf(message, IPV4_DEVCONF_PROMOTE_SECONDARIES, &value);
    check(error == 0 || error == -EBADMSG || error == -ENODATA);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Aligned as what the kernel writes to, and with room for the padding of the last message. */
    CLEANUP_FREE char *bytes = calloc(1, NLMSG_ALIGN(size) + 1);

    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    message_each(bytes, size, read_message, NULL);
    return 0;
}
