/* SPDX-License-Identifier: Apache-2.0 */
/* Every message: its place, its words, that each mistake has one and that it brings no others. */
#include "tests/unit/config_world.h"

static void test_values(void **state)
{
    (void)state;
    expect(IN_SOURCE("misses three"), "f:2:8: 'three' is no number; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 0"), "f:2:8: '0' is out of range; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 1001"), "f:2:8: '1001' is out of range; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 99999999999999999999999"),
           "f:2:8: '99999999999999999999999' is out of range; misses takes 1 to 1000\n");
    expect(IN_SOURCE("max-takeovers 21 per 1h"),
           "f:2:15: '21' is out of range; max-takeovers takes N per DURATION, with N 1 to 20 and "
           "DURATION 1s to 168h\n");
    expect(IN_SOURCE("max-takeovers 0 per 1h"),
           "f:2:15: '0' is out of range; max-takeovers takes N per DURATION, with N 1 to 20 and "
           "DURATION 1s to 168h\n");
    expect(IN_SOURCE("misses -1"), "f:2:8: '-1' is no number; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses \"\""), "f:2:8: '' is no number; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses"), "f:2:1: 'misses' is not complete; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 3 4"), "f:2:10: '4' is one word too many; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 3, 4"), "f:2:11: '4' must have no ',' before it; misses takes 1 to 1000\n");
    expect(IN_SOURCE("misses 3 { }"), "f:2:1: 'misses' takes no block\n");
    expect(IN_SOURCE("takeover auto"), "f:2:10: 'auto' was not expected; takeover takes automatic, manual or notify\n");
    expect(IN_SOURCE("claim-unseen true"), "f:2:14: 'true' was not expected; claim-unseen takes yes or no\n");
    expect(IN_SOURCE("approval-default yes"),
           "f:2:18: 'yes' was not expected; approval-default takes deny or approve\n");
    expect(IN_SOURCE("probe arp 3"), "f:2:11: '3' is one word too many; probe arp takes nothing more\n");
    expect(IN_SOURCE("probe ping"),
           "f:2:7: 'ping' after 'probe' was not expected; arp, nd, icmp, tcp, url or exec was\n");
    expect(IN_SOURCE("probe"),
           "f:2:1: 'probe' is not complete; arp, nd, icmp, tcp, url or exec was expected after it\n");
    expect(IN_SOURCE("on fire manual"), "f:2:4: 'fire' after 'on' was not expected; host, nic or service was\n");
    expect(IN_SOURCE("on host maybe"), "f:2:9: 'maybe' was not expected; on host takes automatic, manual or notify\n");
}

static void test_durations(void **state)
{
    (void)state;
    expect(IN_SOURCE("interval 200"), "f:2:10: '200' has no unit (us, ms, s, m or h); interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval fast"), "f:2:10: 'fast' is no duration; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval 2.5s"),
           "f:2:10: '2.5s' is no whole number of us, ms, s, m or h; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval 1d"),
           "f:2:10: '1d' is no whole number of us, ms, s, m or h; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval 99us"), "f:2:10: '99us' is out of range; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval 61m"), "f:2:10: '61m' is out of range; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval 9223372036854775807h"),
           "f:2:10: '9223372036854775807h' is out of range; interval takes 100us to 1h\n");
    expect(IN_SOURCE("interval none"), "f:2:10: 'none' is no duration; interval takes 100us to 1h\n");
    expect(IN_SOURCE("lease 999ms"), "f:2:7: '999ms' is out of range; lease takes 1s to 1h, or off\n");
    expect(IN_SOURCE("approval-timeout off"),
           "f:2:18: 'off' is no duration; approval-timeout takes 1s to 168h, or none\n");
    expect(IN_SOURCE("hold-down 169h"), "f:2:11: '169h' is out of range; hold-down takes 0s to 168h\n");
    expect(IN_SOURCE("verify 11 within 20"),
           "f:2:8: '11' is out of range; verify takes N within DURATION, with N 1 to 10 and DURATION 1ms to 10s\n"
           "f:2:18: '20' has no unit (us, ms, s, m or h); verify takes N within DURATION, with N 1 to 10 and DURATION "
           "1ms to 10s\n");
    expect(IN_SOURCE("verify 3 per 60ms"), "f:2:10: 'per' was not expected; verify takes N within DURATION, with N 1 "
                                           "to 10 and DURATION 1ms to 10s\n");
}

