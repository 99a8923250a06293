/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ip.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/message.h"

/* One message, and room to spoil it. */
struct bytes {
    alignas(struct nlmsghdr) char buffer[512];
};

static struct claims_request request_of(enum claims_operation operation, const char *ip, uint8_t prefix)
{
    struct claims_request request = {.operation = operation, .ifindex = 7, .prefix = prefix};

    assert_int_equal(ip_address_parse(ip, &request.ip), 0);
    return request;
}

static struct nlmsghdr *build(struct bytes *bytes, enum claims_operation operation, const char *ip, uint8_t prefix)
{
    struct claims_request request = request_of(operation, ip, prefix);

    return message_build_claim(bytes->buffer, 42, &request);
}

static const struct nlattr *attribute_of(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attribute;

    mnl_attr_for_each(attribute, message,
                      sizeof(struct ifaddrmsg)) if (mnl_attr_get_type(attribute) == type) return attribute;
    return NULL;
}

static void test_what_is_built_reads_the_same(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "2001:db8::10"};
    struct address_message read;
    struct bytes bytes;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (unsigned prefix = 0; prefix <= (i == 0 ? 32 : 128); prefix++) {
            struct claims_request request = request_of(CLAIMS_ADD, ips[i], (uint8_t)prefix);
            struct nlmsghdr *message = message_build_claim(bytes.buffer, 42, &request);

            assert_true(message->nlmsg_len <= MESSAGE_BYTES_MAX);
            assert_int_equal(message->nlmsg_seq, 42);
            assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
            assert_int_equal(message_parse_address(message, &read), 0);
            assert_int_equal(read.ifindex, 7);
            assert_true(ip_address_equal(&read.ip, &request.ip));
            assert_int_equal(read.prefix, prefix);
            assert_int_equal(read.proto, CLAIMS_PROTO);
            assert_false(read.secondary || read.peer);
        }
    }
}

static void test_removal_names_the_very_address(void **state)
{
    struct bytes bytes;
    struct nlmsghdr *message = build(&bytes, CLAIMS_REMOVE, "192.0.2.10", 24);
    struct address_message read;

    (void)state;
    assert_int_equal(message->nlmsg_type, RTM_DELADDR);
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_non_null(attribute_of(message, IFA_LOCAL));
    assert_non_null(attribute_of(message, IFA_ADDRESS));
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_int_equal(read.prefix, 24);
}

static void test_scope_and_broadcast(void **state)
{
    static const struct {
        uint8_t prefix, scope;
        uint32_t broadcast; /* 0: none */
    } cases[] = {{32, RT_SCOPE_HOST, 0},
                 {31, RT_SCOPE_UNIVERSE, 0},
                 {30, RT_SCOPE_UNIVERSE, 0xc000020b},
                 {24, RT_SCOPE_UNIVERSE, 0xc00002ff},
                 {20, RT_SCOPE_UNIVERSE, 0xc0000fff},
                 {1, RT_SCOPE_UNIVERSE, 0xffffffff}};
    struct bytes bytes;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nlmsghdr *message = build(&bytes, CLAIMS_ADD, "192.0.2.10", cases[i].prefix);
        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *broadcast = attribute_of(message, IFA_BROADCAST);

        assert_int_equal(header->ifa_scope, cases[i].scope);
        assert_int_equal(broadcast ? be32toh(mnl_attr_get_u32(broadcast)) : 0, cases[i].broadcast);
    }
}

/* The lifetime that a message gives. */
static struct ifa_cacheinfo lifetime_of(const struct nlmsghdr *message)
{
    struct ifa_cacheinfo lifetime;
    const struct nlattr *attribute = attribute_of(message, IFA_CACHEINFO);

    assert_non_null(attribute);
    assert_int_equal(mnl_attr_get_payload_len(attribute), sizeof lifetime);
    memcpy(&lifetime, mnl_attr_get_payload(attribute), sizeof lifetime);
    return lifetime;
}

static void test_lifetimes(void **state)
{
    static const char *const ips[] = {"192.0.2.10", "2001:db8::10"};
    static const uint32_t leases_s[] = {0, 1, 3600, UINT32_MAX};
    struct address_message read;
    struct bytes bytes;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        uint32_t valid_s = leases_s[i / 2], wanted_s = valid_s ? valid_s : MESSAGE_FOREVER;
        struct claims_request request = request_of(CLAIMS_ADD, ips[i % 2], 24);
        struct nlmsghdr *message;

        request.valid_s = valid_s;
        message = message_build_claim(bytes.buffer, 42, &request);
        assert_int_equal(lifetime_of(message).ifa_valid, wanted_s);
        assert_int_equal(lifetime_of(message).ifa_prefered, i % 2 ? 0 : wanted_s);
        assert_int_equal(message_parse_address(message, &read), 0);
        assert_int_equal(read.valid_s, wanted_s);
        request.valid_s = 77; /* not what a renewal is given */
        message = message_build_renewal(bytes.buffer, 42, &request, 0, valid_s);
        assert_int_equal(lifetime_of(message).ifa_valid, wanted_s);
        assert_int_equal(lifetime_of(message).ifa_prefered, i % 2 ? 0 : wanted_s);
    }
}

