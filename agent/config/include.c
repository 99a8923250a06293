/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/files.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

static bool is_pattern(const struct word *word)
{
    return memchr(word->text, '*', word->length) || memchr(word->text, '?', word->length) ||
           memchr(word->text, '[', word->length);
}

/*
 * The included name as seen from the file that includes it. In a pattern, signs in that file's own folder stand for
 * themselves. NULL where memory ran out.
 */
static char *join_path(const char *base, const struct word *word, bool pattern)
{
    const char *slash = strrchr(base, '/');
    size_t folder = word->text[0] == '/' || !slash ? 0 : (size_t)(slash - base) + 1, n = 0;
    char *path = malloc(2 * folder + word->length + 1);

    if (!path)
        return NULL;
    for (size_t i = 0; i < folder; i++) {
        if (pattern && strchr("*?[]\\", base[i]))
            path[n++] = '\\';
        path[n++] = base[i];
    }
    memcpy(path + n, word->text, word->length);
    path[n + word->length] = '\0';
    return path;
}

/* Whether the file is being read already, further up. */
static bool is_loop(const struct input *input, const struct file_text *file)
{
    for (; input; input = input->parent)
        if (input->inode == file->inode && input->device == file->device && input->inode != 0)
            return true;
    return false;
}

static bool refuse(struct reader *reader, const struct place *place, const char *path, const char *reason)
{
    char shown[QUOTE_TEXT];

    reader_error(reader, place, "'%s' %s", quote_text(path, shown), reason);
    return false;
}

static bool include_file(struct reader *reader, const struct place *place, const char *path)
{
    struct input *parent = reader->input;
    CLEANUP_FREE struct input *input = NULL;
    CLEANUP_FREE char *text = NULL;
    struct file_text file = {0};
    char reason[FILES_REASON];
    int r;

    if (reader->n_files == READER_FILES_MAX)
        return refuse(reader, place, path, "is one file too many");
    r = files_read(path, READER_BYTES_MAX - reader->bytes, &file, reason);
    text = file.text;
    if (r == -EINVAL)
        return refuse(reader, place, path, reason);
    if (r == 0 && is_loop(parent, &file))
        return refuse(reader, place, path, "includes itself");
    input = r == 0 ? calloc(1, sizeof *input) : NULL;
    if (!input) {
        reader->status = -ENOMEM;
        return false;
    }
    r = reader_add_file(reader, path);
    if (r < 0)
        return false;
    input->parent = parent;
    input->file = (uint32_t)r;
    input->device = file.device;
    input->inode = file.inode;
    input->level = parent->level + 1;
    reader_run(reader, input, text, file.length);
    return true;
}

static bool include_pattern(struct reader *reader, const struct place *place, const char *pattern)
{
    struct file_names names = {0};
    char reason[FILES_REASON];
    bool good = true;
    int r = files_glob(pattern, &names, reason);

    if (r == -EINVAL)
        return refuse(reader, place, pattern, reason);
    if (r < 0)
        reader->status = r;
    for (size_t i = 0; i < names.n && reader->status == 0 && good; i++)
        good = include_file(reader, place, names.list[i]);
    files_names_free(&names);
    return good;
}

bool apply_include(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    CLEANUP_FREE char *path = NULL;
    struct place place;
    bool pattern;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    place = word->place;
    if (word->length == 0 || word->length >= PATH_MAX) {
        reader_error(reader, &place, "the name of a file was expected, of 1 to %d bytes", PATH_MAX - 1);
        return false;
    }
    if (reader->input->level == READER_INCLUDE_LEVELS) {
        reader_error(reader, &place, "files include files more than %d levels deep", READER_INCLUDE_LEVELS);
        return false;
    }
    pattern = is_pattern(word);
    path = join_path(reader->files[reader->input->file], word, pattern);
    if (!path) {
        reader->status = -ENOMEM;
        return false;
    }
    return pattern ? include_pattern(reader, &place, path) : include_file(reader, &place, path);
}