static void test_addresses(void **state)
{
    static const struct {
        const char *address, *what;
    } rows[] = {
        {"192.0.2.300/24", "is no address"},
        {"192.0.2/24", "is no address"},
        {"2001:db8::g/64", "is no address"},
        {"eth0/24", "is no address"},
        {"fe80::1%eth0/64", "is no address"},
        {"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", "is no address"},
        {"192.0.2.11", "has no prefix length, such as /24"},
        {"2001:db8::1", "has no prefix length, such as /64"},
        {"192.0.2.11/", "has a wrong prefix length; 1 to 32 was expected"},
        {"192.0.2.11/0", "has a wrong prefix length; 1 to 32 was expected"},
        {"192.0.2.11/33", "has a wrong prefix length; 1 to 32 was expected"},
        {"192.0.2.11/24/24", "has a wrong prefix length; 1 to 32 was expected"},
        {"2001:db8::1/129", "has a wrong prefix length; 1 to 128 was expected"},
        {"0.0.0.0/24", "is the unspecified address"},
        {"::/64", "is the unspecified address"},
        {"0.1.2.3/24", "is an address of 'this network', which no host has"},
        {"127.0.0.1/8", "is a loopback address, which never leaves its host"},
        {"::1/128", "is the loopback address, which never leaves its host"},
        {"224.0.0.18/24", "is a multicast address"},
        {"ff02::1/64", "is a multicast address"},
        {"255.255.255.255/32", "is the broadcast address"},
        {"192.0.2.0/24", "is the network address of its subnet"},
        {"192.0.2.255/24", "is the broadcast address of its subnet"},
        {"192.0.2.4/30", "is the network address of its subnet"},
        {"2001:db8::/64", "is the subnet-router anycast address of its subnet"},
        {"fe80::1/64", "is a link-local address, which belongs to its own NIC"},
        {"::ffff:192.0.2.11/120", "is an IPv4-mapped address; write the IPv4 address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256], lines[256];

        snprintf(text, sizeof text, IN_NIC("  %s dev eth0"), rows[i].address);
        snprintf(lines, sizeof lines, "f:2:3: '%s' %s\n", rows[i].address, rows[i].what);
        expect(text, lines);
    }
    expect(IN_NIC("192.0.2.200/24 dev eth0"), "f:2:1: 192.0.2.200 is an address of this host itself, on eth0\n");
}

static void test_targets(void **state)
{
    (void)state;
    expect(IN_NIC("192.0.2.11/24"), "f:2:1: after '192.0.2.11/24' 'dev' was expected\n");
    expect(IN_NIC("192.0.2.11/24 eth0"), "f:2:15: 'eth0' was not expected; 'dev' was\n");
    expect(IN_NIC("192.0.2.11/24 dev"), "f:2:15: after 'dev' the name of a target NIC was expected\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0 eth1"),
           "f:2:24: 'eth1' was not expected; 'or', '{' or the end of the statement was\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0 or"), "f:2:24: after 'or' the name of a target NIC was expected\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0 or eth0"),
           "f:2:27: 'eth0' was not expected; another NIC than the first was\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0 or eth1 or eth2"),
           "f:2:32: 'or' was not expected; '{' or the end of the statement was\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0, eth1"), "f:2:25: ',' before 'eth1' was not expected\n");
    expect(IN_NIC("192.0.2.11/24 dev a123456789012345"),
           "f:2:19: 'a123456789012345' is too long; the name of a NIC has at most 15 bytes\n");
    expect(IN_NIC("192.0.2.11/24 dev a/b"), "f:2:19: 'a/b' is no name that a NIC can have\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0:1"), "f:2:19: 'eth0:1' is no name that a NIC can have\n");
    expect(IN_NIC("192.0.2.11/24 dev .."), "f:2:19: '..' is no name that a NIC can have\n");
    expect(IN_NIC("192.0.2.11/24 dev \"a b\""), "f:2:19: 'a b' is no name that a NIC can have\n");
    expect(IN_NIC("192.0.2.11/24 dev \"\""), "f:2:19: '' is no name of a NIC\n");
    expect(IN_NIC("192.0.2.300/24 dev a/b"),
           "f:2:1: '192.0.2.300/24' is no address\nf:2:20: 'a/b' is no name that a NIC can have\n");
    expect(IN_NIC("192.0.2.11/24 dev eth0 { monitor perhaps; monitor no }"),
           "f:2:34: 'perhaps' was not expected; monitor takes yes or no\n"
           "f:2:43: 'monitor' is given twice; first at line 2\n");
}

