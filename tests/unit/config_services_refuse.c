/* SPDX-License-Identifier: Apache-2.0 */
/* Every message about checks, commands, units and DNS. */
#include "tests/unit/config_world.h"

/* Each row is a statement in a source, and what is said of it. */
struct row {
    const char *statement, *lines;
};

static void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct world world;
        char text[LIMIT_COMMAND + 512];

        snprintf(text, sizeof text, IN_SOURCE("%s"), rows[i].statement);
        read_bytes(&world, text, strlen(text), &this_host);
        assert_string_equal(world.printed, rows[i].lines);
        end(&world);
    }
}

#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_checks(void **state)
{
    static const struct row rows[] = {
        {"probe tcp", "f:2:1: 'probe tcp' is not complete; probe tcp takes 1 to 65535\n"},
        {"probe tcp https", "f:2:11: 'https' is no number; probe tcp takes 1 to 65535\n"},
        {"probe tcp 0", "f:2:11: '0' is out of range; probe tcp takes 1 to 65535\n"},
        {"probe tcp 65536 { }", "f:2:11: '65536' is out of range; probe tcp takes 1 to 65535\n"},
        {"probe tcp 80 81", "f:2:14: '81' is one word too many; probe tcp takes 1 to 65535\n"},
        {"probe tcp 80, 81", "f:2:15: '81' must have no ',' before it; probe tcp takes 1 to 65535\n"},
        {"probe tcp 80 { interval 9ms }", "f:2:25: '9ms' is out of range; interval takes 10ms to 24h\n"},
        {"probe tcp 80 { interval 25h }", "f:2:25: '25h' is out of range; interval takes 10ms to 24h\n"},
        {"probe tcp 80 { misses 0 }", "f:2:23: '0' is out of range; misses takes 1 to 1000\n"},
        {"probe tcp 80 { timeout 0s }", "f:2:24: '0s' is out of range; timeout takes 1ms to 1h\n"},
        {"probe tcp 80 { timeout 2s }", "f:2:1: its timeout, 2s, is longer than its interval, 1s\n"},
        {"probe tcp 80 { timeout 1s; timeout 1s }", "f:2:28: 'timeout' is given twice; first at line 2\n"},
        {"probe tcp 80 { user x }", "f:2:16: 'user' does not belong to probe tcp, but to probe exec, fence or hook\n"},
        {"probe tcp 80 { host x }", "f:2:16: 'host' does not belong to probe tcp, but to probe url\n"},
        {"probe tcp 80 { verify 3 within 1s }",
         "f:2:16: 'verify' does not belong to probe tcp, but to defaults, source or probe url\n"},
        {"probe tcp 80 { intervall 1s }", "f:2:16: unknown statement 'intervall'; did you mean 'interval'?\n"},
        {"timeout 1s",
         "f:2:1: 'timeout' does not belong to source, but to probe tcp, probe url, probe exec, fence, hook, "
         "unit or dns\n"},
        {"probe tcp 80 { from 192.0.2.300 }", "f:2:21: '192.0.2.300' is no address\n"},
        {"probe tcp 80 { from 127.0.0.1 }", "f:2:21: '127.0.0.1' is a loopback address, which never leaves its host\n"},
        {"probe tcp 80 { from ::x }", "f:2:21: '::x' is no address\n"},
        {"probe tcp 80 { from a/b }", "f:2:21: 'a/b' is no name that a NIC can have\n"},
        {"probe tcp 80 { from eth9 }", "f:2:21: warning: this host has no NIC 'eth9'; the agent waits for it\n"},
        {"probe tcp 80 { from 2001:db8::5 }", "f:2:1: 'tcp 80' asks an address of the other family than its 'from'\n"},
        {"probe tcp 80 { address 2001:db8::6; from 192.0.2.7 }",
         "f:2:1: 'tcp 80 at 2001:db8::6' asks an address of the other family than its 'from'\n"},
        {"probe tcp 80 { address a.example }", "f:2:24: 'a.example' is no address\n"},
        {"probe exec", "f:2:1: 'probe exec' is not complete; probe exec takes a command, in quotation marks\n"},
        {"probe exec /a b", "f:2:15: 'b' is one word too many; probe exec takes a command, in quotation marks\n"},
        {"probe exec /a { interval 1s; timeout 1001ms }",
         "f:2:1: its timeout, 1001ms, is longer than its interval, 1s\n"},
    };

    (void)state;
    EXPECT_ROWS(rows);
    expect("source a { probe tcp 80; dns { server ::1 } }\n", "f:1:26: 'dns' has no 'zone'\n");
    expect("defaults { probe tcp 80 }\n", "f:1:12: 'probe' does not belong to defaults, but to source\n");
}

