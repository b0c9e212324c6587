#!/usr/bin/env bash
# The life of an environment on a FUSE file system that keeps deleted files which are open (libfuse's default, as NFS does).
#
#   tests/real/file_systems.sh EXECENV DIR
#
# Needs bindfs, /dev/fuse and the right to mount. DIR is an empty folder, or is made.
set -euo pipefail
execenv=$(realpath "$1") dir=$2
mkdir -p "$dir/source" "$dir/mounted"
bindfs "$dir/source" "$dir/mounted"
trap 'umount "$dir/mounted"' EXIT
export EXECENV_WORKSPACES_ROOT=$dir/mounted/root

check() {
    what=$1
    shift
    if "$@" >"$dir/out" 2>&1; then echo "ok: $what"; else echo "FAIL: $what"; cat "$dir/out"; exit 1; fi
}
empty_trash() { [ -z "$(ls -A "$EXECENV_WORKSPACES_ROOT/.trash")" ]; }
says() { "$execenv" doctor | grep -q "$1"; }

env=$("$execenv" prepare)
check "run" "$execenv" run "$env" -- true
check "cleanup --all" "$execenv" cleanup --all "$env"
check "nothing is left in the trash" empty_trash
env=$("$execenv" prepare)
check "run once more" "$execenv" run "$env" -- true
check "gc with a bound" "$execenv" gc --max-total 1K
check "nothing is left in the trash after gc" empty_trash
env=$("$execenv" prepare)
check "a third run" "$execenv" run "$env" -- true
check "gc without a trash" "$execenv" gc --ttl 0 --completed-ttl 1s --orphan-ttl 0 --trash-ttl 0
check "doctor" "$execenv" doctor
check "doctor says how far locks reach" says "reach this machine only"
