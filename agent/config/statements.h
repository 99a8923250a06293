/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of an ipmap: where each may stand, what it takes, and whether it is supported. */
#pragma once

#include "agent/config/reader.h"

#define IN(block) (1u << (block))
#define IN_CHECKS (IN(BLOCK_TCP) | IN(BLOCK_URL) | IN(BLOCK_EXEC))
#define IN_COMMANDS (IN(BLOCK_EXEC) | IN(BLOCK_FENCE) | IN(BLOCK_HOOK))
/* Blocks whose statements are kept in the reader's service. */
#define IN_SERVICES (IN_CHECKS | IN_COMMANDS | IN(BLOCK_UNIT) | IN(BLOCK_DNS))

enum statement_status {
    STATUS_IN_EFFECT,
    STATUS_UNSUPPORTED, /* an error, by name */
};

/* A word that stands for a value. */
struct choice {
    const char *word;
    unsigned value;
};

struct range {
    int64_t min, max;
};

/* Where a value is kept: in struct settings, or in struct service where the statement stands in IN_SERVICES. */
struct field {
    uint16_t offset;
    uint16_t size; /* 0: nowhere */
};

struct statement_kind {
    const char *name;
    const char *variant; /* second word that tells it from others of this name; NULL */
    unsigned blocks;     /* bits of the blocks in which it may stand */
    enum statement_status status;
    bool repeats;     /* may be given more than once in a block */
    enum block opens; /* the block that it may have */
    bool needs_block;
    /*
     * Takes the statement's words. `opened` is the frame of its block, NULL where it has none. False where a mistake
     * was reported.
     */
    bool (*apply)(struct reader *reader, const struct statement *statement, struct frame *opened);
    /* At the end of its block, for what is missing in it. Without a block that may be left out, it is an empty one. */
    void (*close)(struct reader *reader, const struct frame *frame);
    const char *takes;            /* what it takes, where that does not follow from what is below */
    struct range number;          /* what its number may be */
    struct range duration;        /* what its duration may be, in ns */
    const char *word;             /* of a duration: stands for NSEC_NEVER; of a rate: stands between */
    const struct choice *choices; /* what its word may be, to the first without a word */
    struct field fields[2];
};

extern const struct statement_kind statement_kinds[STATEMENTS];
extern const struct choice takeover_choices[];
extern const struct choice hook_choices[];

/* Room for the texts of the functions below. */
#define STATEMENT_TEXT 192
/* "probe tcp": name and variant. Returns `text`. */
const char *statement_name(const struct statement_kind *kind, char text[static STATEMENT_TEXT]);
/* "takes 100us to 1h": what it wants, for a message. Returns `text`. */
const char *statement_takes(const struct statement_kind *kind, char text[static STATEMENT_TEXT]);
/* "defaults or source": where statements with these bits may stand. Returns `text`. */
const char *blocks_text(unsigned blocks, char text[static STATEMENT_TEXT]);
const char *block_name(enum block block);
/* The blocks of all statements of this name, and in which one of them may stand therefore. */
unsigned statement_blocks(const struct statement_kind *kind);

/* The kind that the first words of the statement name, or NULL with the mistake reported. */
const struct statement_kind *statement_find(struct reader *reader, const struct statement *statement);
enum statement_id statement_id(const struct statement_kind *kind);
/* How many words the name takes: 1, with a variant 2. Addresses have none, and are not asked for it. */
size_t statement_name_words(const struct statement_kind *kind);
