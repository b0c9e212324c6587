#!/usr/bin/env bash
# Plays power cuts: a command is stopped before one of its changes to the disk, what has reached the disk by then is
# copied, and the copy is mounted as after a reboot. Then `doctor --fix` and `cleanup` must put the user's folder back as
# it was, or say with a status that is not 0 what is not. After the command's end everything must be on the disk.
#
# The disks are file systems in files on loop devices, so it needs root, mount, and mkfs of the file systems. Without them
# it says that it did not run and ends with 0. It needs a debug build, which has the hook that stops it.
#
#   cargo build && tests/soak/powercut.sh                    # five points of each case on ext4
#   tests/soak/powercut.sh -f ext4 -f xfs -f btrfs -p all    # every point on three file systems
#   tests/soak/powercut.sh -c reuse -d two -p 12             # one case; the project on a disk of its own
#
# -f FILE SYSTEM, -c CASE (the start of its name) and -d one|two may be given more than once.
set -uo pipefail
# Mounts of its own: a namespace that another program makes meanwhile would keep a disk of ours in use.
if [ -z "${POWERCUT_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
    POWERCUT_MOUNTS=own exec unshare -m bash "$0" "$@"
fi
cd "$(dirname "$0")/../.."

filesystems=() cases=() disks=() points=5
while getopts f:c:d:p: option; do
    case $option in
    f) filesystems+=("$OPTARG") ;;
    c) cases+=("$OPTARG") ;;
    d) disks+=("$OPTARG") ;;
    p) points=$OPTARG ;;
    *) exit 2 ;;
    esac
done
((${#filesystems[@]})) || filesystems=(ext4)
((${#disks[@]})) || disks=(one two)
execenv=${EXECENV_BIN:-$PWD/target/debug/execenv}

not_run() {
    echo "powercut: NOT RUN: $1"
    exit 0
}
[ "$(id -u)" = 0 ] || not_run "mounting needs root"
[ -x "$execenv" ] || not_run "$execenv is not built"

work=$(mktemp -d "${TMPDIR:-/tmp}/execenv-powercut-XXXXXX")
disk=$work/disk other=$work/other
mkdir "$disk" "$other" "$work/home"
export HOME=$work/home EXECENV_WORKSPACES_ROOT=$disk/root EXECENV_LOG=errors
export PATH=$work/bin:$PATH IS_SANDBOX=1
unset EXECENV_OUTPUT EXECENV_CONFIG TMPDIR

unmount() {
    local place tries
    for place in "$disk" "$other"; do
        for ((tries = 0; tries < 60; tries++)); do
            mountpoint -q "$place" || break
            umount "$place" 2>/dev/null || sleep 0.1
        done
        mountpoint -q "$place" && umount -l "$place"
    done
}
trap 'unmount; rm -rf "$work"' EXIT

# The images of one state: one disk or two.
each() {
    echo "$disk $1.1"
    if [ "$two" = two ]; then echo "$other $1.2"; fi
}
# One at a time in a folder: two sweeps would take the same loop device.
mount_state() {
    each "$1" | while read -r place image; do
        flock "$(dirname "$work")" mount -o loop,noatime "$image" "$place" || exit 1
    done
}
copy_state() {
    local number
    for number in 1 2; do
        if [ -e "$work/$1.$number" ]; then cp --sparse=always "$work/$1.$number" "$work/$2.$number"; fi
    done
}
make_disks() {
    rm -f "$work"/base.* "$work"/img.* "$work"/cut.*
    each "$work/base" | while read -r _ image; do
        case $1 in
        ext4) truncate -s 48M "$image" && mkfs.ext4 -q -F "$image" ;;
        xfs) truncate -s 320M "$image" && mkfs.xfs -q -f "$image" ;;
        btrfs) truncate -s 160M "$image" && mkfs.btrfs -q -f "$image" ;;
        esac >/dev/null 2>&1 || exit 1
    done
}

# Everything about a folder but times and inodes.
snapshot() {
    (cd "$1" 2>/dev/null && find . -name lost+found -prune -o -printf '%y %m %U:%G %P %l\n' | sort &&
        find . -name lost+found -prune -o -type f -print0 | sort -z | xargs -0r sha256sum)
}

key=555555abcdef
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
# An agent that names two sessions, and makes the disk write what waits in its journal after each.
write_agent() {
    mkdir -p "$work/bin"
    cat >"$work/bin/claude" <<AGENT
#!/bin/sh
case "\$*" in *--version*) echo "2.1.0 (Claude Code)"; exit ;; esac
read -r line
for session in 11111111-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000002; do
    echo '{"type":"system","subtype":"init","session_id":"'\$session'","tools":[]}'
    for tries in 1 2 3 4 5 6 7 8 9 10; do
        grep -q \$session "$disk"/root/w/*/.gc_meta.json && break
        sleep 0.05
    done
    echo "\$session" >>"$disk/agents-own"
    sync "$disk/agents-own"
done
echo '{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"'\$session'"}'
AGENT
    chmod +x "$work/bin/claude"
    
}
write_project() {
    mkdir -p "$project/docs" "$project/.claude/skills/review"
    printf 'mine\r\n' >"$project/docs/RULES.md"
    ln -s docs/RULES.md "$project/CLAUDE.md"
    printf 'no line feed' >"$project/AGENTS.md"
    chmod 0640 "$project/AGENTS.md"
    printf 'own\n' >"$project/.claude/skills/review/SKILL.md"
}

# What a killed run of Codex leaves that has renewed the user's login in its home.
old_login='{"OPENAI_API_KEY":"old"}' new_login='{"OPENAI_API_KEY":"new"}'
write_renewed_login() {
    local link
    mkdir "$disk/codex"
    echo "$old_login" >"$disk/codex/auth.json"
    CODEX_HOME=$disk/codex exec_it prepare --task "$work/next.json"
    link=$(echo "$disk"/root/w/*/codex-home/auth.json)
    [ -L "$link" ] || complain "no link to the login: $(cat "$work/err")"
    rm "$link"
    sleep 0.1
    echo "$new_login" >"$link"
}

# A word of a case is a command; `local` stands for the user's folder.
perform() {
    case $1 in
    prepare) set -- prepare --task "$work/task.json" ;;
    prepare-local) set -- prepare --task "$work/task.json" --local-dir "$project" ;;
    again-local) set -- prepare --task "$work/next.json" --local-dir "$project" ;;
    reuse) set -- reuse $key --task "$work/next.json" ;;
    cleanup) set -- cleanup $key ;;
    cleanup-all) set -- cleanup --all $key ;;
    run) set -- run $key -- sh -c 'echo done' ;;
    run-session) set -- run $key ;;
    cleanup-login) set -- cleanup --keep-login $key ;;
    renewed)
        write_renewed_login
        return
        ;;
    gc) set -- gc --orphan-ttl 1s --ttl 1s ;;
    edit)
        echo edited >"$project/.agent_context/issue_context.md"
        return
        ;;
    esac
    if [ "$1" = gc ]; then export EXECENV_TEST_NOW=2099-01-01T00:00:00Z; else unset EXECENV_TEST_NOW; fi
    exec_it "$@"
}
exec_it() { "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"; }

