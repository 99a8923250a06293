/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/url.h"

#include <string.h>

#include "agent/base/address.h"
#include "agent/base/limits.h"
#include "agent/config/dns_name.h"

/* All that may be asked for: whatever reads files or starts programs (file, scp, sftp, ldap, dict ...) is not here. */
static const struct url_scheme schemes[] = {
    {"http", .http = true, .status = true, .body = true},
    {"https", .http = true, .tls = true, .status = true, .body = true},
    {"ftp", .status = true, .body = true},
    {"ftps", .tls = true, .status = true, .body = true},
    {"smtp", .status = true},
    {"smtps", .tls = true, .status = true},
    {"imap", .body = true},
    {"imaps", .tls = true, .body = true},
    {"pop3", .body = true},
    {"pop3s", .tls = true, .body = true},
};

static const struct url_scheme *find_scheme(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == length && memcmp(schemes[i].name, text, length) == 0)
            return &schemes[i];
    return NULL;
}

/* RFC 3986 section 2: what is not printable ASCII is written with %; a backslash some take for a slash. */
static bool is_written_right(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("\"<>\\^`{|}", text[i]))
            return false;
    return true;
}

/* Of the URL's text from after "://": as far as the path, the query or the end. */
static size_t authority_length(const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && !strchr("/?#", text[n]))
        n++;
    return n;
}

static const char *port_refusal(const char *text, size_t length)
{
    unsigned port = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || i > 5)
            return "has a wrong port; 1 to 65535 was expected";
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port < 1 || port > 65535 ? "has a wrong port; 1 to 65535 was expected" : NULL;
}

/* HOST or HOST:PORT, where HOST is a name, an address, or an IPv6 address in brackets. */
static const char *host_refusal(const char *text, size_t length)
{
    char name[DNS_NAME_TEXT], address[IP_ADDRESS_TEXT];
    const char *end = memchr(text, text[0] == '[' ? ']' : ':', length);
    struct ip_address ip;
    size_t n = end ? (size_t)(end - text) : length;

    if (text[0] == '[') {
        if (!end || n - 1 >= sizeof address)
            return "has a wrong host; an IPv6 address in brackets was expected";
        memcpy(address, text + 1, n - 1);
        address[n - 1] = '\0';
        if (!strchr(address, ':') || ip_address_parse(address, &ip) < 0)
            return "has a wrong host; an IPv6 address in brackets was expected";
        n++;
    } else if (dns_name_read(text, n, name)) {
        return "has a wrong host; a name or an address was expected";
    }
    if (n == length)
        return NULL;
    return text[n] == ':' ? port_refusal(text + n + 1, length - n - 1) : "has a wrong host";
}

const char *url_read(const char *text, size_t length, const struct url_scheme **ret)
{
    const char *mark = memmem(text, length, "://", 3), *authority, *at, *refusal;
    const struct url_scheme *scheme;
    size_t n;

    if (length > LIMIT_URL)
        return "is too long; a URL has at most 2048 bytes";
    if (!mark)
        return "is no URL; SCHEME://HOST... was expected";
    scheme = find_scheme(text, (size_t)(mark - text));
    if (!scheme)
        return "cannot be asked for; http, https, ftp, ftps, smtp, smtps, imap, imaps, pop3 or pop3s was expected";
    if (!is_written_right(text, length))
        return "is no URL; blanks and signs that a URL cannot hold are written as %XX";
    authority = mark + 3;
    n = authority_length(authority, length - (size_t)(authority - text));
    at = memrchr(authority, '@', n);
    n -= at ? (size_t)(at + 1 - authority) : 0;
    if (at)
        authority = at + 1;
    if (n == 0)
        return "has no host";
    refusal = host_refusal(authority, n);
    if (!refusal)
        *ret = scheme;
    return refusal;
}

size_t url_password(const char *text, size_t length, size_t *ret_length)
{
    const char *authority = (const char *)memmem(text, length, "://", 3) + 3, *at, *colon;

    at = memrchr(authority, '@', authority_length(authority, length - (size_t)(authority - text)));
    colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (!colon)
        return 0;
    *ret_length = (size_t)(at - colon - 1);
    return (size_t)(colon + 1 - text);
}