static void test_missing_nics(void **state)
{
    (void)state;
    expect(IN_NIC("192.0.2.11/24 dev eth9 or eth8\n192.0.2.12/24 dev eth9\n192.0.2.13/24 dev eth1 or eth8"),
           "f:2:19: warning: this host has no NIC 'eth9'; the agent waits for it\n"
           "f:2:27: warning: this host has no NIC 'eth8'; the agent waits for it\n");
}

static void test_names(void **state)
{
    static const char name64[] = "a123456789012345678901234567890123456789012345678901234567890123";
    char text[512], lines[512];

    (void)state;
    expect("source a/b { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:8: 'a/b' is no name for a source; it must have no '/' and not begin with '-'\n");
    expect("source -a { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:8: '-a' is no name for a source; it must have no '/' and not begin with '-'\n");
    expect("source \"a b\" { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:8: 'a b' is no name; printable ASCII characters without blanks were expected\n");
    expect("source m\xc3\xbcller { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:8: 'm\\xc3\\xbcller' is no name; printable ASCII characters without blanks were expected\n");
    expect("source \"\" { nic \"\" { 192.0.2.10/24 dev eth0 } }", "f:1:8: '' is no name\nf:1:17: '' is no name\n");
    snprintf(text, sizeof text, "source %s { nic %s { 192.0.2.10/24 dev eth0 } }", name64, name64 + 1);
    snprintf(lines, sizeof lines, "f:1:8: '%s' is too long; a name has at most 63 bytes\n", name64);
    expect(text, lines);
    snprintf(text, sizeof text, "source %s { nic %s%s { 192.0.2.10/24 dev eth0 } }", name64 + 1, name64, name64);
    snprintf(lines, sizeof lines, "f:1:78: '%s...' is too long; a name has at most 63 bytes\n", name64);
    expect(text, lines);
    expect("source { nic { 192.0.2.10/24 dev eth0 } }",
           "f:1:1: 'source' is not complete; source takes a name and a block\n"
           "f:1:10: 'nic' is not complete; nic takes a name and a block\n");
    expect("source a b { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:10: 'b' is one word too many; source takes a name and a block\n");
}

static void test_twice(void **state)
{
    (void)state;
    expect(IN_SOURCE("misses 3\nmisses 4"), "f:3:1: 'misses' is given twice; first at line 2\n");
    expect(IN_SOURCE("probe arp; probe icmp; probe arp"), "f:2:24: 'probe arp' is given twice; first at line 2\n");
    expect(IN_SOURCE("on host manual; on nic manual; on host manual"),
           "f:2:32: 'on host' is given twice; first at line 2\n");
    expect("defaults { misses 3 }\ndefaults { misses 4 }\n", "f:2:1: 'defaults' is given twice; first at line 1\n");
    expect("source a { nic e { 192.0.2.10/24 dev eth0 } }\nsource a { nic e { 192.0.2.11/24 dev eth0 } }",
           "f:2:8: source 'a' is given twice; first at line 1\n");
    expect("source a { nic e { 192.0.2.10/24 dev eth0 }\nnic f { 192.0.2.12/24 dev eth0 }\n"
           "nic e { 192.0.2.11/24 dev eth0 } }\nsource b { nic e { 192.0.2.13/24 dev eth0 } }",
           "f:3:5: nic 'e' is given twice; first at line 1\n");
    expect(IN_NIC("192.0.2.10/32 dev eth1"), "f:3:1: 192.0.2.10 is mapped twice; first at line 2\n");
    expect("source a { nic e { 2001:db8::1/64 dev eth0 } }\nsource b { nic e { 2001:0DB8:0::01/64 dev eth0 } }",
           "f:2:20: 2001:db8::1 is mapped twice; first at line 1\n");
}

