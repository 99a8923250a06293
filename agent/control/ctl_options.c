/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/ctl_options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "agent/control/ctl.h"
#include "agent/control/server.h"
#include "agent/control/text.h"

/* What a command takes behind its name. */
enum operand {
    OPERAND_NONE,
    OPERAND_FILE,       /* [FILE] */
    OPERAND_SOURCE,     /* [SOURCE] */
    OPERAND_NIC,        /* [SOURCE[/NIC]] */
    OPERAND_NIC_NEEDED, /* SOURCE[/NIC] */
};

static const struct command {
    const char *name;
    enum operand operand;
    const char *help;
} commands[] = {
    [CTL_STATUS] = {"status", OPERAND_NIC, "what is watched, what is held, and why"},
    [CTL_SHOW] = {"show", OPERAND_SOURCE, "the ipmap in effect"},
    [CTL_CHECK] = {"check", OPERAND_FILE, "check the agent's file; FILE needs no agent"},
    [CTL_FAILOVER] = {"failover", OPERAND_NIC_NEEDED, "take over now; --force: from a live source"},
    [CTL_FAILBACK] = {"failback", OPERAND_NIC_NEEDED, "give the addresses back; --force: without hooks first"},
    [CTL_APPROVE] = {"approve", OPERAND_NIC_NEEDED, "allow the takeover that waits for it"},
    [CTL_DENY] = {"deny", OPERAND_NIC_NEEDED, "refuse the takeover that waits for approval"},
    [CTL_PAUSE] = {"pause", OPERAND_SOURCE, "go on watching, but take nothing over"},
    [CTL_RESUME] = {"resume", OPERAND_SOURCE, "end a pause"},
    [CTL_RELOAD] = {"reload", OPERAND_NONE, "read the ipmap file again"},
    [CTL_VERSION] = {"version", OPERAND_NONE, "versions of standinctl and of the agent"},
    [CTL_HELP] = {"help", OPERAND_NONE, "this text"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static const char *const operand_names[] = {
    [OPERAND_NONE] = "",
    [OPERAND_FILE] = "[FILE]",
    [OPERAND_SOURCE] = "[SOURCE]",
    [OPERAND_NIC] = "[SOURCE[/NIC]]",
    [OPERAND_NIC_NEEDED] = "SOURCE[/NIC]",
};

void ctl_print_help(FILE *out)
{
    fputs("usage: standinctl [--control PATH] [--json] [--timeout DURATION] COMMAND\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %-14s  %s\n", commands[i].name, operand_names[commands[i].operand], commands[i].help);
    fputs("\n"
          "  --control PATH      the agent's socket (" CONTROL_PATH ")\n"
          "  --json              print the answer as JSON\n"
          "  --timeout DURATION  wait so long for the answer (60s)\n"
          "\n"
          "Exit status: 0 done, 1 refused or failed, 2 usage, 3 agent not reachable,\n"
          "             4 (status) not all healthy.\n",
          out);
}

__attribute__((format(printf, 2, 3))) static int usage(FILE *err, const char *format, ...)
{
    va_list arguments;

    fputs("standinctl: ", err);
    va_start(arguments, format);
    vfprintf(err, format, arguments);
    va_end(arguments);
    fputs("; see `standinctl help`\n", err);
    return CTL_USAGE;
}

static int find_command(const char *name, struct ctl_options *options, FILE *err)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            options->command = (enum ctl_command)i;
            options->command_name = commands[i].name;
            return 0;
        }
    }
    return usage(err, "unknown command \"%s\"", name);
}

static int set_name(char name[static LIMIT_NAME + 1], const char *text, size_t length, FILE *err)
{
    if (length == 0)
        return usage(err, "a source or NIC without a name");
    if (length > LIMIT_NAME)
        return usage(err, "a name longer than %d bytes", LIMIT_NAME);
    memcpy(name, text, length);
    name[length] = '\0';
    return 0;
}

/* SOURCE, or SOURCE/NIC where the command takes that. */
static int set_target(struct ctl_options *options, const char *text, bool nic_allowed, FILE *err)
{
    const char *slash = strchr(text, '/');
    int r = set_name(options->source, text, slash ? (size_t)(slash - text) : strlen(text), err);

    if (r != 0 || !slash)
        return r;
    if (!nic_allowed)
        return usage(err, "`%s` takes a whole source, not one NIC of it", options->command_name);
    return set_name(options->nic, slash + 1, strlen(slash + 1), err);
}

static int set_operand(struct ctl_options *options, char **operands, int n, FILE *err)
{
    enum operand operand = commands[options->command].operand;

    if (n > (operand == OPERAND_NONE ? 0 : 1))
        return usage(err, "`%s` does not take \"%s\"", options->command_name, operands[n - 1]);
    if (n == 0 && operand == OPERAND_NIC_NEEDED)
        return usage(err, "`%s` needs SOURCE or SOURCE/NIC", options->command_name);
    if (n == 0)
        return 0;
    switch (operand) {
    case OPERAND_NONE:
        return 0;
    case OPERAND_FILE:
        options->file = operands[0];
        return 0;
    case OPERAND_SOURCE:
        return set_target(options, operands[0], false, err);
    case OPERAND_NIC:
    case OPERAND_NIC_NEEDED:
        return set_target(options, operands[0], true, err);
    }
    return 0;
}

static int set_option(struct ctl_options *options, int option, const char *argument, FILE *err)
{
    int r;

    switch (option) {
    case 'c':
        options->control = argument;
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case 'f':
        options->force = true;
        return 0;
    case 'V':
        options->version_only = true;
        return 0;
    case 't':
        r = text_parse_duration(argument, &options->timeout_ns);
        if (r == -ERANGE)
            return usage(err, "--timeout is 1ms to 24h, not \"%s\"", argument);
        return r < 0 ? usage(err, "--timeout needs a number with a unit, such as 60s, not \"%s\"", argument) : 0;
    }
    return 0;
}

static int parse_options(int argc, char **argv, struct ctl_options *options, FILE *err)
{
    static const struct option long_options[] = {
        {"control", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"timeout", required_argument, NULL, 't'},
        {"force", no_argument, NULL, 'f'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 0; /* starts anew where getopt ran before */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        int r;

        if (option == 'h') {
            options->command = CTL_HELP;
            continue;
        }
        if (option == ':')
            return usage(err, "option %s needs a value", argv[optind - 1]);
        if (option == '?')
            return usage(err, "unknown option %s", argv[optind - 1]);
        r = set_option(options, option, optarg, err);
        if (r != 0)
            return r;
    }
    return 0;
}

int ctl_options_parse(int argc, char **argv, struct ctl_options *ret, FILE *err)
{
    struct ctl_options options = {.control = CONTROL_PATH, .command = CTL_STATUS, .timeout_ns = CTL_TIMEOUT_NS};
    int r = parse_options(argc, argv, &options, err);

    if (r != 0)
        return r;
    if (options.command != CTL_HELP && !options.version_only) {
        if (optind >= argc)
            return usage(err, "no command");
        r = find_command(argv[optind], &options, err);
        if (r == 0)
            r = set_operand(&options, argv + optind + 1, argc - optind - 1, err);
        if (r == 0 && options.force && options.command != CTL_FAILOVER && options.command != CTL_FAILBACK)
            r = usage(err, "`%s` does not take --force", options.command_name);
        if (r != 0)
            return r;
    }
    *ret = options;
    return 0;
}
