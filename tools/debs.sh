# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the scripts that fetch Debian packages into the cache, without root. Sets $cache; the script sets $work, a
# directory for what is not finished.
export LC_ALL=C
cache=${GDBVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gdbvm}
mkdir -p "$cache"
cache=$(readlink -f "$cache")

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "$*"; exit 1; }
size() { du -sh "$1" | cut -f1; }

deb_opts=()
# The machine's package lists may be stale or absent: then we take our own.
deb_own_lists() {
	say "refreshing the package lists (in $cache/apt)"
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	deb_opts=(-o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache" -o APT::Sandbox::User=root)
	apt-get "${deb_opts[@]}" -qq update > "$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die "apt-get update failed"; }
}

# deb_resolve META: the versioned kernel package that META stands for, and its version; nothing when unknown.
deb_resolve() {
	local package version
	package=$(apt-cache "${deb_opts[@]}" depends --important "$1" 2> /dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1)
	[ -n "$package" ] || return 0
	version=$(apt-cache "${deb_opts[@]}" policy "$package" | sed -n 's/^ *Candidate: //p')
	[ "${version:-(none)}" = "(none)" ] || echo "$package" "$version"
}

# deb_download PACKAGE VERSION: prints the path of its deb. One that lies in CACHE/dl already is used and stays there.
deb_download() {
	local deb=${1}_${2//:/%3a} found
	for found in "$cache/dl/$deb"_*.deb; do
		[ -e "$found" ] && { echo "$found"; return 0; }
	done
	mkdir -p "$work/deb-$1"
	(cd "$work/deb-$1" && apt-get "${deb_opts[@]}" -qq download "$1=$2" > log 2>&1) || return 1
	echo "$work/deb-$1/$deb"_*.deb
}