static void test_witnesses(void **state)
{
    (void)state;
    expect(IN_SOURCE("witness"),
           "f:2:1: 'witness' is not complete; witness takes addresses with ',' between them, or none\n");
    expect(IN_SOURCE("witness 192.0.2.1 192.0.2.2"), "f:2:19: ',' before '192.0.2.2' was expected\n");
    expect(IN_SOURCE("witness gateway"), "f:2:9: 'gateway' is no address\n");
    expect(IN_SOURCE("witness 192.0.2.1/24"), "f:2:9: '192.0.2.1/24' is no address\n");
    expect(IN_SOURCE("witness 224.0.0.1"), "f:2:9: '224.0.0.1' is a multicast address\n");
    expect(IN_SOURCE("witness 192.0.2.1, 192.0.2.1"), "f:2:20: witness 192.0.2.1 is given twice\n");
    expect(IN_SOURCE("witness 192.0.2.200"), "f:2:9: 192.0.2.200 is an address of this host itself, on eth0\n");
    expect(IN_SOURCE("witness 192.0.2.1\nwitness none"),
           "f:3:9: 'none' was not expected; 'witness' was given before\n");
    expect(IN_SOURCE("witness none\nwitness 192.0.2.1"),
           "f:3:9: '192.0.2.1' was not expected; 'witness none' was given before\n");
    expect(IN_SOURCE("witness 192.0.2.1, none"), "f:2:20: 'none' is no address\n");
    expect(IN_SOURCE("witness 192.0.2.10"),
           "f:2:9: 192.0.2.10 is a source's own address (line 3) and cannot be a witness\n");
    expect("witness 192.0.2.10\n" IN_SOURCE("misses nine"),
           "f:1:9: 192.0.2.10 is a source's own address (line 4) and cannot be a witness\n"
           "f:3:8: 'nine' is no number; misses takes 1 to 1000\n");
    expect(
        IN_SOURCE("witness 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9\n"
                  "witness 10.0.0.11,10.0.0.12,10.0.0.13,10.0.0.14,10.0.0.15,10.0.0.16,10.0.0.17, 10.0.0.18"),
        "f:3:80: more than 16 witnesses\n");
}

static void test_unknown(void **state)
{
    (void)state;
    expect(IN_SOURCE("intervall 200ms"), "f:2:1: unknown statement 'intervall'; did you mean 'interval'?\n");
    expect(IN_SOURCE("takeovr manual"), "f:2:1: unknown statement 'takeovr'; did you mean 'takeover'?\n");
    expect(IN_SOURCE("claim_unseen yes"), "f:2:1: unknown statement 'claim_unseen'; did you mean 'claim-unseen'?\n");
    expect("suorce a { nic e { 192.0.2.10/24 dev eth0 } }",
           "f:1:1: unknown statement 'suorce'; did you mean 'source'?\n");
    expect(IN_SOURCE("virtual_router_id 51"), "f:2:1: unknown statement 'virtual_router_id'\n");
    expect(IN_SOURCE("advertisement-interval-in-ms 51"), "f:2:1: unknown statement 'advertisement-interval-in-ms'\n");
    expect(IN_SOURCE("no 1"), "f:2:1: unknown statement 'no'; did you mean 'on'?\n");
    expect(IN_SOURCE("\"\" x"), "f:2:1: unknown statement ''\n");
    expect(IN_SOURCE("\"a\tb\\\"\""), "f:2:1: unknown statement 'a\\x09b\"'\n");
    expect(IN_NIC("monitor no"), "f:2:1: 'monitor' does not belong to nic, but to an address's block\n");
    expect(IN_NIC("trigger all any"), "f:2:13: 'any' is one word too many; trigger takes all or any\n");
    expect(IN_NIC("failback manual\nlease 3s"), "f:2:1: 'failback' does not belong to nic, but to defaults or source\n"
                                                "f:3:1: 'lease' does not belong to nic, but to defaults or source\n");
    expect("interval 10ms\nmisses 3\n",
           "f:1:1: 'interval' does not belong to the top level, but to defaults, source, probe tcp, probe url or probe "
           "exec\n"
           "f:2:1: 'misses' does not belong to the top level, but to defaults, source, probe tcp, probe url or probe "
           "exec\n");
    expect(IN_SOURCE("include \"x\""), "f:2:1: 'include' does not belong to source, but to the top level\n");
    expect("defaults { witness 192.0.2.1 }",
           "f:1:12: 'witness' does not belong to defaults, but to the top level or source\n");
    expect(IN_SOURCE("192.0.2.11/24 dev eth0"), "f:2:1: '192.0.2.11/24' does not belong to source, but to nic\n");
}

