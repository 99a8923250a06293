/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter of ours beside what libpcap's compiler makes of an expression: both judge the same frames, which begin as
 * good ones and are then changed at random. SEED in the environment repeats a run. Comes after cmocka.h.
 */
#pragma once

#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWIN_FRAME_BYTES 128
#define TWIN_TURNS 200000

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "libpcap's programs are the kernel's");

/* A frame that one of the two lets through. */
struct twin_frame {
    uint8_t bytes[TWIN_FRAME_BYTES];
    unsigned length;
};

static unsigned twin_seed;

static inline unsigned twin_below(unsigned n)
{
    return (unsigned)rand_r(&twin_seed) % n;
}

/* None to three changes: a byte, a bit, a cut; most within the headers. `same_type`: the frame's type stays. */
static inline void twin_change(struct twin_frame *frame, bool same_type)
{
    for (unsigned i = twin_below(4); i > 0; i--) {
        unsigned at = twin_below(twin_below(4) == 0 ? TWIN_FRAME_BYTES : 64), what = twin_below(8);

        if (same_type && (at == 12 || at == 13))
            continue;
        if (what == 0)
            frame->length = twin_below(frame->length + 1);
        else if (what < 4)
            frame->bytes[at] = (uint8_t)twin_below(256);
        else
            frame->bytes[at] ^= (uint8_t)(1 << twin_below(8));
    }
}

static inline void twin_seed_from_environment(void)
{
    const char *given = getenv("SEED");

    twin_seed = given ? (unsigned)strtoul(given, NULL, 10) : 1;
    printf("# SEED=%u\n", twin_seed);
}

/* Fails unless both say the same of every frame, and each says yes and no to many. */
static inline void twin_compare(const struct sock_filter *code, size_t n, const char *expression,
                                const struct twin_frame *good, size_t n_good, bool same_type)
{
    const struct bpf_insn *ours = (const struct bpf_insn *)code;
    unsigned passed = 0;
    struct bpf_program theirs;
    pcap_t *handle = pcap_open_dead(DLT_EN10MB, TWIN_FRAME_BYTES);

    assert_non_null(handle);
    assert_int_equal(pcap_compile(handle, &theirs, expression, 1, PCAP_NETMASK_UNKNOWN), 0);
    assert_true(bpf_validate(ours, (int)n));
    for (unsigned turn = 0; turn < TWIN_TURNS; turn++) {
        struct twin_frame frame = good[twin_below((unsigned)n_good)];
        bool pass;

        twin_change(&frame, same_type);
        pass = bpf_filter(theirs.bf_insns, frame.bytes, frame.length, frame.length) != 0;
        if ((bpf_filter(ours, frame.bytes, frame.length, frame.length) != 0) != pass) {
            for (unsigned i = 0; i < frame.length; i++)
                fprintf(stderr, "%02x", frame.bytes[i]);
            fail_msg("%s: libpcap lets this frame %s", expression, pass ? "through" : "not through");
        }
        passed += pass;
    }
    assert_in_range(passed, TWIN_TURNS / 20, TWIN_TURNS - TWIN_TURNS / 20);
    pcap_freecode(&theirs);
    pcap_close(handle);
}
