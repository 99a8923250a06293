/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/table.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/control/member.h"
#include "agent/control/text.h"

/* Beyond so many source NICs only the worst few are shown in full. */
#define NICS_IN_FULL 8
/* A NIC with more addresses is summed up unless its source was named. */
#define ADDRESSES_IN_FULL 4

/* The core's words, the one that needs somebody most first. What an agent of another version says comes before all. */
static const struct state {
    const char *name;
    enum text_colour colour;
} states[] = {
    {"blocked", TEXT_RED},      {"awaiting", TEXT_RED},    {"lost", TEXT_RED},         {"preparing", TEXT_YELLOW},
    {"verifying", TEXT_YELLOW}, {"claiming", TEXT_YELLOW}, {"releasing", TEXT_YELLOW}, {"holding", TEXT_YELLOW},
    {"late", TEXT_YELLOW},      {"disarmed", TEXT_YELLOW}, {"unseen", TEXT_YELLOW},    {"up", TEXT_GREEN},
};
#define STATES (sizeof states / sizeof states[0])

/* A source NIC on its way into the table. */
struct row {
    const json_t *source;
    const json_t *nic;
    size_t state; /* index in states, plus 1; 0: not a known one */
    size_t order; /* in the report */
};

/* The addresses of one NIC, counted. */
struct sum {
    size_t n, monitored, up, held, confirmed, reached, failed, source_answers;
    nsec_t newest_age_ns; /* of the newest answer; NSEC_NEVER */
    const char *newest_probe;
    json_int_t misses, misses_limit; /* of the address with the most in a row */
    const char *cannot_probe;        /* why not, for one of those that cannot be probed */
};

static size_t state_of(const json_t *nic)
{
    const char *name = member_text_or(nic, "state", "");

    for (size_t i = 0; i < STATES; i++) {
        if (strcmp(name, states[i].name) == 0)
            return i + 1;
    }
    return 0;
}

