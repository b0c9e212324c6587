#!/usr/bin/env bash
# Fills a small disk and leaves so many KiB free, from none to more than a command needs, for every command. A command that has
# no room must say so in one error and leave nothing half made: no hidden folder, the environment and the user's folder as
# they were; with room again it works. `cleanup` and `gc` must work, and free room, on a disk with 0 bytes free.
#
# The disks are an ext4 in a file on a loop device and a tmpfs of limited size, so it needs root, mount and mkfs.ext4.
# Without them it says that it did not run and ends with 0.
#
#   cargo build && tests/soak/fulldisk.sh                # ext4 and tmpfs, every case
#   tests/soak/fulldisk.sh -f tmpfs -c reuse -k "0 4 8"  # one case, with so many KiB free
#
# -f FILE SYSTEM and -c CASE (the start of its name) may be given more than once.
set -uo pipefail
if [ -z "${FULLDISK_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
    FULLDISK_MOUNTS=own exec unshare -m bash "$0" "$@"
fi
cd "$(dirname "$0")/../.."

filesystems=() cases=() free="0 4 8 12 16 24 32 48 64 96 128 192"
while getopts f:c:k: option; do
    case $option in
    f) filesystems+=("$OPTARG") ;;
    c) cases+=("$OPTARG") ;;
    k) free=$OPTARG ;;
    *) exit 2 ;;
    esac
done
((${#filesystems[@]})) || filesystems=(ext4 tmpfs)
execenv=${EXECENV_BIN:-$PWD/target/debug/execenv}

not_run() {
    echo "fulldisk: NOT RUN: $1"
    exit 0
}
[ "$(id -u)" = 0 ] || not_run "mounting needs root"
[ -x "$execenv" ] || not_run "$execenv is not built"

work=$(mktemp -d "${TMPDIR:-/tmp}/execenv-fulldisk-XXXXXX")
disk=$work/disk
mkdir "$disk" "$work/home" "$work/kept"
export HOME=$work/home EXECENV_WORKSPACES_ROOT=$disk/root EXECENV_LOG=errors
unset EXECENV_OUTPUT EXECENV_CONFIG TMPDIR
project=$disk/project key=555555abcdef env=$disk/root/w/555555abcdef

unmount() { if mountpoint -q "$disk"; then umount "$disk" || umount -l "$disk"; fi; }
trap 'unmount; rm -rf "$work"' EXIT

make_disk() {
    unmount
    case $1 in
    ext4)
        rm -f "$work/image"
        truncate -s 8M "$work/image" && mkfs.ext4 -q -F -m 0 -O ^has_journal "$work/image" &&
            flock "$(dirname "$work")" mount -o loop,noatime "$work/image" "$disk"
        ;;
    tmpfs) mount -t tmpfs -o size=4M tmpfs "$disk" ;;
    esac >/dev/null 2>&1 || not_run "a $1 cannot be made and mounted"
}

# Fills the disk to the last byte, but for so many KiB.
fill() {
    rm -f "$disk"/room
    if (($1)); then head -c "$1K" /dev/zero >"$disk/room"; fi
    head -c 64M /dev/zero >"$disk/full" 2>/dev/null
    head -c 64K /dev/zero >>"$disk/full" 2>/dev/null
    rm -f "$disk/room"
}

snapshot() {
    (cd "$1" 2>/dev/null && find . -name lost+found -prune -o -printf '%y %m %U:%G %P %l\n' | sort &&
        find . -name lost+found -prune -o -type f -print0 | sort -z | xargs -0r sha256sum)
}
# What may differ after a command that failed: what it logs, and the lock files.
snapshot_env() { snapshot "$env" | grep -v -e ' logs' -e '/logs/' -e '.task_lock'; }

write_tasks() {
    cat >"$work/task.json" <<'JSON'
{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude","issue_id":"ISSUE-1",
 "prompt":"Do it.","agent":{"id":"a","name":"Coder","custom_env":{"A":"1"},"skills":[{"name":"Review","description":"d",
 "content":"Look.","files":[{"path":"ref/list.md","content":"one\n"},{"path":"ref/more.md","content":"two\n"}]}]}}
JSON
    cat >"$work/next.json" <<'JSON'
{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"codex","issue_id":"ISSUE-2",
 "prompt":"Again.","agent":{"id":"a","name":"Coder","instructions":"Be brief.",
 "skills":[{"name":"Test","description":"d","content":"Run."}]}}
JSON
}
write_project() {
    mkdir -p "$project/docs" "$project/.claude/skills/review"
    printf 'mine\r\n' >"$project/docs/RULES.md"
    ln -s docs/RULES.md "$project/CLAUDE.md"
    printf 'no line feed' >"$project/AGENTS.md"
    chmod 0640 "$project/AGENTS.md"
    printf 'own\n' >"$project/.claude/skills/review/SKILL.md"
}

perform() {
    unset EXECENV_TEST_NOW
    case $1 in
    prepare) set -- prepare --task "$work/task.json" ;;
    prepare-local) set -- prepare --task "$work/task.json" --local-dir "$project" ;;
    replace) set -- prepare --replace --task "$work/next.json" ;;
    reuse) set -- reuse $key --task "$work/next.json" ;;
    run) set -- run $key -- sh -c 'echo done' ;;
    cleanup) set -- cleanup $key ;;
    cleanup-all) set -- cleanup --all $key ;;
    trash) set -- cleanup --all --trash $key ;;
    trash-empty) set -- trash empty --yes ;;
    gc) set -- gc --orphan-ttl 1s --ttl 1s --trash-ttl 0 && export EXECENV_TEST_NOW=2099-01-01T00:00:00Z ;;
    esac
    "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"
}

