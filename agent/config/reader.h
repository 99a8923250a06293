/* SPDX-License-Identifier: Apache-2.0 */
/* Inside this folder: the state of reading one ipmap, shared by its files. */
#pragma once

#include <stdarg.h>
#include <sys/types.h>

#include "agent/base/cleanup.h"
#include "agent/config/ipmap.h"
#include "agent/config/lookup.h"
#include "agent/config/pool.h"
#include "agent/config/scan.h"

#define READER_BYTES_MAX ((size_t)16 << 20) /* of all files together */
#define READER_FILES_MAX 20000
#define READER_INCLUDE_LEVELS 16
#define READER_MESSAGES_MAX 100
#define READER_WORDS_MAX 64 /* in a statement */
/* Blocks in blocks. Deeper ones stand in a block that was refused already. */
#define READER_DEPTH_MAX 16
#define READER_LABEL 96
#define READER_NONE SIZE_MAX /* no index */

/* Where something stands, in the form that the whole reading uses; ipmap_place is for the caller. */
struct place {
    uint64_t order;  /* tokens read before it, over all files: sorts messages */
    uint32_t file;   /* index of its file */
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, in bytes */
};

enum word_kind {
    WORD_TEXT,
    WORD_COMMA,
    WORD_BAD, /* was reported already */
};

/* A word or string of the file. */
struct word {
    const char *text; /* in the file's buffer, without NUL */
    uint32_t length;  /* in bytes */
    enum word_kind kind;
    bool after_comma; /* a comma stands before it */
    struct place place;
};

/* Kinds of blocks, also as bit numbers. */
enum block {
    BLOCK_NONE, /* what a statement without block opens; also a block whose content is passed over */
    BLOCK_TOP,
    BLOCK_DEFAULTS,
    BLOCK_SOURCE,
    BLOCK_NIC,
    BLOCK_ADDRESS,
    BLOCK_TCP,
    BLOCK_URL,
    BLOCK_EXEC,
    BLOCK_FENCE,
    BLOCK_HOOK,
    BLOCK_UNIT,
    BLOCK_DNS,
};

/* Every statement, in the order of the table in statements.c. */
enum statement_id {
    STATEMENT_DEFAULTS,
    STATEMENT_SOURCE,
    STATEMENT_NIC,
    STATEMENT_ADDRESS,
    STATEMENT_INCLUDE,
    STATEMENT_WITNESS,
    STATEMENT_INTERVAL,
    STATEMENT_MISSES,
    STATEMENT_PROBE_ARP,
    STATEMENT_PROBE_ND,
    STATEMENT_PROBE_ICMP,
    STATEMENT_TRIGGER,
    STATEMENT_MONITOR,
    STATEMENT_TAKEOVER,
    STATEMENT_ON_HOST,
    STATEMENT_ON_NIC,
    STATEMENT_ON_SERVICE,
    STATEMENT_APPROVAL_TIMEOUT,
    STATEMENT_APPROVAL_DEFAULT,
    STATEMENT_CLAIM_UNSEEN,
    STATEMENT_VERIFY,
    STATEMENT_FAILBACK,
    STATEMENT_ANNOUNCE_SOURCE,
    STATEMENT_LEASE,
    STATEMENT_GUARD,
    STATEMENT_HOLD_DOWN,
    STATEMENT_MAX_TAKEOVERS,
    STATEMENT_BURST,
    STATEMENT_PROBE_TCP,
    STATEMENT_PROBE_URL,
    STATEMENT_PROBE_EXEC,
    STATEMENT_PROBE_HEARTBEAT,
    STATEMENT_FENCE,
    STATEMENT_HOOK,
    STATEMENT_UNIT,
    STATEMENT_CHECK,
    STATEMENT_RECOVER,
    STATEMENT_HEARTBEAT,
    STATEMENT_TARGET,
    STATEMENT_DNS,
    STATEMENT_FORCE,
    /* In the blocks of services. */
    STATEMENT_CHECK_INTERVAL,
    STATEMENT_CHECK_MISSES,
    STATEMENT_CHECK_TIMEOUT,
    STATEMENT_EXPECT,
    STATEMENT_BODY,
    STATEMENT_URL_HOST,
    STATEMENT_VERIFY_PEER,
    STATEMENT_REDIRECTS,
    STATEMENT_FROM,
    STATEMENT_ASK,
    STATEMENT_COMMAND_TIMEOUT,
    STATEMENT_USER,
    STATEMENT_SHELL,
    STATEMENT_VETO,
    STATEMENT_UNIT_TIMEOUT,
    STATEMENT_ON_FAILURE,
    STATEMENT_SERVER,
    STATEMENT_ZONE,
    STATEMENT_KEY_FILE,
    STATEMENT_RECORD,
    STATEMENT_KEEP_OLD,
    STATEMENT_TTL,
    STATEMENT_DNS_TIMEOUT,
    STATEMENT_RETRIES,
    /* Kept for later. */
    STATEMENT_HOST,
    STATEMENTS
};

