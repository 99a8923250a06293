/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/checks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/config/text.h"
#include "agent/config/values.h"

/* Hash seed: the addresses are the administrator's own, nobody chooses collisions. */
#define NO_SEED 0

bool refuse_word(struct reader *reader, const struct word *word, const char *what)
{
    char shown[QUOTE_TEXT];

    reader_error(reader, &word->place, "'%s' %s", quote(word, shown), what);
    return false;
}

static bool is_printable(const struct word *word)
{
    for (size_t i = 0; i < word->length; i++)
        if (word->text[i] <= ' ' || word->text[i] >= 0x7f)
            return false;
    return true;
}

bool read_name(struct reader *reader, const struct word *word, enum block what, char ret[static LIMIT_NAME + 1])
{
    if (word->length == 0)
        return refuse_word(reader, word, "is no name");
    if (word->length > LIMIT_NAME)
        return refuse_word(reader, word, "is too long; a name has at most 63 bytes");
    if (!is_printable(word))
        return refuse_word(reader, word, "is no name; printable ASCII characters without blanks were expected");
    /* standinctl takes SOURCE/NIC, and options before it. */
    if (what == BLOCK_SOURCE && (memchr(word->text, '/', word->length) || word->text[0] == '-'))
        return refuse_word(reader, word, "is no name for a source; it must have no '/' and not begin with '-'");
    memcpy(ret, word->text, word->length);
    ret[word->length] = '\0';
    return true;
}

static bool nic_name_equal(const void *userdata, size_t index, const void *key)
{
    const struct reader *reader = userdata;

    return strcmp(reader->nic_names[index].text, key) == 0;
}

static uint64_t nic_name_hash(const void *userdata, size_t index)
{
    const struct reader *reader = userdata;

    return lookup_hash_text(reader->nic_names[index].text, strlen(reader->nic_names[index].text));
}

/* Each name is asked for, and warned of, once. */
static void check_nic_exists(struct reader *reader, const struct place *place, const char *name)
{
    uint64_t hash = lookup_hash_text(name, strlen(name));

    if (lookup_find(&reader->nic_name_lookup, hash, nic_name_equal, reader, name) != SIZE_MAX)
        return;
    if (!READER_GROW(reader, reader->nic_names, reader->n_nic_names, reader->nic_names_room))
        return;
    if (lookup_reserve(&reader->nic_name_lookup, nic_name_hash, reader) < 0) {
        reader->status = -ENOMEM;
        return;
    }
    lookup_add(&reader->nic_name_lookup, hash, reader->n_nic_names);
    memcpy(reader->nic_names[reader->n_nic_names++].text, name, strlen(name) + 1);
    if (reader->host && reader->host->nic_exists && !reader->host->nic_exists(reader->host->userdata, name))
        reader_warning(reader, place, "this host has no NIC '%s'; the agent waits for it", name);
}

/* As the kernel's dev_valid_name, and printable, because it is shown. */
bool read_target_nic(struct reader *reader, const struct word *word, char ret[static LIMIT_NIC_NAME])
{
    if (word->length == 0)
        return refuse_word(reader, word, "is no name of a NIC");
    if (word->length >= LIMIT_NIC_NAME)
        return refuse_word(reader, word, "is too long; the name of a NIC has at most 15 bytes");
    if (!is_printable(word) || memchr(word->text, '/', word->length) || memchr(word->text, ':', word->length) ||
        word_is(word, ".") || word_is(word, ".."))
        return refuse_word(reader, word, "is no name that a NIC can have");
    memcpy(ret, word->text, word->length);
    ret[word->length] = '\0';
    check_nic_exists(reader, &word->place, ret);
    return true;
}

static const char *ipv4_refusal(const uint8_t *bytes)
{
    static const uint8_t broadcast[] = {255, 255, 255, 255};

    /* RFC 1122 section 3.2.1.3: 0/8 is "this network", 127/8 never leaves a host. */
    if (bytes[0] == 0)
        return "is an address of 'this network', which no host has";
    if (bytes[0] == 127)
        return "is a loopback address, which never leaves its host";
    if (memcmp(bytes, broadcast, sizeof broadcast) == 0)
        return "is the broadcast address";
    return NULL;
}

static const char *ipv6_refusal(const struct ip_address *ip)
{
    static const uint8_t loopback[16] = {[15] = 1}, mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(ip->bytes, loopback, sizeof loopback) == 0)
        return "is the loopback address, which never leaves its host";
    /* RFC 4291 section 2.5.5.2: they stand for IPv4 addresses inside a program, not on a link. */
    if (memcmp(ip->bytes, mapped, sizeof mapped) == 0)
        return "is an IPv4-mapped address; write the IPv4 address";
    /* RFC 4291 section 2.5.6: it belongs to an interface, and no other may have it. */
    if (ip_address_is_link_local(ip))
        return "is a link-local address, which belongs to its own NIC";
    return NULL;
}

