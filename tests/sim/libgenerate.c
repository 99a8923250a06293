/* SPDX-License-Identifier: Apache-2.0 */
/* What a seed makes of the LAN and of the files. */
#include <stdarg.h>
#include <string.h>

#include "tests/sim/libwild.h"

#define PERCENT 10000u /* of a million */

static bool hit(struct sim_random *r, unsigned percent)
{
    return sim_random_hit(r, percent * PERCENT);
}

static unsigned below(struct sim_random *r, unsigned limit)
{
    return (unsigned)sim_random_below(r, limit);
}

static struct wild_host *add_host(struct wild *w, enum wild_role role, const char *name)
{
    struct wild_host *host = &w->hosts[w->n_hosts++];

    *host = (struct wild_host){.role = role};
    snprintf(host->name, sizeof host->name, "%s", name);
    return host;
}

static struct wild_nic *add_nic(struct wild_host *host, unsigned segment)
{
    struct wild_nic *nic = &host->nics[host->n_nics++];

    nic->segment = segment;
    return nic;
}

static void add_ipv4(struct wild_nic *nic, unsigned last)
{
    snprintf(nic->addresses[nic->n_addresses++], sizeof *nic->addresses, "192.0.%u.%u/24", 2 + nic->segment, last);
}

static void add_ipv6(struct wild_nic *nic, unsigned last)
{
    snprintf(nic->addresses[nic->n_addresses++], sizeof *nic->addresses, "2001:db8:%u::%u/64", nic->segment, last);
}

static void add_both(struct wild_nic *nic, unsigned last)
{
    add_ipv4(nic, last);
    add_ipv6(nic, last);
}

static void choose_source(struct wild *w, struct sim_random *r, unsigned number)
{
    char name[24];
    struct wild_host *host;
    unsigned n_nics = 1 + hit(r, 30), first = below(r, w->n_segments);

    snprintf(name, sizeof name, "web%u", number);
    host = add_host(w, WILD_SOURCE, name);
    for (unsigned k = 0; k < n_nics; k++) {
        struct wild_nic *nic = add_nic(host, (first + k) % w->n_segments);
        unsigned last = 100 + 20 * number + 5 * k, n = 1 + below(r, WILD_ADDRESSES_MAX);

        add_ipv4(nic, last);
        while (nic->n_addresses < n)
            if (hit(r, 60))
                add_ipv6(nic, last + nic->n_addresses);
            else
                add_ipv4(nic, last + nic->n_addresses);
    }
    host->answers_strictly = n_nics > w->n_segments && hit(r, 80);
}

static void choose_client(struct wild *w, struct sim_random *r, unsigned number)
{
    const struct wild_host *source = &w->hosts[wild_host_of(w, WILD_SOURCE, number)];
    char name[24];
    struct wild_host *host;

    snprintf(name, sizeof name, "client%u", number);
    host = add_host(w, WILD_CLIENT, name);
    add_both(add_nic(host, source->nics[0].segment), 60 + number);
    host->refuses_gratuitous = hit(r, 10);
    host->locks_gratuitous = hit(r, 30);
}

static void choose_target(struct wild *w, struct sim_random *r, unsigned number, unsigned n_nics)
{
    char name[24];
    struct wild_host *host;

    snprintf(name, sizeof name, "target%u", number);
    host = add_host(w, WILD_TARGET, name);
    for (unsigned k = 0; k < n_nics; k++)
        add_both(add_nic(host, k % w->n_segments), 20 + 5 * number + k);
    host->answers_strictly = n_nics > w->n_segments && hit(r, 80);
    host->guarded = hit(r, 70);
}

