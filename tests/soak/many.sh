#!/usr/bin/env bash
# Many processes on one workspaces root, and nothing is lost.
#
#   cargo build && tests/soak/many.sh slots        # 200 runs at once with --max-concurrent 10; some of them are killed
#   tests/soak/many.sh mixed 600                   # 64 workers for 600 s: prepare, reuse, run, cleanup, kill; and gc all the time
#   tests/soak/many.sh 600                         # both
#
# What counts as a loss is named in front of each `lost` below. EXECENV_BIN: another binary; WORKERS: another number of them.
# The folder of a test that lost something stays.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
binary=${EXECENV_BIN:-$PWD/target/debug/execenv}
[ -x "$binary" ] || { echo "many: NOT RUN: $binary is not built"; exit 0; }

what=${1:-all} seconds=${2:-60} workers=${WORKERS:-64}
case $what in
slots | mixed | all) ;;
*[!0-9]*) echo "usage: $0 [slots | mixed] [SECONDS]" >&2; exit 2 ;;
*) seconds=$what what=all ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/execenv-many-XXXXXX")
mkdir "$work/bin" "$work/home" "$work/held" "$work/alive" "$work/tokens" "$work/counts"
cp "$binary" "$work/bin/execenv" # a build meanwhile changes nothing
export PATH="$work/bin:$PATH" HOME="$work/home" EXECENV_WORKSPACES_ROOT="$work/root" EXECENV_KEY_FILE="$work/key"
export GIT_CONFIG_GLOBAL="$work/gitconfig" GIT_CONFIG_NOSYSTEM=1 work
printf '[user]\n\tname = Many\n\temail = many@example.invalid\n' > "$GIT_CONFIG_GLOBAL"
: > "$work/lost"

lost() { echo "$*" >> "$work/lost"; }
count() { echo >> "$work/counts/$1"; }

# Runs a command. A status other than those in the first word, or a panic, is a loss. Leaves the status in $status.
expect() {
    local allowed=" $1 " said
    shift
    said=$(mktemp -p "$work")
    "$@" > "$said.out" 2> "$said"
    status=$?
    count "$(basename "$1")-${2:-}-$status"
    case $allowed in
    *" $status "*) ;;
    *) lost "status $status, not one of$allowed: $* :: $(tr '\n' ' ' < "$said" | tail -c 400)" ;;
    esac
    if grep -q panicked "$said"; then lost "panic: $* :: $(tr '\n' ' ' < "$said")"; fi
    out=$(cat "$said.out")
    rm -f "$said" "$said.out"
}

# ---------------------------------------------------------------- slots