static void test_a_renewal_keeps_flags_and_mark(void **state)
{
    struct claims_request request = request_of(CLAIMS_RENEW, "2001:db8::10", 64);
    struct address_message read;
    struct nlmsghdr *message;
    struct bytes bytes;

    (void)state;
    message = message_build_renewal(bytes.buffer, 42, &request, UINT32_MAX, 3600);
    assert_true(message->nlmsg_len <= MESSAGE_BYTES_MAX);
    assert_int_equal(message->nlmsg_type, RTM_NEWADDR);
    /* NLM_F_CREATE would be the word for bringing back what is gone. */
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE);
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_int_equal(read.proto, CLAIMS_PROTO);
    assert_int_equal(read.prefix, 64);
    /* What the kernel finds out by itself is not for us to say. */
    assert_int_equal(read.flags, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
    message = message_build_renewal(bytes.buffer, 42, &request, IFA_F_PERMANENT, 3600);
    assert_null(attribute_of(message, IFA_FLAGS));
}

static void test_an_address_without_lifetime_is_for_ever(void **state)
{
    struct address_message read;
    struct bytes bytes;
    struct nlmsghdr *message = build(&bytes, CLAIMS_REMOVE, "192.0.2.10", 24);

    (void)state;
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_int_equal(read.valid_s, MESSAGE_FOREVER);
    mnl_attr_put(message, IFA_CACHEINFO, 8, (const uint32_t[]){1, 1}); /* cut off */
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_int_equal(read.valid_s, MESSAGE_FOREVER);
}

static void test_secondary_and_peer_are_seen(void **state)
{
    struct bytes bytes;
    struct nlmsghdr *message = build(&bytes, CLAIMS_ADD, "192.0.2.10", 24);
    struct address_message read;

    (void)state;
    mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE);
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_true(read.secondary);

    /* The same bit is IFA_F_TEMPORARY for IPv6. */
    message = build(&bytes, CLAIMS_ADD, "2001:db8::10", 64);
    mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_TEMPORARY);
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_false(read.secondary);

    message = build(&bytes, CLAIMS_ADD, "192.0.2.10", 32);
    mnl_attr_put_u32(message, IFA_ADDRESS, htobe32(0xc0000201));
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_true(read.peer);
    assert_int_equal(read.ip.bytes[3], 10);
}

static void test_ipv6_without_local_is_its_address(void **state)
{
    struct bytes bytes;
    struct nlmsghdr *message = build(&bytes, CLAIMS_ADD, "2001:db8::10", 64);
    struct nlattr *local = (struct nlattr *)(uintptr_t)attribute_of(message, IFA_LOCAL);
    struct address_message read;

    (void)state;
    local->nla_type = IFA_UNSPEC;
    assert_int_equal(message_parse_address(message, &read), 0);
    assert_int_equal(read.ip.bytes[15], 0x10);
    assert_false(read.peer);
}

static void test_broken_addresses_are_refused(void **state)
{
    struct address_message read = {.ifindex = 99}, before = read;
    struct bytes bytes;
    struct nlmsghdr *message;
    struct ifaddrmsg *header;

    (void)state;
    message = build(&bytes, CLAIMS_ADD, "192.0.2.10", 24);
    header = mnl_nlmsg_get_payload(message);
    header->ifa_prefixlen = 33;
    assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    header->ifa_prefixlen = 24;
    header->ifa_family = AF_INET6; /* attributes of 4 bytes */
    assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    header->ifa_family = AF_BRIDGE;
    assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    header->ifa_family = AF_INET;
    header->ifa_index = UINT32_MAX;
    assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    header->ifa_index = 7;
    message->nlmsg_type = RTM_NEWROUTE;
    assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    message->nlmsg_type = RTM_NEWADDR;
    for (message->nlmsg_len = 0; message->nlmsg_len < NLMSG_HDRLEN + sizeof *header + 8;
         message->nlmsg_len += NLMSG_ALIGNTO) /* the padding of the last attribute may be read */
        assert_int_equal(message_parse_address(message, &read), -EBADMSG);
    assert_memory_equal(&read, &before, sizeof read);
}

static struct nlmsghdr *result_message(struct bytes *bytes, uint16_t type, int error)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(bytes->buffer);

    message->nlmsg_type = type;
    memcpy(mnl_nlmsg_put_extra_header(message, sizeof error), &error, sizeof error);
    return message;
}

