/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ipmap: what the file says, checked, with every default filled in. Reading it is pure over a buffer (only
 * `include`, `key-file` and ipmap_load touch the file system, through files.h, which tests replace).
 */
#pragma once

#include <stdio.h>

#include "agent/base/address.h"
#include "agent/base/limits.h"
#include "agent/base/time.h"

enum ipmap_takeover {
    IPMAP_TAKEOVER_AUTOMATIC,
    IPMAP_TAKEOVER_MANUAL,
    IPMAP_TAKEOVER_NOTIFY,
};

enum ipmap_failback {
    IPMAP_FAILBACK_MANUAL,
    IPMAP_FAILBACK_AUTOMATIC,
};

enum ipmap_trigger {
    IPMAP_TRIGGER_ALL, /* a source NIC is lost when all its monitored addresses are */
    IPMAP_TRIGGER_ANY, /* when one is */
};

/* What becomes of an approval that nobody gave in time. */
enum ipmap_approval {
    IPMAP_APPROVAL_DENY,
    IPMAP_APPROVAL_APPROVE,
};

/*
 * Bits of the probes of a source: 1u << enum probe_kind of probes/probe.h, which this folder does not know. ARP and ND
 * are one question in two families: given either, both are set.
 */
enum ipmap_probe {
    IPMAP_PROBE_ARP = 1u << 0,
    IPMAP_PROBE_ND = 1u << 1,
    IPMAP_PROBE_ICMP = 1u << 2,
};

/* How a service is asked. */
enum ipmap_check_kind {
    IPMAP_CHECK_TCP,  /* it accepts a connection */
    IPMAP_CHECK_URL,  /* it serves a URL */
    IPMAP_CHECK_EXEC, /* a command of the administrator's says so */
};

/* When a hook is run. */
enum ipmap_hook_point {
    IPMAP_HOOK_PRE_TAKEOVER,  /* before a claim, which waits for it */
    IPMAP_HOOK_POST_TAKEOVER, /* after it */
    IPMAP_HOOK_PRE_FAILBACK,  /* before a release, which waits for it; non-zero refuses it */
    IPMAP_HOOK_POST_FAILBACK, /* after it */
    IPMAP_HOOK_ALARM,         /* with each alarm that the log tells of the source */
};

/* Of a TSIG key (RFC 8945 section 6): the weaker ones are refused. */
enum ipmap_key_algorithm {
    IPMAP_KEY_HMAC_SHA256,
    IPMAP_KEY_HMAC_SHA384,
    IPMAP_KEY_HMAC_SHA512,
};

/* Where a statement stands. */
struct ipmap_place {
    const char *file; /* owned by the ipmap */
    uint32_t line;    /* from 1 */
    uint32_t column;  /* from 1, in bytes */
};

/* One address of a source NIC, and where it goes. */
struct ipmap_address {
    struct ip_address ip;
    uint8_t prefix;                /* as written */
    char dev[LIMIT_NIC_NAME];      /* target NIC */
    char fallback[LIMIT_NIC_NAME]; /* target NIC where dev has no carrier; "" where none */
    bool monitor;                  /* whether it is probed; default yes */
    struct ipmap_place place;      /* of the address */
};

/* A NIC of a source. */
struct ipmap_nic {
    char name[LIMIT_NAME + 1];
    enum ipmap_trigger trigger;
    struct ipmap_address *addresses;
    size_t n_addresses; /* at least 1; at least one of them monitored */
    struct ipmap_place place;
};

/* A command of the administrator's. */
struct ipmap_command {
    char **argv;       /* NULL behind the last; argv[0] is an absolute path. With `shell` one text: for /bin/sh -c */
    size_t n_args;     /* in argv, without the NULL */
    const char *text;  /* as written, for people */
    bool shell;        /* default no */
    const char *user;  /* whom it runs as; NULL: root */
    nsec_t timeout_ns; /* it is killed then; default 30 s, of a hook that is waited for 10 s */
};

/* Status codes from one to another, both included. */
struct ipmap_range {
    uint16_t from, to; /* 100 to 599; from <= to */
};