static void test_unsupported(void **state)
{
    (void)state;
    expect("heartbeat x\nhost a { heartbeat 192.0.2.1, 192.0.2.2 }\n",
           "f:1:1: 'heartbeat' is not supported yet\nf:2:1: 'host' is not supported yet\n");
    expect(IN_SOURCE("probe heartbeat\ncheck quick \"/x\" { { } }; recover \"/x\"; heartbeat 20ms; target a, b"),
           "f:2:1: 'probe heartbeat' is not supported yet\n"
           "f:3:1: 'check' is not supported yet\n"
           "f:3:27: 'recover' is not supported yet\n"
           "f:3:41: 'heartbeat' is not supported yet\n"
           "f:3:57: 'target' is not supported yet\n");
}

static void test_empty_blocks(void **state)
{
    (void)state;
    expect("source a { }", "f:1:1: 'source a' has neither 'nic' nor 'dns'\n");
    expect("source a { nic e { } }", "f:1:12: 'nic e' has no address\n");
    expect("source a { nic e { 192.0.2.10/24 dev eth0 { monitor no } } }",
           "f:1:12: 'nic e' has no monitored address; without one it is never lost\n");
    expect("source a\nsource b { nic e { 192.0.2.10/24 dev eth0 } }\n",
           "f:1:1: 'source' has no block; source takes a name and a block\n");
    expect(IN_SOURCE("nic e"), "f:2:1: 'nic' has no block; nic takes a name and a block\n");
    expect("defaults a { misses 3 }", "f:1:10: 'a' is one word too many; defaults takes a block and no name\n");
}

static void test_prefixes(void **state)
{
    (void)state;
    expect("source a { nic e {\n192.0.2.10/24 dev eth0\n192.0.3.10/24 dev eth0\n192.0.2.11/25 dev eth0\n} }",
           "f:4:1: warning: 192.0.2.11/25 is in the subnet of 192.0.2.10/24 at line 2, with another prefix length\n");
    /* Host prefixes, and a subnet that is a part of another, are nobody's slip. */
    expect("source a { nic e {\n192.0.2.10/24 dev eth0\n192.0.2.11/32 dev eth0\n10.0.0.1/8 dev eth0\n"
           "10.1.0.1/16 dev eth0\n2001:db8::1/64 dev eth0\n2001:db8::2/128 dev eth0 } }",
           "");
}