static bool is_up(const struct row *row)
{
    return row->state == STATES;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (member_is_true(x->source, "healthy") != member_is_true(y->source, "healthy"))
        return member_is_true(y->source, "healthy") ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Every source NIC, worst first. NULL when there is none, or no memory. */
static struct row *make_rows(const json_t *sources, size_t *ret_n)
{
    const json_t *source, *nic;
    size_t i, j, n = 0, filled = 0;
    struct row *rows;

    json_array_foreach(sources, i, source)
    {
        n += json_array_size(json_object_get(source, "nics"));
    }
    rows = n > 0 ? calloc(n, sizeof *rows) : NULL;
    *ret_n = rows ? n : 0;
    if (!rows)
        return NULL;
    json_array_foreach(sources, i, source)
    {
        json_array_foreach(json_object_get(source, "nics"), j, nic)
        {
            rows[filled] = (struct row){.source = source, .nic = nic, .state = state_of(nic), .order = filled};
            filled++;
        }
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    return rows;
}

static void count_address(struct sum *sum, const json_t *address)
{
    const char *proof = member_text_or(address, "proof", ""), *claim = member_text_or(address, "claim", "");
    nsec_t age_ns = member_age_ns(address, "last_answer_age_ns");
    json_int_t misses = member_integer(address, "misses");

    sum->n++;
    sum->held += strcmp(claim, "held") == 0;
    sum->failed += strcmp(claim, "failed") == 0 || strcmp(claim, "refused") == 0;
    sum->confirmed += strcmp(proof, "confirmed") == 0;
    sum->reached += strcmp(proof, "reached") == 0;
    sum->source_answers += member_is_true(address, "source_answers");
    if (!member_is_true(address, "monitored"))
        return;
    sum->monitored++;
    sum->up += strcmp(member_text_or(address, "life", ""), "up") == 0;
    if (member_text(address, "cannot_probe"))
        sum->cannot_probe = member_text(address, "cannot_probe");
    if (misses >= sum->misses) {
        sum->misses = misses;
        sum->misses_limit = member_integer(address, "misses_limit");
    }
    if (age_ns < sum->newest_age_ns) {
        sum->newest_age_ns = age_ns;
        sum->newest_probe = member_text(address, "last_answer_probe");
    }
}

static struct sum sum_of(const json_t *nic)
{
    struct sum sum = {.newest_age_ns = NSEC_NEVER};
    const json_t *address;
    size_t i;

    json_array_foreach(json_object_get(nic, "addresses"), i, address)
    {
        count_address(&sum, address);
    }
    return sum;
}

/* What is held, and how sure that is. */
static void print_held(FILE *text, const struct sum *sum)
{
    fprintf(text, "%zu of %zu held", sum->held, sum->n);
    if (sum->confirmed > 0)
        fprintf(text, ", %zu confirmed", sum->confirmed);
    if (sum->reached > 0)
        fprintf(text, ", %zu reached", sum->reached);
    if (sum->held > sum->confirmed + sum->reached)
        fprintf(text, ", %zu unconfirmed", sum->held - sum->confirmed - sum->reached);
}

/* What the addresses say one by one where they are listed. */
static void print_evidence(FILE *text, const struct sum *sum)
{
    char age[TEXT_DURATION];

    if (sum->up < sum->monitored)
        fprintf(text, ", missed %lld/%lld", (long long)sum->misses, (long long)sum->misses_limit);
    if (sum->cannot_probe)
        fprintf(text, ", cannot probe: %s", sum->cannot_probe);
    if (sum->newest_probe)
        fprintf(text, ", last %s %s ago", sum->newest_probe, text_duration(sum->newest_age_ns, age));
    else if (sum->monitored > 0)
        fputs(", never answered", text);
}

/* A whole NIC in one sentence. */
static void print_sum(FILE *text, const struct row *row, bool listed)
{
    nsec_t fail_ns = member_age_ns(row->nic, "time_to_fail_ns");
    nsec_t approval_ns = member_age_ns(row->nic, "approval_left_ns");
    struct sum sum = sum_of(row->nic);
    char duration[TEXT_DURATION];

    if (member_is_true(row->source, "paused"))
        fputs("paused; ", text);
    if (sum.held > 0)
        print_held(text, &sum);
    else if (sum.up == sum.monitored)
        fprintf(text, "%zu up", sum.up);
    else
        fprintf(text, "%zu of %zu up", sum.up, sum.monitored);
    if (sum.failed > 0)
        fprintf(text, ", %zu failed", sum.failed);
    if (fail_ns != NSEC_NEVER)
        fprintf(text, ", lost in %s", text_duration(fail_ns, duration));
    if (approval_ns != NSEC_NEVER)
        fprintf(text, ", decides by itself in %s", text_duration(approval_ns, duration));
    if (sum.source_answers > 0)
        fputs(", the source answers too", text);
    if (!listed)
        print_evidence(text, &sum);
}

/* The row of a NIC, without the lines under it. */
static void print_row(FILE *out, const struct row *row, size_t name_width, bool listed, const struct table_style *style)
{
    size_t state_column = name_width + 2, since_column = state_column + TABLE_STATE + 2;
    size_t evidence_column = since_column + TABLE_SINCE + 2;
    CLEANUP_LINE struct text_line name, sum;
    char since[TEXT_DURATION];

    if (text_line_begin(&name))
        fprintf(name.file, "%s/%s", member_text_or(row->source, "name", "?"), member_text_or(row->nic, "name", "?"));
    if (text_line_begin(&sum))
        print_sum(sum.file, row, listed);
    text_pad(out, text_line_end(&name), 0, state_column);
    text_colour(out, style->colour, row->state ? states[row->state - 1].colour : TEXT_RED);
    text_pad(out, member_text_or(row->nic, "state", "?"), state_column, TABLE_STATE + 2);
    text_colour(out, style->colour, TEXT_PLAIN);
    text_pad(out, text_duration(member_age_ns(row->nic, "since_age_ns"), since), since_column, TABLE_SINCE + 2);
    text_wrap(out, evidence_column, evidence_column, text_line_end(&sum));
}

/* What stands under the row of a NIC that is shown in full. */
static void print_details(FILE *out, const struct row *row, size_t name_width, bool listed,
                          const struct table_style *style)
{
    const json_t *addresses = json_object_get(row->nic, "addresses"), *address;
    const char *reason = member_text(row->nic, "reason");
    size_t i;

    if (reason)
        text_paragraph(out, 2, reason);
    if (!listed)
        fprintf(out, "  %zu addresses, listed by `standinctl status %s/%s`\n", json_array_size(addresses),
                member_text_or(row->source, "name", "?"), member_text_or(row->nic, "name", "?"));
    json_array_foreach(addresses, i, address)
    {
        if (listed)
            table_print_address(out, address, name_width, style);
    }
}

static size_t name_width_of(const struct row *rows, size_t n)
{
    size_t width = TABLE_NAME_MIN, i;
    const json_t *address;

    for (size_t row = 0; row < n; row++) {
        size_t name = text_width(member_text_or(rows[row].source, "name", "")) + 1 +
                      text_width(member_text_or(rows[row].nic, "name", ""));

        if (name > width && name <= TABLE_NAME_MAX)
            width = name;
        json_array_foreach(json_object_get(rows[row].nic, "addresses"), i, address)
        {
            size_t ip = 2 + text_width(member_text_or(address, "ip", ""));

            if (ip > width && ip <= TABLE_NAME_MAX)
                width = ip;
        }
    }
    return width;
}

/* "3 source NICs: 1 blocked, 2 up". */
static void print_headline(FILE *out, const struct row *rows, size_t n, const struct table_style *style)
{
    text_colour(out, style->colour, TEXT_BOLD);
    fprintf(out, "%zu source NIC%s%s", n, n == 1 ? "" : "s", n > 0 ? ":" : "");
    for (size_t i = 0; i < n;) {
        size_t first = i;

        while (i < n && rows[i].state == rows[first].state)
            i++;
        fprintf(out, "%s %zu %s", first == 0 ? "" : ",", i - first,
                rows[first].state ? states[rows[first].state - 1].name : "unknown");
    }
    text_colour(out, style->colour, TEXT_PLAIN);
    fputc('\n', out);
}

static void print_rows(FILE *out, const struct row *rows, size_t n, const struct table_style *style)
{
    size_t name_width = name_width_of(rows, n);

    text_colour(out, style->colour, TEXT_BOLD);
    fprintf(out, "\n%-*s  %-*s  %-*s  %s\n", (int)name_width, "SOURCE/NIC", TABLE_STATE, "STATE", TABLE_SINCE, "SINCE",
            "EVIDENCE");
    text_colour(out, style->colour, TEXT_PLAIN);
    for (size_t i = 0; i < n; i++) {
        size_t n_addresses = json_array_size(json_object_get(rows[i].nic, "addresses"));
        bool full = style->detailed || n <= NICS_IN_FULL || (i < NICS_IN_FULL && !is_up(&rows[i]));
        bool listed = full && (style->detailed || n_addresses <= ADDRESSES_IN_FULL);

        print_row(out, &rows[i], name_width, listed, style);
        if (full)
            print_details(out, &rows[i], name_width, listed, style);
    }
}

void table_print_status(FILE *out, const json_t *report, const struct table_style *style)
{
    size_t n;
    CLEANUP_FREE struct row *rows = make_rows(json_object_get(report, "sources"), &n);

    print_headline(out, rows, n, style);
    table_print_agent(out, json_object_get(report, "agent"), style);
    if (n > 0)
        print_rows(out, rows, n, style);
    table_print_services(out, json_object_get(report, "sources"), style);
    table_print_targets(out, json_object_get(report, "targets"), style);
}
