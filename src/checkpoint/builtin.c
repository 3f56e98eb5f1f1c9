/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps that need no file. */
#include <errno.h>
#include <string.h>

#include "checkpoint/internal.h"
#include "util/macros.h"
#include "util/strbuf.h"

/* OVMF's reset vector, built with DEBUG_PORT80. Source: edk2, UefiCpuPkg/ResetVector/Vtf0/PostCodes.inc. */
static const char ovmf[] = "0x16 16BIT_MODE\n"
			   "0x32 32BIT_MODE\n"
			   "0x64 64BIT_MODE\n"
			   "0xb0 BFV_NOT_FOUND\n"
			   "0xb1 BFV_FOUND\n"
			   "0xf0 SEC_NOT_FOUND\n"
			   "0xf1 SEC_FOUND\n";

/* The boot code of bzImages writes whatever AL holds, mostly 0, to wait a microsecond. */
static const char linux_setup[] = "noise 0x10000-0x1ffff io_delay\n"
				  "noise 0x90000-0x9ffff io_delay\n";

static const char seabios[] = "noise 0xe0000-0xfffff seabios\n"
			      "noise 0xfffc0000-0xffffffff seabios\n";

static const char efi[] = "sequence 0xed EFI_PROGRESS progress:be32\n"
			  "sequence 0xee EFI_ERROR error:be32\n";

/* ---- status codes: class and subclass in the upper half, operation in the lower ----
 * Source: UEFI Platform Initialization Specification, volume 3, "Code Definitions". */

enum { SPECIFIC = 0x1000 }; // operations from here on belong to a subclass, those below to its class

static const struct {
	uint16_t code;
	const char *name;
} subclasses[] = {
	// clang-format off
	{ 0x0000, "COMPUTING_UNIT" }, { 0x0001, "HOST_PROCESSOR" }, { 0x0002, "FIRMWARE_PROCESSOR" },
	{ 0x0003, "IO_PROCESSOR" }, { 0x0004, "CACHE" }, { 0x0005, "MEMORY" }, { 0x0006, "CHIPSET" },
	{ 0x0100, "PERIPHERAL" }, { 0x0101, "KEYBOARD" }, { 0x0102, "MOUSE" }, { 0x0103, "LOCAL_CONSOLE" },
	{ 0x0104, "REMOTE_CONSOLE" }, { 0x0105, "SERIAL_PORT" }, { 0x0106, "PARALLEL_PORT" },
	{ 0x0107, "FIXED_MEDIA" }, { 0x0108, "REMOVABLE_MEDIA" }, { 0x0109, "AUDIO_INPUT" },
	{ 0x010a, "AUDIO_OUTPUT" }, { 0x010b, "LCD_DEVICE" }, { 0x010c, "NETWORK" },
	{ 0x0200, "IO_BUS" }, { 0x0201, "PCI" }, { 0x0202, "USB" }, { 0x0203, "IBA" }, { 0x0204, "AGP" },
	{ 0x0205, "PC_CARD" }, { 0x0206, "LPC" }, { 0x0207, "SCSI" }, { 0x0208, "ATA_ATAPI" }, { 0x0209, "FC" },
	{ 0x020a, "IP_NETWORK" }, { 0x020b, "SMBUS" }, { 0x020c, "I2C" },
	{ 0x0300, "SOFTWARE" }, { 0x0301, "SEC" }, { 0x0302, "PEI_CORE" }, { 0x0303, "PEI_MODULE" },
	{ 0x0304, "DXE_CORE" }, { 0x0305, "DXE_BS_DRIVER" }, { 0x0306, "DXE_RT_DRIVER" }, { 0x0307, "SMM_DRIVER" },
	{ 0x0308, "EFI_APPLICATION" }, { 0x0309, "EFI_OS_LOADER" }, { 0x030a, "RT" }, { 0x030b, "AL" },
	{ 0x030c, "EBC_EXCEPTION" }, { 0x030d, "IA32_EXCEPTION" }, { 0x030f, "PEI_SERVICE" },
	{ 0x0310, "EFI_BOOT_SERVICE" }, { 0x0311, "EFI_RUNTIME_SERVICE" }, { 0x0312, "EFI_DXE_SERVICE" },
	// clang-format on
};