static void choose_hosts(struct wild *w, struct sim_random *r)
{
    unsigned n_nics;
    struct wild_host *gateway;

    w->n_segments = 1 + hit(r, 30);
    w->n_sources = 1 + hit(r, 40) + hit(r, 30);
    w->n_targets = 1 + hit(r, 45) + hit(r, 25);
    gateway = add_host(w, WILD_GATEWAY, "gateway");
    for (unsigned k = 0; k < w->n_segments; k++)
        add_both(add_nic(gateway, k), 1);
    if (hit(r, 50))
        add_both(add_nic(add_host(w, WILD_WITNESS, "witness"), 0), 2);
    n_nics = w->n_segments == 2 ? 2 : 1 + hit(r, 50);
    for (unsigned i = 0; i < w->n_sources; i++)
        choose_source(w, r, i);
    for (unsigned i = 0; i < w->n_sources; i++)
        choose_client(w, r, i);
    for (unsigned i = 0; i < w->n_targets; i++)
        choose_target(w, r, i, n_nics);
}

/* The text of a file as it grows. */
struct text {
    char *to;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text->used += (size_t)vsnprintf(text->to + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
}

static unsigned count_addresses(const struct wild *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_hosts; i++)
        for (unsigned k = 0; w->hosts[i].role == WILD_SOURCE && k < w->hosts[i].n_nics; k++)
            n += w->hosts[i].nics[k].n_addresses;
    return n;
}

static void put_pace(const struct wild *w, struct sim_random *r, struct text *text, struct wild_rules *rules)
{
    static const unsigned paces_ms[] = {10, 20, 50, 100, 200, 200, 500};
    bool crowded = count_addresses(w) * w->n_targets > 6;
    unsigned pace_ms = paces_ms[crowded ? 2 + below(r, 5) : below(r, 7)];

    rules->interval_ns = pace_ms * NSEC_PER_MSEC;
    rules->misses = hit(r, 5) ? 1 : 2 + below(r, 5);
    put(text, "  interval %ums; misses %u\n", pace_ms, rules->misses);
    switch (below(r, 4)) {
    case 0:
        put(text, "  probe arp\n");
        break;
    case 1:
        put(text, "  probe icmp\n");
        break;
    case 2:
        put(text, "  probe icmp; probe nd\n");
        break;
    default:
        break;
    }
    rules->trigger_any = hit(r, 25);
    if (rules->trigger_any)
        put(text, "  trigger any\n");
}

static void put_policy(struct sim_random *r, struct text *text, struct wild_rules *rules)
{
    unsigned policy = below(r, 100);

    rules->on_host = policy < 76   ? IPMAP_TAKEOVER_AUTOMATIC
                     : policy < 92 ? IPMAP_TAKEOVER_MANUAL
                                   : IPMAP_TAKEOVER_NOTIFY;
    put(text, "  takeover %s\n", ipmap_takeover_name(rules->on_host));
    rules->all_automatic = policy >= 8 && policy < 76;
    if (policy < 8)
        put(text, "  on nic manual\n");
    if (policy >= 84 && policy < 92) {
        rules->answers_itself = true;
        put(text, "  approval-timeout 5s; approval-default %s\n", hit(r, 50) ? "approve" : "deny");
    }
}

static void put_rest(struct sim_random *r, struct text *text, struct wild_rules *rules)
{
    static const char *const verifies[] = {"1 within 20ms", "5 within 500ms", "2 within 1s"};
    static const struct {
        unsigned asks;
        nsec_t within_ns;
    } verify[] = {{1, 20 * NSEC_PER_MSEC}, {5, 500 * NSEC_PER_MSEC}, {2, NSEC_PER_SEC}};
    static const char *const leases[] = {"off", "1s", "5s", "1m"};
    static const char *const guards[] = {"off", "200ms", "5s"};
    unsigned choice = below(r, 6);

    rules->verify_asks = choice < 3 ? verify[choice].asks : 3;
    rules->verify_within_ns = choice < 3 ? verify[choice].within_ns : 60 * NSEC_PER_MSEC;
    if (choice < 3)
        put(text, "  verify %s\n", verifies[choice]);
    choice = below(r, 8);
    if (choice < 4)
        put(text, "  lease %s\n", leases[choice]);
    choice = below(r, 6);
    if (choice < 3)
        put(text, "  guard %s\n", guards[choice]);
    if (hit(r, 10))
        put(text, "  claim-unseen yes\n");
    rules->failback_automatic = hit(r, 50);
    if (rules->failback_automatic)
        put(text, "  failback automatic\n");
    if (rules->failback_automatic && hit(r, 25)) {
        rules->hold_down_ns = 5 * NSEC_PER_SEC;
        put(text, "  hold-down 5s\n");
    }
    rules->damped = hit(r, 15);
    if (rules->damped)
        put(text, "  max-takeovers %u per %s\n", 1 + below(r, 3), hit(r, 50) ? "20s" : "1h");
    rules->announces_source = !hit(r, 20);
    if (!rules->announces_source)
        put(text, "  announce-source no\n");
}

