/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/x86_irq.h"

#include "kvm/timers.h"
#include "test.h"

static struct strbuf out;

static int forget(void **state)
{
	strbuf_deinit(&out);
	out = (struct strbuf){ 0 };
	return 0;
}

#define CHECK_HAS(part)                                                          \
	do {                                                                     \
		if (!strstr(strbuf_str(&out), part))                             \
			fail_msg("'%s' is not in:\n%s", part, strbuf_str(&out)); \
	} while (0)

TEST(a_pic_is_shown_with_its_registers)
{
	struct kvm_pic_state p = { .irr = 1, .imr = 0xfb, .isr = 2, .irq_base = 0x30, .elcr = 0x20, .last_irr = 0x11 };

	irq_pic_text(&p, "master", 0, &out);
	CHECK_STR(strbuf_str(&out), "8259A master, IRQ 0-7: vectors 0x30-0x37\n"
				    "  IRR 01  ISR 02  IMR fb  ELCR 20  lines 11\n"
				    "  lowest priority IR7, port reads IRR\n");
}

TEST(a_pic_is_shown_with_its_modes)
{
	struct kvm_pic_state p = {
		.auto_eoi = 1, .special_mask = 1, .read_reg_select = 1, .priority_add = 3, .init_state = 1
	};

	irq_pic_text(&p, "slave", 8, &out);
	CHECK_HAS("IRQ 8-15: vectors 0x00-0x07, being initialised");
	CHECK_HAS("lowest priority IR2, automatic EOI, special mask mode, port reads ISR");
}

TEST(redirection_entries_are_decoded)
{
	struct kvm_ioapic_state s = { .base_address = 0xfec00000, .id = 2, .irr = 1 << 9 };

	s.redirtbl[2].bits = 0x10000;
	s.redirtbl[4].bits = 0x0300000000000824;
	s.redirtbl[9].bits = 0xff0000000000e131;
	s.redirtbl[10].bits = 0x400;
	irq_ioapic_text(&s, &out);
	CHECK_HAS("I/O APIC at 0xfec00000: ID 2");
	CHECK_HAS("  pin  2: masked, fixed vector 0x00, physical destination 0x00, edge, active high\n");
	CHECK_HAS("  pin  4: fixed vector 0x24, logical destination 0x03, edge, active high\n");
	CHECK_HAS("  pin  9: lowest priority vector 0x31, physical destination 0xff, level, active low, remote IRR, "
		  "line is on\n");
	CHECK_HAS("  pin 10: NMI, physical");
	CHECK_HAS("  pin 23: ");
}

static struct kvm_lapic_state lapic(uint32_t timer)
{
	struct kvm_lapic_state s = { 0 };

	lapic_reg_set(&s, LAPIC_ID, 3u << 24);
	lapic_reg_set(&s, LAPIC_VERSION, 0x50014);
	lapic_reg_set(&s, LAPIC_SVR, 0x1ff);
	lapic_reg_set(&s, LAPIC_LVT_TIMER, timer);
	lapic_reg_set(&s, LAPIC_LVT_LINT0, 0x10700);
	lapic_reg_set(&s, LAPIC_LVT_LINT1, 0x400);
	lapic_reg_set(&s, LAPIC_IRR + 0x70, 1 << 12 | 1u << 31);
	lapic_reg_set(&s, LAPIC_ISR + 0x10, 1);
	return s;
}

TEST(a_local_apic_is_shown_with_its_vectors)
{
	struct kvm_lapic_state s = lapic(0x400ec);
	const struct irq_lapic_more more = { .vcpu = 3, .base = 0xfee00900, .deadline = 0x2000, .tsc = 0x1ff0 };

	irq_lapic_text(&s, &more, &out);
	CHECK_HAS("local APIC of vCPU 3: ID 3, version 0x50014, at 0xfee00000, xAPIC, bootstrap processor\n");
	CHECK_HAS("SVR 1ff: enabled by software, spurious vector 0xff");
	CHECK_HAS("LVT timer       000400ec: TSC-deadline, vector 0xec");
	CHECK_HAS("timer: deadline 0x2000, 16 ticks from now");
	CHECK_HAS("LVT LINT0       00010700: masked, ExtINT\n");
	CHECK_HAS("LVT LINT1       00000400: NMI\n");
	CHECK_HAS("  IRR: 0xec 0xff\n");
	CHECK_HAS("  ISR: 0x20\n");
	CHECK_HAS("  TMR: none\n");
}

TEST(a_deadline_that_has_passed_is_due)
{
	struct kvm_lapic_state s = lapic(0x400ec);

	irq_lapic_text(&s, &(struct irq_lapic_more){ .deadline = 0x2000, .tsc = 0x2010 }, &out);
	CHECK_HAS("timer: deadline 0x2000, 16 ticks ago, its interrupt is due\n");
}

TEST(a_counting_timer_is_shown_with_its_counts)
{
	struct kvm_lapic_state s = lapic(0x300ec);

	lapic_reg_set(&s, LAPIC_TIMER_INITIAL, 1000);
	lapic_reg_set(&s, LAPIC_TIMER_CURRENT, 77);
	lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, 3);
	irq_lapic_text(&s, &(struct irq_lapic_more){ .base = 0xfee00c00 }, &out);
	CHECK_HAS("ID 3, "); // as KVM gives it, x2APIC or not
	CHECK_HAS("x2APIC\n");
	CHECK_HAS("masked, periodic, vector 0xec");
	CHECK_HAS("initial count 1000, current count 77, divided by 16");
}

TEST(lines_and_what_is_pending_are_listed)
{
	struct kvm_pic_state master = { .last_irr = 0x11, .irr = 0x11, .imr = 0x01 }, slave = { .isr = 1 };
	struct kvm_ioapic_state ioapic = { .irr = 1 << 10 | 1 << 4 };
	struct kvm_vcpu_events ev = { .interrupt = { .injected = 1, .nr = 0x41 }, .nmi = { .pending = 1 } };
	struct kvm_lapic_state s = lapic(0);

	irq_lines_text(&master, &slave, &ioapic, &out);
	irq_pending_text(1, &s, &ev, &out);
	irq_pending_text(2, NULL, NULL, &out);
	CHECK_STR(strbuf_str(&out), "lines on at the I/O APIC: 4 10\n"
				    "lines on at the 8259As: 0 4\n"
				    "8259As, requested and not masked: 4\n"
				    "8259As, in service: 8\n"
				    "vCPU 1:\n"
				    "  pending (IRR): 0xec 0xff\n"
				    "  in service (ISR): 0x20\n"
				    "  being delivered: vector 0x41\n"
				    "  NMI pending\n"
				    "vCPU 2:\n");
}

#define CASE(name) cmocka_unit_test_teardown(name, forget)
TESTS(CASE(a_pic_is_shown_with_its_registers), CASE(a_pic_is_shown_with_its_modes),
      CASE(redirection_entries_are_decoded), CASE(a_local_apic_is_shown_with_its_vectors),
      CASE(a_deadline_that_has_passed_is_due), CASE(a_counting_timer_is_shown_with_its_counts),
      CASE(lines_and_what_is_pending_are_listed))