/* Names of consecutive operations, separated by spaces. */
static const struct {
	uint16_t subclass; // or 0xCC00: of the class CC
	uint16_t first;
	const char *progress, *error;
} operations[] = {
	// clang-format off
	{ 0x0000, 0, "INIT_BEGIN INIT_END", "NON_SPECIFIC DISABLED NOT_SUPPORTED NOT_DETECTED NOT_CONFIGURED" },
	{ 0x0100, 0, "INIT RESET DISABLE PRESENCE_DETECT ENABLE RECONFIG DETECTED",
	  "NON_SPECIFIC DISABLED NOT_SUPPORTED NOT_DETECTED NOT_CONFIGURED INTERFACE_ERROR CONTROLLER_ERROR INPUT_ERROR "
	  "OUTPUT_ERROR RESOURCE_CONFLICT" },
	{ 0x0200, 0, "INIT RESET DISABLE DETECT ENABLE RECONFIG HOTPLUG",
	  "NON_SPECIFIC DISABLED NOT_SUPPORTED NOT_DETECTED NOT_CONFIGURED INTERFACE_ERROR CONTROLLER_ERROR READ_ERROR "
	  "WRITE_ERROR RESOURCE_CONFLICT" },
	{ 0x0300, 0, "INIT LOAD INIT_BEGIN INIT_END AUTHENTICATE_BEGIN AUTHENTICATE_END INPUT_WAIT USER_SETUP",
	  "NON_SPECIFIC LOAD_ERROR INVALID_PARAMETER UNSUPPORTED INVALID_BUFFER OUT_OF_RESOURCES ABORTED "
	  "ILLEGAL_SOFTWARE_STATE ILLEGAL_HARDWARE_STATE START_ERROR BAD_DATE_TIME CFG_INVALID CFG_CLR_REQUEST CFG_DEFAULT "
	  "PWD_INVALID PWD_CLR_REQUEST PWD_CLEARED EVENT_LOG_FULL" },
	{ 0x0001, SPECIFIC, "POWER_ON_INIT CACHE_INIT RAM_INIT MEMORY_CONTROLLER_INIT IO_INIT BSP_SELECT BSP_RESELECT AP_INIT "
	  "SMM_INIT", "INVALID_TYPE INVALID_SPEED MISMATCH TIMER_EXPIRED SELF_TEST INTERNAL THERMAL LOW_VOLTAGE HIGH_VOLTAGE "
	  "CACHE MICROCODE_UPDATE CORRECTABLE UNCORRECTABLE NO_MICROCODE_UPDATE" },
	{ 0x0004, SPECIFIC, "PRESENCE_DETECT CONFIGURATION", "INVALID_TYPE INVALID_SPEED INVALID_SIZE MISMATCH" },
	{ 0x0005, SPECIFIC, "SPD_READ PRESENCE_DETECT TIMING CONFIGURING OPTIMIZING INIT TEST",
	  "INVALID_TYPE INVALID_SPEED CORRECTABLE UNCORRECTABLE SPD_FAIL INVALID_SIZE MISMATCH S3_RESUME_FAIL UPDATE_FAIL "
	  "NONE_DETECTED NONE_USEFUL" },
	{ 0x0006, SPECIFIC, "PEI_CAR_SB_INIT PEI_CAR_NB_INIT PEI_MEM_SB_INIT PEI_MEM_NB_INIT DXE_HB_INIT DXE_NB_INIT "
	  "DXE_NB_SMM_INIT DXE_SB_RT_INIT DXE_SB_INIT DXE_SB_SMM_INIT DXE_SB_DEVICES_INIT",
	  "BAD_BATTERY DXE_NB_ERROR DXE_SB_ERROR" },
	{ 0x0101, SPECIFIC, "CLEAR_BUFFER SELF_TEST", "LOCKED STUCK_KEY" },
	{ 0x0102, SPECIFIC, "SELF_TEST", "LOCKED" },
	{ 0x0105, SPECIFIC, "CLEAR_BUFFER", "" },
	{ 0x0201, SPECIFIC, "BUS_ENUM RES_ALLOC HPC_INIT", "PERR SERR" },
	{ 0x0301, SPECIFIC, "ENTRY_POINT HANDOFF_TO_NEXT", "" },
	{ 0x0302, SPECIFIC, "ENTRY_POINT HANDOFF_TO_NEXT RETURN_TO_LAST", "DXE_CORRUPT DXEIPL_NOT_FOUND MEMORY_NOT_INSTALLED" },
	{ 0x0303, SPECIFIC, "RECOVERY_BEGIN CAPSULE_LOAD CAPSULE_START RECOVERY_USER RECOVERY_AUTO S3_BOOT_SCRIPT OS_WAKE",
	  "NO_RECOVERY_CAPSULE INVALID_CAPSULE_DESCRIPTOR S3_RESUME_PPI_NOT_FOUND S3_BOOT_SCRIPT_ERROR S3_OS_WAKE_ERROR "
	  "S3_RESUME_FAILED RECOVERY_PPI_NOT_FOUND RECOVERY_FAILED" },
	{ 0x0304, SPECIFIC, "ENTRY_POINT HANDOFF_TO_NEXT RETURN_TO_LAST START_DRIVER ARCH_READY", "NO_ARCH" },
	{ 0x0305, SPECIFIC, "LEGACY_OPROM_INIT READY_TO_BOOT_EVENT LEGACY_BOOT_EVENT EXIT_BOOT_SERVICES_EVENT "
	  "VIRTUAL_ADDRESS_CHANGE_EVENT VARIABLE_SERVICES_INIT VARIABLE_RECLAIM ATTEMPT_BOOT_ORDER_EVENT CONFIG_RESET CSM_INIT",
	  "LEGACY_OPROM_NO_SPACE INVALID_PASSWORD BOOT_OPTION_LOAD_ERROR BOOT_OPTION_FAILED INVALID_IDE_PASSWORD" },
	{ 0x030a, SPECIFIC, "ENTRY_POINT HANDOFF_TO_NEXT RETURN_TO_LAST", "" },
	{ 0x0311, SPECIFIC, "GET_TIME SET_TIME GET_WAKEUP_TIME SET_WAKEUP_TIME SET_VIRTUAL_ADDRESS_MAP CONVERT_POINTER "
	  "GET_VARIABLE GET_NEXT_VARIABLE_NAME SET_VARIABLE GET_NEXT_HIGH_MONOTONIC_COUNT RESET_SYSTEM UPDATE_CAPSULE "
	  "QUERY_CAPSULE_CAPABILITIES QUERY_VARIABLE_INFO", "" },
	// clang-format on
};

