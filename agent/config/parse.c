/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an ipmap from its first byte to its last check. */
#include <errno.h>
#include <string.h>

#include "agent/config/files.h"
#include "agent/config/grammar.tab.h"
#include "agent/config/reader.h"

bool reader_grow(struct reader *reader, void **array, size_t n, size_t *room, size_t size)
{
    size_t larger = *room ? *room * 2 : 16;
    void *grown;

    if (n < *room)
        return true;
    grown = reallocarray(*array, larger, size);
    if (!grown) {
        reader->status = -ENOMEM;
        return false;
    }
    *array = grown;
    *room = larger;
    return true;
}

int reader_add_file(struct reader *reader, const char *name)
{
    char *copy;

    if (!READER_GROW(reader, reader->files, reader->n_files, reader->files_room))
        return -ENOMEM;
    copy = strdup(name);
    if (!copy) {
        reader->status = -ENOMEM;
        return -ENOMEM;
    }
    reader->files[reader->n_files] = copy;
    return (int)reader->n_files++;
}

/* A file with a NUL is no text: its one message says where. */
static bool refuse_nul(struct reader *reader, uint32_t file, const char *text, size_t length)
{
    const char *nul = memchr(text, '\0', length);
    struct place place = {reader->order, file, 1, 1};

    if (!nul)
        return false;
    for (const char *byte = text; byte < nul; byte++) {
        place.column++;
        if (*byte == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    reader_error(reader, &place, "NUL byte; this is no text file");
    return true;
}

void reader_run(struct reader *reader, struct input *input, char *text, size_t length)
{
    struct input *parent = reader->input;

    reader->bytes += length;
    if (refuse_nul(reader, input->file, text, length))
        return;
    input->pending_token = -1;
    input->previous_token = TOKEN_ENDING;
    reader->input = input;
    scan_begin(&input->scan, text, length);
    /* Its stack does not grow and its errors only follow a status: there is nothing else that it could say. */
    ipmap_grammar_parse(reader);
    scan_end(&input->scan);
    reader->input = parent;
}

static struct reader *reader_new(const struct ipmap_host *host, const char *file)
{
    struct reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->host = host;
    reader->n_frames = 1;
    reader->frames[0] =
        (struct frame){.block = BLOCK_TOP, .source = READER_NONE, .nic = READER_NONE, .address = READER_NONE};
    reader_add_file(reader, file);
    return reader;
}

static void reader_free(struct reader *reader)
{
    for (size_t i = 0; i < reader->n_messages; i++)
        free(reader->messages[i].text);
    for (size_t i = 0; i < reader->n_files; i++)
        free(reader->files[i]);
    free(reader->files);
    free(reader->sources);
    free(reader->nics);
    free(reader->addresses);
    free(reader->witnesses);
    free(reader->checks);
    free(reader->hooks);
    free(reader->units);
    pool_free(reader->pool);
    free(reader->nic_names);
    lookup_free(&reader->source_lookup);
    lookup_free(&reader->address_lookup);
    lookup_free(&reader->nic_name_lookup);
    free(reader);
}

/* Ends the reading: judges the whole, hands over messages and, without an error, the ipmap. */
static int finish(struct reader *reader, struct ipmap **ret, struct ipmap_messages *messages)
{
    struct ipmap *ipmap = NULL;
    struct place start = {0, 0, 1, 1};
    int r = 0;

    /* A file cut short must not read as "protect nothing, and release what is held". */
    if (reader->status == 0 && reader->is_whole && reader->n_sources == 0 && reader->n_errors == 0)
        reader_error(reader, &start, "has no source: there is nothing to protect");
    if (reader->status == 0)
        reader_check_whole(reader);
    if (reader->status == 0 && reader->n_errors == 0)
        r = reader_build(reader, &ipmap);
    if (reader->status == 0 && r == 0)
        r = reader_take_messages(reader, messages);
    if (reader->status < 0)
        r = reader->status;
    if (r < 0 || messages->n_errors > 0) {
        ipmap_free(ipmap);
        return r < 0 ? r : -EINVAL;
    }
    *ret = ipmap;
    return 0;
}

/* Runs the main file's text, which two NULs follow, and ends the reading. */
static int read_main(struct reader *reader, const struct file_text *file, struct ipmap **ret,
                     struct ipmap_messages *messages)
{
    CLEANUP_FREE struct input *input = calloc(1, sizeof *input);

    if (!input)
        return -ENOMEM;
    input->device = file->device;
    input->inode = file->inode;
    input->level = 1;
    if (reader->status == 0)
        reader_run(reader, input, file->text, file->length);
    return finish(reader, ret, messages);
}

int ipmap_parse(const char *file, const char *text, size_t length, const struct ipmap_host *host, struct ipmap **ret,
                struct ipmap_messages *messages)
{
    struct reader *reader = reader_new(host, file);
    struct place start = {0, 0, 1, 1};
    int r = -ENOMEM;

    *messages = (struct ipmap_messages){0};
    if (!reader)
        return -ENOMEM;
    if (reader->status == 0 && length > READER_BYTES_MAX) {
        reader_error(reader, &start, "makes the ipmap larger than 16 MiB");
        r = finish(reader, ret, messages);
    } else if (reader->status == 0) {
        CLEANUP_FREE char *copy = calloc(1, length + 2);

        if (copy) {
            memcpy(copy, text, length);
            r = read_main(reader, &(struct file_text){.text = copy, .length = length}, ret, messages);
        }
    }
    reader_free(reader);
    return r;
}

int ipmap_load(const char *path, const struct ipmap_host *host, struct ipmap **ret, struct ipmap_messages *messages)
{
    struct reader *reader = reader_new(host, path);
    struct place start = {0, 0, 1, 1};
    struct file_text file = {0};
    char reason[FILES_REASON];
    int r = -ENOMEM;

    *messages = (struct ipmap_messages){0};
    if (!reader)
        return -ENOMEM;
    if (reader->status == 0)
        r = files_read(path, READER_BYTES_MAX, &file, reason);
    reader->is_whole = true;
    if (r == 0) {
        r = read_main(reader, &file, ret, messages);
    } else if (r == -EINVAL) {
        reader_error(reader, &start, "%s", reason);
        r = finish(reader, ret, messages);
    }
    free(file.text);
    reader_free(reader);
    return r;
}
