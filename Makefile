# SPDX-License-Identifier: LGPL-2.1-or-later
# The short front of meson. `make demo`, `make check` and `make check-lab` do all their own set-up on a fresh Debian 12.
B ?= build

all: $(B)/build.ninja
	ninja -C $(B) src/cmd/gdbvm
	@ln -sf src/cmd/gdbvm $(B)/gdbvm

$(B)/build.ninja:
	@command -v meson >/dev/null || \
		{ echo "meson is missing: 'make deps' installs what the build needs (tools/packages has the list)"; exit 1; }
	meson setup $(B)

deps:
	tools/install-packages build

# The main job on a stock Debian kernel, narrated.
demo:
	tools/install-packages build demo
	$(MAKE) all
	tools/demo $(B)

# A build under sanitizers; -O1 keeps the stacks readable.
build-asan/build.ninja:
	meson setup build-asan -Db_sanitize=address,undefined -Doptimization=1
build-tsan/build.ninja:
	meson setup build-tsan -Db_sanitize=thread -Doptimization=1
build-fuzz/build.ninja:
	CC=clang meson setup build-fuzz -Dfuzz=true -Doptimization=1
build-arm64/build.ninja:
	libs=$$(tools/fetch-arm64-libs) && \
		meson setup build-arm64 --cross-file cross/aarch64-linux-gnu.ini --cross-file "$$libs"
build-clang/build.ninja:
	CC=clang meson setup build-clang

# For arm64, on another architecture: build-arm64/src/cmd/gdbvm, linked statically.
arm64:
	tools/install-packages build arm64
	$(MAKE) build-arm64/build.ninja
	ninja -C build-arm64

# Everything that runs in minutes, on any machine. The last line is `N passed, N failed, N skipped`.
check:
	tools/install-packages build demo check arm64
	$(MAKE) all build-asan/build.ninja build-tsan/build.ninja build-arm64/build.ninja
	$(MAKE) -j2 check-programs kernels
	tests/run.py \
		layers='!tools/check_layers.py . $(B)' \
		style='!tools/check_style.sh' \
		e2e-kvm='!tests/e2e/run.py --build $(B) --accel kvm --lab stock' \
		e2e-arm64='!tests/e2e/run.py --build $(B) --arch arm64 --accel kvm' \
		unit=$(B):unit replay=$(B):replay \
		e2e-tcg='!tests/e2e/run.py --build $(B) --accel tcg' \
		tsan-kvm='!env TSAN_OPTIONS=halt_on_error=1 tests/e2e/run.py --build $(B) --gdbvm build-tsan/src/cmd/gdbvm --accel kvm --lab none torture.' \
		asan-unit=build-asan:unit tsan-threads=build-tsan:threads asan-fuzz=build-asan:fuzz \
		browser='!tests/browser/run.py --build $(B)' \
		fuzz=$(B):fuzz asan-replay=build-asan:replay

check-programs:
	ninja -C $(B)
	ninja -C build-asan
	ninja -C build-tsan threads src/cmd/gdbvm
	ninja -C build-arm64

# Compilers leave the network to them.
kernels:
	tools/fetch-kernel x86 > /dev/null
	tools/fetch-kernel arm64 > /dev/null

# What needs an emulator built from source, and longer runs: what `make check` has run is not run again (--rest; two halves
# go beside each other). Of a machine of another kind those tests are run that meet what is different in it: with nVHE KVM
# switches to the guest and back in other code, an older GIC has to do with interrupts, a newer kernel with debug registers.
HALF = steps. torture. time. firmware.
NVHE = flat. smp. breakpoints. watch. !pwatch. steps. stops. exact time. torture. !hostile programs. four_vcpus linux.
check-lab:
	tools/install-packages build demo check arm64 lab
	$(MAKE) all build-clang/build.ninja build-fuzz/build.ninja build-tsan/build.ninja build-arm64/build.ninja
	ninja -C $(B)
	ninja -C build-tsan rigs
	ninja -C build-arm64
	ninja -C build-clang
	ninja -C build-fuzz fuzzers
	$(MAKE) lab
	tests/run.py \
		fuzz=build-fuzz:fuzz-long \
		e2e-kvm='!tests/e2e/run.py --build $(B) --accel kvm --lab patched --rest $(HALF)' \
		e2e-kvm-more='!tests/e2e/run.py --build $(B) --accel kvm --lab patched --rest $(HALF:%=!%)' \
		e2e-arm64='!tests/e2e/run.py --build $(B) --arch arm64 --accel kvm --rest' \
		e2e-arm64-nvhe='!tests/e2e/run.py --build $(B) --arch arm64 --accel kvm --lab nvhe $(NVHE)' \
		e2e-arm64-tcg='!tests/e2e/run.py --build $(B) --arch arm64 --accel tcg !hostile' \
		e2e-arm64-newer='!tests/e2e/run.py --build $(B) --arch arm64 --accel kvm --lab backports programs. flat. smp. a_debugger_in_the_guest' \
		e2e-arm64-gicv2='!tests/e2e/run.py --build $(B) --arch arm64 --accel kvm --lab gicv2 flat. smp. four_vcpus linux.' \
		e2e-tcg='!tests/e2e/run.py --build $(B) --accel tcg --rest verdicts. addresses. conditions.' \
		tsan-rigs='!tests/e2e/run.py --build build-tsan --accel kvm --lab patched programs.kvm_cpus programs.kvm_step programs.kvm_regs' \
		clang-unit=build-clang:unit clang-replay=build-clang:replay \
		e2e-gdb16='!sh -c "tests/e2e/run.py --build $(B) --accel kvm --lab patched --gdb $$(tools/fetch-gdb) gdb16. flat. smp."'

# The nested test machine: kernels, its initrd, and the QEMU with the patch of lab/, once, into the cache. And UEFI firmware
# with port-0x80 codes, a kernel with checkpoints (two or three minutes), and a newer GDB.
lab:
	tools/install-packages build check lab
	for arch in x86 arm64; do tools/fetch-kernel $$arch && tools/make-initrd busybox $$arch && lab/prepare $$arch || exit; done
	lab/prepare arm64 backports
	lab/build-qemu
	tools/build-ovmf
	tools/fetch-gdb
	tools/build-linux

# How fast it is, against KVM itself and QEMU's gdbstub: prints one table (docs/performance.md).
bench:
	tools/install-packages build demo check
	$(MAKE) all
	ninja -C $(B)
	tests/bench/run.sh $(B)

# The same of arm64, as far as it can be measured without QEMU for that host in the lab.
bench-arm64:
	tools/install-packages build check arm64 lab
	$(MAKE) all build-arm64/build.ninja
	ninja -C $(B)
	ninja -C build-arm64
	tests/bench/run.sh $(B):build-arm64

clean:
	rm -rf $(B) build-asan build-tsan build-clang build-fuzz build-arm64

.PHONY: all deps demo arm64 check check-programs kernels check-lab lab bench bench-arm64 clean