/* The statement that is being read. */
struct statement {
    struct word words[READER_WORDS_MAX];
    size_t n;                          /* words */
    const struct statement_kind *kind; /* once it is known */
    struct place place;                /* where it begins */
    struct place comma;                /* of the last comma */
    bool comma_open;                   /* no word followed it so far */
    bool bad;                          /* something in it was reported while it was read */
    bool nameless;                     /* and that was where its name should stand */
};

/* A block that is open. Frame 0 is the top level, of all files. */
struct frame {
    enum block block;
    const struct statement_kind *kind; /* of its statement; NULL where its content is passed over */
    size_t source, nic, address;       /* of reader's lists; READER_NONE: none */
    uint64_t errors;                   /* reported before it was opened */
    struct place place;                /* of its statement */
    char label[READER_LABEL];          /* its statement, for messages */
    bool given[STATEMENTS];            /* what was given in it */
    struct place first[STATEMENTS];    /* and where */
};

/* A file that is being read. */
struct input {
    struct input *parent; /* that includes it */
    uint32_t file;        /* its index */
    dev_t device;         /* with inode: who it is */
    ino_t inode;          /* 0: read from memory */
    unsigned level;       /* of inclusion, from 1 */
    struct scan scan;
    struct word pending;  /* a token that was read ahead */
    int pending_token;    /* its kind, -1: none */
    int previous_token;   /* the one handed to the grammar last */
    unsigned depth;       /* of open blocks */
    unsigned ignored;     /* blocks open beyond READER_DEPTH_MAX */
    bool bad_reported;    /* a bad token of this statement was reported */
    bool braces_reported; /* braces do not pair: said once, as one mistake shows in several places */
    struct statement statement;
};

/* What may be said for all sources and for one. */
struct settings {
    struct ipmap_source values;
    enum ipmap_takeover takeover; /* `takeover`, from which on_host and on_nic follow */
    enum ipmap_trigger trigger;   /* for NICs that say none */
    nsec_t guard_ns;              /* `guard`, which is for all sources alike */
    bool given[STATEMENTS];       /* what was given */
};

/* The check, command, unit or DNS whose block is open: they do not nest. What is not of its kind is zero. */
struct service {
    struct place place; /* of its statement */
    struct ipmap_check check;
    const struct url_scheme *scheme; /* of the check's URL; NULL where that was refused */
    struct ipmap_command command;    /* of an exec, fence or hook; its words are told at the end */
    struct word command_word;
    struct ipmap_hook hook;
    struct ipmap_unit unit;
    struct ipmap_dns dns;
    struct place key_file_place;
    struct place keep_old_place;
    struct ipmap_record records[LIMIT_RECORDS_PER_SOURCE]; /* of dns, which counts them */
    struct place record_places[LIMIT_RECORDS_PER_SOURCE];
    nsec_t timeout_ns; /* of any of them; 0: not given */
    nsec_t ttl_ns;     /* of dns */
};

struct source_draft {
    struct settings settings;
    struct place place;
    size_t n_nics, n_checks, n_hooks, n_units; /* of reader's lists, each in a row */
    struct ipmap_command *fence;               /* in the pool; NULL: none */
    struct ipmap_dns *dns;                     /* the same */
    struct place dns_place;
};

struct check_draft {
    struct ipmap_check check;
    struct place place;
};

struct hook_draft {
    struct ipmap_hook hook;
    struct place place;
};

struct unit_draft {
    struct ipmap_unit unit;
    struct place place;
};

