/* SPDX-License-Identifier: Apache-2.0 */
/* What each statement does with its words: the functions of the table in statements.c. */
#pragma once

#include "agent/config/reader.h"

/* One value, by its type (values.c). */
bool apply_number(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_duration(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_hold_down(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_choice(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_flag(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_rate(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_trigger(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_probe(struct reader *reader, const struct statement *statement, struct frame *opened);

/* Sources and what they hold (sources.c, addresses.c). */
bool apply_defaults(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_source(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_nic(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_address(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_monitor(struct reader *reader, const struct statement *statement, struct frame *opened);
/* Called when their blocks end, for what is missing in them. */
void close_source(struct reader *reader, const struct frame *frame);
void close_nic(struct reader *reader, const struct frame *frame);

/* Checks of services and what stands in their blocks (service_checks.c). */
bool apply_probe_tcp(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_probe_url(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_probe_exec(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_expect(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_body(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_host(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_verify_peer(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_redirects(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_ask(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_from(struct reader *reader, const struct statement *statement, struct frame *opened);
void close_check(struct reader *reader, const struct frame *frame);

/* Commands (command.c) and units (unit.c). */
bool apply_fence(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_hook(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_veto(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_user(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_unit(struct reader *reader, const struct statement *statement, struct frame *opened);
void close_fence(struct reader *reader, const struct frame *frame);
void close_hook(struct reader *reader, const struct frame *frame);
void close_unit(struct reader *reader, const struct frame *frame);

/* DNS (dns.c). */
bool apply_dns(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_server(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_zone(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_key_file(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_record(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_keep_old(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_ttl(struct reader *reader, const struct statement *statement, struct frame *opened);
void close_dns(struct reader *reader, const struct frame *frame);

/* Other (witness.c, include.c). */
bool apply_witness(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_include(struct reader *reader, const struct statement *statement, struct frame *opened);
