/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is read, and how far. */
struct cursor {
    const char *at;
    const char *end;
    unsigned line; /* from 1 */
};

/* A word, a string without its quotes, or a sign. */
struct token {
    const char *text;
    size_t length; /* 0 where `text` is not an empty string: the end */
};

static const struct {
    const char *name;
    enum ipmap_key_algorithm algorithm;
} algorithms[] = {
    {"hmac-sha256", IPMAP_KEY_HMAC_SHA256},
    {"hmac-sha384", IPMAP_KEY_HMAC_SHA384},
    {"hmac-sha512", IPMAP_KEY_HMAC_SHA512},
};

static int refuse(const struct cursor *cursor, char reason[static KEY_REASON], const char *what)
{
    snprintf(reason, KEY_REASON, "is no TSIG key: line %u: %s", cursor->line, what);
    return -EINVAL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Over blanks and comments, which end with their line. */
static void skip(struct cursor *cursor)
{
    while (cursor->at < cursor->end) {
        bool comment =
            *cursor->at == '#' || (*cursor->at == '/' && cursor->end - cursor->at > 1 && cursor->at[1] == '/');

        if (!comment && !is_blank(*cursor->at))
            return;
        while (comment && cursor->at < cursor->end && *cursor->at != '\n')
            cursor->at++;
        if (cursor->at < cursor->end && *cursor->at++ == '\n')
            cursor->line++;
    }
}

static struct token take(struct cursor *cursor)
{
    struct token token;
    bool quoted;

    skip(cursor);
    quoted = cursor->at < cursor->end && *cursor->at == '"';
    token.text = cursor->at + quoted;
    if (!quoted && cursor->at < cursor->end && strchr("{};", *cursor->at)) {
        cursor->at++;
        return (struct token){token.text, 1};
    }
    for (cursor->at = token.text; cursor->at < cursor->end; cursor->at++)
        if (*cursor->at == '"' || *cursor->at == '\n' ||
            (!quoted && (is_blank(*cursor->at) || strchr("{};", *cursor->at))))
            break;
    token.length = (size_t)(cursor->at - token.text);
    /* Without its end a string is no token, and whatever was expected is not there. */
    if (quoted && cursor->at < cursor->end && *cursor->at == '"')
        cursor->at++;
    else if (quoted)
        token.length = 0;
    return token;
}

static bool token_is(struct token token, const char *text)
{
    return token.length == strlen(text) && strncasecmp(token.text, text, token.length) == 0;
}

static int read_algorithm(struct cursor *cursor, struct key_file *key, char reason[static KEY_REASON])
{
    struct token token = take(cursor);

    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (token_is(token, algorithms[i].name)) {
            key->algorithm = algorithms[i].algorithm;
            return 0;
        }
    return refuse(cursor, reason, "the algorithm must be hmac-sha256, hmac-sha384 or hmac-sha512");
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static int read_secret(struct cursor *cursor, struct key_file *key, char reason[static KEY_REASON])
{
    struct token token = take(cursor);
    size_t n = token.length;

    while (n > 0 && token.length - n < 2 && token.text[n - 1] == '=')
        n--;
    if (token.length > KEY_SECRET_MAX)
        return refuse(cursor, reason, "the secret is too long");
    if (token.length % 4 != 0)
        return refuse(cursor, reason, "the secret is no base64");
    for (size_t i = 0; i < n; i++)
        if (!is_base64(token.text[i]))
            return refuse(cursor, reason, "the secret is no base64");
    /* RFC 2104 section 3: short keys are as weak as they are short. */
    if (n * 3 / 4 < KEY_SECRET_MIN_BYTES)
        return refuse(cursor, reason, "the secret is too short; it must have 16 bytes or more");
    memcpy(key->secret, token.text, token.length);
    key->secret[token.length] = '\0';
    return 0;
}

static int read_name(struct cursor *cursor, struct key_file *key, char reason[static KEY_REASON])
{
    struct token token;

    if (!token_is(take(cursor), "key"))
        return refuse(cursor, reason, "'key' was expected");
    token = take(cursor);
    if (dns_name_read(token.text, token.length, key->name))
        return refuse(cursor, reason, "a name was expected after 'key'");
    return token_is(take(cursor), "{") ? 0 : refuse(cursor, reason, "'{' was expected after the name");
}

/* Its statements, each once, up to the '}'. */
static int read_body(struct cursor *cursor, struct key_file *key, char reason[static KEY_REASON])
{
    bool algorithm = false, secret = false;

    for (;;) {
        struct token token = take(cursor);
        int r;

        if (token_is(token, "}"))
            break;
        if (token_is(token, "algorithm") && !algorithm) {
            algorithm = true;
            r = read_algorithm(cursor, key, reason);
        } else if (token_is(token, "secret") && !secret) {
            secret = true;
            r = read_secret(cursor, key, reason);
        } else {
            r = refuse(cursor, reason, "'algorithm', 'secret' or '}' was expected");
        }
        if (r < 0)
            return r;
        if (!token_is(take(cursor), ";"))
            return refuse(cursor, reason, "';' was expected");
    }
    if (!algorithm || !secret)
        return refuse(cursor, reason, "'algorithm' or 'secret' is missing");
    return token_is(take(cursor), ";") ? 0 : refuse(cursor, reason, "';' was expected after '}'");
}

int key_file_parse(const char *text, size_t length, struct key_file *ret, char reason[static KEY_REASON])
{
    struct cursor cursor = {.at = text, .end = text + length, .line = 1};
    struct key_file key = {0};
    int r = memchr(text, '\0', length) ? refuse(&cursor, reason, "it is no text") : 0;

    if (r == 0)
        r = read_name(&cursor, &key, reason);
    if (r == 0)
        r = read_body(&cursor, &key, reason);
    skip(&cursor);
    if (r == 0 && cursor.at < cursor.end)
        r = refuse(&cursor, reason, "one key was expected, and nothing behind it");
    if (r == 0)
        *ret = key;
    explicit_bzero(&key, sizeof key);
    return r;
}

const char *ipmap_key_algorithm_name(enum ipmap_key_algorithm algorithm)
{
    return algorithms[algorithm].name;
}