static void test_results(void **state)
{
    struct bytes bytes;
    int error = 99;

    (void)state;
    assert_int_equal(message_parse_result(result_message(&bytes, NLMSG_ERROR, -EEXIST), &error), 0);
    assert_int_equal(error, -EEXIST);
    assert_int_equal(message_parse_result(result_message(&bytes, NLMSG_DONE, -ENODEV), &error), 0);
    assert_int_equal(error, -ENODEV);
    assert_int_equal(message_parse_result(result_message(&bytes, NLMSG_ERROR, 0), &error), 0);
    assert_int_equal(error, 0);
    error = 99;
    assert_int_equal(message_parse_result(result_message(&bytes, NLMSG_ERROR, 5), &error), -EBADMSG);
    assert_int_equal(message_parse_result(result_message(&bytes, NLMSG_ERROR, -5000), &error), -EBADMSG);
    assert_int_equal(message_parse_result(result_message(&bytes, RTM_NEWADDR, 0), &error), -EBADMSG);
    result_message(&bytes, NLMSG_ERROR, 0)->nlmsg_len = NLMSG_HDRLEN + 3;
    assert_int_equal(message_parse_result((struct nlmsghdr *)bytes.buffer, &error), -EBADMSG);
    assert_int_equal(error, 99);
    result_message(&bytes, NLMSG_DONE, 0)->nlmsg_len = NLMSG_HDRLEN;
    assert_int_equal(message_parse_result((struct nlmsghdr *)bytes.buffer, &error), 0);
    assert_int_equal(error, 0);
}

static void test_setting_of_a_nic(void **state)
{
    const uint32_t values[] = {1, 2, 3};
    struct bytes bytes;
    struct nlmsghdr *message = message_build_get_link(bytes.buffer, 1, 7);
    struct nlattr *by_family = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    struct nlattr *ipv4 = mnl_attr_nest_start(message, AF_INET);
    uint32_t value = 99;

    (void)state;
    mnl_attr_put(message, IFLA_INET_CONF, sizeof values, values);
    mnl_attr_nest_end(message, ipv4);
    mnl_attr_nest_end(message, by_family);
    assert_int_equal(message_parse_devconf(message, 2, &value), -EBADMSG); /* a question */
    message->nlmsg_type = RTM_NEWLINK;
    assert_int_equal(message_parse_devconf(message, 4, &value), -ENODATA);
    assert_int_equal(message_parse_devconf(message, 0, &value), -ENODATA);
    assert_int_equal(message_parse_devconf(message, UINT32_MAX, &value), -ENODATA);
    assert_int_equal(value, 99);
    assert_int_equal(message_parse_devconf(message, 3, &value), 0);
    assert_int_equal(value, 3);
    assert_true(message_build_set_devconf(bytes.buffer, 1, 7, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1)->nlmsg_len <=
                MESSAGE_BYTES_MAX);
}

struct seen {
    unsigned n, stop_after;
};

static bool count(void *userdata, const struct nlmsghdr *message)
{
    struct seen *seen = userdata;

    (void)message;
    return ++seen->n != seen->stop_after;
}

static void test_datagrams_are_cut_into_messages(void **state)
{
    struct seen seen = {};
    struct bytes bytes = {};
    size_t length;

    (void)state;
    length = build(&bytes, CLAIMS_ADD, "192.0.2.10", 24)->nlmsg_len;
    length += message_build_nothing(bytes.buffer + length, 2)->nlmsg_len;
    assert_int_equal(message_each(bytes.buffer, length, count, &seen), 0);
    assert_int_equal(seen.n, 2);
    seen = (struct seen){.stop_after = 1};
    assert_int_equal(message_each(bytes.buffer, length, count, &seen), 0);
    assert_int_equal(seen.n, 1);
    seen = (struct seen){};
    assert_int_equal(message_each(bytes.buffer, length - 1, count, &seen), -EBADMSG);
    assert_int_equal(seen.n, 1);
    assert_int_equal(message_each(bytes.buffer, 0, count, &seen), 0);

    seen = (struct seen){};
    ((struct nlmsghdr *)bytes.buffer)->nlmsg_len = UINT32_MAX; /* -1, were it read as signed */
    assert_int_equal(message_each(bytes.buffer, length, count, &seen), -EBADMSG);
    assert_int_equal(seen.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_built_reads_the_same),
        cmocka_unit_test(test_removal_names_the_very_address),
        cmocka_unit_test(test_scope_and_broadcast),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_a_renewal_keeps_flags_and_mark),
        cmocka_unit_test(test_an_address_without_lifetime_is_for_ever),
        cmocka_unit_test(test_secondary_and_peer_are_seen),
        cmocka_unit_test(test_ipv6_without_local_is_its_address),
        cmocka_unit_test(test_broken_addresses_are_refused),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_setting_of_a_nic),
        cmocka_unit_test(test_datagrams_are_cut_into_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
