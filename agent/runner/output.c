/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runner/output.h"

#include <string.h>

/* Bytes of the character that begins here, by RFC 3629, section 4; 0 where there is none, or a control character. */
static size_t character(const unsigned char *c)
{
    if (c[0] < 0x80)
        return (c[0] >= ' ' && c[0] != 0x7f) || c[0] == '\n' || c[0] == '\t';
    /* A NUL ends every one of these comparisons. */
    if (c[0] >= 0xc2 && c[0] <= 0xdf && (c[1] & 0xc0) == 0x80)
        return c[0] == 0xc2 && c[1] < 0xa0 ? 0 : 2;
    if ((c[0] & 0xf0) == 0xe0 && (c[1] & 0xc0) == 0x80 && (c[2] & 0xc0) == 0x80) {
        bool overlong = c[0] == 0xe0 && c[1] < 0xa0, surrogate = c[0] == 0xed && c[1] >= 0xa0;

        return overlong || surrogate ? 0 : 3;
    }
    if (c[0] >= 0xf0 && c[0] <= 0xf4 && (c[1] & 0xc0) == 0x80 && (c[2] & 0xc0) == 0x80 && (c[3] & 0xc0) == 0x80) {
        bool overlong = c[0] == 0xf0 && c[1] < 0x90, beyond = c[0] == 0xf4 && c[1] >= 0x90;

        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

void output_clean(char *text)
{
    while (*text != '\0') {
        size_t length = character((const unsigned char *)text);

        if (length == 0)
            *text = '?';
        text += length > 0 ? length : 1;
    }
}

static void end_line(struct output *output)
{
    output->line[output->n_line] = '\0';
    output->n_line = 0;
    if (output->line[0] == '\0')
        return;
    output_clean(output->line);
    if (output->lines < OUTPUT_LINES_MAX && output->take_line(output->userdata, output->line))
        output->lines++;
    else
        output->left_out++;
}

/* A NUL would end the text early. */
static char plain(char byte)
{
    return byte == '\0' ? '?' : byte;
}

void output_add(struct output *output, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && output->n_kept < JOB_OUTPUT_MAX; i++)
        output->kept[output->n_kept++] = plain(bytes[i]);
    for (size_t i = 0; i < length && output->take_line; i++) {
        if (bytes[i] != '\n')
            output->line[output->n_line++] = plain(bytes[i]);
        if (bytes[i] == '\n' || output->n_line == OUTPUT_LINE_MAX)
            end_line(output);
    }
}

void output_end(struct output *output)
{
    if (output->take_line && output->n_line > 0)
        end_line(output);
}

const char *output_text(struct output *output)
{
    while (output->n_kept > 0 && strchr("\r\n", output->kept[output->n_kept - 1]))
        output->n_kept--;
    output->kept[output->n_kept] = '\0';
    output_clean(output->kept);
    return output->kept;
}
