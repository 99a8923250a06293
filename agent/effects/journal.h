/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: what an agent has to know of the one before it. Which addresses are held and where, which source NICs
 * were seen alive or given back, what awaits a word of a person, whose MAC is whose.
 *
 * journal_encode and journal_decode are pure. The file is replaced as a whole (written beside, synced, renamed) by a
 * thread of its own, so that no disk is ever waited for; a version, a boot id and a checksum tell a torn, foreign or
 * outdated file from a good one.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/limits.h"
#include "agent/base/time.h"

#define JOURNAL_VERSION 1
/* The file's name in the state folder. */
#define JOURNAL_NAME "journal"
/* What is no journal of ours, or a broken one, is kept under this name. */
#define JOURNAL_ASIDE "journal.refused"
/* No file is read or written beyond this. */
#define JOURNAL_BYTES_MAX (64u << 20)
/* NICs, takeovers, and addresses: those of an ipmap, and as many that an earlier one left behind. */
#define JOURNAL_RECORDS_MAX (2 * LIMIT_ADDRESSES)
/* As the kernel prints it, with the NUL. */
#define JOURNAL_BOOT_ID 37

enum journal_verdict {
    JOURNAL_VERDICT_NONE,
    JOURNAL_VERDICT_AWAITING,    /* waits for approve or deny, because the file says so; */
    JOURNAL_VERDICT_UNWITNESSED, /* the same, because there is no witness; */
    JOURNAL_VERDICT_DAMPED,      /* the same, because it was taken over too often */
    JOURNAL_VERDICT_DENIED,
    JOURNAL_VERDICT_EXPIRED, /* nobody approved in time */
};

struct journal_nic {
    char source[LIMIT_NAME + 1];
    char nic[LIMIT_NAME + 1];
    bool armed;    /* seen alive since it was watched or given back */
    bool disarmed; /* given back, not seen alive since */
    bool paused;   /* of its source */
    enum journal_verdict verdict;
    int64_t approval_until_real_ns; /* CLOCK_REALTIME; INT64_MAX: no limit. 0 where nothing is awaited */
};

/* A takeover that began by itself: what damping counts. */
struct journal_takeover {
    char source[LIMIT_NAME + 1];
    int64_t at_real_ns; /* CLOCK_REALTIME */
};

/* The services of a source. */
struct journal_services {
    char source[LIMIT_NAME + 1];
    bool paused;   /* the source, which has no NIC that could say so */
    bool held;     /* its name was moved here */
    bool disarmed; /* its name was given back, and its services not seen to work since */
    bool forced;   /* its addresses were taken over for a failed service while the host answered */
};

struct journal_address {
    struct ip_address ip;
    struct mac_address mac; /* the source's, learned; unset */
    bool held;              /* claimed by us; the three below tell where */
    uint8_t prefix;         /* as it was put on */
    char dev[LIMIT_NIC_NAME];
    int64_t held_since_real_ns; /* CLOCK_REALTIME */
};

struct journal {
    char boot_id[JOURNAL_BOOT_ID]; /* of the boot in which it was written */
    uint64_t serial;               /* the caller counts it up with each write */
    struct journal_nic *nics;
    size_t n_nics;
    struct journal_takeover *takeovers;
    size_t n_takeovers;
    struct journal_services *services;
    size_t n_services;
    struct journal_address *addresses;
    size_t n_addresses;
};

/* Whether a person is asked. */
static inline bool journal_verdict_awaits(enum journal_verdict verdict)
{
    return verdict == JOURNAL_VERDICT_AWAITING || verdict == JOURNAL_VERDICT_UNWITNESSED ||
           verdict == JOURNAL_VERDICT_DAMPED;
}

void journal_free(struct journal *journal);

/*
 * The whole file as text from malloc, *ret_length bytes (and a NUL). No address and no NIC of a source may be there
 * twice. 0; -EINVAL: a value that journal_decode would refuse; -EFBIG: beyond the limits above; -ENOMEM.
 */
int journal_encode(const struct journal *journal, char **ret, size_t *ret_length);

/*
 * 0 and *ret, for journal_free. -EBADMSG: torn or changed (checksum, syntax, a value out of range, something twice);
 * -ENOTSUP: another version; -EMEDIUMTYPE: no journal of ours at all; -ENOMEM.
 */
int journal_decode(const char *text, size_t length, struct journal *ret);

/*
 * Reads the journal in folder `state`. As journal_decode, where -EMEDIUMTYPE is also a FIFO, a link or a folder in its
 * place; -ENOENT where there is none, -EFBIG, -EPERM: belongs to another user, or others may write it; -EACCES, ...
 */
int journal_load(const char *state, struct journal *ret);

/* Moves whatever stands in the journal's place to JOURNAL_ASIDE, for a person to look at. 0 or negative errno. */
int journal_set_aside(const char *state);

/*
 * Takes folder `state` for this process, for as long as *ret is open. Where only itself is missing it is made, with
 * mode 0700. 0; -EBUSY: another process has it; or negative errno. The lock is the folder's own, and needs no file.
 */
int journal_lock(const char *state, int *ret);

/* The kernel's id of this boot. 0 or negative errno. */
int journal_boot_id(char ret[static JOURNAL_BOOT_ID]);

/* The writer: one thread, the newest text wins. It holds at most one text that waits, and the one that it writes. */
struct journal_writer;

/*
 * The thread is started in the ordinary scheduling class; the first thing that it does is to remove what a crash left
 * in the folder. 0 or negative errno; a folder that is missing or read-only shows with the first attempt.
 */
int journal_writer_open(struct journal_writer **ret, const char *state);
/* Writes what was submitted last, then ends: this waits for the disk. Does nothing where `writer` is NULL. */
void journal_writer_close(struct journal_writer *writer);
/* Takes over `text` (from malloc). Never waits. */
void journal_writer_submit(struct journal_writer *writer, char *text, size_t length);
/* Readable (eventfd) after each attempt. */
int journal_writer_fd(const struct journal_writer *writer);
/* Of the newest attempt, which is not repeated: 0, or negative errno (-ENOSPC, -EROFS, ...). Clears the fd. */
int journal_writer_result(struct journal_writer *writer);
