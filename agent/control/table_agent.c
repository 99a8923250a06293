/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/control/member.h"
#include "agent/control/table.h"
#include "agent/control/text.h"

/* Target NICs that are listed when no source was named; the rest is counted. */
#define TARGETS_SHOWN 16
#define TARGET_NAME 15
#define TARGET_LINK 10
#define TARGET_OWN 15

static void print_warning(FILE *out, const struct table_style *style, const char *what, const char *text)
{
    text_colour(out, style->colour, TEXT_YELLOW);
    fputs("warning: ", out);
    text_colour(out, style->colour, TEXT_PLAIN);
    fprintf(out, "%s: ", what);
    text_wrap(out, strlen("warning: : ") + strlen(what), strlen("warning: "), text);
}

static void print_timing(FILE *out, const json_t *agent)
{
    char p99[TEXT_DURATION], max[TEXT_DURATION];

    fprintf(out, "woke late by %s (p99), %s (most); stalls: %lld in %lld turns\n",
            text_duration(member_age_ns(agent, "lateness_p99_ns"), p99),
            text_duration(member_age_ns(agent, "lateness_max_ns"), max), (long long)member_integer(agent, "stalls"),
            (long long)member_integer(agent, "turns"));
}

void table_print_agent(FILE *out, const json_t *agent, const struct table_style *style)
{
    const char *realtime = member_text_or(agent, "realtime", "not known");
    const char *memory = member_text_or(agent, "memory_lock", "not known");
    const char *guard = member_text_or(agent, "guard", "off");
    const char *journal = member_text_or(agent, "journal", "kept");
    const char *file_error = member_text(agent, "file_error");
    json_int_t overruns = member_integer(agent, "netlink_overruns");
    char up[TEXT_DURATION];

    fprintf(out, "standind %s, pid %lld, up %s\n", member_text_or(agent, "version", "?"),
            (long long)member_integer(agent, "pid"), text_duration(member_age_ns(agent, "uptime_ns"), up));
    fprintf(out, "ipmap %s, generation %lld\n", member_text_or(agent, "file", "?"),
            (long long)member_integer(agent, "file_generation"));
    if (style->detailed)
        print_timing(out, agent);
    if (member_is_true(agent, "paused"))
        print_warning(out, style, "paused", "nothing is taken over until `standinctl resume`");
    if (file_error)
        print_warning(out, style, "the newest ipmap is not in effect", file_error);
    /* These are texts for people: only their good forms are known. */
    if (strncmp(realtime, "SCHED_", strlen("SCHED_")) != 0)
        print_warning(out, style, "no real-time scheduling", realtime);
    if (strncmp(guard, "pid", strlen("pid")) != 0 && strcmp(guard, "off") != 0)
        print_warning(out, style, "no guard", guard);
    if (strncmp(journal, "kept", strlen("kept")) != 0)
        print_warning(out, style, "the journal", journal);
    if (strncmp(memory, "locked", strlen("locked")) != 0)
        print_warning(out, style, "memory is not locked", memory);
    if (overruns > 0)
        fprintf(out, "lost track of the kernel's NICs and addresses %lld times, and read them anew\n",
                (long long)overruns);
}

static const char *link_word(const json_t *target)
{
    if (!member_is_true(target, "present"))
        return "missing";
    if (!member_is_true(target, "up"))
        return "down";
    return member_is_true(target, "carrier") ? "up" : "no carrier";
}

void table_print_targets(FILE *out, const json_t *targets, const struct table_style *style)
{
    size_t n = json_array_size(targets), shown = style->detailed || n <= TARGETS_SHOWN ? n : TARGETS_SHOWN;
    size_t column = TARGET_NAME + 2 + TARGET_LINK + 2 + TARGET_OWN + 2;

    if (n == 0)
        return;
    text_colour(out, style->colour, TEXT_BOLD);
    fprintf(out, "\n%-*s  %-*s  %-*s  %s\n", TARGET_NAME, "TARGET NIC", TARGET_LINK, "LINK", TARGET_OWN, "OWN ADDRESS",
            "WITNESS");
    text_colour(out, style->colour, TEXT_PLAIN);
    for (size_t i = 0; i < shown; i++) {
        const json_t *target = json_array_get(targets, i);
        const char *link = link_word(target), *own = member_text(target, "own_address");

        text_pad(out, member_text_or(target, "name", "?"), 0, TARGET_NAME + 2);
        text_colour(out, style->colour && strcmp(link, "up") != 0, TEXT_YELLOW);
        text_pad(out, link, TARGET_NAME + 2, TARGET_LINK + 2);
        text_colour(out, style->colour, TEXT_PLAIN);
        text_colour(out, style->colour && !own, TEXT_YELLOW);
        text_pad(out, own ? own : "none", TARGET_NAME + 2 + TARGET_LINK + 2, TARGET_OWN + 2);
        text_colour(out, style->colour, TEXT_PLAIN);
        text_wrap(out, column, column, member_text_or(target, "witness", "not known"));
    }
    if (shown < n)
        fprintf(out, "and %zu more\n", n - shown);
}
