/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of what a hypervisor traps. Arm ARM (DDI 0487), "AArch64 System Register Encoding" and "System instructions";
 * GIC architecture specification (IHI 0069), "AArch64 System register descriptions". Registers of EL3 and of the
 * trace unit are left out: they do not trap to EL2 in practice.
 */
#include "arch/arm64_sysname.h"

#include "arch/arm64_regs.h"
#include "util/macros.h"

#define S(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

// clang-format off
/* Those that are not in arm64_sys_desc. */
static const struct {
	uint16_t encoding;
	const char *name;
} names[] = {
	{ S(1, 0, 7, 1, 0), "IC IALLUIS" }, { S(1, 0, 7, 5, 0), "IC IALLU" }, { S(1, 0, 7, 6, 1), "DC IVAC" },
	{ S(1, 0, 7, 6, 2), "DC ISW" }, { S(1, 0, 7, 6, 3), "DC IGVAC" }, { S(1, 0, 7, 6, 4), "DC IGSW" },
	{ S(1, 0, 7, 6, 5), "DC IGDVAC" }, { S(1, 0, 7, 6, 6), "DC IGDSW" }, { S(1, 0, 7, 8, 0), "AT S1E1R" },
	{ S(1, 0, 7, 8, 1), "AT S1E1W" }, { S(1, 0, 7, 8, 2), "AT S1E0R" }, { S(1, 0, 7, 8, 3), "AT S1E0W" },
	{ S(1, 0, 7, 9, 0), "AT S1E1RP" }, { S(1, 0, 7, 9, 1), "AT S1E1WP" }, { S(1, 0, 7, 10, 2), "DC CSW" },
	{ S(1, 0, 7, 10, 4), "DC CGSW" }, { S(1, 0, 7, 10, 6), "DC CGDSW" }, { S(1, 0, 7, 14, 2), "DC CISW" },
	{ S(1, 0, 7, 14, 4), "DC CIGSW" }, { S(1, 0, 7, 14, 6), "DC CIGDSW" },
	{ S(1, 0, 8, 1, 0), "TLBI VMALLE1OS" }, { S(1, 0, 8, 1, 1), "TLBI VAE1OS" },
	{ S(1, 0, 8, 1, 2), "TLBI ASIDE1OS" }, { S(1, 0, 8, 1, 3), "TLBI VAAE1OS" },
	{ S(1, 0, 8, 1, 5), "TLBI VALE1OS" }, { S(1, 0, 8, 1, 7), "TLBI VAALE1OS" },
	{ S(1, 0, 8, 2, 1), "TLBI RVAE1IS" }, { S(1, 0, 8, 2, 3), "TLBI RVAAE1IS" },
	{ S(1, 0, 8, 2, 5), "TLBI RVALE1IS" }, { S(1, 0, 8, 2, 7), "TLBI RVAALE1IS" },
	{ S(1, 0, 8, 3, 0), "TLBI VMALLE1IS" }, { S(1, 0, 8, 3, 1), "TLBI VAE1IS" },
	{ S(1, 0, 8, 3, 2), "TLBI ASIDE1IS" }, { S(1, 0, 8, 3, 3), "TLBI VAAE1IS" },
	{ S(1, 0, 8, 3, 5), "TLBI VALE1IS" }, { S(1, 0, 8, 3, 7), "TLBI VAALE1IS" },
	{ S(1, 0, 8, 5, 1), "TLBI RVAE1OS" }, { S(1, 0, 8, 5, 3), "TLBI RVAAE1OS" },
	{ S(1, 0, 8, 5, 5), "TLBI RVALE1OS" }, { S(1, 0, 8, 5, 7), "TLBI RVAALE1OS" },
	{ S(1, 0, 8, 6, 1), "TLBI RVAE1" }, { S(1, 0, 8, 6, 3), "TLBI RVAAE1" }, { S(1, 0, 8, 6, 5), "TLBI RVALE1" },
	{ S(1, 0, 8, 6, 7), "TLBI RVAALE1" }, { S(1, 0, 8, 7, 0), "TLBI VMALLE1" },
	{ S(1, 0, 8, 7, 1), "TLBI VAE1" }, { S(1, 0, 8, 7, 2), "TLBI ASIDE1" }, { S(1, 0, 8, 7, 3), "TLBI VAAE1" },
	{ S(1, 0, 8, 7, 5), "TLBI VALE1" }, { S(1, 0, 8, 7, 7), "TLBI VAALE1" }, { S(1, 3, 7, 3, 4), "CFP RCTX" },
	{ S(1, 3, 7, 3, 5), "DVP RCTX" }, { S(1, 3, 7, 3, 7), "CPP RCTX" }, { S(1, 3, 7, 4, 1), "DC ZVA" },
	{ S(1, 3, 7, 4, 3), "DC GVA" }, { S(1, 3, 7, 4, 4), "DC GZVA" }, { S(1, 3, 7, 5, 1), "IC IVAU" },
	{ S(1, 3, 7, 10, 1), "DC CVAC" }, { S(1, 3, 7, 10, 3), "DC CGVAC" }, { S(1, 3, 7, 10, 5), "DC CGDVAC" },
	{ S(1, 3, 7, 11, 1), "DC CVAU" }, { S(1, 3, 7, 12, 1), "DC CVAP" }, { S(1, 3, 7, 12, 3), "DC CGVAP" },
	{ S(1, 3, 7, 12, 5), "DC CGDVAP" }, { S(1, 3, 7, 13, 1), "DC CVADP" }, { S(1, 3, 7, 13, 3), "DC CGVADP" },
	{ S(1, 3, 7, 13, 5), "DC CGDVADP" }, { S(1, 3, 7, 14, 1), "DC CIVAC" }, { S(1, 3, 7, 14, 3), "DC CIGVAC" },
	{ S(1, 3, 7, 14, 5), "DC CIGDVAC" }, { S(1, 4, 7, 8, 0), "AT S1E2R" }, { S(1, 4, 7, 8, 1), "AT S1E2W" },
	{ S(1, 4, 7, 8, 4), "AT S12E1R" }, { S(1, 4, 7, 8, 5), "AT S12E1W" }, { S(1, 4, 7, 8, 6), "AT S12E0R" },
	{ S(1, 4, 7, 8, 7), "AT S12E0W" }, { S(1, 4, 8, 0, 1), "TLBI IPAS2E1IS" },
	{ S(1, 4, 8, 0, 2), "TLBI RIPAS2E1IS" }, { S(1, 4, 8, 0, 5), "TLBI IPAS2LE1IS" },
	{ S(1, 4, 8, 0, 6), "TLBI RIPAS2LE1IS" }, { S(1, 4, 8, 1, 0), "TLBI ALLE2OS" },
	{ S(1, 4, 8, 1, 1), "TLBI VAE2OS" }, { S(1, 4, 8, 1, 4), "TLBI ALLE1OS" },
	{ S(1, 4, 8, 1, 5), "TLBI VALE2OS" }, { S(1, 4, 8, 1, 6), "TLBI VMALLS12E1OS" },
	{ S(1, 4, 8, 2, 1), "TLBI RVAE2IS" }, { S(1, 4, 8, 2, 5), "TLBI RVALE2IS" },
	{ S(1, 4, 8, 3, 0), "TLBI ALLE2IS" }, { S(1, 4, 8, 3, 1), "TLBI VAE2IS" },
	{ S(1, 4, 8, 3, 4), "TLBI ALLE1IS" }, { S(1, 4, 8, 3, 5), "TLBI VALE2IS" },
	{ S(1, 4, 8, 3, 6), "TLBI VMALLS12E1IS" }, { S(1, 4, 8, 4, 0), "TLBI IPAS2E1OS" },
	{ S(1, 4, 8, 4, 1), "TLBI IPAS2E1" }, { S(1, 4, 8, 4, 2), "TLBI RIPAS2E1" },
	{ S(1, 4, 8, 4, 3), "TLBI RIPAS2E1OS" }, { S(1, 4, 8, 4, 4), "TLBI IPAS2LE1OS" },
	{ S(1, 4, 8, 4, 5), "TLBI IPAS2LE1" }, { S(1, 4, 8, 4, 6), "TLBI RIPAS2LE1" },
	{ S(1, 4, 8, 4, 7), "TLBI RIPAS2LE1OS" }, { S(1, 4, 8, 5, 1), "TLBI RVAE2OS" },
	{ S(1, 4, 8, 5, 5), "TLBI RVALE2OS" }, { S(1, 4, 8, 6, 1), "TLBI RVAE2" },
	{ S(1, 4, 8, 6, 5), "TLBI RVALE2" }, { S(1, 4, 8, 7, 0), "TLBI ALLE2" }, { S(1, 4, 8, 7, 1), "TLBI VAE2" },
	{ S(1, 4, 8, 7, 4), "TLBI ALLE1" }, { S(1, 4, 8, 7, 5), "TLBI VALE2" },
	{ S(1, 4, 8, 7, 6), "TLBI VMALLS12E1" }, { S(1, 6, 7, 8, 0), "AT S1E3R" }, { S(1, 6, 7, 8, 1), "AT S1E3W" },
	{ S(1, 6, 7, 14, 1), "DC CIPAPA" }, { S(1, 6, 7, 14, 5), "DC CIGDPAPA" },
	{ S(1, 6, 8, 1, 4), "TLBI PAALLOS" }, { S(1, 6, 8, 4, 3), "TLBI RPAOS" },
	{ S(1, 6, 8, 4, 7), "TLBI RPALOS" }, { S(1, 6, 8, 7, 4), "TLBI PAALL" }, { S(2, 0, 0, 0, 2), "OSDTRRX_EL1" },
	{ S(2, 0, 0, 2, 0), "MDCCINT_EL1" }, { S(2, 0, 0, 3, 2), "OSDTRTX_EL1" }, { S(2, 0, 0, 6, 2), "OSECCR_EL1" },
	{ S(2, 0, 1, 0, 0), "MDRAR_EL1" }, { S(2, 0, 1, 0, 4), "OSLAR_EL1" }, { S(2, 0, 1, 3, 4), "OSDLR_EL1" },
	{ S(2, 0, 1, 4, 4), "DBGPRCR_EL1" }, { S(2, 0, 7, 8, 6), "DBGCLAIMSET_EL1" },
	{ S(2, 0, 7, 9, 6), "DBGCLAIMCLR_EL1" }, { S(2, 0, 7, 14, 6), "DBGAUTHSTATUS_EL1" },
	{ S(2, 3, 0, 1, 0), "MDCCSR_EL0" }, { S(2, 3, 0, 4, 0), "DBGDTR_EL0" }, { S(2, 3, 0, 5, 0), "DBGDTRRX_EL0" },
	{ S(2, 4, 0, 7, 0), "DBGVCR32_EL2" }, { S(2, 4, 9, 0, 0), "BRBCR_EL2" }, { S(2, 5, 9, 0, 0), "BRBCR_EL12" },
	{ S(3, 0, 0, 1, 0), "ID_PFR0_EL1" }, { S(3, 0, 0, 1, 1), "ID_PFR1_EL1" },
	{ S(3, 0, 0, 1, 2), "ID_DFR0_EL1" }, { S(3, 0, 0, 1, 3), "ID_AFR0_EL1" },
	{ S(3, 0, 0, 1, 4), "ID_MMFR0_EL1" }, { S(3, 0, 0, 1, 5), "ID_MMFR1_EL1" },
	{ S(3, 0, 0, 1, 6), "ID_MMFR2_EL1" }, { S(3, 0, 0, 1, 7), "ID_MMFR3_EL1" },
	{ S(3, 0, 0, 2, 0), "ID_ISAR0_EL1" }, { S(3, 0, 0, 2, 1), "ID_ISAR1_EL1" },
	{ S(3, 0, 0, 2, 2), "ID_ISAR2_EL1" }, { S(3, 0, 0, 2, 3), "ID_ISAR3_EL1" },
	{ S(3, 0, 0, 2, 4), "ID_ISAR4_EL1" }, { S(3, 0, 0, 2, 5), "ID_ISAR5_EL1" },
	{ S(3, 0, 0, 2, 6), "ID_MMFR4_EL1" }, { S(3, 0, 0, 2, 7), "ID_ISAR6_EL1" },
	{ S(3, 0, 0, 3, 0), "MVFR0_EL1" }, { S(3, 0, 0, 3, 1), "MVFR1_EL1" }, { S(3, 0, 0, 3, 2), "MVFR2_EL1" },
	{ S(3, 0, 0, 3, 4), "ID_PFR2_EL1" }, { S(3, 0, 0, 3, 5), "ID_DFR1_EL1" },
	{ S(3, 0, 0, 3, 6), "ID_MMFR5_EL1" }, { S(3, 0, 0, 4, 2), "ID_AA64PFR2_EL1" },
	{ S(3, 0, 0, 4, 5), "ID_AA64SMFR0_EL1" }, { S(3, 0, 0, 4, 7), "ID_AA64FPFR0_EL1" },
	{ S(3, 0, 0, 5, 4), "ID_AA64AFR0_EL1" }, { S(3, 0, 0, 5, 5), "ID_AA64AFR1_EL1" },
	{ S(3, 0, 0, 6, 3), "ID_AA64ISAR3_EL1" }, { S(3, 0, 0, 7, 4), "ID_AA64MMFR4_EL1" },
	{ S(3, 0, 1, 2, 1), "TRFCR_EL1" }, { S(3, 0, 1, 2, 4), "SMPRI_EL1" }, { S(3, 0, 1, 2, 6), "SMCR_EL1" },
	{ S(3, 0, 2, 5, 0), "GCSCR_EL1" }, { S(3, 0, 2, 5, 1), "GCSPR_EL1" }, { S(3, 0, 2, 5, 2), "GCSCRE0_EL1" },
	{ S(3, 0, 4, 1, 0), "SP_EL0" }, { S(3, 0, 4, 2, 0), "SPSel" }, { S(3, 0, 4, 2, 2), "CurrentEL" },
	{ S(3, 0, 4, 2, 3), "PAN" }, { S(3, 0, 4, 2, 4), "UAO" }, { S(3, 0, 4, 3, 0), "ALLINT" },
	{ S(3, 0, 4, 6, 0), "ICC_PMR_EL1" }, { S(3, 0, 5, 3, 0), "ERRIDR_EL1" }, { S(3, 0, 5, 3, 1), "ERRSELR_EL1" },
	{ S(3, 0, 5, 4, 0), "ERXFR_EL1" }, { S(3, 0, 5, 4, 1), "ERXCTLR_EL1" },
	{ S(3, 0, 5, 4, 2), "ERXSTATUS_EL1" }, { S(3, 0, 5, 4, 3), "ERXADDR_EL1" },
	{ S(3, 0, 5, 4, 4), "ERXPFGF_EL1" }, { S(3, 0, 5, 4, 5), "ERXPFGCTL_EL1" },
	{ S(3, 0, 5, 4, 6), "ERXPFGCDN_EL1" }, { S(3, 0, 5, 5, 0), "ERXMISC0_EL1" },
	{ S(3, 0, 5, 5, 1), "ERXMISC1_EL1" }, { S(3, 0, 5, 5, 2), "ERXMISC2_EL1" },
	{ S(3, 0, 5, 5, 3), "ERXMISC3_EL1" }, { S(3, 0, 6, 0, 5), "PFAR_EL1" }, { S(3, 0, 9, 9, 0), "PMSCR_EL1" },
	{ S(3, 0, 9, 9, 1), "PMSNEVFR_EL1" }, { S(3, 0, 9, 9, 2), "PMSICR_EL1" }, { S(3, 0, 9, 9, 3), "PMSIRR_EL1" },
	{ S(3, 0, 9, 9, 4), "PMSFCR_EL1" }, { S(3, 0, 9, 9, 5), "PMSEVFR_EL1" },
	{ S(3, 0, 9, 9, 6), "PMSLATFR_EL1" }, { S(3, 0, 9, 9, 7), "PMSIDR_EL1" },
	{ S(3, 0, 9, 10, 0), "PMBLIMITR_EL1" }, { S(3, 0, 9, 10, 1), "PMBPTR_EL1" },
	{ S(3, 0, 9, 10, 3), "PMBSR_EL1" }, { S(3, 0, 9, 10, 7), "PMBIDR_EL1" },
	{ S(3, 0, 9, 11, 0), "TRBLIMITR_EL1" }, { S(3, 0, 9, 11, 1), "TRBPTR_EL1" },
	{ S(3, 0, 9, 11, 2), "TRBBASER_EL1" }, { S(3, 0, 9, 11, 3), "TRBSR_EL1" },
	{ S(3, 0, 9, 11, 4), "TRBMAR_EL1" }, { S(3, 0, 9, 11, 6), "TRBTRG_EL1" },
	{ S(3, 0, 9, 11, 7), "TRBIDR_EL1" }, { S(3, 0, 9, 14, 1), "PMINTENSET_EL1" },
	{ S(3, 0, 9, 14, 2), "PMINTENCLR_EL1" }, { S(3, 0, 9, 14, 6), "PMMIR_EL1" },
	{ S(3, 0, 10, 2, 5), "S2POR_EL1" }, { S(3, 0, 10, 4, 0), "LORSA_EL1" }, { S(3, 0, 10, 4, 1), "LOREA_EL1" },
	{ S(3, 0, 10, 4, 2), "LORN_EL1" }, { S(3, 0, 10, 4, 3), "LORC_EL1" }, { S(3, 0, 10, 4, 4), "MPAMIDR_EL1" },
	{ S(3, 0, 10, 4, 7), "LORID_EL1" }, { S(3, 0, 10, 5, 0), "MPAM1_EL1" }, { S(3, 0, 10, 5, 1), "MPAM0_EL1" },
	{ S(3, 0, 10, 5, 3), "MPAMSM_EL1" }, { S(3, 0, 12, 0, 1), "RVBAR_EL1" }, { S(3, 0, 12, 0, 2), "RMR_EL1" },
	{ S(3, 0, 12, 1, 0), "ISR_EL1" }, { S(3, 0, 12, 8, 0), "ICC_IAR0_EL1" },
	{ S(3, 0, 12, 8, 1), "ICC_EOIR0_EL1" }, { S(3, 0, 12, 8, 2), "ICC_HPPIR0_EL1" },
	{ S(3, 0, 12, 8, 3), "ICC_BPR0_EL1" }, { S(3, 0, 12, 9, 5), "ICC_NMIAR1_EL1" },
	{ S(3, 0, 12, 11, 1), "ICC_DIR_EL1" }, { S(3, 0, 12, 11, 3), "ICC_RPR_EL1" },
	{ S(3, 0, 12, 11, 5), "ICC_SGI1R_EL1" }, { S(3, 0, 12, 11, 6), "ICC_ASGI1R_EL1" },
	{ S(3, 0, 12, 11, 7), "ICC_SGI0R_EL1" }, { S(3, 0, 12, 12, 0), "ICC_IAR1_EL1" },
	{ S(3, 0, 12, 12, 1), "ICC_EOIR1_EL1" }, { S(3, 0, 12, 12, 2), "ICC_HPPIR1_EL1" },
	{ S(3, 0, 12, 12, 3), "ICC_BPR1_EL1" }, { S(3, 0, 12, 12, 4), "ICC_CTLR_EL1" },
	{ S(3, 0, 12, 12, 5), "ICC_SRE_EL1" }, { S(3, 0, 12, 12, 6), "ICC_IGRPEN0_EL1" },
	{ S(3, 0, 12, 12, 7), "ICC_IGRPEN1_EL1" }, { S(3, 0, 13, 0, 5), "ACCDATA_EL1" },
	{ S(3, 0, 13, 0, 7), "SCXTNUM_EL1" }, { S(3, 1, 0, 0, 0), "CCSIDR_EL1" },
	{ S(3, 1, 0, 0, 2), "CCSIDR2_EL1" }, { S(3, 1, 0, 0, 4), "GMID_EL1" }, { S(3, 1, 0, 0, 6), "SMIDR_EL1" },
	{ S(3, 1, 0, 0, 7), "AIDR_EL1" }, { S(3, 3, 2, 4, 0), "RNDR" }, { S(3, 3, 2, 4, 1), "RNDRRS" },
	{ S(3, 3, 2, 5, 1), "GCSPR_EL0" }, { S(3, 3, 4, 2, 0), "NZCV" }, { S(3, 3, 4, 2, 1), "DAIF" },
	{ S(3, 3, 4, 2, 2), "SVCR" }, { S(3, 3, 4, 2, 5), "DIT" }, { S(3, 3, 4, 2, 6), "SSBS" },
	{ S(3, 3, 4, 2, 7), "TCO" }, { S(3, 3, 4, 4, 0), "FPCR" }, { S(3, 3, 4, 4, 1), "FPSR" },
	{ S(3, 3, 4, 4, 2), "FPMR" }, { S(3, 3, 4, 5, 0), "DSPSR_EL0" }, { S(3, 3, 4, 5, 1), "DLR_EL0" },
	{ S(3, 3, 9, 12, 0), "PMCR_EL0" }, { S(3, 3, 9, 12, 1), "PMCNTENSET_EL0" },
	{ S(3, 3, 9, 12, 2), "PMCNTENCLR_EL0" }, { S(3, 3, 9, 12, 3), "PMOVSCLR_EL0" },
	{ S(3, 3, 9, 12, 4), "PMSWINC_EL0" }, { S(3, 3, 9, 12, 5), "PMSELR_EL0" },
	{ S(3, 3, 9, 12, 6), "PMCEID0_EL0" }, { S(3, 3, 9, 12, 7), "PMCEID1_EL0" },
	{ S(3, 3, 9, 13, 0), "PMCCNTR_EL0" }, { S(3, 3, 9, 13, 1), "PMXEVTYPER_EL0" },
	{ S(3, 3, 9, 13, 2), "PMXEVCNTR_EL0" }, { S(3, 3, 9, 14, 0), "PMUSERENR_EL0" },
	{ S(3, 3, 9, 14, 3), "PMOVSSET_EL0" }, { S(3, 3, 13, 0, 5), "TPIDR2_EL0" },
	{ S(3, 3, 13, 0, 7), "SCXTNUM_EL0" }, { S(3, 3, 13, 2, 0), "AMCR_EL0" }, { S(3, 3, 13, 2, 1), "AMCFGR_EL0" },
	{ S(3, 3, 13, 2, 2), "AMCGCR_EL0" }, { S(3, 3, 13, 2, 3), "AMUSERENR_EL0" },
	{ S(3, 3, 13, 2, 4), "AMCNTENCLR0_EL0" }, { S(3, 3, 13, 2, 5), "AMCNTENSET0_EL0" },
	{ S(3, 3, 13, 2, 6), "AMCG1IDR_EL0" }, { S(3, 3, 13, 3, 0), "AMCNTENCLR1_EL0" },
	{ S(3, 3, 13, 3, 1), "AMCNTENSET1_EL0" }, { S(3, 3, 14, 0, 1), "CNTPCT_EL0" },
	{ S(3, 3, 14, 0, 5), "CNTPCTSS_EL0" }, { S(3, 3, 14, 0, 6), "CNTVCTSS_EL0" },
	{ S(3, 3, 14, 2, 0), "CNTP_TVAL_EL0" }, { S(3, 3, 14, 3, 0), "CNTV_TVAL_EL0" },
	{ S(3, 3, 14, 15, 7), "PMCCFILTR_EL0" }, { S(3, 4, 1, 1, 4), "HFGRTR_EL2" },
	{ S(3, 4, 1, 1, 5), "HFGWTR_EL2" }, { S(3, 4, 1, 1, 6), "HFGITR_EL2" }, { S(3, 4, 1, 1, 7), "HACR_EL2" },
	{ S(3, 4, 1, 2, 1), "TRFCR_EL2" }, { S(3, 4, 1, 2, 5), "SMPRIMAP_EL2" }, { S(3, 4, 1, 2, 6), "SMCR_EL2" },
	{ S(3, 4, 1, 3, 1), "SDER32_EL2" }, { S(3, 4, 2, 2, 0), "VNCR_EL2" }, { S(3, 4, 2, 6, 0), "VSTTBR_EL2" },
	{ S(3, 4, 2, 6, 2), "VSTCR_EL2" }, { S(3, 4, 3, 0, 0), "DACR32_EL2" }, { S(3, 4, 3, 1, 4), "HDFGRTR_EL2" },
	{ S(3, 4, 3, 1, 5), "HDFGWTR_EL2" }, { S(3, 4, 3, 1, 6), "HAFGRTR_EL2" }, { S(3, 4, 4, 1, 0), "SP_EL1" },
	{ S(3, 4, 5, 0, 1), "IFSR32_EL2" }, { S(3, 4, 5, 2, 3), "VSESR_EL2" }, { S(3, 4, 5, 3, 0), "FPEXC32_EL2" },
	{ S(3, 4, 5, 6, 0), "TFSR_EL2" }, { S(3, 4, 9, 9, 0), "PMSCR_EL2" }, { S(3, 4, 10, 4, 0), "MPAMHCR_EL2" },
	{ S(3, 4, 10, 4, 1), "MPAMVPMV_EL2" }, { S(3, 4, 10, 5, 0), "MPAM2_EL2" },
	{ S(3, 4, 10, 6, 0), "MPAMVPM0_EL2" }, { S(3, 4, 12, 0, 1), "RVBAR_EL2" }, { S(3, 4, 12, 0, 2), "RMR_EL2" },
	{ S(3, 4, 12, 1, 1), "VDISR_EL2" }, { S(3, 4, 12, 9, 5), "ICC_SRE_EL2" },
	{ S(3, 4, 13, 0, 7), "SCXTNUM_EL2" }, { S(3, 4, 14, 0, 6), "CNTPOFF_EL2" },
	{ S(3, 4, 14, 2, 0), "CNTHP_TVAL_EL2" }, { S(3, 4, 14, 3, 0), "CNTHV_TVAL_EL2" },
	{ S(3, 4, 14, 4, 0), "CNTHVS_TVAL_EL2" }, { S(3, 4, 14, 4, 1), "CNTHVS_CTL_EL2" },
	{ S(3, 4, 14, 4, 2), "CNTHVS_CVAL_EL2" }, { S(3, 4, 14, 5, 0), "CNTHPS_TVAL_EL2" },
	{ S(3, 4, 14, 5, 1), "CNTHPS_CTL_EL2" }, { S(3, 4, 14, 5, 2), "CNTHPS_CVAL_EL2" },
	{ S(3, 5, 1, 0, 0), "SCTLR_EL12" }, { S(3, 5, 1, 0, 2), "CPACR_EL12" }, { S(3, 5, 1, 2, 0), "ZCR_EL12" },
	{ S(3, 5, 1, 2, 1), "TRFCR_EL12" }, { S(3, 5, 1, 2, 6), "SMCR_EL12" }, { S(3, 5, 2, 0, 0), "TTBR0_EL12" },
	{ S(3, 5, 2, 0, 1), "TTBR1_EL12" }, { S(3, 5, 2, 0, 2), "TCR_EL12" }, { S(3, 5, 4, 0, 0), "SPSR_EL12" },
	{ S(3, 5, 4, 0, 1), "ELR_EL12" }, { S(3, 5, 5, 1, 0), "AFSR0_EL12" }, { S(3, 5, 5, 1, 1), "AFSR1_EL12" },
	{ S(3, 5, 5, 2, 0), "ESR_EL12" }, { S(3, 5, 5, 6, 0), "TFSR_EL12" }, { S(3, 5, 6, 0, 0), "FAR_EL12" },
	{ S(3, 5, 9, 9, 0), "PMSCR_EL12" }, { S(3, 5, 10, 2, 0), "MAIR_EL12" }, { S(3, 5, 10, 3, 0), "AMAIR_EL12" },
	{ S(3, 5, 10, 5, 0), "MPAM1_EL12" }, { S(3, 5, 12, 0, 0), "VBAR_EL12" },
	{ S(3, 5, 13, 0, 1), "CONTEXTIDR_EL12" }, { S(3, 5, 13, 0, 7), "SCXTNUM_EL12" },
	{ S(3, 5, 14, 1, 0), "CNTKCTL_EL12" }, { S(3, 5, 14, 2, 0), "CNTP_TVAL_EL02" },
	{ S(3, 5, 14, 2, 1), "CNTP_CTL_EL02" }, { S(3, 5, 14, 2, 2), "CNTP_CVAL_EL02" },
	{ S(3, 5, 14, 3, 0), "CNTV_TVAL_EL02" }, { S(3, 5, 14, 3, 1), "CNTV_CTL_EL02" },
	{ S(3, 5, 14, 3, 2), "CNTV_CVAL_EL02" }, { S(3, 6, 4, 1, 0), "SP_EL2" },
	{ S(3, 7, 14, 2, 0), "CNTPS_TVAL_EL1" }, { S(3, 7, 14, 2, 1), "CNTPS_CTL_EL1" },
	{ S(3, 7, 14, 2, 2), "CNTPS_CVAL_EL1" },
};