static void put_witness(const struct wild *w, struct sim_random *r, struct text *text)
{
    unsigned choice = below(r, 100);

    if (w->n_segments == 2)
        put(text, "witness 192.0.2.1, 192.0.3.1\n");
    else if (choice < 15)
        put(text, "witness none\n");
    else if (choice < 40)
        put(text, "witness 192.0.2.1%s\n", w->hosts[1].role == WILD_WITNESS ? ", 192.0.2.2" : "");
    else if (choice < 50)
        put(text, "witness 2001:db8:0::1\n");
}

/* Where it goes: the NIC in that segment; with two of them in it, one, perhaps with the other as its fallback. */
static void put_way(const struct wild *w, struct sim_random *r, struct text *text, unsigned segment)
{
    unsigned n_nics = w->hosts[w->n_hosts - 1].n_nics, first = below(r, 2);

    if (w->n_segments == 2 || n_nics == 1)
        put(text, " dev eth%u", segment);
    else if (hit(r, 60))
        put(text, " dev eth%u or eth%u", first, 1 - first);
    else
        put(text, " dev eth%u", first);
}

static void put_source(const struct wild *w, struct sim_random *r, struct text *text, unsigned number)
{
    const struct wild_host *host = &w->hosts[wild_host_of(w, WILD_SOURCE, number)];

    put(text, "source %s {\n", host->name);
    for (unsigned k = 0; k < host->n_nics; k++) {
        put(text, "  nic eth%u {\n", k);
        for (unsigned i = 0; i < host->nics[k].n_addresses; i++) {
            put(text, "    %s", host->nics[k].addresses[i]);
            put_way(w, r, text, host->nics[k].segment);
            put(text, "%s\n", i > 0 && hit(r, 15) ? " { monitor no }" : "");
        }
        put(text, "  }\n");
    }
    put(text, "}\n");
}

static void choose_file(struct wild *w, struct sim_random *r, unsigned which)
{
    struct text text = {.to = w->files[which], .size = sizeof w->files[which]};
    struct wild_rules *rules = &w->rules[which];

    put(&text, "defaults {\n");
    put_pace(w, r, &text, rules);
    put_policy(r, &text, rules);
    put_rest(r, &text, rules);
    put(&text, "}\n");
    put_witness(w, r, &text);
    for (unsigned i = 0; i < w->n_sources; i++) {
        if (which == 1 && i > 0 && hit(r, 30))
            continue;
        put_source(w, r, &text, i);
    }
}

unsigned wild_host_of(const struct wild *w, enum wild_role role, unsigned number)
{
    unsigned i = 0;

    while (w->hosts[i].role != role || number-- > 0)
        i++;
    return i;
}

nsec_t wild_takeover_ns(const struct wild_rules *rules)
{
    nsec_t spacing_ns = nsec_min(rules->verify_within_ns / rules->verify_asks, rules->interval_ns);
    nsec_t verify_ns = 2 * (rules->verify_asks + 1) * spacing_ns;

    if (verify_ns < 50 * NSEC_PER_MSEC)
        verify_ns = 50 * NSEC_PER_MSEC;
    return 100 * NSEC_PER_MSEC + (rules->misses + 2) * rules->interval_ns + verify_ns;
}

void wild_choose(struct wild *w, uint64_t seed)
{
    /* Chance in the world has a stream of its own: what happens does not change what was chosen. */
    struct sim_random random = {.state = ~seed}, *r = &random;

    memset(w, 0, sizeof *w);
    w->seed = seed;
    choose_hosts(w, r);
    choose_file(w, r, 0);
    choose_file(w, r, 1);
    wild_choose_faults(w, r);
}
