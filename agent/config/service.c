/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/service.h"

#include <errno.h>
#include <string.h>

#include "agent/config/checks.h"

struct service *service_begin(struct reader *reader, const struct statement *statement)
{
    struct service *service = &reader->service;

    *service = (struct service){.place = statement->place};
    return service;
}

struct source_draft *service_source(struct reader *reader)
{
    return &reader->sources[reader_frame(reader)->source];
}

bool service_has_room(struct reader *reader, struct frame *opened, size_t n, size_t limit, const char *what)
{
    if (n < limit)
        return true;
    reader_error(reader, &opened->place, "more than %zu %s in one source", limit, what);
    opened->block = BLOCK_NONE;
    return false;
}

char *keep_word(struct reader *reader, const struct word *word)
{
    char *text = pool_text(&reader->pool, word->text, word->length);

    if (!text)
        reader->status = -ENOMEM;
    return text;
}

/* Bytes of the UTF-8 character at `text` (RFC 3629 section 4), 0 where there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xc2 ? 0
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
               : text[0] < 0xf5 ? 4
                                : 0;

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* What is longer than it must be, the surrogates, and what is beyond the last character. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

static bool is_utf8(const struct word *word)
{
    for (size_t i = 0, n; i < word->length; i += n) {
        n = utf8_length((const unsigned char *)word->text + i, word->length - i);
        if (n == 0)
            return false;
    }
    return true;
}

char *keep_readable(struct reader *reader, const struct word *word, size_t max)
{
    if (word->length == 0)
        reader_error(reader, &word->place, "a text was expected, of 1 to %zu bytes", max);
    else if (word->length > max)
        reader_error(reader, &word->place, "this text is too long; 1 to %zu bytes were expected", max);
    else if (!is_utf8(word))
        refuse_word(reader, word, "is not written in UTF-8");
    else
        return keep_word(reader, word);
    return NULL;
}
