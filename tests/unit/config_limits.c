/* SPDX-License-Identifier: Apache-2.0 */
/* Much of everything, junk of every kind, and memory that runs out at each allocation in turn. */
#include <unistd.h>

#include "agent/base/limits.h"
#include "tests/unit/config_world.h"

/* A text that grows. */
struct text {
    char *bytes;
    size_t length;
    FILE *out;
};

static void text_begin(struct text *text)
{
    text->out = open_memstream(&text->bytes, &text->length);
    assert_non_null(text->out);
}

static void text_read(struct text *text, struct world *world)
{
    assert_int_equal(fclose(text->out), 0);
    read_bytes(world, text->bytes, text->length, NULL);
    free(text->bytes);
}

static void write_addresses(struct text *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fprintf(text->out, "10.%u.%u.%u/32 dev eth%u\n", i >> 16, i >> 8 & 255, i & 255, i % 1000);
}

static void test_addresses(void **state)
{
    struct text text;
    struct world world;

    (void)state;
    text_begin(&text);
    fputs("source a { nic e {\n", text.out);
    write_addresses(&text, LIMIT_ADDRESSES);
    fputs("} }", text.out);
    text_read(&text, &world);
    assert_string_equal(world.printed, "");
    assert_int_equal(world.ipmap->n_addresses, LIMIT_ADDRESSES);
    end(&world);

    text_begin(&text);
    fputs("source a { nic e {\n", text.out);
    write_addresses(&text, LIMIT_ADDRESSES + 2);
    fputs("} }", text.out);
    text_read(&text, &world);
    assert_string_equal(world.printed, "f:200002:1: more than 200000 addresses\n");
    end(&world);
}

static void test_sources(void **state)
{
    struct text text;
    struct world world;

    (void)state;
    text_begin(&text);
    for (unsigned i = 0; i < LIMIT_SOURCES + 2; i++)
        fprintf(text.out, "source s%u { nic e { 10.0.%u.%u/32 dev eth0 } }\n", i, i >> 8, i & 255);
    text_read(&text, &world);
    assert_string_equal(world.printed, "f:20001:1: more than 20000 sources\n");
    end(&world);
}

static void test_nics(void **state)
{
    struct text text;
    struct world world;

    (void)state;
    text_begin(&text);
    fputs("source a {\n", text.out);
    for (unsigned i = 0; i < LIMIT_NICS_PER_SOURCE + 1; i++)
        fprintf(text.out, "nic e%u { 10.0.0.%u/32 dev eth0 }\n", i, i);
    fputs("}", text.out);
    text_read(&text, &world);
    assert_string_equal(world.printed, "f:66:1: more than 64 NICs in one source\n");
    end(&world);
}

/* A target is a NIC and the witnesses that are asked there. */
static void test_targets(void **state)
{
    struct text text;
    struct world world;

    (void)state;
    text_begin(&text);
    fputs("source a { nic e {\n", text.out);
    for (unsigned i = 0; i < LIMIT_TARGETS / 2; i++)
        fprintf(text.out, "10.0.%u.%u/32 dev a%u or b%u\n", i >> 8, i & 255, i, i);
    fputs("} }\nsource b { witness 192.0.2.1\nnic e { 10.1.0.1/32 dev a1 } }\n", text.out);
    text_read(&text, &world);
    assert_string_equal(world.printed, "f:516:9: more than 1024 target NICs, counted for each set of witnesses\n");
    end(&world);
}

static void test_words(void **state)
{
    struct text text;
    struct world world;

    (void)state;
    text_begin(&text);
    fputs("misses", text.out);
    for (unsigned i = 0; i < 100; i++)
        fputs(" 1", text.out);
    fputs("\ncheck ", text.out);
    for (unsigned i = 0; i < 1000000; i++)
        fputc('x', text.out);
    text_read(&text, &world);
    assert_string_equal(world.printed,
                        "f:1:134: this statement has too many words\nf:2:1: 'check' is not supported yet\n");
    end(&world);
}

static void test_depth(void **state)
{
    static char junk[200000];
    struct world world;

    (void)state;
    memset(junk, '{', sizeof junk);
    read_bytes(&world, junk, sizeof junk, NULL);
    assert_string_equal(world.printed, "f:1:1: a statement was expected before '{'\n"
                                       "f:1:200001: end of file inside '{', opened at line 1\n");
    end(&world);
    memset(junk + sizeof junk / 2, '}', sizeof junk / 2);
    memcpy(junk + sizeof junk - 10, "\nlease 3s\n", 10);
    junk[sizeof junk - 11] = '}';
    memcpy(junk, "\n\n\n\n\n\n\n\n\n\n", 10);
    read_bytes(&world, junk, sizeof junk, NULL);
    assert_string_equal(world.printed, "f:11:1: a statement was expected before '{'\n"
                                       "f:12:1: 'lease' does not belong to the top level, but to defaults or source\n");
    end(&world);
}

/* Messages are limited; errors matter more than warnings. */
static void test_messages(void **state)
{
    struct text text;
    struct world world;
    size_t warnings = 0;

    (void)state;
    text_begin(&text);
    for (unsigned i = 0; i < 150; i++)
        fprintf(text.out, "source s%u { hold-down 1s; nic e { 10.0.0.%u/32 dev eth0 } }\n", i, i);
    for (unsigned i = 0; i < 30; i++)
        fputs("nonsense\n", text.out);
    text_read(&text, &world);
    assert_int_equal(world.messages.n, 100);
    assert_int_equal(world.messages.n_errors, 30);
    assert_int_equal(world.messages.n_left_off, 80);
    for (size_t i = 0; i < world.messages.n; i++) {
        warnings += world.messages.list[i].warning;
        assert_true(i == 0 || world.messages.list[i].place.line > world.messages.list[i - 1].place.line);
    }
    assert_int_equal(warnings, 70);
    assert_non_null(strstr(world.printed, "\n80 more messages are not shown\n"));
    end(&world);
}