static void test_urls(void **state)
{
    static const char refused[] =
        "cannot be asked for; http, https, ftp, ftps, smtp, smtps, imap, imaps, pop3 or pop3s was expected",
                      no_ipv6[] = "has a wrong host; an IPv6 address in brackets was expected",
                      no_host[] = "has a wrong host; a name or an address was expected",
                      no_port[] = "has a wrong port; 1 to 65535 was expected",
                      no_sign[] = "is no URL; blanks and signs that a URL cannot hold are written as %XX";
    static const struct {
        const char *url, *what;
    } rows[] = {
        {"", "is no URL; SCHEME://HOST... was expected"},
        {"www.example.net", "is no URL; SCHEME://HOST... was expected"},
        {"://a", refused},
        {"file:///etc/passwd", refused},
        {"scp://a/b", refused},
        {"sftp://a/b", refused},
        {"ldap://a/b", refused},
        {"gopher://a/b", refused},
        {"dict://a/b", refused},
        {"HTTP://a/b", refused},
        {"http:///a", "has no host"},
        {"http://", "has no host"},
        {"http://u:p@", "has no host"},
        {"http://?a", "has no host"},
        {"http://a b/", no_sign},
        {"http://a/\xc3\xbc", no_sign},
        {"http://a/{1,2}", no_sign},
        {"http://a/<", no_sign},
        {"http://a..b/", no_host},
        {"http://:80/", no_host},
        {"http://-a/", no_host},
        {"http://a:0/", no_port},
        {"http://a:/", no_port},
        {"http://a:65536/", no_port},
        {"http://a:0000080/", no_port},
        {"http://a:8o/", no_port},
        {"http://[::1/", no_ipv6},
        {"http://[192.0.2.1]/", no_ipv6},
        {"http://[]/", no_ipv6},
        {"http://[fe80::1%25eth0]/", no_ipv6},
        {"http://[::1]x/", "has a wrong host"},
        {"http://[::1]:x/", no_port},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char statement[256], lines[256];
        struct row row = {statement, lines};

        snprintf(statement, sizeof statement, "probe url \"%s\"", rows[i].url);
        snprintf(lines, sizeof lines, "f:2:11: '%s' %s\n",
                 strcmp(rows[i].url, "http://a/\xc3\xbc") == 0 ? "http://a/\\xc3\\xbc" : rows[i].url, rows[i].what);
        expect_rows(&row, 1);
    }
}

static void test_long_url(void **state)
{
    char text[LIMIT_URL + 256], url[LIMIT_URL + 2];

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct world world;

        memset(url, 'a', sizeof url);
        memcpy(url, "http://a/", 9);
        url[LIMIT_URL + more] = '\0';
        snprintf(text, sizeof text, IN_SOURCE("probe url \"%s\""), url);
        read_text(&world, text);
        assert_int_equal(world.r, more ? -EINVAL : 0);
        assert_true(!more || strstr(world.printed, "...' is too long; a URL has at most 2048 bytes\n"));
        end(&world);
    }
}