/* A check: one question about a service of the source. Fields of other kinds are zero. */
struct ipmap_check {
    enum ipmap_check_kind kind;
    const char *text;   /* what status calls it: "tcp 443", the URL, the command; a password in it reads *** */
    nsec_t interval_ns; /* from round to round; default 1 s, exec 30 s */
    uint32_t misses;    /* failed rounds in a row until it is failed; default 3 */
    nsec_t timeout_ns;  /* of a round, at most the interval; default 1 s, exec 10 s, or the interval if less */
    /* tcp, url */
    struct ip_address from;        /* the address to ask from; unset: the kernel's choice */
    char from_dev[LIMIT_NIC_NAME]; /* the NIC to ask from; "": the kernel's choice. Never both */
    /* tcp */
    uint16_t port;             /* 1 to 65535 */
    struct ip_address address; /* whom to ask; default the source's first address */
    /* url */
    const char *url;                         /* with a scheme of the allow-list */
    const char *host;                        /* Host header and server name of TLS; NULL: as in the URL */
    const char *body;                        /* what must stand in the answer; NULL: not asked */
    struct ipmap_range expect[LIMIT_EXPECT]; /* which status passes */
    size_t n_expect;                         /* 0: what the protocol calls a success; HTTP has 200 to 399 by default */
    bool verify_peer;                        /* TLS: certificate and name must be right; default yes */
    bool redirects;                          /* HTTP: followed; default no */
    /* exec */
    struct ipmap_command command; /* its timeout_ns is that of the check */
    struct ipmap_place place;
};

struct ipmap_hook {
    enum ipmap_hook_point point;
    bool veto; /* pre-takeover: unless it exits with 0 in time, nothing is claimed; default no */
    struct ipmap_command command;
    struct ipmap_place place;
};

/* A systemd unit that is started after a claim, and stopped before a release. */
struct ipmap_unit {
    const char *name;        /* with its suffix */
    nsec_t timeout_ns;       /* for its start, and for its stop; default 90 s */
    bool release_on_failure; /* `on-failure release`: what was claimed is released; default keep */
    struct ipmap_place place;
};

/* A TSIG key. */
struct ipmap_key {
    const char *name; /* as in the file, without the last dot */
    enum ipmap_key_algorithm algorithm;
    const char *secret; /* base64; never to be printed */
};

/* An address record that the source's name has while it is held here. */
struct ipmap_record {
    const char *name;     /* in the zone, without the last dot */
    struct ip_address ip; /* its family makes the type: A or AAAA */
    bool ptr;             /* a PTR record for the address, too */
};

/* What a takeover changes in the DNS (RFC 2136), and a failback changes back. */
struct ipmap_dns {
    struct ip_address server;    /* takes the updates */
    uint16_t port;               /* default 53 */
    const char *zone;            /* without the last dot */
    const char *key_file;        /* absolute path */
    const struct ipmap_key *key; /* what stands in it; NULL where it was not there: then nothing can be updated */
    struct ipmap_record *records;
    size_t n_records;     /* at least 1 */
    const char *keep_old; /* keeps what the first name had; NAME.keep_old what another had; NULL: nothing */
    uint32_t ttl_s;       /* default 60 */
    nsec_t timeout_ns;    /* for an answer; default 2 s */
    uint32_t retries;     /* after that; default 3 */
    struct ipmap_place place;
};

