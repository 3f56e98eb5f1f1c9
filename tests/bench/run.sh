#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh BUILD [ARG...]: run the benchmarks on this machine's KVM if it is hardware KVM, else in the lab's machine. With
# BUILD:CROSS, where CROSS is the build of make arm64, in the lab's arm64 machine: that has no QEMU and no GDB of its own.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
build=$(readlink -f "${1%%:*}")
cross=
case $1 in *:*) cross=$(readlink -f "${1#*:}") ;; esac
shift
if [ -n "$cross" ]; then
	echo "in the lab's arm64 machine (QEMU's TCG with EL2)"
	exec lab/l1.py --arch arm64 -t 1200 -- "$cross/tests/bench/bench" --alone "$@" "$cross/src/cmd/gdbvm" \
		"$build/tests/guests/arm64/bench.bin"
fi
set -- "$build/tests/bench/bench" "$@" "$build/src/cmd/gdbvm" "$build/tests/guests/x86/bench.bin"
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
	echo "on this machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
	exec "$@"
fi
tools/install-packages build check lab
echo "in the lab's machine (QEMU's TCG with nested SVM)"
exec lab/l1.py --qemu patched -t 1200 -- "$@"
