/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/control/member.h"
#include "agent/control/table.h"
#include "agent/control/text.h"

static enum text_colour life_colour(const char *life)
{
    if (strcmp(life, "up") == 0)
        return TEXT_GREEN;
    return strcmp(life, "lost") == 0 ? TEXT_RED : TEXT_YELLOW;
}

static void print_evidence(FILE *line, const json_t *address)
{
    const char *cannot = member_text(address, "cannot_probe"), *probe = member_text(address, "last_answer_probe");
    char age[TEXT_DURATION];

    if (!member_is_true(address, "monitored")) {
        fputs("not monitored", line);
        return;
    }
    if (member_integer(address, "misses") > 0)
        fprintf(line, "missed %lld/%lld, ", (long long)member_integer(address, "misses"),
                (long long)member_integer(address, "misses_limit"));
    if (cannot)
        fprintf(line, "cannot probe: %s", cannot);
    else if (probe)
        fprintf(line, "last %s %s ago", probe, text_duration(member_age_ns(address, "last_answer_age_ns"), age));
    else
        fputs("never answered", line);
}

/* Where it goes, as the ipmap says it. */
static void print_destination(FILE *line, const json_t *address)
{
    const char *fallback = member_text(address, "fallback");

    fprintf(line, "dev %s", member_text_or(address, "dev", "?"));
    if (fallback)
        fprintf(line, " or %s", fallback);
}

static bool is_free(const json_t *address)
{
    return strcmp(member_text_or(address, "claim", "free"), "free") == 0 && !member_text(address, "claim_error");
}

/* "held on eth1, confirmed by 192.0.2.1 in 0.84 ms", "refused, dev eth1: No such device". */
static void print_claim(FILE *line, const json_t *address)
{
    const char *held_on = member_text(address, "held_on"), *proof = member_text(address, "proof");
    const char *by = member_text(address, "proof_by"), *error = member_text(address, "claim_error");
    nsec_t after_ns = member_age_ns(address, "proof_after_ns");
    char after[TEXT_DURATION];

    fputs(member_text_or(address, "claim", "?"), line);
    if (held_on) {
        fprintf(line, " on %s", held_on);
    } else {
        fputs(", ", line);
        print_destination(line, address);
    }
    if (proof)
        fprintf(line, ", %s", proof);
    if (proof && by)
        fprintf(line, " by %s", by);
    if (proof && after_ns != NSEC_NEVER)
        fprintf(line, " in %s", text_duration(after_ns, after));
    if (error)
        fprintf(line, ": %s", error);
    if (member_is_true(address, "source_answers"))
        fputs("; the source answers for it too", line);
}

static void print_counts(FILE *line, const json_t *address)
{
    char min[TEXT_DURATION], avg[TEXT_DURATION], p99[TEXT_DURATION];

    fprintf(line, "mac %s, %lld rounds: %lld answered, %lld missed, %lld late, %lld void",
            member_text_or(address, "mac", "not learned"), (long long)member_integer(address, "rounds"),
            (long long)member_integer(address, "answered"), (long long)member_integer(address, "missed"),
            (long long)member_integer(address, "late"), (long long)member_integer(address, "voided"));
    if (member_age_ns(address, "rtt_min_ns") != NSEC_NEVER)
        fprintf(line, "; rtt min %s, avg %s, p99 %s", text_duration(member_age_ns(address, "rtt_min_ns"), min),
                text_duration(member_age_ns(address, "rtt_avg_ns"), avg),
                text_duration(member_age_ns(address, "rtt_p99_ns"), p99));
}

/* What `print` writes of the address, as a paragraph. */
static void print_below(FILE *out, size_t indent, const json_t *address, void (*print)(FILE *, const json_t *))
{
    CLEANUP_LINE struct text_line line;

    if (text_line_begin(&line))
        print(line.file, address);
    text_paragraph(out, indent, text_line_end(&line));
}

/* Evidence, and the destination behind it or, where it does not fit, under it. */
static void print_free(FILE *out, size_t column, const json_t *address)
{
    CLEANUP_LINE struct text_line evidence, destination;
    const char *what, *where;

    if (text_line_begin(&evidence))
        print_evidence(evidence.file, address);
    if (text_line_begin(&destination))
        print_destination(destination.file, address);
    what = text_line_end(&evidence);
    where = text_line_end(&destination);
    if (column + text_width(what) + 2 + text_width(where) <= TEXT_COLUMNS)
        fprintf(out, "%s, %s\n", what, where);
    else
        fprintf(out, "%s,\n%*s%s\n", what, (int)column, "", where);
}

void table_print_address(FILE *out, const json_t *address, size_t name_width, const struct table_style *style)
{
    bool monitored = member_is_true(address, "monitored");
    const char *life = monitored ? member_text_or(address, "life", "?") : "-";
    size_t state_column = name_width + 2, evidence_column = state_column + TABLE_STATE + 2;

    fputs("  ", out);
    text_pad(out, member_text_or(address, "ip", "?"), 2, name_width);
    text_colour(out, style->colour && monitored, life_colour(life));
    text_pad(out, life, state_column, TABLE_STATE + 2);
    text_colour(out, style->colour && monitored, TEXT_PLAIN);
    if (is_free(address)) {
        print_free(out, evidence_column, address);
    } else {
        print_evidence(out, address);
        fputc('\n', out);
        print_below(out, state_column, address, print_claim);
    }
    if (style->detailed && member_integer(address, "rounds") > 0)
        print_below(out, state_column, address, print_counts);
}
