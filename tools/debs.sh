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
deb_state=$cache/apt
deb_foreign=
deb_newer=
deb_lists_opts() {
	mkdir -p "$deb_state/lists/partial" "$deb_state/cache/archives/partial"
	deb_opts+=(-o "Dir::State::lists=$deb_state/lists" -o "Dir::Cache=$deb_state/cache" -o APT::Sandbox::User=root)
}

# The machine's package lists may be stale or absent: then we take our own.
deb_own_lists() {
	say "refreshing the package lists (in $deb_state)"
	deb_lists_opts
	apt-get "${deb_opts[@]}" -qq update > "$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die "apt-get update failed"; }
}

# deb_backports: from here on, the newer packages that Debian offers for this release, too, and rather than the others;
# whether or not this machine has them in its list of sources. Call it before deb_arch.
deb_backports() {
	local release uri="http://deb.debian.org/debian" key=/usr/share/keyrings/debian-archive-keyring.gpg
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	deb_newer=$release-backports
	for suite in "$release" "$deb_newer"; do echo "deb [signed-by=$key] $uri $suite main"; done > "$work/sources.list"
}

# deb_arch ARCH: from here on, packages of Debian's architecture ARCH; this machine's lists and what is installed on it say
# nothing about those of another.
deb_arch() {
	[ -n "$deb_newer" ] || [ "$1" != "$(dpkg --print-architecture)" ] || return 0
	deb_state=$cache/apt-$1${deb_newer:+-$deb_newer}
	deb_opts=(-o "APT::Architecture=$1" -o "APT::Architectures=$1" -o Dir::State::status=/dev/null)
	[ -z "$deb_newer" ] || deb_opts+=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "APT::Default-Release=$deb_newer")
	[ "$1" = "$(dpkg --print-architecture)" ] || deb_foreign=$1
	if [ -e "$deb_state/lists/lock" ]; then deb_lists_opts; else deb_own_lists; fi
}

# deb_busybox: prints the path of a static busybox for that architecture.
deb_busybox() {
	local deb out=$deb_state/busybox version
	[ -n "$deb_foreign" ] || out=/bin/busybox
	[ -x "$out" ] && { echo "$out"; return 0; }
	[ -n "$deb_foreign" ] || return 1
	version=$(apt-cache "${deb_opts[@]}" policy busybox-static | sed -n 's/^ *Candidate: //p')
	deb=$(deb_download busybox-static "$version") && dpkg-deb -x "$deb" "$work/busybox" &&
		mv "$work/busybox/bin/busybox" "$out" && echo "$out"
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

# deb_source PACKAGE VERSION: unpacks that source package into $work/src. apt checks what it fetches.
deb_source() {
	local sources=ours.sources apt
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	cd "$work"
	# The machine's own Debian mirror, asked for sources instead of binaries.
	cat /etc/apt/sources.list.d/*.sources 2> /dev/null | awk -v RS= -v ORS='\n\n' '/URIs:[^\n]*debian/' |
		sed 's/^Types:.*/Types: deb-src/' > ours.sources
	sed -n 's/^deb \(.*debian.*\)/deb-src \1/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null > ours.list || true
	[ -s ours.sources ] || sources=ours.list
	apt="apt-get -qq -o Dir::Etc::sourcelist=$work/$sources -o Dir::Etc::sourceparts=- -o Dir::State::lists=$work/lists
		-o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
	say "fetching the source package $1, version $2"
	$apt update
	# an older installed version may have left the mirror; its successor will do
	$apt source --download-only "$1=$2" || $apt source --download-only "$1"
	rm -rf src
	dpkg-source --no-check -x "$1"_*.dsc src > unpack.log 2>&1 || { cat unpack.log >&2; die "dpkg-source failed"; }
}
