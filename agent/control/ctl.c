/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/ctl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/control/client.h"
#include "agent/control/ctl_options.h"
#include "agent/control/member.h"
#include "agent/control/table.h"
#include "agent/control/text.h"

static void cleanup_json(json_t **value)
{
    json_decref(*value);
}

/* Why there is no answer, and what to do. */
static int no_answer(const struct ctl_options *options, int error, FILE *err)
{
    char timeout[TEXT_DURATION];

    if (error == -ETIMEDOUT)
        fprintf(err,
                "standinctl: no answer from the agent at %s within %s; the command may still take effect: see "
                "the agent's log\n",
                options->control, text_duration(options->timeout_ns, timeout));
    else if (error == -ECONNRESET)
        fprintf(err, "standinctl: the agent at %s ended the connection without an answer; see its log\n",
                options->control);
    else if (error == -EACCES || error == -EPERM)
        fprintf(err, "standinctl: cannot reach the agent at %s: %s; run as root or join the control group\n",
                options->control, strerror(-error));
    else
        fprintf(err, "standinctl: cannot reach the agent at %s: %s; is standind running?\n", options->control,
                strerror(-error));
    return CTL_NO_AGENT;
}

static int bad_answer(const struct ctl_options *options, FILE *err)
{
    fprintf(err, "standinctl: what the agent at %s answered makes no sense; is it of another version?\n",
            options->control);
    return CTL_FAILED;
}

/* Asks the agent. CTL_DONE and *ret, or another exit status when `err` was told why. */
static int ask(const struct ctl_options *options, FILE *err, json_t **ret)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "command", options->command_name);
    int r = request ? 0 : -ENOMEM;

    if (options->source[0] && json_object_set_new(request, "source", json_string(options->source)) < 0)
        r = -EILSEQ;
    if (options->nic[0] && json_object_set_new(request, "nic", json_string(options->nic)) < 0)
        r = -EILSEQ;
    if (options->force && json_object_set_new(request, "force", json_true()) < 0)
        r = -ENOMEM;
    if (r < 0) {
        fprintf(err, "standinctl: cannot ask for that: %s\n", strerror(-r));
        return CTL_FAILED;
    }
    r = control_call(options->control, options->timeout_ns, request, ret);
    if (r == -EBADMSG || r == -EMSGSIZE)
        return bad_answer(options, err);
    return r < 0 ? no_answer(options, r, err) : CTL_DONE;
}

/* Pure ASCII, so that no string of the agent's can play with a terminal. Half an answer is none. */
static int print_json(FILE *out, FILE *err, const json_t *value)
{
    if (json_dumpf(value, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0 || fputc('\n', out) < 0) {
        fprintf(err, "standinctl: cannot print the answer: memory ran out, or it cannot be written\n");
        return CTL_FAILED;
    }
    return CTL_DONE;
}

/* Leaves only the elements of `list` whose "name" it is. */
static void keep_named(json_t *list, const char *name)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        if (strcmp(member_text_or(json_array_get(list, i), "name", ""), name) != 0)
            json_array_remove(list, i);
    }
}

static bool goes_to(const json_t *address, const char *target)
{
    return strcmp(member_text_or(address, "dev", ""), target) == 0 ||
           strcmp(member_text_or(address, "fallback", ""), target) == 0 ||
           strcmp(member_text_or(address, "held_on", ""), target) == 0;
}

/* Whether some address of the report goes to this target NIC. */
static bool is_target(const json_t *report, const char *name)
{
    const json_t *source, *nic, *address;
    size_t i, j, k;

    json_array_foreach(json_object_get(report, "sources"), i, source)
    {
        json_array_foreach(json_object_get(source, "nics"), j, nic)
        {
            json_array_foreach(json_object_get(nic, "addresses"), k, address)
            {
                if (goes_to(address, name))
                    return true;
            }
        }
    }
    return false;
}

/* Cuts the report down to what was asked for. -ENOENT where there is no such source or NIC. */
static int select_source(json_t *report, const struct ctl_options *options)
{
    json_t *sources = json_object_get(report, "sources"), *targets = json_object_get(report, "targets"), *nics;

    if (!options->source[0])
        return 0;
    keep_named(sources, options->source);
    if (json_array_size(sources) == 0)
        return -ENOENT;
    nics = json_object_get(json_array_get(sources, 0), "nics");
    if (options->nic[0])
        keep_named(nics, options->nic);
    if (json_array_size(nics) == 0)
        return -ENOENT;
    for (size_t i = json_array_size(targets); i-- > 0;) {
        if (!is_target(report, member_text_or(json_array_get(targets, i), "name", "")))
            json_array_remove(targets, i);
    }
    return 0;
}

static bool is_healthy(const json_t *report)
{
    const json_t *source;
    size_t i;

    json_array_foreach(json_object_get(report, "sources"), i, source)
    {
        if (!member_is_true(source, "healthy"))
            return false;
    }
    return true;
}