struct nic_draft {
    char name[LIMIT_NAME + 1];
    size_t source;        /* index of its source */
    size_t first_address; /* its addresses stand in a row */
    size_t n_addresses;
    size_t n_monitored;
    enum ipmap_trigger trigger;
    bool trigger_given;
    struct place place;
};

struct address_draft {
    struct ip_address ip;
    uint8_t prefix;
    bool monitor;
    char dev[LIMIT_NIC_NAME];
    char fallback[LIMIT_NIC_NAME];
    struct place place;
};

struct witness_draft {
    struct ip_address ip;
    struct place place;
};

struct message_draft {
    char *text;
    struct place place;
    bool warning;
};

/* A name of a target NIC that was met. */
struct nic_name {
    char text[LIMIT_NIC_NAME];
};

struct reader {
    const struct ipmap_host *host; /* NULL: not asked */
    int status;                    /* -ENOMEM: all stops */
    struct input *input;           /* the file that is being read */
    uint64_t order;                /* tokens read so far */
    size_t bytes;                  /* of all files so far */

    char **files; /* names, by index */
    size_t n_files, files_room;

    struct message_draft messages[READER_MESSAGES_MAX];
    size_t n_messages;
    size_t n_errors; /* all of them, kept or not */
    size_t n_left_off;

    struct frame frames[READER_DEPTH_MAX + 1];
    size_t n_frames;

    bool is_whole;            /* a file of its own, not a text in memory */
    struct settings defaults; /* of `defaults`; the witnesses are those of the top level */
    struct source_draft *sources;
    size_t n_sources, sources_room;
    struct nic_draft *nics;
    size_t n_nics, nics_room;
    struct service service;
    struct check_draft *checks;
    size_t n_checks, checks_room;
    struct hook_draft *hooks;
    size_t n_hooks, hooks_room;
    struct unit_draft *units;
    size_t n_units, units_room;
    struct pool *pool; /* texts of these, and what becomes the ipmap's as it is */
    struct address_draft *addresses;
    size_t n_addresses, addresses_room;
    struct witness_draft *witnesses; /* every one, for the checks at the end */
    size_t n_witnesses, witnesses_room;
    struct nic_name *nic_names; /* every target NIC */
    size_t n_nic_names, nic_names_room;

    struct lookup source_lookup;   /* by name */
    struct lookup address_lookup;  /* by address */
    struct lookup nic_name_lookup; /* by name */

    bool addresses_full, sources_full, checks_full; /* beyond the limit: said once */
};

static inline struct frame *reader_frame(struct reader *reader)
{
    return &reader->frames[reader->n_frames - 1];
}

static inline bool is_given(const struct settings *settings, enum statement_id id)
{
    return settings->given[id];
}

/*
 * Makes room for one more element in an array of `n`. False, with the reader's status set, where memory ran out.
 * READER_GROW(reader, array, n, room) takes the fields themselves.
 */
bool reader_grow(struct reader *reader, void **array, size_t n, size_t *room, size_t size);
#define READER_GROW(reader, array, n, room) reader_grow((reader), (void **)&(array), (n), &(room), sizeof *(array))

/* Adds a file's name. Its index, or a negative errno with the reader's status set. */
int reader_add_file(struct reader *reader, const char *name);
/* Reads `length` bytes as the text of file number `file`; two NULs follow them. The text is changed. */
void reader_run(struct reader *reader, struct input *input, char *text, size_t length);

/* Index of this address among those read so far; READER_NONE. */
size_t reader_find_address(const struct reader *reader, const struct ip_address *ip);

/* Messages. The text is one line, without the place. */
void reader_error(struct reader *reader, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warning(struct reader *reader, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Hands the messages over, in the files' order. */
int reader_take_messages(struct reader *reader, struct ipmap_messages *ret);
/* "line 3", or "other.conf:3" where `place` is not in the file of `from`. Valid until the next call with `text`. */
#define PLACE_TEXT 320
const char *reader_place_text(const struct reader *reader, const struct place *place, const struct place *from,
                              char text[static PLACE_TEXT]);

/* What is said when the whole is read (checks.c), and what comes of it (build.c): 0 or -ENOMEM. */
void reader_check_whole(struct reader *reader);
int reader_build(struct reader *reader, struct ipmap **ret);