static void test_url_blocks(void **state)
{
    static const struct row rows[] = {
        {"probe url http://a { expect }",
         "f:2:22: 'expect' is not complete; expect takes status codes and ranges with ',' between them, such as "
         "200..299\n"},
        {"probe url http://a { expect ok }", "f:2:29: 'ok' is no status; 200, or 200..299, was expected\n"},
        {"probe url http://a { expect 200.. }", "f:2:29: '200..' is no status; 200, or 200..299, was expected\n"},
        {"probe url http://a { expect ..299 }", "f:2:29: '..299' is no status; 200, or 200..299, was expected\n"},
        {"probe url http://a { expect 99 }",
         "f:2:29: '99' is no range of status codes; they are 100 to 599, the lower one first\n"},
        {"probe url http://a { expect 200..600 }",
         "f:2:29: '200..600' is no range of status codes; they are 100 to 599, the lower one first\n"},
        {"probe url http://a { expect 299..200 }",
         "f:2:29: '299..200' is no range of status codes; they are 100 to 599, the lower one first\n"},
        {"probe url http://a { expect 200 201 }", "f:2:33: ',' before '201' was expected\n"},
        {"probe url http://a { expect 200,201,202,203,204,205,206,207,208 }", "f:2:61: more than 8 ranges\n"},
        {"probe url imap://a { expect 200 }", "f:2:22: imap has no status of three digits\n"},
        {"probe url pop3s://a { expect 200 }", "f:2:23: pop3s has no status of three digits\n"},
        {"probe url smtp://a { body x }", "f:2:22: smtp has no text in its answer\n"},
        {"probe url http://a { body \"\" }", "f:2:27: a text was expected, of 1 to 1024 bytes\n"},
        {"probe url http://a { body \"\xff\" }", "f:2:27: '\\xff' is not written in UTF-8\n"},
        {"probe url http://a { body \"\xc0\x80\" }", "f:2:27: '\\xc0\\x80' is not written in UTF-8\n"},
        {"probe url http://a { body \"\xed\xa0\x80\" }", "f:2:27: '\\xed\\xa0\\x80' is not written in UTF-8\n"},
        {"probe url http://a { body \"\xe2\x82\" }", "f:2:27: '\\xe2\\x82' is not written in UTF-8\n"},
        {"probe url http://a { body \"\xf4\x90\x80\x80\" }",
         "f:2:27: '\\xf4\\x90\\x80\\x80' is not written in UTF-8\n"},
        {"probe url http://a { body a b }",
         "f:2:29: 'b' is one word too many; body takes a text that the answer must hold\n"},
        {"probe url ftp://a { host b }", "f:2:21: ftp has no Host header\n"},
        {"probe url http://a { host \"b c\" }",
         "f:2:27: 'b c' is no DNS name; letters, digits and hyphens between them were expected\n"},
        {"probe url ftp://a { redirects yes }", "f:2:21: ftp has no redirects\n"},
        {"probe url ftp://a { verify no }", "f:2:21: ftp has no certificate\n"},
        {"probe url http://a { verify 3 within 1s }",
         "f:2:31: 'within' is one word too many; verify takes yes or no\n"},
        {"probe url http://a { verify maybe }", "f:2:29: 'maybe' was not expected; verify takes yes or no\n"},
        {"probe url http://a { address 192.0.2.1 }",
         "f:2:22: 'address' does not belong to probe url, but to probe tcp\n"},
        /* What was wrong with the URL is said once. */
        {"probe url file://a { host b; expect 200; body x; verify no; redirects no; timeout x }",
         "f:2:11: 'file://a' cannot be asked for; http, https, ftp, ftps, smtp, smtps, imap, imaps, pop3 or pop3s was "
         "expected\nf:2:83: 'x' is no duration; timeout takes 1ms to 1h\n"},
    };

    (void)state;
    EXPECT_ROWS(rows);
}