/* "SUBCLASS.OPERATION" for each of @words, the first of which is operation @first. */
static int put_operations(struct checkpoint_names *n, uint32_t field, size_t subclass, uint16_t first,
			  const char *words)
{
	uint32_t code = (uint32_t)subclasses[subclass].code << 16 | first;

	for (size_t len; *words; words += len + (words[len] == ' '), code++) {
		_cleanup_(strbuf_deinit) struct strbuf name = { 0 };

		len = strcspn(words, " ");
		strbuf_addf(&name, "%s.%.*s", subclasses[subclass].name, (int)len, words);
		const int rc = checkpoint_names_put(n, CHECKPOINT_NAME_FIELD + field, code, strbuf_str(&name), NULL);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int put_status_codes(struct checkpoint_names *n)
{
	uint32_t progress, error;
	int rc = checkpoint_names_field_id(n, "progress", &progress);

	if (rc == 0)
		rc = checkpoint_names_field_id(n, "error", &error);
	for (size_t i = 0; i < ARRAY_LEN(operations) && rc == 0; i++) {
		const uint16_t mask = operations[i].first < SPECIFIC ? 0xff00 : 0xffff;

		for (size_t s = 0; s < ARRAY_LEN(subclasses) && rc == 0; s++) {
			if ((subclasses[s].code & mask) != operations[i].subclass)
				continue;
			rc = put_operations(n, progress, s, operations[i].first, operations[i].progress);
			if (rc == 0)
				rc = put_operations(n, error, s, operations[i].first, operations[i].error);
		}
	}
	return rc;
}

static const struct {
	const char *name, *text;
	int (*more)(struct checkpoint_names *n);
} maps[] = {
	{ "ovmf", ovmf, NULL },
	{ "efi", efi, put_status_codes },
	{ "linux", linux_setup, NULL },
	{ "seabios", seabios, NULL },
};

int checkpoint_builtin_load(struct checkpoint_names *n, const char *name, struct errtext *why)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		if (strcmp(name, maps[i].name) != 0)
			continue;
		int rc = checkpoint_names_parse(n, name, maps[i].text, strlen(maps[i].text), why);
		if (rc == 0 && maps[i].more && (rc = maps[i].more(n)) < 0)
			errtext_set(why, rc, "no memory for the names of checkpoints");
		return rc;
	}
	return -ENOENT;
}
