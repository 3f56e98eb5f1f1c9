/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/strbuf.h"

/*
 * What a guest tells on its debug ports: each write is a record, and so is each line of text. docs/checkpoints.md
 * describes the file that they are kept in.
 */
enum checkpoint_kind {
	CHECKPOINT_WRITE,
	CHECKPOINT_TEXT, /* a line that the guest wrote byte by byte to its debug console */
	CHECKPOINT_LOST, /* `value` records are missing here */
	CHECKPOINT_CUT,  /* the file reached its limit of `value` bytes: of what came later only the verdict is in it */
	CHECKPOINT_VERDICT, /* how the boot came out: `value` is an enum checkpoint_verdict, `text` says why */
	CHECKPOINT_NKINDS
};

/* How the record was made. */
enum checkpoint_mode {
	CHECKPOINT_EXACT,     /* at the write, on the vCPU's thread */
	CHECKPOINT_COALESCED, /* collected later; the order is kept */
	CHECKPOINT_TRACED,    /* seen from outside of the VMM */
	CHECKPOINT_TCG,       /* told by QEMU */
	CHECKPOINT_NMODES
};

struct checkpoint_record {
	uint64_t seq;     /* from 1, without gaps; 0 for LOST, CUT and VERDICT */
	uint64_t ns;      /* CLOCK_MONOTONIC of the host at the write; coalesced: when it was collected */
	uint64_t value;   /* what was written, zero-extended */
	uint64_t pc;      /* linear, of the instruction; if has_pc. Where KVM emulates it is the one behind it. */
	uint64_t port;    /* an I/O port; guest-physical if mmio */
	const char *text; /* CHECKPOINT_TEXT: the line, printable; CHECKPOINT_VERDICT: lines; else NULL */
	int16_t vcpu;     /* -1: not known */
	uint8_t size;     /* bytes: 1, 2, 4, 8; a string write is one record for each element */
	uint8_t kind, mode;
	bool has_pc, mmio;
};

enum { CHECKPOINT_FIELDS_MAX = 48 };

struct checkpoint_field {
	const char *name, *value; /* numbers as 0x hex, memory as pairs of hex digits */
};

/* What is known of a record beyond what was seen of it. NULL: nothing. */
struct checkpoint_label {
	const char *name;
	const char *source; /* FILE:LINE */
	const char *noise;  /* the guest means nothing by it: what writes such values */
	const char *part;   /* it is a byte of a sequence of that name, or of a "frame" */
	const char *broken; /* a frame that began with `first` is none: why */
	uint64_t first;     /* number of the record that the fields begin with; 0: there are none */
	const struct checkpoint_field *field;
	unsigned nfields;
};

/** checkpoint_now_ns() - now, as `ns` of a record. */
uint64_t checkpoint_now_ns(void);

/** checkpoint_json_header() - the first line of a file that is begun now. */
void checkpoint_json_header(struct strbuf *out);

/** checkpoint_json_add() - the line of one record. @label: NULL ok. */
void checkpoint_json_add(struct strbuf *out, const struct checkpoint_record *rec, const struct checkpoint_label *label);

/** checkpoint_text_add() - a write as existing scripts expect it: "port80: write 0x16"; "mmio90f0000: ..." for one in
 * memory. Nothing for other kinds. */
void checkpoint_text_add(struct strbuf *out, const struct checkpoint_record *rec);

#endif