# Name, the commands before, the command.
all_cases=(
    "prepare::prepare"
    "prepare-local::prepare-local"
    "again-local:prepare-local:again-local"
    "reuse:prepare:reuse"
    "reuse-local:prepare-local:reuse"
    "reuse-local-edited:prepare-local edit:reuse"
    "run:prepare:run"
    "run-local:prepare-local:run"
    "run-session:prepare:run-session"
    "run-session-local:prepare-local:run-session"
    "cleanup:prepare:cleanup"
    "cleanup-local:prepare-local:cleanup"
    "cleanup-local-edited:prepare-local edit:cleanup"
    "cleanup-all-local:prepare-local:cleanup-all"
    "cleanup-login:renewed:cleanup-login"
    "gc:prepare:gc"
)

wrong=0 told=0 played=0
complain() {
    wrong=$((wrong + 1))
    echo "WRONG $when: $*"
}

# After the reboot: repairs, ends every environment, and compares the user's folder.
judge() {
    local env status said=0 record
    "$execenv" doctor --fix </dev/null >"$work/doctor" 2>&1
    for env in "$disk"/root/w/*/; do
        [ -d "$env" ] || continue
        for record in "$env.gc_meta.json" "$env.multica_sidecar_manifest.json"; do
            if [ -e "$record" ] && [ ! -s "$record" ]; then complain "$record has 0 bytes"; fi
        done
        "$execenv" cleanup --keep-login "$env" </dev/null >"$work/cleaned" 2>&1
        status=$?
        if [ $status != 0 ]; then said=1; fi
    done
    if [ -d "$disk/codex" ]; then
        [ "$(cat "$disk/codex/auth.json")" = "$new_login" ] ||
            complain "the renewed login is not the user's: $(head -c 100 "$disk/codex/auth.json")"
        [ "$(ls -A "$disk/codex")" = auth.json ] || complain "beside the login: $(ls -A "$disk/codex")"
    fi
    snapshot "$project" >"$work/now"
    if ! cmp -s "$work/original" "$work/now"; then
        if [ $said = 1 ]; then
            told=$((told + 1))
            echo "told  $when: $(head -c 300 "$work/cleaned" | tr '\n' ' ')"
        else
            complain "status 0, and the folder is not as it was: $(diff "$work/original" "$work/now" | head -5)"
        fi
    fi
    for env in "$disk"/root/w/*/; do
        [ -d "$env" ] || continue
        "$execenv" cleanup --all "$env" </dev/null >"$work/cleaned" 2>&1 ||
            complain "cannot be ended: $(head -c 400 "$work/cleaned" | tr '\n' ' ')"
    done
    "$execenv" gc --trash-ttl 0 </dev/null >"$work/cleaned" 2>&1
    if ls -d "$disk"/root/w/.[!.]* >/dev/null 2>&1; then complain "left: $(ls -d "$disk"/root/w/.[!.]*)"; fi
}

