#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The habits that a program can check: formatting, a licence line in each file, no unfinished marks. Prints TAP.
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
files() { find src guest tests lab tools man docs -type f -not -path '*/corpus/*' -not -name '*.pyc' "$@"; }
number=0
result() { # result NAME OFFENDERS
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		printf '%s\n' "$2"
		echo "not ok $number - $1"
	fi
}
if command -v clang-format > /dev/null; then
	result "C files are formatted as .clang-format says" \
		"$(files -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run 2>&1 | grep 'warning:' | cut -d: -f1 | sort -u)"
else
	echo "ok $((++number)) - C files are formatted # SKIP no clang-format"
fi
result "every source file names its licence" "$(files \( -name '*.[chS]' -o -name '*.inc' -o -name '*.asm' -o -name '*.py' -o -name meson.build \) \
	-print0 | xargs -0 grep -L 'SPDX-License-Identifier')"
result "no unfinished marks" "$(files -not -name check_style.sh -print0 | xargs -0 grep -nE '\b(TODO|FIXME|XXX|HACK)\b')"
result "no file is over 40 KB" "$(files -name '*.[ch]' -size +40k)"
result "nothing large was committed by mistake" "$(git ls-files -z 2> /dev/null | xargs -0r -I{} find {} -size +100k)"