# What the runs of `slots` run: it counts the agents that are alive, itself among them.
cat > "$work/bin/counted" <<'AGENT'
#!/usr/bin/env bash
echo $$ > "$work/alive/$1"
alive=0
for file in "$work"/alive/*; do
    kill -0 "$(cat "$file" 2>/dev/null)" 2>/dev/null && alive=$((alive + 1))
done
echo "$alive" >> "$work/most"
sleep "0.$((RANDOM % 6 + 3))"
rm -f "$work/alive/$1"
echo "$1" >> "$work/done"
AGENT
chmod +x "$work/bin/counted"

parent() { awk '/^PPid:/ { print $2 }' "/proc/$1/status"; }

slots() {
    local n pids=() killed=0
    for n in $(seq 200); do echo "{\"id\": \"slot-$n\", \"provider\": \"command\"}"; done > "$work/tasks.jsonl"
    start() { exec execenv run -q --task "$work/tasks.jsonl" --line "$1" --once --wait 5m --max-concurrent 10 --wait-slot 30m -- counted "$1" 2>> "$work/slots.err"; }
    for n in $(seq 200); do
        start "$n" &
        pids[n]=$!
    done
    # Whoever is killed while it waits or while its agent runs must not keep its slot.
    sleep 2
    exec 3>&2 2> "$work/shell.err" # where the shell says what was killed
    local agent victim
    for n in $(seq 30); do
        victim=${pids[$((n * 6))]}
        if [ $((n % 2)) = 0 ]; then
            agent=$(find "$work/alive" -type f -printf '%T@ %f\n' | sort -n | tail -n 1 | cut -d' ' -f2)
            agent=$(cat "$work/alive/$agent") && victim=$(parent "$(parent "$agent")") # the guard's
        fi
        [ "${victim:-0}" -gt 1 ] && kill -9 "$victim" && killed=$((killed + 1))
        sleep 0.1
    done
    local failed=()
    for n in $(seq 200); do wait "${pids[n]}" || failed+=("$n"); done
    exec 2>&3
    # An engine starts again what was killed; what is done is not run again.
    for n in $(seq 200); do
        (start "$n") || lost "slots: task $n does not finish: $(tail -n 3 "$work/slots.err")"
    done
    local most twice
    most=$(sort -n "$work/most" | tail -n 1)
    [ "$most" -le 10 ] || lost "slots: $most agents were alive at once, with --max-concurrent 10"
    [ "$(sort -u "$work/done" | wc -l)" = 200 ] || lost "slots: $(sort -u "$work/done" | wc -l) of 200 tasks were done"
    # All slots are free again: ten runs at once get one without a wait, and no eleventh.
    pids=()
    for n in $(seq 10); do
        mkfifo "$work/go.$n"
        execenv run -q --task "$work/tasks.jsonl" --line "$n" --max-concurrent 10 -- sh -c "echo > '$work/in.$n'; read x < '$work/go.$n'" 2>> "$work/slots.err" &
        pids[n]=$!
    done
    for n in $(seq 10); do
        until [ -e "$work/in.$n" ]; do
            kill -0 "${pids[n]}" 2>/dev/null || { lost "slots: a slot has leaked: $(tail -n 3 "$work/slots.err")"; break; }
            sleep 0.05
        done
    done
    expect 4 execenv run -q --task "$work/tasks.jsonl" --line 11 --max-concurrent 10 -- true
    for n in $(seq 10); do echo > "$work/go.$n"; done
    wait
    twice=$(($(wc -l < "$work/done") - $(sort -u "$work/done" | wc -l)))
    echo "slots: 200 runs, at most $most alive at once, $killed killed, ${#failed[@]} of them before their end, $twice tasks run a second time"
}

# ---------------------------------------------------------------- mixed

# What the runs of `mixed` run: the work dir is its own for its whole time, and its files stay.
cat > "$work/bin/worked" <<'AGENT'
#!/usr/bin/env bash
# worked KEY TOKEN [SECONDS]
mkdir "$work/held/$1" 2>/dev/null || { other=$(cat "$work/held/$1/pid" 2>/dev/null); kill -0 "$other" 2>/dev/null && echo "two runs at once in $1" >> "$work/lost"; }
echo $$ > "$work/held/$1/pid"
echo "$2" > "token.$2"
sleep "${3:-0.0$((RANDOM % 10))}"
[ "$(cat "token.$2" 2>&1)" = "$2" ] || echo "the work dir of $1 was taken away during its run ($PWD)" >> "$work/lost"
rm -rf "$work/held/$1" 2> /dev/null
AGENT
chmod +x "$work/bin/worked"

# An environment that only this worker uses, and gc. A token that was written is in its work dir or in the trash until the worker
# removes it itself.
private() {
    local id=$1 token=$1-$2 env
    expect 0 execenv prepare -q --task-id "$id" --provider command --wait 2m
    env=$out
    sleep "0.0$((RANDOM % 10))"
    expect 0 execenv run -q "$env" --wait 2m -- worked "$id" "$token" # gc leaves what is reserved
    [ "$status" = 0 ] && echo "$token" > "$work/tokens/$token"
    case $((RANDOM % 4)) in
    0)
        expect "0 3" execenv reuse -q "$id" --provider command --wait 2m
        if [ "$status" = 0 ]; then
            expect 0 execenv run -q "$id" --wait 2m -- sh -c "test -e 'token.$token'" # work stays
        fi
        ;;
    1)
        execenv run -q "$id" --wait 2m -- worked "$id" "$token" 5 2> /dev/null &
        sleep "0.$((RANDOM % 5))"
        kill -9 $! 2> /dev/null
        wait $! 2> /dev/null
        count killed
        # The guard has the lock until the agent is gone.
        rm -rf "$work/held/$id"
        expect "0 3" execenv run -q "$id" --wait 2m -- true
        ;;
    2)
        # From here on the token may be gone.
        rm -f "$work/tokens/$token"
        expect "0 3" execenv cleanup -q --all "$id" --wait 2m
        ;;
    3) expect "0 3" execenv cleanup -q --all --trash "$id" --wait 2m ;;
    esac
}

# A worktree of one repository of all workers: each commit is reachable for ever.
committed() {
    local id=$1 token=$1-$2 env
    expect 0 execenv prepare -q --task-id "$id" --provider command --repo "$work/repo" --base HEAD --wait 2m
    env=$out
    expect 0 execenv run -q "$env" --wait 2m -- sh -c "echo $token > $token && git add $token && git commit -qm $token && echo later > uncommitted-$token"
    [ "$status" = 0 ] && echo "$token" >> "$work/commits"
    # Uncommitted work keeps its work dir, unless a snapshot of it is saved.
    expect 5 execenv cleanup -q "$id" --wait 2m
    expect 0 execenv cleanup -q --all --force "$id" --wait 2m
}

# An environment that all workers want.
shared() {
    local id=shared-$((RANDOM % 8))
    case $((RANDOM % 6)) in
    0) expect "0 4" execenv prepare -q --task-id "$id" --provider command ;;
    1) expect "0 3 4" execenv reuse -q "$id" --provider command ;;
    2) expect "0 3 4" execenv run -q "$id" -- worked "$id" "$RANDOM$RANDOM" ;;
    3) expect "0 4" execenv run -q --task "$work/shared.jsonl" --line "$((${id#shared-} + 1))" -- worked "$id" "$RANDOM$RANDOM" ;;
    4) expect "0 4" execenv run -q --task "$work/shared.jsonl" --line "$((${id#shared-} + 1))" --once --wait 1m -- worked "$id" "$RANDOM$RANDOM" ;;
    5) expect "0 3 4" execenv cleanup -q --all "$id" ;;
    esac
}

looks() {
    case $((RANDOM % 3)) in
    0) expect 0 execenv list -o json ;;
    1) expect "0 1" execenv doctor -q ;; # it may see what is half done
    2) expect 0 execenv du -q ;;
    esac
}

worker() {
    local n=$1 round=0
    RANDOM=$((n * 7919 + seconds))
    while [ "$SECONDS" -lt "$end" ]; do
        round=$((round + 1))
        case $((RANDOM % 10)) in
        0 | 1 | 2 | 3) private "w$n-p$((RANDOM % 3))" "$round" ;;
        4) committed "w$n-c" "$round" ;;
        5) looks ;;
        *) shared ;;
        esac
    done
}

# gc takes everything that it may take, all the time; it keeps what it takes in the trash.
collector() {
    while [ "$SECONDS" -lt "$end" ]; do
        expect "0 1 4" execenv gc -q --ttl 0 --orphan-ttl 0 --completed-ttl 0 --trash-ttl 30d
        expect "0 1 4" execenv gc -q --max-count 20 --keep-younger 0 --trash-ttl 30d
        sleep 0.2
    done
}

mixed() {
    git init -q -b main "$work/repo"
    git -C "$work/repo" commit -q --allow-empty -m first
    git -C "$work/repo" config gc.auto 0
    for n in $(seq 0 7); do echo "{\"id\": \"shared-$n\", \"provider\": \"command\"}"; done > "$work/shared.jsonl"
    : > "$work/commits"
    SECONDS=0 end=$seconds
    collector &
    for n in $(seq "$workers"); do worker "$n" & done
    wait
    execenv doctor --fix > "$work/doctor" 2>&1 || lost "doctor --fix: $(cat "$work/doctor")"
    execenv doctor > "$work/doctor" 2>&1 || lost "doctor: $(cat "$work/doctor")"
    # Nothing half made.
    find "$work/root" -maxdepth 2 -name '.staging-*' | while read -r left; do lost "left: $left"; done
    # Tokens.
    find "$work/root" -name 'token.*' -printf '%f\n' | sort -u > "$work/found"
    for token in "$work"/tokens/*; do
        token=$(basename "$token")
        [ "$token" = '*' ] || grep -qxF "token.$token" "$work/found" || lost "the work of $token is nowhere"
    done
    git -C "$work/repo" log --all --format=%s | sort -u > "$work/reachable"
    while read -r token; do grep -qxF "$token" "$work/reachable" || lost "the commit $token is in no branch"; done < "$work/commits"
    git -C "$work/repo" fsck --no-dangling > "$work/fsck" 2>&1 || lost "fsck: $(head -n 3 "$work/fsck")"
    echo "mixed: $workers workers, $seconds s, $(cat "$work"/counts/* | wc -l) commands, $(find "$work/tokens" -type f | wc -l) works and $(wc -l < "$work/commits") commits looked for"
    (cd "$work/counts" && wc -l -- * | awk '$2 != "total" { printf "  %s %s\n", $1, $2 }' | sort -k2)
}

[ "$what" = mixed ] || slots
[ "$what" = slots ] || mixed

if [ -s "$work/lost" ]; then
    echo "many: $(wc -l < "$work/lost") losses, in $work:"
    sort "$work/lost" | cut -c 1-300 | head -n 20
    exit 1
fi
echo "many: nothing lost"
rm -rf "$work"
