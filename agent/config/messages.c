/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "agent/config/reader.h"
#include "agent/config/text.h"

/* Errors matter more: a full list gives its last warning away for one. */
static bool make_room(struct reader *reader, bool warning)
{
    if (reader->n_messages < READER_MESSAGES_MAX)
        return true;
    reader->n_left_off++;
    for (size_t i = reader->n_messages; !warning && i-- > 0;)
        if (reader->messages[i].warning) {
            free(reader->messages[i].text);
            memmove(&reader->messages[i], &reader->messages[i + 1],
                    (--reader->n_messages - i) * sizeof *reader->messages);
            return true;
        }
    return false;
}

static void __attribute__((format(printf, 4, 0)))
add(struct reader *reader, const struct place *place, bool warning, const char *format, va_list arguments)
{
    struct message_draft *message;

    reader->n_errors += !warning;
    if (!make_room(reader, warning))
        return;
    message = &reader->messages[reader->n_messages];
    *message = (struct message_draft){.place = *place, .warning = warning};
    if (vasprintf(&message->text, format, arguments) < 0)
        reader->status = -ENOMEM;
    else
        reader->n_messages++;
}

void reader_error(struct reader *reader, const struct place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(reader, place, false, format, arguments);
    va_end(arguments);
}

void reader_warning(struct reader *reader, const struct place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(reader, place, true, format, arguments);
    va_end(arguments);
}

const char *reader_place_text(const struct reader *reader, const struct place *place, const struct place *from,
                              char text[static PLACE_TEXT])
{
    char name[QUOTE_TEXT];

    if (place->file == from->file)
        snprintf(text, PLACE_TEXT, "line %u", place->line);
    else
        snprintf(text, PLACE_TEXT, "%s:%u", quote_text(reader->files[place->file], name), place->line);
    return text;
}

/* By insertion, because messages of one place must keep their order, and nearly all stand right already. */
static void sort_messages(struct reader *reader)
{
    for (size_t i = 1; i < reader->n_messages; i++) {
        struct message_draft moved = reader->messages[i];
        size_t to = i;

        while (to > 0 && reader->messages[to - 1].place.order > moved.place.order) {
            reader->messages[to] = reader->messages[to - 1];
            to--;
        }
        reader->messages[to] = moved;
    }
}

int reader_take_messages(struct reader *reader, struct ipmap_messages *ret)
{
    struct ipmap_messages taken = {.n_errors = reader->n_errors, .n_left_off = reader->n_left_off};

    if (reader->n_messages > 0) {
        taken.list = calloc(reader->n_messages, sizeof *taken.list);
        if (!taken.list)
            return -ENOMEM;
    }
    taken.files = TAKE_POINTER(reader->files);
    taken.n_files = reader->n_files;
    sort_messages(reader);
    for (size_t i = 0; i < reader->n_messages; i++) {
        struct message_draft *draft = &reader->messages[i];

        taken.list[i] = (struct ipmap_message){
            .place = {taken.files[draft->place.file], draft->place.line, draft->place.column},
            .warning = draft->warning,
            .text = draft->text,
        };
    }
    taken.n = reader->n_messages;
    reader->n_messages = 0;
    reader->n_files = 0;
    *ret = taken;
    return 0;
}

void ipmap_messages_free(struct ipmap_messages *messages)
{
    for (size_t i = 0; i < messages->n; i++)
        free(messages->list[i].text);
    free(messages->list);
    for (size_t i = 0; i < messages->n_files; i++)
        free(messages->files[i]);
    free(messages->files);
    *messages = (struct ipmap_messages){0};
}

void ipmap_messages_print(const struct ipmap_messages *messages, FILE *out)
{
    for (size_t i = 0; i < messages->n; i++) {
        const struct ipmap_message *message = &messages->list[i];

        fprintf(out, "%s:%u:%u: %s%s\n", message->place.file, message->place.line, message->place.column,
                message->warning ? "warning: " : "", message->text);
    }
    if (messages->n_left_off > 0)
        fprintf(out, "%zu more messages are not shown\n", messages->n_left_off);
}