static void test_commands(void **state)
{
    static const struct row rows[] = {
        {"fence", "f:2:1: 'fence' is not complete; fence takes a command, in quotation marks\n"},
        {"fence \"\"", "f:2:7: a text was expected, of 1 to 4096 bytes\n"},
        {"fence \" \t\"", "f:2:7: ' \\x09' names no program\n"},
        {"fence \" \" { shell yes }", "f:2:7: ' ' names no program\n"},
        {"fence \"off now\"", "f:2:7: 'off' is no absolute path of a program; there is no shell to find it\n"},
        {"fence \"~/off\"", "f:2:7: '~/off' is no absolute path of a program; there is no shell to find it\n"},
        {"fence \"/usr/sbin/ x\"",
         "f:2:7: '/usr/sbin/' is no absolute path of a program; there is no shell to find it\n"},
        {"fence \"/a\xff\"", "f:2:7: '/a\\xff' is not written in UTF-8\n"},
        {"fence /a; fence /b", "f:2:11: 'fence' is given twice; first at line 2\n"},
        {"fence /a { timeout 2h }", "f:2:20: '2h' is out of range; timeout takes 10ms to 1h\n"},
        {"fence /a { veto yes }", "f:2:12: 'veto' does not belong to fence, but to hook\n"},
        {"fence /a { shell maybe }", "f:2:18: 'maybe' was not expected; shell takes yes or no\n"},
        {"fence /a { user \"\" }", "f:2:17: '' is no name of a user; it has 1 to 32 bytes\n"},
        {"fence /a { user 0 }", "f:2:17: '0' is no name of a user; letters, digits, '_', '-' and '.' were expected\n"},
        {"fence /a { user a:b }",
         "f:2:17: 'a:b' is no name of a user; letters, digits, '_', '-' and '.' were expected\n"},
        {"hook",
         "f:2:1: 'hook' is not complete; hook takes pre-takeover, post-takeover, pre-failback, post-failback or "
         "alarm, and a command\n"},
        {"hook alarm", "f:2:1: 'hook' is not complete; hook takes pre-takeover, post-takeover, pre-failback, "
                       "post-failback or alarm, and a command\n"},
        {"hook later /a", "f:2:6: 'later' was not expected; hook takes pre-takeover, post-takeover, pre-failback, "
                          "post-failback or alarm, and a command\n"},
        {"hook alarm a { }", "f:2:12: 'a' is no absolute path of a program; there is no shell to find it\n"},
        {"hook alarm /a { veto yes }", "f:2:17: 'veto' is for pre-takeover alone; there is nothing left to refuse\n"},
        {"hook post-takeover /a { veto yes }",
         "f:2:25: 'veto' is for pre-takeover alone; there is nothing left to refuse\n"},
        {"hook pre-failback /a { veto yes }",
         "f:2:24: 'veto' is for pre-takeover alone; pre-failback refuses without it\n"},
        {"hook alarm /a { interval 1s }",
         "f:2:17: 'interval' does not belong to hook, but to defaults, source, probe tcp, "
         "probe url or probe exec\n"},
        {"probe exec \"curl x\"", "f:2:12: 'curl' is no absolute path of a program; there is no shell to find it\n"},
        {"force", "f:2:1: 'force' is not complete; force takes yes or no\n"},
        {"hook alarm \"/a", "f:2:12: this string has no end; '\"' was expected before the end of the line\n"},
        {"fence \"/a {\ntimeout 1s }", "f:2:7: this string has no end; '\"' was expected before the end of the line\n"},
        {"unit \"a {\ntimeout 1s }", "f:2:6: this string has no end; '\"' was expected before the end of the line\n"},
        {"hook alarm, /a {\ntimeout 1s }",
         "f:2:13: '/a' must have no ',' before it; hook takes pre-takeover, post-takeover, pre-failback, post-failback "
         "or alarm, and a command\n"},
        {"probe tcp \"1 {\ninterval 1s }",
         "f:2:11: this string has no end; '\"' was expected before the end of the line\n"},
    };

    (void)state;
    EXPECT_ROWS(rows);
}

static void test_long_commands(void **state)
{
    char statement[LIMIT_COMMAND + 256], command[LIMIT_COMMAND + 2];
    struct row row = {statement, "f:2:7: this text is too long; 1 to 4096 bytes were expected\n"};

    (void)state;
    memset(command, 'a', sizeof command);
    command[0] = '/';
    command[LIMIT_COMMAND + 1] = '\0';
    snprintf(statement, sizeof statement, "fence \"%s\"", command);
    expect_rows(&row, 1);
    for (size_t i = 2; i < sizeof command; i += 2)
        command[i] = ' ';
    command[2 * LIMIT_COMMAND_WORDS + 2] = '\0';
    snprintf(statement, sizeof statement, "fence \"%s\"", command);
    row.lines = "f:2:7: this command has more than 64 words\n";
    expect_rows(&row, 1);
    command[2 * LIMIT_COMMAND_WORDS + 1] = '\0';
    snprintf(statement, sizeof statement, "fence \"%s\"", command);
    row.lines = "";
    expect_rows(&row, 1);
}

static void test_units(void **state)
{
    static const char no_suffix[] = "is no name of a unit that can be started; .service, .socket, .target, .mount, "
                                    ".automount, .swap, .timer, .path or .slice was expected at its end",
                      no_sign[] = "is no name of a unit; letters, digits and any of : - _ . \\ @ were expected";
    static const struct {
        const char *name, *what;
    } rows[] = {
        {"nginx", no_suffix},
        {".service", no_suffix},
        {"a.Service", no_suffix},
        {"dev-sda.device", no_suffix},
        {"init.scope", no_suffix},
        {"a/b.service", no_sign},
        {"a b.service", no_sign},
        {"@a.service", "is no name of a unit; it begins with '@'"},
        {"a@.service", "is a template; a name was expected between '@' and '.'"},
    };
    static const struct row blocks[] = {
        {"unit", "f:2:1: 'unit' is not complete; unit takes the name of a systemd unit\n"},
        {"unit a.service b.service",
         "f:2:16: 'b.service' is one word too many; unit takes the name of a systemd unit\n"},
        {"unit a.service; unit a.service", "f:2:22: 'a.service' is given twice in this source\n"},
        {"unit a.service { timeout 999ms }", "f:2:26: '999ms' is out of range; timeout takes 1s to 1h\n"},
        {"unit a.service { on-failure stop }", "f:2:29: 'stop' was not expected; on-failure takes keep or release\n"},
    };
    char statement[512], lines[512], name[300];
    struct row row = {statement, lines};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(statement, sizeof statement, "unit \"%s\"", rows[i].name);
        snprintf(lines, sizeof lines, "f:2:6: '%s' %s\n", rows[i].name, rows[i].what);
        expect_rows(&row, 1);
    }
    EXPECT_ROWS(blocks);
    memset(name, 'a', sizeof name);
    snprintf(name + 248, sizeof name - 248, ".service");
    snprintf(statement, sizeof statement, "unit %s", name);
    snprintf(lines, sizeof lines, "f:2:6: '%.64s...' is too long; the name of a unit has at most 255 bytes\n", name);
    expect_rows(&row, 1);
    snprintf(statement, sizeof statement, "unit %s", name + 1);
    row.lines = "";
    expect_rows(&row, 1);
}

