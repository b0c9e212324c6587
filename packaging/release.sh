#!/usr/bin/env bash
# What a release consists of; .github/workflows/release.yml calls it, and so can a maintainer. Everything is put into target/dist/.
#
#   packaging/release.sh check [TAG]    the version has its entries in CHANGELOG.md and packaging/changelog, and TAG is v<version>
#   packaging/release.sh build          the release build of this machine, tried
#   packaging/release.sh notices        the licences of the crates that are compiled into the program; `build` writes them, too; needs jq
#   packaging/release.sh archive        the program with its manual pages, completions, papers and licence, as .tar.gz
#   packaging/release.sh deb            a Debian package; needs cargo-deb, and dpkg-dev for the dependencies
#   packaging/release.sh rpm            an RPM package; needs cargo-generate-rpm
#   packaging/release.sh sums           SHA256SUMS of what is in target/dist/
#   packaging/release.sh notes          the text of the release
#   packaging/release.sh needs          the version of glibc that the program needs (Linux)
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
target=${RELEASE_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
build=${CARGO_TARGET_DIR:-target}
binary=$build/release/execenv
dist=target/dist
name=execenv-$version-$target
fail() { printf 'error: %s\n' "$1" >&2; exit 1; }
digests() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
notes() {
    awk -v version="$version" '
        $1 == "##" && $2 == version { found = 1; next }
        found && /^## / { exit }
        found { print }' CHANGELOG.md
}

check() {
    [ -z "${1:-}" ] || [ "$1" = "v$version" ] || fail "the tag is $1, and Cargo.toml has version $version"
    [ -n "$(notes)" ] || fail "CHANGELOG.md has no section '## $version'"
    head -n 1 packaging/changelog | grep -qF "execenv ($version-1)" || fail "packaging/changelog does not begin with execenv ($version-1)"
    echo "$version"
}

build() {
    cargo build --release --locked --bin execenv
    [ "$("$binary" --version)" = "execenv $version" ] || fail "$binary is not version $version"
    "$binary" demo > /dev/null
    notices
}

# Crates of the program (not of its tests and build) with their texts, each text once. Of several licences to choose from it is MIT.
notices() {
    local name version folder texts text digest
    local notices=$build/release/THIRD-PARTY metadata work
    work=$(mktemp -d)
    metadata=$work/metadata
    cargo metadata --locked --format-version 1 --filter-platform "$target" > "$metadata"
    while read -r name version; do
        [ "$name" != execenv ] || continue
        folder=$(jq -r --arg name "$name" --arg version "${version#v}" \
            '.packages[] | select(.name == $name and .version == $version) | .manifest_path' "$metadata")
        folder=$(dirname "$folder")
        texts=$(find "$folder" -maxdepth 1 -type f -iname 'licen[sc]e*mit*')
        [ -n "$texts" ] || texts=$(find "$folder" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' \) | sort)
        if [ -z "$texts" ]; then
            jq -r --arg name "$name" --arg version "${version#v}" \
                '.packages[] | select(.name == $name and .version == $version) | "\(.name) \(.version): \(.license); its package has no text of it"' "$metadata" >> "$work/bare"
            continue
        fi
        while read -r text; do
            digest=$(digests "$text" | cut -d ' ' -f 1)
            cp "$text" "$work/text-$digest"
            echo "$name ${version#v}" >> "$work/names-$digest"
        done <<< "$texts"
    done < <(cargo tree --locked --edges normal --prefix none --target "$target" | cut -d ' ' -f 1,2 | sort -u)
    {
        echo "These crates are compiled into execenv."
        [ ! -e "$work/bare" ] || { echo; sort "$work/bare"; }
        for text in "$work"/text-*; do
            printf '\n%s\n' "----------------------------------------------------------------"
            sort "$work/names-${text##*/text-}"
            echo
            cat "$text"
        done
    } > "$notices"
    rm -rf "$work"
    echo "$notices"
}

has_short_relocations() { readelf -d "$binary" | grep -q RELR; }

needs() {
    objdump -T "$binary" | sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\)).*/\1/p' | sort -V | tail -n 1 | sed 's/^/glibc /'
    ! has_short_relocations || echo "short relocations: glibc 2.36"
}

archive() {
    local stage=$dist/stage/$name
    rm -rf "$dist/stage"
    mkdir -p "$stage"
    cp "$binary" "$build/release/THIRD-PARTY" "$stage/"
    cp -R man completions docs examples schemas README.md SECURITY.md CHANGELOG.md LICENSE "$stage/"
    local same=()
    if tar --version | grep -q 'GNU tar'; then
        same=(--sort=name --owner=0 --group=0 --numeric-owner "--mtime=@$(git log -1 --format=%ct)")
    fi
    tar -c "${same[@]+"${same[@]}"}" -C "$dist/stage" "$name" | gzip -9 -n > "$dist/$name.tar.gz" # no name, no time: the same bytes each time
    rm -rf "$dist/stage"
    echo "$dist/$name.tar.gz"
}

deb() {
    local variant=()
    ! has_short_relocations || variant=(--variant=short-relocations)
    cargo deb --no-build --no-strip "${variant[@]+"${variant[@]}"}" --output "$dist/"
}

rpm() {
    # cargo-generate-rpm takes files as they are.
    rm -rf "$build/release/man"
    mkdir "$build/release/man"
    cp man/* "$build/release/man/"
    gzip -9 -n "$build/release/man/"*
    # `builtin`: the same requirements whether or not rpm's own scripts are installed here.
    cargo generate-rpm --auto-req builtin --target-dir "$build" --output "$dist/"
}

sums() {
    (cd "$dist" && rm -f SHA256SUMS && digests -- *.* | tee SHA256SUMS)
}

mkdir -p "$dist"
case ${1:-} in
check) check "${2:-}" ;;
build | needs | notices | archive | deb | rpm | sums | notes) "$1" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
