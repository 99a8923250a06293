/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/text.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* Longer than any name of a statement. */
#define EDIT_LENGTH 24

const char *quote(const struct word *word, char text[static QUOTE_TEXT])
{
    size_t shown = word->length > QUOTE_BYTES ? QUOTE_BYTES : word->length;
    char *to = text;

    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char)word->text[i];

        if (byte >= ' ' && byte < 0x7f)
            *to++ = (char)byte;
        else
            to += sprintf(to, "\\x%02x", byte);
    }
    memcpy(to, shown < word->length ? "..." : "\0\0\0", sizeof "...");
    return text;
}

const char *quote_text(const char *word, char text[static QUOTE_TEXT])
{
    struct word whole = {.text = word, .length = (uint32_t)strlen(word)};

    return quote(&whole, text);
}

const char *duration_text(nsec_t duration_ns, char text[static DURATION_TEXT])
{
    static const struct {
        nsec_t ns;
        const char *name;
    } units[] = {
        {NSEC_PER_HOUR, "h"}, {NSEC_PER_MIN, "m"}, {NSEC_PER_SEC, "s"}, {NSEC_PER_MSEC, "ms"}, {NSEC_PER_USEC, "us"},
    };
    size_t i = 0;

    if (duration_ns == 0)
        return memcpy(text, "0s", sizeof "0s");
    while (i < sizeof units / sizeof *units - 1 && duration_ns % units[i].ns != 0)
        i++;
    snprintf(text, DURATION_TEXT, "%" PRId64 "%s", duration_ns / units[i].ns, units[i].name);
    return text;
}

bool word_is(const struct word *word, const char *text)
{
    return strlen(text) == word->length && memcmp(word->text, text, word->length) == 0;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned edit_distance(const struct word *word, const char *name)
{
    unsigned cost[EDIT_LENGTH + 1][EDIT_LENGTH + 1];
    const char *text = word->text;
    size_t n = word->length, m = strlen(name);

    if (n > EDIT_LENGTH || m > EDIT_LENGTH)
        return UINT_MAX;
    for (unsigned i = 0; i <= n; i++)
        cost[i][0] = i;
    for (unsigned j = 0; j <= m; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            cost[i][j] =
                least(cost[i - 1][j - 1] + (text[i - 1] != name[j - 1]), least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && text[i - 1] == name[j - 2] && text[i - 2] == name[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[n][m];
}