#define DNS(statements) "dns { server ::1; key-file /path/to/key\n" statements "}"
#define NO_KEY                                                                                                       \
    "f:2:28: warning: '/path/to/key' cannot be opened: No such file or directory; no name can be moved until it is " \
    "there and the ipmap is loaded again\n"

static void test_dns(void **state)
{
    static const struct row rows[] = {
        {"dns", "f:2:1: 'dns' has no block; dns takes a block and no name\n"},
        {"dns x { }", "f:2:5: 'x' is one word too many; dns takes a block and no name\n"},
        {"dns { }", "f:2:1: 'dns' has no 'server'\n"},
        {"dns { server ::1; zone a; record a A 192.0.2.1 }", "f:2:1: 'dns' has no 'key-file'\n"},
        {DNS("record a A 192.0.2.1"), "f:2:1: 'dns' has no 'zone'\n"},
        {DNS("zone a"), "f:2:1: 'dns' has no 'record'\n"},
        {DNS("zone a; record b.a A 192.0.2.1"), NO_KEY},
        {"dns { server }", "f:2:7: 'server' is not complete; server takes an address, maybe with a port, 1 to 65535\n"},
        {"dns { server ns.example }", "f:2:14: 'ns.example' is no address\n"},
        {"dns { server 0.0.0.0 }", "f:2:14: '0.0.0.0' is no address of a server\n"},
        {"dns { server ff02::fb }", "f:2:14: 'ff02::fb' is no address of a server\n"},
        {"dns { server fe80::1 }", "f:2:14: 'fe80::1' is no address of a server\n"},
        {"dns { server ::1 0 }",
         "f:2:18: '0' is out of range; server takes an address, maybe with a port, 1 to 65535\n"},
        {"dns { server ::1 53 53 }",
         "f:2:21: '53' is one word too many; server takes an address, maybe with a port, 1 to 65535\n"},
        {"dns { key-file ddns.key }", "f:2:16: 'ddns.key' is no absolute path of a file\n"},
        {"dns { key-file / }", "f:2:16: '/' is no absolute path of a file\n"},
        {"dns { zone . }", "f:2:12: '.' is no DNS name\n"},
        {"dns { zone a..b }", "f:2:12: 'a..b' is no DNS name; a label of it is empty\n"},
        {"dns { zone *.b }", "f:2:12: '*.b' is no DNS name; letters, digits and hyphens between them were expected\n"},
        {"dns { zone a123456789012345678901234567890123456789012345678901234567890123.b }",
         "f:2:12: 'a123456789012345678901234567890123456789012345678901234567890123...' is no DNS name; a label has at "
         "most 63 bytes\n"},
        {"dns { record a A }", "f:2:7: 'record' is not complete; record takes 'NAME A ADDRESS' or 'NAME AAAA ADDRESS', "
                               "maybe with 'ptr'\n"},
        {"dns { record a MX 192.0.2.1 }", "f:2:16: 'MX' was not expected; A or AAAA was\n"},
        {"dns { record a A 2001:db8::1 }", "f:2:18: '2001:db8::1' is no IPv4 address, which A takes\n"},
        {"dns { record a AAAA 192.0.2.1 }", "f:2:21: '192.0.2.1' is no IPv6 address, which AAAA takes\n"},
        {"dns { record a A 127.0.0.1 }", "f:2:18: '127.0.0.1' is a loopback address, which never leaves its host\n"},
        {"dns { record a A 192.0.2.1 PTR }", "f:2:28: 'PTR' was not expected; 'ptr' or the end of the statement was\n"},
        {"dns { record a A 192.0.2.1; record A A 192.0.2.1 ptr }", "f:2:29: 192.0.2.1 is given twice for 'a'\n"},
        {DNS("record a.b A 192.0.2.1; record xc A 192.0.2.2; zone c; keep-old c.d"),
         "f:3:1: 'a.b' is not in zone 'c'\nf:3:25: 'xc' is not in zone 'c'\nf:3:56: 'c.d' is not in zone 'c'\n"},
        {DNS("zone c; keep-old A.c; record a.c A 192.0.2.1"),
         "f:3:23: 'a.c' is the name of 'keep-old', which cannot be a record as well\n"},
        {"dns { ttl 0s }", "f:2:11: '0s' is out of range; ttl takes 1s to 24h\n"},
        {"dns { ttl 25h }", "f:2:11: '25h' is out of range; ttl takes 1s to 24h\n"},
        {"dns { ttl 1500ms }", "f:2:11: '1500ms' is no whole number of seconds\n"},
        {"dns { timeout 61s }", "f:2:15: '61s' is out of range; timeout takes 100ms to 1m\n"},
        {"dns { retries 11 }", "f:2:15: '11' is out of range; retries takes 0 to 10\n"},
        {"dns { misses 3 }",
         "f:2:7: 'misses' does not belong to dns, but to defaults, source, probe tcp, probe url or probe exec\n"},
        {"zone a", "f:2:1: 'zone' does not belong to source, but to dns\n"},
    };

    (void)state;
    EXPECT_ROWS(rows);
}