static bool wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    int fd = fileno(out);

    if (no_colour && no_colour[0])
        return false;
    return fd >= 0 && isatty(fd) && terminal && strcmp(terminal, "dumb") != 0;
}

static int print_report(const struct ctl_options *options, json_t *answer, FILE *out, FILE *err)
{
    const struct table_style style = {.colour = wants_colour(out), .detailed = options->source[0] != '\0'};
    json_t *report = json_object_get(answer, "report");

    if (!json_is_object(report))
        return bad_answer(options, err);
    if (select_source(report, options) < 0) {
        fprintf(err, "standinctl: the ipmap in effect has no %s%s%s; `standinctl show` prints it\n", options->source,
                options->nic[0] ? "/" : "", options->nic);
        return CTL_FAILED;
    }
    if (options->json) {
        if (print_json(out, err, report) != CTL_DONE)
            return CTL_FAILED;
    } else {
        text_sanitise(report);
        if (options->command == CTL_SHOW)
            table_print_ipmap(out, report);
        else
            table_print_status(out, report, &style);
    }
    return options->command == CTL_STATUS && !is_healthy(report) ? CTL_NOT_HEALTHY : CTL_DONE;
}

/* What goes with an answer line by line. Under a refusal these are its details. */
static void print_warnings(const json_t *answer, bool ok, FILE *err)
{
    const json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        if (json_is_string(warning))
            fprintf(err, "%s%s\n", ok ? "warning: " : "  ", json_string_value(warning));
    }
}

/* Everything in an answer that is not a report. */
static int print_answer(const struct ctl_options *options, json_t *answer, FILE *out, FILE *err)
{
    bool ok = member_is_true(answer, "ok");
    const char *message;

    if (options->json && print_json(out, err, answer) != CTL_DONE)
        return CTL_FAILED;
    text_sanitise(answer);
    message = member_text(answer, "message");
    if (!ok)
        fprintf(err, "standinctl: %s\n",
                member_text_or(answer, "error", "the agent refused, and did not say why; see its log"));
    else if (!options->json)
        fprintf(out, "%s\n", message ? message : "done");
    print_warnings(answer, ok, err);
    return ok ? CTL_DONE : CTL_FAILED;
}

static int ask_and_print(const struct ctl_options *options, FILE *out, FILE *err)
{
    CLEANUP(cleanup_json) json_t *answer = NULL;
    int r = ask(options, err, &answer);

    if (r != CTL_DONE)
        return r;
    if (!json_is_boolean(json_object_get(answer, "ok")))
        return bad_answer(options, err);
    if (member_is_true(answer, "ok") &&
        (options->command == CTL_STATUS || (options->command == CTL_SHOW && !member_text(answer, "message"))))
        return print_report(options, answer, out, err);
    return print_answer(options, answer, out, err);
}

static int print_versions(const struct ctl_options *options, FILE *out, FILE *err)
{
    CLEANUP(cleanup_json) json_t *answer = NULL, *versions = NULL;
    const char *agent;
    int r = options->version_only ? CTL_DONE : ask(options, err, &answer);

    if (answer && !member_text(answer, "version"))
        r = bad_answer(options, err);
    text_sanitise(answer);
    agent = member_text(answer, "version");
    if (options->json) {
        versions = json_pack("{s:s, s:s?}", "standinctl", STANDIN_VERSION, "standind", agent);
        return print_json(out, err, versions) != CTL_DONE ? CTL_FAILED : r;
    }
    fprintf(out, "standinctl %s\n", STANDIN_VERSION);
    if (agent)
        fprintf(out, "standind %s\n", agent);
    return r;
}

/* Replaces this process by standind: the one beside us, which is of our version, else that of PATH. */
static int check_file(const char *file, FILE *err)
{
    char *arguments[] = {(char[]){"standind"}, (char[]){"--check"}, (char[]){"-f"}, strdupa(file), NULL};
    char beside[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside);
    char *slash;

    if (length > 0 && (size_t)length < sizeof beside - sizeof "standind") {
        beside[length] = '\0';
        slash = strrchr(beside, '/');
        memcpy(slash ? slash + 1 : beside, "standind", sizeof "standind");
        execv(beside, arguments);
    }
    execvp(arguments[0], arguments);
    fprintf(err, "standinctl: cannot run standind, which checks files: %s\n", strerror(errno));
    return CTL_FAILED;
}

int ctl_run(int argc, char **argv, FILE *out, FILE *err)
{
    struct ctl_options options;
    int r = ctl_options_parse(argc, argv, &options, err);

    if (r != 0)
        return r;
    if (options.version_only || options.command == CTL_VERSION)
        return print_versions(&options, out, err);
    if (options.command == CTL_HELP) {
        ctl_print_help(out);
        return CTL_DONE;
    }
    if (options.file)
        return check_file(options.file, err);
    return ask_and_print(&options, out, err);
}
