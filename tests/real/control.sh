#!/usr/bin/env bash
# The real Claude Code in runs that other commands act on: `send`, `pause`, `resume`, `stop`, heartbeats, the autonomous loop, and a login.
#
#   tests/real/control.sh DIR     (see common.sh)
set -euo pipefail
. "$(dirname "$0")/common.sh"
start claude "${1:?a folder for the installed program}" @anthropic-ai/claude-code 22

# A model that calls a tool which takes a while, then answers.
models() { # REPLY: starts the server of a scene
    kill "$pid" 2>/dev/null || true
    : > "$work/port"
    python3 "$models" --port 0 --log "$work/requests.jsonl" --reply "$1" --delay 0.5 \
        --tool-command 'sleep 3; echo made > made.txt' --max-seconds 300 > "$work/port" &
    pid=$!
    for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
    export ANTHROPIC_BASE_URL=http://127.0.0.1:$(head -1 "$work/port") ANTHROPIC_API_KEY=sk-made-up IS_SANDBOX=1
}
scene() { # REPLY ARG…: a new environment in a worktree, with a run whose tool is at work
    rm -rf "$work/root" "$work/source" "$work/requests.jsonl"
    git init -q -b main "$work/source"
    git -C "$work/source" -c user.name=n -c user.email=e@example.invalid commit -q --allow-empty -m one
    models "$1"; shift
    env=$("$execenv" prepare --provider claude --task-id control --repo "$work/source")
    "$execenv" run "$env" --prompt 'begin' -o json "$@" > "$work/events" 2> "$work/errors" &
    run=$!
    for _ in $(seq 300); do grep -q '"tool_use"' "$work/events" 2>/dev/null && return; sleep 0.1; done
    echo "no tool was called"; cat "$work/events" "$work/errors"; exit 1
}
ended() { local status=0; wait "$run" || status=$?; [ "$status" = "$1" ] || { cat "$work/events" "$work/errors"; return 1; }; }
event() { grep "\"type\":\"$1\"" "$work/events" | tail -1; }
status() { "$execenv" show "$env" -o json | sed 's/.*"status":"\([a-z]*\)".*/\1/'; }
no_agent() { ! pgrep -f "$work/root" > /dev/null; }

scene 'all done'
check "a message during a tool is taken" "$execenv" send "$env" 'EXECENV-MESSAGE-ONE'
for _ in $(seq 100); do grep -q '"tool_result"' "$work/events" && break; sleep 0.1; done
check "a message after it is taken" "$execenv" send "$env" 'EXECENV-MESSAGE-TWO'
check "the run completes" ended 0
check "the model has read the first" reached EXECENV-MESSAGE-ONE
check "the model has read the second" reached EXECENV-MESSAGE-TWO

scene 'all done' --idle-timeout 20s --timeout 30s
check "pause" "$execenv" pause "$env"
check "the status is paused" test "$(status)" = paused
sleep 4
check "the tool stands still" test ! -e "$env/workdir/made.txt"
check "resume" "$execenv" resume "$env"
check "the run completes after it" ended 0
check "the tool has gone on" test -e "$env/workdir/made.txt"

scene 'all done'
check "stop ends the run" "$execenv" stop "$env" --kill-grace 10s
check "the status is that of a signal" ended 143
check "it is interrupted" test "$(status)" = interrupted
check "no process is left" no_agent

scene 'all done' --heartbeat 1s
check "the run completes with heartbeats" ended 0
check "the work is in a commit" git -C "$work/source" show "refs/execenv/$(basename "$env")/wip:made.txt"

scene 'words <COMPLETION_GATE>
ready: false
progress: step {n}
</COMPLETION_GATE>' --autonomous --max-iterations 3
check "an agent that is never ready is stopped" ended 1
check "for the limit" grep -q iteration_limit "$work/events"
check "after three turns" test "$(grep -c '"type":"iteration"' "$work/events")" = 3

scene 'words <COMPLETION_GATE>
ready: true
</COMPLETION_GATE>' --autonomous
check "one that is ready ends the run" ended 0
check "after one turn" test "$(grep -c '"type":"iteration"' "$work/events")" = 1
# Not logged in: the run begins Claude Code's own login, and a person brings the code. No service answers here, so no code is right.
unset ANTHROPIC_API_KEY ANTHROPIC_BASE_URL
env=$("$execenv" prepare --provider claude --task-id login)
"$execenv" run "$env" --prompt hi --auth-login -o json > "$work/events" 2> "$work/errors" &
run=$!
addresses() { grep -c '"login_url":"https://claude.ai/oauth/authorize' "$work/events" || true; }
asked() { for _ in $(seq 300); do [ "$(addresses)" -ge "$1" ] && return; sleep 0.1; done; cat "$work/events" "$work/errors"; return 1; }
check "a login prints its address" asked 1
check "it takes a code" "$execenv" send "$env" --auth-code 'no#code'
check "a wrong one begins another login" asked 2
check "stop ends the wait" "$execenv" stop "$env"
check "and the run" ended 143
check "nothing of it is left" no_agent
echo "control: all well"