static const char whole[] =
    "# every kind of statement, right and wrong\n"
    "defaults { interval 100ms; misses 3; lease 3s; takeover manual }\nwitness 192.0.2.1, 192.0.2.2\n"
    "include \"none/*.conf\"; include missing\n"
    "source db1 {\n    probe arp\n    on host notify; verify 3 within 60ms\n    hook alarm \"/a \\\" b\" { user x; y "
    "}\n"
    "    probe tcp 443 { interval 2s; from eth0 }; probe url \"https://a/b\" { expect 200, 300..399; body \"a b\" }\n"
    "    probe exec \"/bin/x y\" { shell yes; timeout 1s }; fence \"/bin/f\"; unit x@y.service { on-failure release }\n"
    "    dns { server 192.0.2.53 5353; zone a.b; key-file /dev/null; record c.a.b A 192.0.2.99 ptr; ttl 9s }\n"
    "    nic eth0 {\n        192.0.2.10/24 dev eth0 or eth1 { monitor no }\n"
    "        2001:db8::10/64 dev eth0\n        192.0.2.300/24 dev eth0\n    }\n"
    "    nic eth1 { trigger any; 198.51.100.10/24 dev eth2 }\n}\n"
    "source db2 { witness none; approval-timeout 10m; nic e { 192.0.2.11/25 dev x; 192.0.2.12/24 dev y } }\n";

/* Whatever the bytes, a reading ends, and keeps what ipmap.h promises. */
static void test_junk(void **state)
{
    static const char signs[] = "{};,\"#\\\n \t\r\x01\xff/.:0a";
    char bytes[sizeof whole];
    const char *seed_text = getenv("SEED");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : 1;

    (void)state;
    print_message("SEED=%u\n", seed);
    for (unsigned round = 0; round < 2000; round++) {
        struct world world;
        size_t length = sizeof whole - 1 - (size_t)rand_r(&seed) % 100;

        memcpy(bytes, whole, sizeof whole);
        for (unsigned change = 0; change < 1 + round % 20; change++)
            bytes[(size_t)rand_r(&seed) % length] =
                round % 3 == 0 ? (char)rand_r(&seed) : signs[(size_t)rand_r(&seed) % (sizeof signs - 1)];
        read_bytes(&world, bytes, length, round % 2 ? &this_host : NULL);
        end(&world);
    }
}

/* Every prefix of a file is a file, too. */
static void test_cut_off(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof whole; length++) {
        struct world world;

        read_bytes(&world, whole, length, NULL);
        end(&world);
    }
}

/* The sanitizers have an allocator of their own. */
#ifndef __SANITIZE_ADDRESS__

static long until_failure = -1; /* allocations that still succeed; below 0: all */
static bool fails_once;         /* only one fails, else all that follow, too */
static bool has_failed;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool fails(void)
{
    if (until_failure < 0 || until_failure-- > 0)
        return false;
    until_failure = fails_once ? -1 : 0;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    return fails() ? NULL : __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __libc_realloc(ptr, size);
}

/* Reads with memory running out at each allocation in turn, until none is left to fail. */
static void exhaust(const char *text, size_t length, const char *path, bool once)
{
    long n = 0;

    for (has_failed = true; has_failed; n++) {
        struct ipmap *ipmap = NULL;
        struct ipmap_messages messages;
        int r;

        fails_once = once;
        has_failed = false;
        until_failure = n;
        r = path ? ipmap_load(path, NULL, &ipmap, &messages) : ipmap_parse("f", text, length, NULL, &ipmap, &messages);
        until_failure = -1;
        /* The C library can do without some allocations that fail alone. */
        if (has_failed && !once)
            assert_int_equal(r, -ENOMEM);
        if (!has_failed)
            assert_int_not_equal(r, -ENOMEM);
        assert_int_equal(r == 0, ipmap != NULL);
        ipmap_free(ipmap);
        ipmap_messages_free(&messages);
    }
    assert_true(n > 10);
}

static void test_no_memory(void **state)
{
    static const char right[] = "witness 192.0.2.1\ninclude \"/dev/nul?\"\ninclude tests/examples/minimal.conf\n"
                                "source a { lease 3s; nic e { 192.0.2.11/24 dev eth0; 2001:db8::1/64 dev eth1 } }\n";
    static const char key[] = "key k { algorithm hmac-sha256; secret \"c3RhbmRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw==\"; };";
    char dns[256], path[] = "/tmp/standin-key-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && write(fd, key, sizeof key - 1) == sizeof key - 1);
    snprintf(dns, sizeof dns, "source a { dns { server ::1; zone a; record a A 192.0.2.1; key-file %s } }", path);
    for (unsigned once = 0; once < 2; once++) {
        exhaust(whole, sizeof whole - 1, NULL, once);
        exhaust(right, sizeof right - 1, NULL, once);
        exhaust(NULL, 0, "tests/examples/two-nics.conf", once);
        exhaust(NULL, 0, "tests/examples/many-to-one.conf", once);
        exhaust(NULL, 0, "tests/examples/services.conf", once);
        exhaust(NULL, 0, "tests/examples/bad/misspelt.conf", once);
        exhaust(dns, strlen(dns), NULL, once);
    }
    close(fd);
    unlink(path);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_sources), cmocka_unit_test(test_nics),
        cmocka_unit_test(test_targets),   cmocka_unit_test(test_words),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_messages),  cmocka_unit_test(test_junk),    cmocka_unit_test(test_cut_off),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_no_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