const char *address_refusal(const struct ip_address *ip)
{
    if (ip_address_is_unspecified(ip))
        return "is the unspecified address";
    if (ip_address_is_multicast(ip))
        return "is a multicast address";
    return ip->family == AF_INET ? ipv4_refusal(ip->bytes) : ipv6_refusal(ip);
}

/* Whether all bits behind the prefix are `bit`. */
static bool host_part_is(const struct ip_address *ip, unsigned prefix, unsigned bit)
{
    for (unsigned i = prefix; i < ip_address_bits(ip->family); i++)
        if ((ip->bytes[i / 8] >> (7 - i % 8) & 1u) != bit)
            return false;
    return true;
}

const char *address_prefix_refusal(const struct ip_address *ip, unsigned prefix)
{
    /* RFC 3021 and RFC 6164: on links of two both addresses are hosts'. */
    if (prefix + 2 > ip_address_bits(ip->family))
        return NULL;
    if (ip->family == AF_INET6) /* RFC 4291 section 2.6.1 */
        return host_part_is(ip, prefix, 0) ? "is the subnet-router anycast address of its subnet" : NULL;
    if (host_part_is(ip, prefix, 0))
        return "is the network address of its subnet";
    if (host_part_is(ip, prefix, 1))
        return "is the broadcast address of its subnet";
    return NULL;
}

static bool read_prefix(struct reader *reader, const struct word *word, const char *text, const struct ip_address *ip,
                        uint8_t *ret)
{
    char shown[QUOTE_TEXT];
    int64_t prefix;

    if (!text) {
        reader_error(reader, &word->place, "'%s' has no prefix length, such as /%u", quote(word, shown),
                     ip->family == AF_INET ? 24 : 64);
        return false;
    }
    if (parse_digits(text, strlen(text), &prefix) < 0 || prefix < 1 || prefix > ip_address_bits(ip->family)) {
        reader_error(reader, &word->place, "'%s' has a wrong prefix length; 1 to %u was expected", quote(word, shown),
                     ip_address_bits(ip->family));
        return false;
    }
    *ret = (uint8_t)prefix;
    return true;
}

bool read_server(struct reader *reader, const struct word *word, struct ip_address *ret)
{
    char text[IP_ADDRESS_TEXT];
    struct ip_address ip;

    if (word->length >= sizeof text)
        return refuse_word(reader, word, "is no address");
    memcpy(text, word->text, word->length);
    text[word->length] = '\0';
    if (ip_address_parse(text, &ip) < 0)
        return refuse_word(reader, word, "is no address");
    if (ip_address_is_unspecified(&ip) || ip_address_is_multicast(&ip) || ip_address_is_link_local(&ip))
        return refuse_word(reader, word, "is no address of a server");
    *ret = ip;
    return true;
}

bool read_address(struct reader *reader, const struct word *word, struct ip_address *ret, uint8_t *ret_prefix)
{
    char text[IP_ADDRESS_TEXT + sizeof "/128"], *slash;
    const char *refusal;
    struct ip_address ip;
    uint8_t prefix = 0;

    if (word->length >= sizeof text)
        return refuse_word(reader, word, "is no address");
    memcpy(text, word->text, word->length);
    text[word->length] = '\0';
    slash = ret_prefix ? strchr(text, '/') : NULL;
    if (slash)
        *slash = '\0';
    if (ip_address_parse(text, &ip) < 0)
        return refuse_word(reader, word, "is no address");
    if (ret_prefix && !read_prefix(reader, word, slash ? slash + 1 : NULL, &ip, &prefix))
        return false;
    refusal = address_refusal(&ip);
    if (!refusal && ret_prefix)
        refusal = address_prefix_refusal(&ip, prefix);
    if (refusal)
        return refuse_word(reader, word, refusal);
    *ret = ip;
    if (ret_prefix)
        *ret_prefix = prefix;
    return true;
}

bool check_not_own(struct reader *reader, const struct place *place, const struct ip_address *ip)
{
    char nic[LIMIT_NIC_NAME] = "", text[IP_ADDRESS_TEXT];

    if (!reader->host || !reader->host->address_is_own ||
        !reader->host->address_is_own(reader->host->userdata, ip, nic))
        return true;
    reader_error(reader, place, "%s is an address of this host itself, on %s", ip_address_format(ip, text), nic);
    return false;
}
