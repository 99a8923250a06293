/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"

#define TIMEOUT_MIN_NS (1 * NSEC_PER_MSEC)
#define TIMEOUT_MAX_NS (24 * NSEC_PER_HOUR)

/* Characters of more than one byte that command a terminal or reorder its text, as UTF-8. */
static const struct harmful_range {
    const char *first, *last; /* of one length */
} harmful_ranges[] = {
    {"\xc2\x80", "\xc2\x9f"},         /* U+0080..U+009F: the C1 control characters */
    {"\xe2\x80\x8e", "\xe2\x80\x8f"}, /* U+200E..U+200F: direction marks */
    {"\xe2\x80\xa8", "\xe2\x80\xae"}, /* U+2028..U+202E: separators, embeddings and overrides of direction */
    {"\xe2\x81\xa6", "\xe2\x81\xa9"}, /* U+2066..U+2069: isolates of direction */
};

/* Length of the harmful character that `text` starts with; 0: it is harmless. */
static size_t harmful_length(const char *text)
{
    unsigned char c = (unsigned char)text[0];

    if (c < 0x80)
        return (c < 0x20 && c != '\n') || c == 0x7f ? 1 : 0;
    for (size_t i = 0; i < sizeof harmful_ranges / sizeof harmful_ranges[0]; i++) {
        const struct harmful_range *range = &harmful_ranges[i];
        size_t length = strlen(range->first);

        if (strncmp(text, range->first, length) >= 0 && strncmp(text, range->last, length) <= 0)
            return length;
    }
    return 0;
}

static void sanitise_string(json_t *value)
{
    CLEANUP_FREE char *copy = strdup(json_string_value(value));
    char *to = copy;

    if (!copy) {
        json_string_set(value, "?");
        return;
    }
    for (const char *from = copy; *from;) {
        size_t length = harmful_length(from);

        *to++ = length ? '?' : *from;
        from += length ? length : 1;
    }
    *to = '\0';
    json_string_set(value, copy);
}

void text_sanitise(json_t *value)
{
    const char *key;
    json_t *element;
    size_t i;

    if (json_is_string(value))
        sanitise_string(value);
    json_object_foreach(value, key, element)
    {
        text_sanitise(element);
    }
    json_array_foreach(value, i, element)
    {
        text_sanitise(element);
    }
}

/* "4 m 12 s", "4 m". */
static void format_two(char text[static TEXT_DURATION], int64_t major, char major_unit, int64_t minor, char minor_unit)
{
    if (minor == 0)
        snprintf(text, TEXT_DURATION, "%lld %c", (long long)major, major_unit);
    else
        snprintf(text, TEXT_DURATION, "%lld %c %lld %c", (long long)major, major_unit, (long long)minor, minor_unit);
}

const char *text_duration(nsec_t duration_ns, char text[static TEXT_DURATION])
{
    int64_t us = duration_ns / NSEC_PER_USEC, s = duration_ns / NSEC_PER_SEC, m = s / 60, h = m / 60;

    if (duration_ns == NSEC_NEVER)
        snprintf(text, TEXT_DURATION, "never");
    else if (us < 100)
        snprintf(text, TEXT_DURATION, "%lld us", (long long)(us > 0 ? us : 0));
    else if (us < 10000) /* cut off, not rounded: 9.999 ms must not read 10 ms beside a limit of 10 ms */
        snprintf(text, TEXT_DURATION, "%lld.%02lld ms", (long long)(us / 1000), (long long)(us / 10 % 100));
    else if (s < 1)
        snprintf(text, TEXT_DURATION, "%lld ms", (long long)(us / 1000));
    else if (s < 60)
        snprintf(text, TEXT_DURATION, "%lld.%lld s", (long long)s, (long long)(us / 100000 % 10));
    else if (h < 1)
        format_two(text, m, 'm', s % 60, 's');
    else if (h < 24)
        format_two(text, h, 'h', m % 60, 'm');
    else
        format_two(text, h / 24, 'd', h % 24, 'h');
    return text;
}

int text_parse_duration(const char *text, nsec_t *ret)
{
    static const struct {
        const char *name;
        nsec_t unit_ns;
    } units[] = {
        {"us", NSEC_PER_USEC}, {"ms", NSEC_PER_MSEC}, {"s", NSEC_PER_SEC}, {"m", NSEC_PER_MIN}, {"h", NSEC_PER_HOUR},
    };
    unsigned long long number;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (errno != 0 || number > (unsigned long long)(TIMEOUT_MAX_NS / units[i].unit_ns))
            return -ERANGE;
        if ((nsec_t)number * units[i].unit_ns < TIMEOUT_MIN_NS)
            return -ERANGE;
        *ret = (nsec_t)number * units[i].unit_ns;
        return 0;
    }
    return -EINVAL;
}

/* Columns of the first `length` bytes: each character counts one, so the bytes that only continue one do not. */
static size_t width_of(const char *text, size_t length)
{
    size_t width = 0;

    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

size_t text_width(const char *text)
{
    return width_of(text, strlen(text));
}

void text_pad(FILE *out, const char *text, size_t indent, size_t width)
{
    size_t used = text_width(text);

    fputs(text, out);
    if (used >= width) {
        fputc('\n', out);
        used = 0;
        width += indent;
    }
    fprintf(out, "%*s", (int)(width - used), "");
}

void text_wrap(FILE *out, size_t column, size_t indent, const char *text)
{
    bool line_has_text = false;

    while (*text) {
        size_t length = strcspn(text, " \n"), width = width_of(text, length);

        if (line_has_text && (text[-1] == '\n' || column + 1 + width > TEXT_COLUMNS)) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (line_has_text) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, length, out);
        column += width;
        line_has_text = true;
        text += length + (text[length] != '\0');
    }
    fputc('\n', out);
}

void text_paragraph(FILE *out, size_t indent, const char *text)
{
    fprintf(out, "%*s", (int)indent, "");
    text_wrap(out, indent, indent, text);
}

bool text_line_begin(struct text_line *line)
{
    *line = (struct text_line){0};
    line->file = open_memstream(&line->bytes, &line->length);
    return line->file;
}

const char *text_line_end(struct text_line *line)
{
    if (line->file)
        fclose(line->file);
    line->file = NULL;
    return line->bytes ? line->bytes : "?";
}

void text_line_free(struct text_line *line)
{
    if (line->file)
        fclose(line->file);
    free(line->bytes);
}

void text_colour(FILE *out, bool enabled, enum text_colour colour)
{
    static const char *const codes[] = {
        [TEXT_PLAIN] = "\033[0m",  [TEXT_GREEN] = "\033[32m", [TEXT_YELLOW] = "\033[33m",
        [TEXT_RED] = "\033[1;31m", [TEXT_BOLD] = "\033[1m",
    };

    if (enabled)
        fputs(codes[colour], out);
}
