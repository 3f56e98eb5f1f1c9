#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh BUILD [ARG...]: run the benchmarks on this machine's KVM if it is hardware KVM, else in the lab's machine.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
build=$(readlink -f "$1")
shift
set -- "$build/tests/bench/bench" "$@" "$build/src/cmd/gdbvm" "$build/tests/guests/x86/bench.bin"
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
	echo "on this machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
	exec "$@"
fi
tools/install-packages build check lab
echo "in the lab's machine (QEMU's TCG with nested SVM)"
exec lab/l1.py --qemu patched -t 1200 -- "$@"
