/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/control/member.h"
#include "agent/control/table.h"
#include "agent/control/text.h"

/* More checks than this are summed up unless their source was named. */
#define CHECKS_IN_FULL 6
/* Where more sources than this have services, those whose services pass are only counted. */
#define SOURCES_IN_FULL 8

static bool is(const json_t *object, const char *key, const char *word)
{
    return strcmp(member_text_or(object, key, ""), word) == 0;
}

static enum text_colour service_colour(const json_t *source)
{
    if (is(source, "service", "passing"))
        return TEXT_GREEN;
    return is(source, "service", "failed") || is(source, "service", "awaiting") ? TEXT_RED : TEXT_YELLOW;
}

static enum text_colour check_colour(const json_t *check)
{
    if (is(check, "state", "passing"))
        return TEXT_GREEN;
    return is(check, "state", "failed") ? TEXT_RED : TEXT_YELLOW;
}

/* "2 of 3 checks pass, 1 failed". */
static void print_sum(FILE *line, const json_t *source)
{
    const json_t *check;
    size_t i, n = 0, passing = 0, failed = 0, resting = 0;

    json_array_foreach(json_object_get(source, "checks"), i, check)
    {
        n++;
        passing += is(check, "state", "passing");
        failed += is(check, "state", "failed");
        resting += is(check, "state", "resting");
    }
    if (n == 0)
        fputs("no checks", line);
    else if (resting == n)
        fputs("at rest while it is held here", line);
    else
        fprintf(line, "%zu of %zu check%s pass", passing, n, n == 1 ? "" : "s");
    if (failed > 0)
        fprintf(line, ", %zu failed", failed);
}

/* "missed 1/3, timed out, took 1.0 s, 2 s ago; 4 rounds could not be run". */
static void print_check(FILE *line, const json_t *check)
{
    const char *outcome = member_text(check, "outcome");
    nsec_t begun_ns = member_age_ns(check, "begun_age_ns"), took_ns = member_age_ns(check, "took_ns");
    json_int_t misses = member_integer(check, "misses"), unable = member_integer(check, "unable");
    char text[TEXT_DURATION];

    if (misses > 0)
        fprintf(line, "missed %lld/%lld, ", (long long)misses, (long long)member_integer(check, "misses_limit"));
    fputs(outcome ? outcome : member_is_true(check, "running") ? "under way" : "not begun", line);
    if (outcome && took_ns != NSEC_NEVER)
        fprintf(line, ", took %s", text_duration(took_ns, text));
    if (begun_ns != NSEC_NEVER)
        fprintf(line, ", %s ago", text_duration(begun_ns, text));
    if (unable > 0)
        fprintf(line, "; %lld round%s could not be run", (long long)unable, unable == 1 ? "" : "s");
}

static void print_checks(FILE *out, const json_t *source, size_t state_column, const struct table_style *style)
{
    const json_t *checks = json_object_get(source, "checks"), *check;
    size_t i, evidence_column = state_column + TABLE_STATE + 2;

    json_array_foreach(checks, i, check)
    {
        bool shown = style->detailed || json_array_size(checks) <= CHECKS_IN_FULL || is(check, "state", "failed");
        CLEANUP_LINE struct text_line line;

        if (text_line_begin(&line))
            print_check(line.file, check);
        if (!shown)
            continue;
        fputs("  ", out);
        text_pad(out, member_text_or(check, "name", "?"), 2, state_column - 2);
        text_colour(out, style->colour, check_colour(check));
        text_pad(out, member_text_or(check, "state", "?"), state_column, TABLE_STATE + 2);
        text_colour(out, style->colour, TEXT_PLAIN);
        text_wrap(out, evidence_column, evidence_column, text_line_end(&line));
    }
}

static void print_units(FILE *out, const json_t *source)
{
    const json_t *unit;
    size_t i;

    json_array_foreach(json_object_get(source, "units"), i, unit)
    {
        const char *text = member_text_or(unit, "text", "");
        CLEANUP_LINE struct text_line line;

        if (text_line_begin(&line))
            fprintf(line.file, "unit %s: %s%s%s", member_text_or(unit, "name", "?"), member_text_or(unit, "state", "?"),
                    text[0] ? ": " : "", text);
        if (member_text(unit, "state"))
            text_paragraph(out, 2, text_line_end(&line));
    }
}

/* A member as a line of its own: "last trouble: ...". */
static void print_member(FILE *out, const json_t *source, const char *key, const char *what)
{
    const char *text = member_text(source, key);
    CLEANUP_LINE struct text_line line;

    if (text_line_begin(&line))
        fprintf(line.file, "%s%s", what, text ? text : "");
    if (text)
        text_paragraph(out, 2, text_line_end(&line));
}

/* Where its name is, and what the name server said of that. */
static void print_name(FILE *out, const json_t *source)
{
    const char *where = member_text(source, "dns"), *text = member_text(source, "dns_text");
    CLEANUP_LINE struct text_line line;

    if (text_line_begin(&line))
        fprintf(line.file, "DNS name: %s%s%s", where ? where : "not moved", text ? ": " : "", text ? text : "");
    if (where || text)
        text_paragraph(out, 2, text_line_end(&line));
}

static void print_source(FILE *out, const json_t *source, size_t name_width, const struct table_style *style)
{
    size_t state_column = name_width + 2, since_column = state_column + TABLE_STATE + 2;
    size_t evidence_column = since_column + TABLE_SINCE + 2;
    CLEANUP_LINE struct text_line sum;
    char since[TEXT_DURATION];

    if (text_line_begin(&sum))
        print_sum(sum.file, source);
    text_pad(out, member_text_or(source, "name", "?"), 0, state_column);
    text_colour(out, style->colour, service_colour(source));
    text_pad(out, member_text_or(source, "service", "?"), state_column, TABLE_STATE + 2);
    text_colour(out, style->colour, TEXT_PLAIN);
    text_pad(out, text_duration(member_age_ns(source, "service_since_age_ns"), since), since_column, TABLE_SINCE + 2);
    text_wrap(out, evidence_column, evidence_column, text_line_end(&sum));
    print_member(out, source, "service_reason", "");
    print_member(out, source, "step", "under way: ");
    print_member(out, source, "trouble", "last trouble: ");
    print_name(out, source);
    print_checks(out, source, state_column, style);
    print_units(out, source);
}

static size_t count_sources(const json_t *sources)
{
    size_t i, n = 0;
    const json_t *source;

    json_array_foreach(sources, i, source)
    {
        n += member_text(source, "service") != NULL;
    }
    return n;
}

void table_print_services(FILE *out, const json_t *sources, const struct table_style *style)
{
    size_t i, n = count_sources(sources), well = 0;
    const json_t *source;

    if (n == 0)
        return;
    text_colour(out, style->colour, TEXT_BOLD);
    fprintf(out, "\n%-*s  %-*s  %-*s  %s\n", TABLE_NAME_MIN, "SOURCE", TABLE_STATE, "SERVICES", TABLE_SINCE, "SINCE",
            "CHECKS");
    text_colour(out, style->colour, TEXT_PLAIN);
    json_array_foreach(sources, i, source)
    {
        if (!member_text(source, "service"))
            continue;
        if (!style->detailed && n > SOURCES_IN_FULL && is(source, "service", "passing"))
            well++;
        else
            print_source(out, source, TABLE_NAME_MIN, style);
    }
    if (well > 0)
        fprintf(out, "the services of %zu more pass; `standinctl status SOURCE` lists them\n", well);
}
