/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, uint64_t seed)
{
    *table = (struct table){.seed = seed};
}

/* The whole address structure is its key: padding is not, so each field goes in by itself. */
static size_t address_bucket(const struct table *table, const struct link_address *address)
{
    uint64_t salt = table->seed ^ ((uint64_t)(uint32_t)address->ifindex << 8 | address->prefix);

    return ip_address_hash(&address->ip, salt) % TABLE_ADDRESSES;
}

static size_t index_bucket(int ifindex)
{
    return (unsigned)ifindex % TABLE_NICS;
}

/* FNV-1a. Names are the host's own administrator's, so it needs no seed. */
static size_t name_bucket(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % TABLE_NICS;
}

/* Present or not. */
static struct nic *find_nic(const struct table *table, int ifindex)
{
    struct nic *nic;

    LIST_FOREACH(nic, &table->by_index[index_bucket(ifindex)], by_index)
    if (nic->info.ifindex == ifindex)
        return nic;
    return NULL;
}

static struct nic *ensure_nic(struct table *table, int ifindex)
{
    struct nic *nic = find_nic(table, ifindex);

    if (nic)
        return nic;
    nic = calloc(1, sizeof *nic);
    if (!nic)
        return NULL;
    nic->info.ifindex = ifindex;
    TAILQ_INIT(&nic->addresses);
    LIST_INSERT_HEAD(&table->by_index[index_bucket(ifindex)], nic, by_index);
    LIST_INSERT_HEAD(&table->all, nic, in_all);
    return nic;
}

static void free_nic(struct nic *nic)
{
    if (nic->present)
        LIST_REMOVE(nic, by_name);
    LIST_REMOVE(nic, by_index);
    LIST_REMOVE(nic, in_all);
    free(nic);
}

static void free_address(struct nic *nic, struct address_entry *entry)
{
    LIST_REMOVE(entry, by_key);
    TAILQ_REMOVE(&nic->addresses, entry, of_nic);
    free(entry);
}

static struct address_entry *find_address(const struct table *table, const struct link_address *address)
{
    struct address_entry *entry;

    LIST_FOREACH(entry, &table->by_key[address_bucket(table, address)], by_key)
    if (entry->address.ifindex == address->ifindex && entry->address.prefix == address->prefix &&
        ip_address_equal(&entry->address.ip, &address->ip))
        return entry;
    return NULL;
}

void table_clear(struct table *table)
{
    struct nic *nic;

    while ((nic = LIST_FIRST(&table->all))) {
        while (!TAILQ_EMPTY(&nic->addresses))
            free_address(nic, TAILQ_FIRST(&nic->addresses));
        free_nic(nic);
    }
}

struct nic *table_nic_by_index(const struct table *table, int ifindex)
{
    struct nic *nic = find_nic(table, ifindex);

    return nic && nic->present ? nic : NULL;
}

struct nic *table_nic_by_name(const struct table *table, const char *name)
{
    struct nic *nic;

    LIST_FOREACH(nic, &table->by_name[name_bucket(name)], by_name)
    if (strcmp(nic->info.name, name) == 0)
        return nic;
    return NULL;
}

static bool same_info(const struct link_info *a, const struct link_info *b)
{
    return strcmp(a->name, b->name) == 0 && a->ifindex == b->ifindex && mac_address_equal(&a->mac, &b->mac) &&
           a->up == b->up && a->carrier == b->carrier && a->ethernet == b->ethernet && a->shelf_of == b->shelf_of;
}

int table_put_nic(struct table *table, const struct link_info *info, enum nic_kind kind, int master, int lower)
{
    struct nic *nic = ensure_nic(table, info->ifindex);
    bool changed;

    if (!nic)
        return -ENOMEM;
    changed = !nic->present || !same_info(&nic->info, info);
    if (nic->present)
        LIST_REMOVE(nic, by_name);
    nic->info = *info;
    nic->kind = kind;
    nic->master = master;
    nic->lower = lower;
    nic->present = true;
    /*
     * At the head: when names are swapped, and events of it were lost, two NICs have one name for a moment. The one
     * that was heard of last is right.
     */
    LIST_INSERT_HEAD(&table->by_name[name_bucket(info->name)], nic, by_name);
    return changed;
}

bool table_remove_nic(struct table *table, int ifindex)
{
    struct nic *nic = find_nic(table, ifindex);
    bool was_present = nic && nic->present;

    if (!nic)
        return false;
    while (!TAILQ_EMPTY(&nic->addresses))
        free_address(nic, TAILQ_FIRST(&nic->addresses));
    free_nic(nic);
    return was_present;
}

int table_put_address(struct table *table, const struct link_address *address)
{
    struct address_entry *entry = find_address(table, address);
    struct nic *nic;

    if (entry) {
        entry->generation = table->generation;
        return 0;
    }
    entry = calloc(1, sizeof *entry);
    nic = entry ? ensure_nic(table, address->ifindex) : NULL;
    if (!nic) {
        free(entry);
        return -ENOMEM;
    }
    entry->address = *address;
    entry->generation = table->generation;
    LIST_INSERT_HEAD(&table->by_key[address_bucket(table, address)], entry, by_key);
    TAILQ_INSERT_TAIL(&nic->addresses, entry, of_nic);
    return 1;
}

/* Of a NIC that is not there nothing stays once its last address went. */
static void drop_absent_nic(struct table *table, int ifindex)
{
    struct nic *nic = find_nic(table, ifindex);

    if (nic && !nic->present && TAILQ_EMPTY(&nic->addresses))
        free_nic(nic);
}

bool table_remove_address(struct table *table, const struct link_address *address)
{
    struct address_entry *entry = find_address(table, address);

    if (!entry)
        return false;
    free_address(find_nic(table, address->ifindex), entry);
    drop_absent_nic(table, address->ifindex);
    return true;
}

void table_drop_addresses(struct table *table, int ifindex, table_address_fn gone, void *userdata)
{
    struct nic *nic = find_nic(table, ifindex);

    while (nic && !TAILQ_EMPTY(&nic->addresses)) {
        struct link_address address = TAILQ_FIRST(&nic->addresses)->address;

        free_address(nic, TAILQ_FIRST(&nic->addresses));
        gone(userdata, &address);
    }
    drop_absent_nic(table, ifindex);
}

void table_drop_stale(struct table *table, table_address_fn gone, void *userdata)
{
    struct nic *nic, *next_nic;
    struct address_entry *entry, *next;

    for (nic = LIST_FIRST(&table->all); nic; nic = next_nic) {
        next_nic = LIST_NEXT(nic, in_all);
        for (entry = TAILQ_FIRST(&nic->addresses); entry; entry = next) {
            struct link_address address = entry->address;

            next = TAILQ_NEXT(entry, of_nic);
            if (entry->generation == table->generation)
                continue;
            free_address(nic, entry);
            gone(userdata, &address);
        }
        drop_absent_nic(table, nic->info.ifindex);
    }
}