struct ipmap_source {
    char name[LIMIT_NAME + 1];
    nsec_t interval_ns;                   /* from round to round; default 200 ms */
    uint32_t misses;                      /* missed rounds in a row until lost; default 5 */
    uint8_t probes;                       /* bits of enum ipmap_probe; default all */
    enum ipmap_takeover on_host;          /* when every NIC of the source is lost; default automatic */
    enum ipmap_takeover on_nic;           /* when one is; both are what `takeover` says where no `on` does */
    enum ipmap_takeover on_service;       /* when one of its checks failed; default notify */
    bool force;                           /* then also claim while its host answers; default no */
    enum ipmap_failback failback;         /* default manual */
    nsec_t approval_timeout_ns;           /* NSEC_NEVER: waits for ever (default) */
    enum ipmap_approval approval_default; /* what happens then; default deny */
    bool claim_unseen;                    /* take over what was never seen alive; default no */
    bool announce_source;                 /* on failback, announce the source's MAC for it; default yes */
    uint32_t verify_asks;                 /* broadcasts before a claim where no ARP/ND probe gave them; default 3 */
    nsec_t verify_within_ns;              /* all of them within this; default 60 ms */
    bool witness_none;                    /* `witness none`: act without one */
    struct ip_address witnesses[LIMIT_WITNESSES]; /* of this source, else those of the file */
    size_t n_witnesses;                           /* 0 and not witness_none: gateway, else a neighbour */
    nsec_t burst_ns;                              /* default NSEC_NEVER: off */
    nsec_t lease_ns;                              /* default 3 s, NSEC_NEVER: off */
    nsec_t hold_down_ns;                          /* default 0; for failback automatic */
    uint32_t max_takeovers;                       /* by itself, then a person is asked; default 0: no limit */
    nsec_t max_takeovers_per_ns;                  /* within this */
    struct ipmap_nic *nics;
    size_t n_nics;              /* 0 only where `dns` is there */
    struct ipmap_check *checks; /* these lists are in the file's order */
    size_t n_checks;
    struct ipmap_hook *hooks; /* of all points */
    size_t n_hooks;
    struct ipmap_unit *units;
    size_t n_units;
    const struct ipmap_command *fence; /* must succeed before a claim; NULL: none */
    const struct ipmap_dns *dns;       /* NULL: none */
    struct ipmap_place place;
};

struct ipmap {
    struct ipmap_source *sources; /* in the file's order */
    size_t n_sources;
    nsec_t guard_ns;    /* patience of the guard; default 1 s; NSEC_NEVER: none */
    size_t n_addresses; /* in all */
    char **files;       /* every file that was read, the main one first: what `place.file` points to */
    size_t n_files;
    struct pool *pool; /* holds what the sources say of services; it ends with the ipmap */
};

/* An error or a warning about the file, in the file's order. */
struct ipmap_message {
    struct ipmap_place place; /* valid while the messages live */
    bool warning;             /* else an error: the ipmap is refused */
    char *text;               /* without the place */
};

struct ipmap_messages {
    struct ipmap_message *list;
    size_t n;
    size_t n_errors;   /* all of them, kept or left off */
    size_t n_left_off; /* beyond the limit of messages kept */
    char **files;      /* what places point to */
    size_t n_files;
};

/*
 * What the checks may ask about this host. NULL functions: not asked (a file is then checked for itself alone).
 */
struct ipmap_host {
    bool (*nic_exists)(void *userdata, const char *name);
    /* Whether the address is on this host and not put there by us; `nic` gets the NIC's name. */
    bool (*address_is_own)(void *userdata, const struct ip_address *ip, char nic[LIMIT_NIC_NAME]);
    void *userdata;
};

/*
 * Reads the text of an ipmap. `file` is its name for messages and the base of relative includes; `text` need not end in
 * NUL. 0 and *ret, to be freed with ipmap_free; -EINVAL with errors in *messages; -ENOMEM. *messages is always set, and
 * holds warnings on success too; free it with ipmap_messages_free.
 */
int ipmap_parse(const char *file, const char *text, size_t length, const struct ipmap_host *host, struct ipmap **ret,
                struct ipmap_messages *messages);

/*
 * Reads the file at `path`: regular, at most 16 MiB with all that it includes, and, when we are root, owned by root and
 * not writable by group or others. Whatever is wrong with the file itself is a message too (place line 1, column 1).
 */
int ipmap_load(const char *path, const struct ipmap_host *host, struct ipmap **ret, struct ipmap_messages *messages);

void ipmap_free(struct ipmap *ipmap);
void ipmap_messages_free(struct ipmap_messages *messages);
/* Prints each as `file:line:column: text`, warnings as `file:line:column: warning: text`. */
void ipmap_messages_print(const struct ipmap_messages *messages, FILE *out);

/* NULL when none. */
const struct ipmap_source *ipmap_find_source(const struct ipmap *ipmap, const char *name);
const char *ipmap_takeover_name(enum ipmap_takeover takeover);
const char *ipmap_hook_point_name(enum ipmap_hook_point point);
/* "hmac-sha256", as DNS spells it. */
const char *ipmap_key_algorithm_name(enum ipmap_key_algorithm algorithm);
/* Whether both ask the same in the same way and at the same pace: a reload goes on with it then. */
bool ipmap_check_equal(const struct ipmap_check *a, const struct ipmap_check *b);