static void test_signs(void **state)
{
    (void)state;
    expect(IN_SOURCE(", misses 3"), "f:2:1: a word was expected before ','\n");
    expect(IN_SOURCE("witness 192.0.2.1,, 192.0.2.2"), "f:2:19: a word was expected before ','\n");
    expect(IN_SOURCE("witness 192.0.2.1, ; misses 4"), "f:2:18: a word was expected after ','\n");
    expect("witness 192.0.2.1,\n", "f:1:18: a word was expected after ','\n");
    expect(IN_SOURCE("witness , 192.0.2.1"), "f:2:11: ',' before '192.0.2.1' was not expected\n");
    expect(IN_SOURCE("{ misses 3 }"), "f:2:1: a statement was expected before '{'\n");
    expect(IN_SOURCE("misses 3 \"x"), "f:2:10: this string has no end; '\"' was expected before the end of the line\n");
    expect(IN_SOURCE("misses \"x\\n\""), "f:2:10: unknown escape; only '\\\"' and '\\\\' are known\n");
    expect(IN_SOURCE("misses \"\\"), "f:2:8: this string has no end; '\"' was expected before the end of the line\n");
    expect(IN_SOURCE("mis\x01ses 3 \x02"), "f:2:4: control character 0x01; text was expected\n");
    expect(IN_SOURCE("misses \"a\x7f\" \x02"), "f:2:10: control character 0x7f; text was expected\n");
    expect(IN_SOURCE("misses\r3"), "f:2:7: control character 0x0d; text was expected\n");
    expect("source \"a {\nmisses 0\nnic e { 192.0.2.10/24 dev eth0 }\n}\n",
           "f:1:8: this string has no end; '\"' was expected before the end of the line\n"
           "f:2:8: '0' is out of range; misses takes 1 to 1000\n");
    expect("\"source a {\nmisses 0\nnic e { 192.0.2.10/24 dev eth0 }\n}\nmisses 3",
           "f:1:1: this string has no end; '\"' was expected before the end of the line\n");
}

static void test_braces(void **state)
{
    (void)state;
    expect("source web1 {\nnic eth0 {\n192.0.2.10/24 dev eth0\n}\n",
           "f:5:1: end of file inside 'source web1', opened at line 1\n");
    expect("source web1 {\nnic eth0 {\n192.0.2.10/24 dev eth0",
           "f:3:23: end of file inside 'nic eth0', opened at line 2\n");
    expect("source web1 {", "f:1:14: end of file inside 'source web1', opened at line 1\n");
    expect("check x { y",
           "f:1:1: 'check' is not supported yet\nf:1:12: end of file inside 'check', opened at line 1\n");
    expect("source a { nic e { 192.0.2.10/24 dev eth0 } }\n}\n}\nmisses 3",
           "f:2:1: '}' closes nothing; a statement was expected\n");
    expect("source a\n# why\n\n{ nic e { 192.0.2.10/24 dev eth0; lease 2s } }",
           "f:4:1: '{' was expected on the line of its statement, line 1\n"
           "f:4:35: 'lease' does not belong to nic, but to defaults or source\n");
    /* One '}' too many, one too few: said once, and what follows is still read. */
    expect("source a {\nnic e { 192.0.2.10/24 dev eth0 } }\nnic f { 192.0.2.11/24 dev eth0 }\n}\n"
           "source b { misses 0; nic e { 192.0.2.12/24 dev eth0 } }\n",
           "f:3:1: 'nic' does not belong to the top level, but to source\n"
           "f:5:19: '0' is out of range; misses takes 1 to 1000\n");
    expect("source a {\nnic e { 192.0.2.10/24 dev eth0\nnic f { 192.0.2.11/24 dev eth0; trigger one }\n}\nsource b {\n"
           "misses 0; nic e { 192.0.2.12/24 dev eth0 } }\n",
           "f:3:1: 'nic' inside 'nic e', opened at line 2; is a '}' missing before it?\n"
           "f:3:41: 'one' was not expected; trigger takes all or any\n"
           "f:6:8: '0' is out of range; misses takes 1 to 1000\n");
    expect("source a {\nnic e { 192.0.2.10/24 dev eth0 }\nsource b { misses 0; nic e { 192.0.2.12/24 dev eth0 } }\n",
           "f:3:1: 'source' inside 'source a', opened at line 1; is a '}' missing before it?\n"
           "f:3:19: '0' is out of range; misses takes 1 to 1000\n");
}

static void test_nul(void **state)
{
    static const char text[] = "misses 3\nab\0cd";
    struct world world;

    (void)state;
    read_bytes(&world, text, sizeof text, NULL);
    assert_string_equal(world.printed, "f:2:3: NUL byte; this is no text file\n");
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_durations),    cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_targets),     cmocka_unit_test(test_missing_nics), cmocka_unit_test(test_names),
        cmocka_unit_test(test_twice),       cmocka_unit_test(test_witnesses),    cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_unsupported), cmocka_unit_test(test_empty_blocks), cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_signs),       cmocka_unit_test(test_braces),       cmocka_unit_test(test_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