/* Numbered registers: @count of them, the encoding @step apart. */
static const struct {
	uint16_t first, count, step;
	const char *before, *after;
} families[] = {
	{ S(2, 0, 0, 0, 4), 16, 8, "DBGBVR", "_EL1" },
	{ S(2, 0, 0, 0, 5), 16, 8, "DBGBCR", "_EL1" },
	{ S(2, 0, 0, 0, 6), 16, 8, "DBGWVR", "_EL1" },
	{ S(2, 0, 0, 0, 7), 16, 8, "DBGWCR", "_EL1" },
	{ S(3, 0, 12, 8, 4), 4, 1, "ICC_AP0R", "_EL1" },
	{ S(3, 0, 12, 9, 0), 4, 1, "ICC_AP1R", "_EL1" },
	{ S(3, 4, 12, 8, 0), 4, 1, "ICH_AP0R", "_EL2" },
	{ S(3, 4, 12, 9, 0), 4, 1, "ICH_AP1R", "_EL2" },
	{ S(3, 3, 13, 4, 0), 16, 1, "AMEVCNTR0", "_EL0" },
	{ S(3, 3, 13, 6, 0), 16, 1, "AMEVTYPER0", "_EL0" },
	{ S(3, 3, 13, 12, 0), 16, 1, "AMEVCNTR1", "_EL0" },
	{ S(3, 3, 13, 14, 0), 16, 1, "AMEVTYPER1", "_EL0" },
	{ S(3, 3, 14, 8, 0), 31, 1, "PMEVCNTR", "_EL0" },
	{ S(3, 3, 14, 12, 0), 31, 1, "PMEVTYPER", "_EL0" },
};
// clang-format on

static bool family_text(uint16_t encoding, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		unsigned away = (unsigned)encoding - families[i].first, n = away / families[i].step;

		if (encoding < families[i].first || away % families[i].step || n >= families[i].count)
			continue;
		strbuf_addf(out, "%s%u%s", families[i].before, n, families[i].after);
		return true;
	}
	return false;
}

static const char *name_of(uint16_t encoding)
{
	for (size_t i = 0; i < ARM64_NSYS; i++)
		if (arm64_sys_desc[i].encoding == encoding)
			return arm64_sys_desc[i].name;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].encoding == encoding)
			return names[i].name;
	return NULL;
}

bool arm64_sysname_text(uint16_t encoding, struct strbuf *out)
{
	const char *name = name_of(encoding);

	if (name)
		strbuf_adds(out, name);
	return name || family_text(encoding, out);
}

void arm64_sysname_generic(uint16_t encoding, struct strbuf *out)
{
	strbuf_addf(out, "S%u_%u_C%u_C%u_%u", encoding >> 14, encoding >> 11 & 7, encoding >> 7 & 15,
		    encoding >> 3 & 15, encoding & 7);
}