/* What can be said of a source only when its file was read. */
static void test_policies(void **state)
{
#define NIC " nic e { 192.0.2.10/24 dev eth0 } }\n"
    static const char ask[] =
        "f:2:8: warning: 'on service automatic' takes nothing over here: there is neither 'fence' nor 'force yes'\n",
                      asks[] = "f:2:8: warning: 'on service manual' takes nothing over here: there is neither 'fence' "
                               "nor 'force "
                               "yes'\n",
                      idle[] = "f:2:8: warning: 'force yes' does nothing here: 'on service' is notify\n";
    static const struct row rows[] = {
        {"\nsource a { on service automatic; probe tcp 1;" NIC, ask},
        {"\nsource a { probe tcp 1;" NIC "defaults { on service automatic }", ask},
        {"\nsource a { on service automatic; probe tcp 1; fence /a;" NIC, ""},
        {"\nsource a { on service automatic; probe tcp 1; force yes;" NIC, ""},
        {"\nsource a { on service automatic; probe tcp 1; force no;" NIC "defaults { force yes }", ask},
        {"\nsource a { on service automatic; " NIC, ""},
        {"\nsource a { on service manual; probe tcp 1;" NIC, asks},
        {"\nsource a { on service manual; probe tcp 1; fence /a;" NIC, ""},
        {"\nsource a { force yes; probe tcp 1;" NIC, idle},
        {"\nsource a { probe tcp 1;" NIC "defaults { force yes }", idle},
        {"\nsource a { dns { server ::1; zone a; record a A 192.0.2.1; key-file /path/to/key } }\n",
         "f:2:8: warning: no check watches this source: its names move by command alone\n"
         "f:2:69: warning: '/path/to/key' cannot be opened: No such file or directory; no name can be moved until it "
         "is "
         "there and the ipmap is loaded again\n"},
        {"\nsource a { hold-down 1s; probe tcp 1;" NIC,
         "f:2:12: warning: for so long two hosts answer for each address, because there is no agent on the source\n"},
        {"source a { probe tcp 80\nhold-down 1s; dns { server ::1; zone a; record a A 192.0.2.1; key-file /path/to/key "
         "} }\n",
         "f:1:12: 'tcp 80' has no 'address', and its source has none either\n"
         "f:2:72: warning: '/path/to/key' cannot be opened: No such file or directory; no name can be moved until it "
         "is "
         "there and the ipmap is loaded again\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;

        read_bytes(&world, rows[i].statement, strlen(rows[i].statement), &this_host);
        assert_string_equal(world.printed, rows[i].lines);
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),     cmocka_unit_test(test_urls),     cmocka_unit_test(test_long_url),
        cmocka_unit_test(test_url_blocks), cmocka_unit_test(test_commands), cmocka_unit_test(test_long_commands),
        cmocka_unit_test(test_units),      cmocka_unit_test(test_dns),      cmocka_unit_test(test_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
