/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_gic.h"

#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

static struct strbuf out;
static struct arm64_gic *gic;

static const struct arm64_irq_name names[] = { { 27, "virtual timer" }, { 33, "UART" }, { 48, "disk" }, { 0, NULL } };

/* Two vCPUs, 64 INTIDs, everything at its reset value but the CPU interfaces, which are on. */
static int begin(void **state)
{
	gic = calloc(1, sizeof(*gic) + 2 * sizeof(gic->cpu[0]));
	gic->ctlr = 0x52;
	gic->typer = 1;
	gic->iidr = 0x43b;
	gic->nbanks = 2;
	gic->ncpus = 2;
	for (unsigned i = 0; i < 2; i++)
		gic->cpu[i] = (struct arm64_gic_cpu){
			.affinity = i,
			.ctlr = 0x400,
			.pmr = 0xf0,
			.bpr = { 2, 3 },
			.sre = 7,
			.group_on = { false, true },
			.naprs = 1,
		};
	return 0;
}

static int end(void **state)
{
	strbuf_deinit(&out);
	out = (struct strbuf){ 0 };
	free(gic);
	return 0;
}

static void set_priority(struct arm64_gic_bank *b, unsigned n, unsigned priority)
{
	b->priority[n / 4] |= priority << 8 * (n % 4);
}

/* The timer is pending by its line, the UART is in service at vCPU 1, an SGI was sent and is not enabled. */
static void fill(void)
{
	struct arm64_gic_bank *own = &gic->cpu[0].own, *spi = &gic->spi[1];

	own->group = UINT32_MAX;
	own->enabled = BIT(27);
	own->line = BIT(27);
	own->pending = BIT(3);
	own->config[0] = 0xaaaaaaaa;
	set_priority(own, 27, 0xa0);
	spi->group = UINT32_MAX;
	spi->enabled = BIT(1) | BIT(16);
	spi->active = BIT(1);
	spi->config[1] = 2;
	set_priority(spi, 1, 0x80);
	set_priority(spi, 16, 0xb0);
	gic->route[33] = 1;
	gic->route[48] = 1u << 31;
	gic->cpu[1].apr[1][0] = BIT(16);
}

TEST(the_whole_controller_is_told)
{
	fill();
	arm64_gic_text(gic, names, &out);
	CHECK_STR(strbuf_str(&out),
		  "GICv3 distributor: 64 INTIDs, group 0 off, group 1 on\n"
		  "  CTLR 00000052  TYPER 00000001  IIDR 0000043b\n"
		  "  INTID          group  priority  trigger  enabled  pending  line  active\n"
		  "  33 (SPI 1)     1      0x80      level    enabled  -        -     active  vCPU 1  UART\n"
		  "  48 (SPI 16)    1      0xb0      edge     enabled  -        -     -       any vCPU  disk\n"
		  "vCPU 0: group 0 off, group 1 on, priority mask 0xf0, no active priority\n"
		  "  CTLR 00000400  BPR0 2  BPR1 3  AP0R 00000000  AP1R 00000000  SRE 7\n"
		  "  INTID          group  priority  trigger  enabled  pending  line  active\n"
		  "  3 (SGI 3)      1      0x00      edge     -        pending  -     -\n"
		  "  27 (PPI 11)    1      0xa0      level    enabled  pending  high  -       virtual timer\n"
		  "vCPU 1: group 0 off, group 1 on, priority mask 0xf0, running priority 0x80\n"
		  "  CTLR 00000400  BPR0 2  BPR1 3  AP0R 00000000  AP1R 00010000  SRE 7\n"
		  "  no interrupt is enabled, pending or active\n");
}

TEST(what_is_pending_is_listed_for_whom_it_is)
{
	fill();
	arm64_gic_irq_text(gic, names, &out);
	CHECK_STR(strbuf_str(&out), "vCPU 0:\n"
				    "  pending: 3, 27 (virtual timer)\n"
				    "  active: none\n"
				    "  enabled: 27 (virtual timer), 48 (disk)\n"
				    "vCPU 1:\n"
				    "  pending: none\n"
				    "  active: 33 (UART)\n"
				    "  enabled: 33 (UART), 48 (disk)\n");
}

TEST(an_interrupt_goes_by_all_levels_of_affinity)
{
	fill();
	gic->cpu[0].affinity = 0x01000000;
	gic->cpu[1].affinity = 0x02030405;
	gic->route[33] = 0x0200030405;
	gic->route[48] = 0x0200030406;
	arm64_gic_text(gic, NULL, &out);
	CHECK(strstr(strbuf_str(&out), "active  vCPU 1\n"));
	CHECK(strstr(strbuf_str(&out), "-       none\n"));
}

TEST(a_gicv2_sends_to_a_set_of_vcpus_and_has_one_set_of_active_priorities)
{
	fill();
	gic->v2 = true;
	gic->route[33] = 2;
	gic->route[48] = 3;
	gic->cpu[1].waker = 4;
	arm64_gic_text(gic, names, &out);
	CHECK(strstr(strbuf_str(&out), "GICv2 distributor: 64 INTIDs"));
	CHECK(strstr(strbuf_str(&out), "active  vCPU 1  UART\n"));
	CHECK(strstr(strbuf_str(&out), "vCPU 0,1  disk\n"));
	CHECK(strstr(strbuf_str(&out), "AP0R 00000000\n"));
	CHECK(!strstr(strbuf_str(&out), "AP1R"));
	CHECK(!strstr(strbuf_str(&out), "asleep"));
}

TEST(a_redistributor_that_sleeps_is_told)
{
	gic->cpu[1].waker = 6;
	arm64_gic_text(gic, names, &out);
	CHECK(strstr(strbuf_str(&out), "vCPU 1: group 0 off, group 1 on, priority mask 0xf0, no active priority, "
				       "redistributor asleep\n"));
}

TEST(the_running_priority_is_that_of_the_first_active_level)
{
	struct arm64_gic_cpu c = { .naprs = 1 };

	CHECK_EQ(arm64_gic_running(&c), 0xff);
	c.apr[1][0] = BIT(20) | BIT(28);
	CHECK_EQ(arm64_gic_running(&c), 0xa0);
	c.apr[0][0] = BIT(4);
	CHECK_EQ(arm64_gic_running(&c), 0x20);
	c = (struct arm64_gic_cpu){ .naprs = 2, .apr[1][1] = BIT(8) };
	CHECK_EQ(arm64_gic_running(&c), 0xa0);
	c = (struct arm64_gic_cpu){ .naprs = 4, .apr[1][2] = BIT(16) };
	CHECK_EQ(arm64_gic_running(&c), 0xa0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
TESTS(CASE(the_whole_controller_is_told), CASE(what_is_pending_is_listed_for_whom_it_is),
      CASE(an_interrupt_goes_by_all_levels_of_affinity),
      CASE(a_gicv2_sends_to_a_set_of_vcpus_and_has_one_set_of_active_priorities),
      CASE(a_redistributor_that_sleeps_is_told), CASE(the_running_priority_is_that_of_the_first_active_level))