# Name, the commands before, the command, and whether it must work on a full disk.
all_cases=(
    "prepare::prepare:may fail"
    "prepare-local::prepare-local:may fail"
    "replace:prepare:replace:may fail"
    "reuse:prepare:reuse:may fail"
    "reuse-local:prepare-local:reuse:may fail"
    "run:prepare:run:may fail"
    "run-local:prepare-local:run:may fail"
    "cleanup:prepare:cleanup:must work"
    "cleanup-ran:prepare run:cleanup:must work"
    "cleanup-local:prepare-local:cleanup:must work"
    "cleanup-all:prepare:cleanup-all:must work"
    "cleanup-all-local:prepare-local:cleanup-all:must work"
    "trash-empty:prepare trash:trash-empty:must work"
    "gc:prepare:gc:must work"
    "gc-ran:prepare run:gc:must work"
)

wrong=0 played=0
complain() {
    wrong=$((wrong + 1))
    echo "WRONG $when: $*"
}
hidden() { find "$disk/root" -name '.staging-*' -o -name '*.removing' -o -name '.execenv.tmp' -o -name '.execenv.homes*' \
    -o -name '.execenv-[0-9a-f]*' -o -name '.execenv.record*' 2>/dev/null; find "$project" -name '.execenv*' 2>/dev/null; }

play() { # file system, case, KiB
    local name before command duty step status room
    IFS=: read -r name before command duty <<<"$2"
    when="$1, $name, $3 KiB free"
    make_disk "$1"
    write_project
    snapshot "$project" >"$work/original"
    for step in $before; do perform "$step" || complain "$step fails: $(cat "$work/err")"; done
    snapshot "$project" >"$work/project-before"
    snapshot_env >"$work/env-before"
    fill "$3"
    room=$(df --output=avail "$disk" | tail -1)
    perform "$command"
    status=$?
    played=$((played + 1))
    if [ -n "$(hidden)" ]; then complain "left: $(hidden | tr '\n' ' ') ($(head -c 200 "$work/err"))"; fi
    if [ "$duty" = "must work" ]; then
        [ $status = 0 ] || complain "status $status: $(head -c 400 "$work/err" | tr '\n' ' ')"
        if ((room >= $(df --output=avail "$disk" | tail -1))); then complain "frees nothing"; fi
        snapshot "$project" >"$work/now"
        cmp -s "$work/original" "$work/now" || complain "the folder: $(diff "$work/original" "$work/now" | head -5)"
        return
    fi
    [ "$3" = 0 ] && [ $status = 0 ] && echo "works $when"
    [ $status = 0 ] && return
    [ "$(grep -c '^error' "$work/err")" = 1 ] || complain "not one error: $(head -c 600 "$work/err")"
    grep -q 'No space left\|disk is full' "$work/err" || complain "does not say why: $(head -c 400 "$work/err")"
    snapshot "$project" >"$work/now"
    # An interrupted step in the user's folder is taken back at once, or by the next command.
    if ! cmp -s "$work/project-before" "$work/now"; then
        cmp -s "$work/original" "$work/now" || complain "the folder: $(diff "$work/project-before" "$work/now" | head -5)"
    fi
    case $name in run*) ;; *)
        snapshot_env >"$work/now"
        cmp -s "$work/env-before" "$work/now" || echo "changed $when: $(diff "$work/env-before" "$work/now" | head -8 | tr '\n' ' ') $(head -c 200 "$work/err" | head -1)"
        ;;
    esac
    if [ "${SHOW:-}" ]; then cat "$work/err"; fi
    rm -f "$disk/full"
    perform "$command" || complain "with room again, status $?: $(head -c 400 "$work/err")"
    perform cleanup-all || complain "the clean-up at the end: $(head -c 400 "$work/err")"
    snapshot "$project" >"$work/now"
    cmp -s "$work/original" "$work/now" || complain "at the end: $(diff "$work/original" "$work/now" | head -5)"
}

write_tasks
for fs in "${filesystems[@]}"; do
    for case in "${all_cases[@]}"; do
        chosen=$((${#cases[@]} == 0))
        for wanted in "${cases[@]}"; do
            if [[ $case == "$wanted"* ]]; then chosen=1; fi
        done
        if ((chosen)); then for kib in $free; do play "$fs" "$case" "$kib"; done; fi
    done
done
echo "fulldisk: $played played, $wrong wrong"
[ $wrong = 0 ]