cut_power() {
    copy_state img cut
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    unmount
    mount_state "$work/cut" || complain "the copy cannot be mounted"
}

play() { # the command of the case, and the point at which it stops
    local state
    copy_state base img
    mount_state "$work/img" || return
    export EXECENV_TEST_STOP_AT=$2
    exec_it() { exec "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"; }
    perform "$1" &
    pid=$!
    unset EXECENV_TEST_STOP_AT
    while :; do
        state=
        read -r state 2>/dev/null <"/proc/$pid/stat"
        state=${state##*) }
        state=${state%% *}
        case $state in T | Z | "") break ;; esac
    done
    exec_it() { "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"; }
    played=$((played + 1))
    cut_power
    if [ "$state" = T ]; then judge; fi
    unmount
}

# The root without what is transport, and without what is only removed or moved: a power cut may undo that.
snapshot_root() {
    snapshot "$disk/root" | grep -v -e '\.locks' -e '\.trash' -e '\.stores' -e ' logs/' -e '/logs/'
}

# At the end of a command its whole effect is on the disk.
play_end() {
    copy_state base img
    mount_state "$work/img" || return
    pid=0
    perform "$1" || complain "the command fails: $(head -c 300 "$work/err")"
    copy_state img cut
    snapshot "$project" >"$work/live-project"
    if [ -d "$disk/codex" ]; then snapshot "$disk/codex" >>"$work/live-project"; fi
    snapshot_root >"$work/live-root"
    unmount
    mount_state "$work/cut"
    played=$((played + 1))
    snapshot "$project" >"$work/now"
    if [ -d "$disk/codex" ]; then snapshot "$disk/codex" >>"$work/now"; fi
    cmp -s "$work/live-project" "$work/now" || complain "not on the disk: $(diff "$work/live-project" "$work/now" | head -6)"
    snapshot_root >"$work/now"
    # What gc removed may be there again: the next cycle takes it.
    [ "$1" = gc ] || cmp -s "$work/live-root" "$work/now" || complain "not on the disk: $(diff "$work/live-root" "$work/now" | head -6)"
    judge
    unmount
}

play_case() {
    local name before command step count point distance
    IFS=: read -r name before command <<<"$1"
    project=$disk/project
    if [ "$two" = two ]; then project=$other/project; fi
    make_disks "$fs" || not_run "mkfs.$fs is not there"
    mount_state "$work/base" || not_run "a loop device cannot be mounted"
    local head="$fs, $two disk(s), $name"
    when="$head, before it"
    write_tasks
    write_agent
    write_project
    snapshot "$project" >"$work/original"
    for step in $before; do perform "$step" || complain "$step fails: $(cat "$work/err")"; done
    # gc writes the last steps as a reboot long ago would have left them.
    sync -f "$disk"
    if [ "$two" = two ]; then sync -f "$other"; fi
    unmount
    copy_state base img
    mount_state "$work/img"
    export EXECENV_TEST_COUNT=$work/count
    rm -f "$work/count"
    exec_it() { exec "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"; }
    perform "$command" &
    pid=$!
    wait $pid
    exec_it() { "$execenv" "$@" </dev/null >"$work/out" 2>"$work/err"; }
    unset EXECENV_TEST_COUNT
    unmount
    count=$(grep -cx "$pid" "$work/count")
    distance=1
    if [ "$points" != all ] && ((count > points)); then distance=$(((count + points - 1) / points)); fi
    for ((point = 1; point <= count; point += distance)); do
        when="$head at change $point of $count"
        play "$command" $point
    done
    when="$head at its end"
    play_end "$command"
    echo "done  $head: $count changes"
}

for fs in "${filesystems[@]}"; do
    for two in "${disks[@]}"; do
        for case in "${all_cases[@]}"; do
            chosen=1
            for wanted in "${cases[@]}"; do
                chosen=0
                if [[ $case == "$wanted"* ]]; then chosen=1 && break; fi
            done
            if ((chosen)); then play_case "$case"; fi
        done
    done
done
echo "powercut: $played cuts played, $wrong wrong, $told told by a command"
[ $wrong = 0 ]
