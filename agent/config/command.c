/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: fences, hooks, and what is said of any command. */
#include <errno.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/service.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

#define FENCE_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define HOOK_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define HOOK_BEFORE_TIMEOUT_NS (10 * NSEC_PER_SEC) /* a claim or a release waits for it */
#define USER_MAX 32

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void take_command(struct reader *reader, const struct word *word)
{
    reader->service.command_word = *word;
}

/* The command's words, at its blanks. */
static size_t split(const struct word *command, struct word words[static LIMIT_COMMAND_WORDS + 1])
{
    size_t n = 0, i = 0;

    while (i < command->length && n <= LIMIT_COMMAND_WORDS) {
        size_t start = i;

        while (i < command->length && !is_blank(command->text[i]))
            i++;
        if (i > start)
            words[n++] = (struct word){.text = command->text + start, .length = (uint32_t)(i - start)};
        while (i < command->length && is_blank(command->text[i]))
            i++;
    }
    return n;
}

static bool check_words(struct reader *reader, const struct word *command, const struct word *words, size_t n)
{
    const struct word *program = words;
    char shown[QUOTE_TEXT];

    if (n == 0)
        return refuse_word(reader, command, "names no program");
    if (n > LIMIT_COMMAND_WORDS) {
        reader_error(reader, &command->place, "this command has more than %d words", LIMIT_COMMAND_WORDS);
        return false;
    }
    if (reader->service.command.shell)
        return true;
    if (program->text[0] == '/' && program->text[program->length - 1] != '/')
        return true;
    reader_error(reader, &command->place, "'%s' is no absolute path of a program; there is no shell to find it",
                 quote(program, shown));
    return false;
}

/* With a shell the whole is its one argument. */
static bool keep_words(struct reader *reader, struct ipmap_command *command, const struct word *words, size_t n)
{
    command->argv = pool_alloc(&reader->pool, (n + 1) * sizeof *command->argv);
    if (!command->argv) {
        reader->status = -ENOMEM;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        command->argv[i] = keep_word(reader, &words[i]);
        if (!command->argv[i])
            return false;
    }
    command->n_args = n;
    return true;
}

bool close_command(struct reader *reader, nsec_t timeout_ns)
{
    struct service *service = &reader->service;
    struct ipmap_command *command = &service->command;
    struct word words[LIMIT_COMMAND_WORDS + 1];
    size_t n;

    command->timeout_ns = service->timeout_ns ? service->timeout_ns : timeout_ns;
    command->text = keep_readable(reader, &service->command_word, LIMIT_COMMAND);
    if (!command->text)
        return false;
    n = split(&service->command_word, words);
    if (!check_words(reader, &service->command_word, words, n))
        return false;
    return command->shell ? keep_words(reader, command, &service->command_word, 1)
                          : keep_words(reader, command, words, n);
}

bool apply_fence(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;

    (void)opened;
    service_begin(reader, statement);
    if (statement->bad || !expect_values(reader, statement, 1))
        return false;
    take_command(reader, statement_values(statement, &n));
    return true;
}

void close_fence(struct reader *reader, const struct frame *frame)
{
    struct source_draft *source = service_source(reader);

    if (reader->n_errors != frame->errors || !close_command(reader, FENCE_TIMEOUT_NS))
        return;
    source->fence = pool_copy(&reader->pool, &reader->service.command, sizeof reader->service.command);
    if (!source->fence)
        reader->status = -ENOMEM;
}

bool apply_hook(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct source_draft *source = service_source(reader);
    struct service *service = service_begin(reader, statement);
    unsigned point = 0;
    size_t n;
    const struct word *values = statement_values(statement, &n);

    if (!service_has_room(reader, opened, source->n_hooks, LIMIT_HOOKS_PER_SOURCE, "hooks"))
        return false;
    if (statement->bad || !expect_values(reader, statement, 2) || !read_choice(reader, statement->kind, values, &point))
        return false;
    service->hook.point = (enum ipmap_hook_point)point;
    take_command(reader, &values[1]);
    return true;
}

bool apply_veto(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct service *service = &reader->service;

    if (!apply_flag(reader, statement, opened))
        return false;
    if (!service->hook.veto || service->hook.point == IPMAP_HOOK_PRE_TAKEOVER)
        return true;
    reader_error(reader, &statement->place, "'veto' is for pre-takeover alone; %s",
                 service->hook.point == IPMAP_HOOK_PRE_FAILBACK ? "pre-failback refuses without it"
                                                                : "there is nothing left to refuse");
    return false;
}

static nsec_t hook_timeout(enum ipmap_hook_point point)
{
    return point == IPMAP_HOOK_PRE_TAKEOVER || point == IPMAP_HOOK_PRE_FAILBACK ? HOOK_BEFORE_TIMEOUT_NS
                                                                                : HOOK_TIMEOUT_NS;
}

void close_hook(struct reader *reader, const struct frame *frame)
{
    struct service *service = &reader->service;

    if (reader->n_errors != frame->errors || !close_command(reader, hook_timeout(service->hook.point)))
        return;
    if (!READER_GROW(reader, reader->hooks, reader->n_hooks, reader->hooks_room))
        return;
    service->hook.command = service->command;
    reader->hooks[reader->n_hooks++] = (struct hook_draft){service->hook, service->place};
    service_source(reader)->n_hooks++;
}

/* As useradd(8) takes it. Whether there is such a user is seen when the command is run. */
bool apply_user(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;
    const struct word *word = statement_values(statement, &n);

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (word->length == 0 || word->length > USER_MAX)
        return refuse_word(reader, word, "is no name of a user; it has 1 to 32 bytes");
    for (size_t i = 0; i < word->length; i++) {
        char c = word->text[i];
        bool digit = c >= '0' && c <= '9';

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' &&
            (i == 0 || (!digit && c != '-' && c != '.')))
            return refuse_word(reader, word, "is no name of a user; letters, digits, '_', '-' and '.' were expected");
    }
    reader->service.command.user = keep_word(reader, word);
    return reader->service.command.user != NULL;
}
