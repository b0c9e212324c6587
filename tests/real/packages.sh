#!/usr/bin/env bash
# shellcheck disable=SC2016 # what `sh -c` gets is for that shell
# Builds the archive, the Debian package and the RPM package as the release workflow does, looks at them, and installs the first two
# where nothing of this repository is: the Debian package in a chroot of each release that is named, the archive in a bare folder.
#
#   packaging/release.sh build && tests/real/packages.sh DIR [bookworm | trixie]…
#
# The chroots stay in DIR for the next time (300 MB each). Needs root, cargo-deb and cargo-generate-rpm, and
#
#   apt-get install debootstrap lintian rpm mandoc man-db fish zsh
#
# Everything is mounted in a namespace that ends with its command: no mount is left behind, however this script ends.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
keep=$(realpath "${1:?a folder for the chroots}")
shift
suites=("${@:-bookworm}")
binary=target/release/execenv dist=$PWD/target/dist
mirror=${MIRROR:-http://deb.debian.org/debian}
failures=0
bad() { echo "  FAILED: $*"; failures=$((failures + 1)); }
check() { local what=$1; shift; if "$@"; then echo "  ok: $what"; else bad "$what"; fi; }
is() { [ "$1" = "$2" ] || { printf '    is:  %s\n    not: %s\n' "$1" "$2"; return 1; }; }
has() { grep -qF -- "$2" <<< "$1" || { printf '%s\n    has not: %s\n' "$(head -n 5 <<< "$1")" "$2"; return 1; }; }

[ -x "$binary" ] || { echo "build it first: packaging/release.sh build" >&2; exit 1; }
rm -rf "$dist"
echo "the release"
check "archive" packaging/release.sh archive
check "Debian package" packaging/release.sh deb
check "RPM package" packaging/release.sh rpm
check "digests" packaging/release.sh sums
check "what it needs" packaging/release.sh needs
deb=$(echo "$dist"/*.deb) rpm=$(echo "$dist"/*.rpm) archive=$(echo "$dist"/*.tar.gz)
pages=$(find man -type f | wc -l)

echo "the manual pages"
for page in man/*; do
    said=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null)
    [ -z "$said" ] || bad "man --warnings $page: $said"
    said=$(mandoc -T lint -W warning "$page" 2>&1)
    [ -z "$said" ] || bad "mandoc -T lint $page: $said"
done

echo "the completions"
for shell in bash zsh fish; do
    command -v "$shell" > /dev/null || { echo "  not run: $shell is not installed"; continue; }
    case $shell in bash) script=execenv.bash ;; zsh) script=_execenv ;; fish) script=execenv.fish ;; esac
    check "$shell reads its script" "$shell" -n "completions/$script"
done

echo "the archive"
bare=$(mktemp -d "$keep/archive.XXXXXX")
tar -xzf "$archive" -C "$bare"
check "one folder, named like the archive" is "$(ls "$bare")" "$(basename "$archive" .tar.gz)"
check "the program runs" is "$("$bare/$(ls "$bare")/execenv" --version)" "execenv $(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
check "with all pages" is "$(find "$bare"/*/man -type f | wc -l)" "$pages"
rm -rf "$bare"
first=$(sha256sum < "$archive")
packaging/release.sh archive > /dev/null
check "a second one has the same bytes" is "$(sha256sum < "$archive")" "$first"

echo "the RPM package"
listed=$(rpm -qlp "$rpm" 2> /dev/null)
for path in /usr/bin/execenv /usr/share/man/man1/execenv-run.1.gz /usr/share/man/man7/execenv-guide.7.gz /usr/share/licenses/execenv/LICENSE \
    /usr/share/bash-completion/completions/execenv /usr/share/zsh/site-functions/_execenv /usr/share/fish/vendor_completions.d/execenv.fish; do
    check "$path" has "$listed" "$path"
done
check "all pages" is "$(grep -c '^/usr/share/man/' <<< "$listed")" "$pages"
if readelf -d "$binary" | grep -q RELR; then
    check "it requires a glibc that knows short relocations" has "$(rpm -qp --requires "$rpm" 2> /dev/null)" GLIBC_ABI_DT_RELR
    check "and so does the Debian package" has "$(dpkg-deb --field "$deb" Depends)" "libc6 (>= 2.36)"
fi
check "it requires git" has "$(rpm -qp --requires "$rpm" 2> /dev/null)" "git >= 2.38"
check "it recommends bubblewrap" has "$(rpm -qp --recommends "$rpm" 2> /dev/null)" bubblewrap
check "its digests are right" rpm -K --nosignature "$rpm"

echo "the Debian package"
dpkg-deb --info "$deb" | sed -n '/Package:/,$p'
echo "  lintian:"
lintian --no-cfg "$deb" > "$keep/lintian" 2>&1
sed 's/^/    /' "$keep/lintian"
check "lintian finds no error" is "$(grep -c '^E:' "$keep/lintian")" 0

# in SUITE COMMAND…: in the chroot, with /proc and /dev of its own.
in_chroot() {
    local root=$keep/$1
    shift
    unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && root=$1 && shift && exec env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"' sh "$root" "$@"
}
files() { in_chroot "$1" sh -c 'find / -xdev \( -path /proc -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/lib/apt -o -path /tmp \) -prune -o -print | sort'; }

for suite in "${suites[@]}"; do
    echo "a chroot of $suite"
    if [ ! -e "$keep/$suite/ready" ]; then
        rm -rf "${keep:?}/$suite"
        debootstrap --variant=minbase --include=man-db,bash-completion,git,ca-certificates "$suite" "$keep/$suite" "$mirror" > "$keep/$suite.log" 2>&1 ||
            { bad "debootstrap $suite: see $keep/$suite.log"; continue; }
        cp /etc/resolv.conf "$keep/$suite/etc/"
        touch "$keep/$suite/ready"
    fi
    in_chroot "$suite" apt-get -qq update 2>&1 | tail -n 1
    files "$suite" > "$keep/before"
    cp "$deb" "$keep/$suite/tmp/execenv.deb"
    check "apt installs it, with nothing else" has "$(in_chroot "$suite" apt-get install -y --no-install-recommends /tmp/execenv.deb 2>&1)" "0 upgraded, 1 newly installed, 0 to remove"
    in_chroot "$suite" sh -c 'execenv --version; ldd --version | head -n 1; git --version'
    check "the demo runs" in_chroot "$suite" sh -c 'execenv demo > /tmp/demo && grep -c . /tmp/demo'
    check "an environment from a first to a last command" in_chroot "$suite" sh -ec 'mkdir -p /tmp/p && cd /tmp/p && git init -q 2> /dev/null
        eval "$(execenv prepare -o shell --provider claude --local-dir .)"
        execenv run "$EXECENV_ROOT" -- sh -c "echo hello > made"
        execenv cleanup "$EXECENV_ROOT" && execenv verify "$EXECENV_ROOT" -q; ls -A | grep -v "^.git$"; rm -rf /tmp/p ~/.local ~/.config'
    check "man execenv" has "$(in_chroot "$suite" sh -c 'man execenv 2>&1')" "EXIT STATUS"
    check "man execenv-trash-restore" has "$(in_chroot "$suite" sh -c 'man execenv-trash-restore 2>&1')" "SYNOPSIS"
    check "man 7 execenv-guide" has "$(in_chroot "$suite" sh -c 'man 7 execenv-guide 2>&1')" "THE FIRST ENVIRONMENT"
    check "whatis" has "$(in_chroot "$suite" sh -c 'mandb -q; whatis execenv-guide')" "execenv-guide (7)"
    check "bash completes commands" has "$(in_chroot "$suite" bash -c '. /usr/share/bash-completion/bash_completion
        _comp_load execenv 2> /dev/null || _completion_loader execenv || [ $? = 124 ]
        complete -p execenv && COMP_WORDS=(execenv cl) COMP_CWORD=1 COMP_TYPE=9 && f=$(complete -p execenv | sed "s/.*-F \([^ ]*\) .*/\1/") && $f execenv cl execenv && echo "${COMPREPLY[@]}"')" cleanup
    check "apt removes it" in_chroot "$suite" sh -c 'apt-get purge -y execenv > /tmp/purged 2>&1'
    in_chroot "$suite" sh -c 'mandb -q'
    files "$suite" > "$keep/after"
    check "and nothing is left" diff "$keep/before" "$keep/after"
    check "no mount is left" is "$(grep -c "$keep" /proc/mounts)" 0
done
rm -f "$keep/before" "$keep/after"
echo "$failures failed"
[ "$failures" = 0 ]
