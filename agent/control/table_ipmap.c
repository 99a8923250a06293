/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/member.h"
#include "agent/control/table.h"

/* The whole number of the largest unit that says the duration exactly, as the file takes it: 200ms, not 0.2s. */
static void print_duration(FILE *out, nsec_t duration_ns)
{
    static const struct {
        const char *name;
        nsec_t unit_ns;
    } units[] = {
        {"h", NSEC_PER_HOUR}, {"m", NSEC_PER_MIN}, {"s", NSEC_PER_SEC}, {"ms", NSEC_PER_MSEC}, {"us", NSEC_PER_USEC},
    };
    size_t i = 0;

    while (i + 1 < sizeof units / sizeof units[0] && duration_ns % units[i].unit_ns != 0)
        i++;
    fprintf(out, "%lld%s", (long long)(duration_ns / units[i].unit_ns), units[i].name);
}

static void print_address(FILE *out, const json_t *address)
{
    const char *fallback = member_text(address, "fallback");

    fprintf(out, "        %-20s dev %s", member_text_or(address, "ip", "?"), member_text_or(address, "dev", "?"));
    if (fallback)
        fprintf(out, " or %s", fallback);
    fputs(member_is_true(address, "monitored") ? "\n" : " { monitor no }\n", out);
}

static void print_nic(FILE *out, const json_t *nic)
{
    const json_t *addresses = json_object_get(nic, "addresses"), *address;
    size_t i;

    fprintf(out, "    nic %s {\n        trigger %s\n", member_text_or(nic, "name", "?"),
            member_text_or(nic, "trigger", "all"));
    json_array_foreach(addresses, i, address)
    {
        print_address(out, address);
    }
    fputs("    }\n", out);
}

static void print_source(FILE *out, const json_t *source)
{
    const json_t *nics = json_object_get(source, "nics"), *nic;
    size_t i;

    fprintf(out, "source %s {\n    interval ", member_text_or(source, "name", "?"));
    print_duration(out, member_age_ns(source, "interval_ns"));
    fprintf(out, "\n    misses %lld\n    takeover %s\n", (long long)member_integer(source, "misses"),
            member_text_or(source, "takeover", "?"));
    json_array_foreach(nics, i, nic)
    {
        print_nic(out, nic);
    }
    fputs("}\n", out);
}

void table_print_ipmap(FILE *out, const json_t *report)
{
    const json_t *sources = json_object_get(report, "sources"), *source;
    size_t i;

    fprintf(out, "# %s, as it is in effect\n", member_text_or(json_object_get(report, "agent"), "file", "?"));
    json_array_foreach(sources, i, source)
    {
        fputc('\n', out);
        print_source(out, source);
    }
}
