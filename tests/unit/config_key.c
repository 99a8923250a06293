/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG keys: as tsig-keygen writes them, and all that is none. */
#include "agent/config/key_file.h"
#include "tests/unit/config_world.h"

#define SECRET "c3RhbmRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw=="
#define BODY "{ algorithm hmac-sha256; secret \"" SECRET "\"; };"

static void test_right(void **state)
{
    static const struct {
        const char *text, *name;
        enum ipmap_key_algorithm algorithm;
    } rows[] = {
        {"key \"tsig-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};\n", "tsig-key",
         IPMAP_KEY_HMAC_SHA256},
        {"# made by hand\nkey A.example. { // so\n secret " SECRET "; algorithm \"HMAC-SHA512\" ; } ; # end",
         "a.example", IPMAP_KEY_HMAC_SHA512},
        {"key k{algorithm hmac-sha384;secret " SECRET ";};", "k", IPMAP_KEY_HMAC_SHA384},
        {"\r\nkey k " BODY "\r\n", "k", IPMAP_KEY_HMAC_SHA256},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char reason[KEY_REASON];
        struct key_file key;

        assert_int_equal(key_file_parse(rows[i].text, strlen(rows[i].text), &key, reason), 0);
        assert_string_equal(key.name, rows[i].name);
        assert_string_equal(key.secret, SECRET);
        assert_int_equal(key.algorithm, rows[i].algorithm);
        assert_string_equal(ipmap_key_algorithm_name(key.algorithm),
                            ((const char *[]){"hmac-sha256", "hmac-sha384", "hmac-sha512"})[key.algorithm]);
    }
}

static void test_wrong(void **state)
{
    static const char algorithm[] = "line 1: the algorithm must be hmac-sha256, hmac-sha384 or hmac-sha512",
                      base64[] = "line 1: the secret is no base64", name[] = "line 1: a name was expected after 'key'",
                      body[] = "line 1: 'algorithm', 'secret' or '}' was expected",
                      too_short[] = "line 1: the secret is too short; it must have 16 bytes or more";
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "line 1: 'key' was expected"},
        {"\n\n", "line 3: 'key' was expected"},
        {"keys x " BODY, "line 1: 'key' was expected"},
        {"key " BODY, name},
        {"key a..b " BODY, name},
        {"key \"a", name},
        {"key \"a\nb\" " BODY, name},
        {"key a", "line 1: '{' was expected after the name"},
        {"key a ;", "line 1: '{' was expected after the name"},
        {"key a { algorithm hmac-md5; };", algorithm},
        {"key a { algorithm hmac-sha1; };", algorithm},
        {"key a { algorithm hmac-sha224; };", algorithm},
        {"key a { algorithm ; };", algorithm},
        {"key a { algorithm hmac-sha256 };", "line 1: ';' was expected"},
        {"key a { algorithm hmac-sha256; algorithm hmac-sha256; };", body},
        {"key a { x; };", body},
        {"key a { algorithm hmac-sha256;", body},
        {"key a { };", "line 1: 'algorithm' or 'secret' is missing"},
        {"key a { algorithm hmac-sha256; };", "line 1: 'algorithm' or 'secret' is missing"},
        {"key a { secret \"" SECRET "\"; };", "line 1: 'algorithm' or 'secret' is missing"},
        {"key a { secret \"" SECRET "=\"; };", base64},
        {"key a { secret \"c3Rh=mRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw==\"; };", base64},
        {"key a { secret \"c3RhbmRpbiBzdGFuZHMgaW4gZm9yIG90aGVy====\"; };", base64},
        {"key a { secret \"c3Rh-mRpbiBzdGFuZHMgaW4gZm9yIG90aGVycw==\"; };", base64},
        {"key a { secret \"\"; };", too_short},
        {"key a { secret \"" SECRET, too_short},
        {"key a { secret \"c3RhbmRpbiBzdGFuZHMg\"; };", too_short},
        {"key a { algorithm hmac-sha256; secret \"" SECRET "\"; }", "line 1: ';' was expected after '}'"},
        {"key a " BODY "\nkey b " BODY, "line 2: one key was expected, and nothing behind it"},
        {"key a " BODY " /", "line 1: one key was expected, and nothing behind it"},
    };
    char text[1024], reason[KEY_REASON];
    struct key_file key;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(key_file_parse(rows[i].text, strlen(rows[i].text), &key, reason), -EINVAL);
        assert_memory_equal(reason, "is no TSIG key: ", 16);
        assert_string_equal(reason + 16, rows[i].reason);
        assert_null(strstr(reason, "c3Rh"));
    }
    assert_int_equal(key_file_parse("key a\0", 6, &key, reason), -EINVAL);
    assert_string_equal(reason, "is no TSIG key: line 1: it is no text");
    snprintf(text, sizeof text, "key a { secret %0*d; };", KEY_SECRET_MAX + 4, 0);
    assert_int_equal(key_file_parse(text, strlen(text), &key, reason), -EINVAL);
    assert_string_equal(reason, "is no TSIG key: line 1: the secret is too long");
}

/* Every part of a key ends without one, and says so. */
static void test_cut_off(void **state)
{
    static const char text[] = "key \"tsig-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};";

    (void)state;
    for (size_t length = 0; length < sizeof text - 1; length++) {
        char *copy = malloc(length + 1), reason[KEY_REASON];
        struct key_file key;

        assert_non_null(copy);
        memcpy(copy, text, length);
        assert_int_equal(key_file_parse(copy, length, &key, reason), -EINVAL);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
