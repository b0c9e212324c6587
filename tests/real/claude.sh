#!/usr/bin/env bash
# A task with the real Claude Code, from prepare to cleanup, against a model server on loopback. No account needed.
#
#   MODEL_SERVER=fake_models.py tests/real/claude.sh DIR
#
# The model server plays the Anthropic API: `--port 0 --log FILE --reply TEXT --tool-command CMD`, its first line of
# output is the port. DIR keeps the npm install between runs. Needs npm, python3 and a built execenv in $EXECENV, in
# target/{release,debug} or in PATH.
set -euo pipefail
server=$(realpath "${MODEL_SERVER:?name the model server script}")
keep=${1:?name a folder for the install}
mkdir -p "$keep"
keep=$(realpath "$keep")
here=$(cd "$(dirname "$0")/../.." && pwd)
for candidate in "${EXECENV:-}" "$here/target/release/execenv" "$here/target/debug/execenv" "$(command -v execenv || true)"; do
    [ -x "$candidate" ] && { execenv=$candidate; break; }
done
: "${execenv:?build execenv first: cargo build --release}"

if [ ! -x "$keep/claude/node_modules/.bin/claude" ]; then
    HOME=$keep/npm-home npm install --silent --prefix "$keep/claude" @anthropic-ai/claude-code
fi
claude=$keep/claude/node_modules/.bin/claude

work=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work/home" "$work/skills/greeting"
cat > "$work/skills/greeting/SKILL.md" <<'SKILL'
---
name: greeting
description: EXECENV-SKILL-MARK how to greet
---
Say hello.
SKILL
echo 'EXECENV-BRIEF-MARK: be terse.' > "$work/rules.md"

python3 "$server" --port 0 --log "$work/requests.jsonl" --reply 'all done' \
    --tool-command 'echo made-by-tool > made.txt' --max-seconds 300 > "$work/port" &
pid=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
port=$(head -1 "$work/port")

export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root
vars=(--env "ANTHROPIC_BASE_URL=http://127.0.0.1:$port" --env ANTHROPIC_API_KEY=sk-made-up-key-for-the-test
    --env CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 --env DISABLE_AUTOUPDATER=1 --env CLAUDE_CODE_MAX_RETRIES=1
    --env IS_SANDBOX=1)

check() { # what, command…
    local what=$1; shift
    if "$@" > /dev/null; then echo "ok    $what"; else echo "FAIL  $what"; exit 1; fi
}

env=$("$execenv" prepare --provider claude --agent-name Real --instructions "$work/rules.md" --skills "$work/skills")
"$execenv" run "$env" -o json --agent-bin "$claude" "${vars[@]}" --timeout 2m --prompt 'make the file' > "$work/events.jsonl"
tail -1 "$work/events.jsonl" > "$work/result.json"
ask() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2], {"d": d}) else 1)' "$work/result.json" "$1"; }

check 'Claude Code ran'                     "$claude" --version
check 'the result is completed'             ask 'd["type"]=="result" and d["status"]=="completed"'
check 'the text is the model'"'"'s answer'  ask 'd["text"]=="all done"'
check 'the usage is read (2000/400/68)'     ask 'any((u["input_tokens"],u["cache_read_tokens"],u["output_tokens"])==(2000,400,68) for u in d["usage"].values())'
check 'the cost is read'                    ask 'd["cost_usd"] is not None'
check 'there is a session'                  ask 'bool(d["session_id"])'
check 'the tool call did its work'          grep -q made-by-tool "$env/workdir/made.txt"
check 'the tool call is an event'           grep -q '"type":"tool_use"' "$work/events.jsonl"
check 'the brief reached the model'         grep -q EXECENV-BRIEF-MARK "$work/requests.jsonl"
check 'the skill reached the model'         grep -q EXECENV-SKILL-MARK "$work/requests.jsonl"
check 'no key in log, record or result'     sh -c "! grep -rq sk-made-up-key '$env/logs' '$env/output' '$env/.gc_meta.json' '$env/.multica_sidecar_manifest.json'"
session=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["session_id"])' "$work/result.json")

"$execenv" run "$env" -o json --agent-bin "$claude" "${vars[@]}" --timeout 2m --resume --prompt 'and again' > "$work/second.jsonl"
tail -1 "$work/second.jsonl" > "$work/result.json"
check 'resume completes'                    ask 'd["status"]=="completed"'
check 'resume keeps the session'            ask "d['session_id']=='$session'"
check 'the first prompt is in the history'  sh -c "tail -1 '$work/requests.jsonl' | grep -q 'make the file'"

"$execenv" run "$env" -o json --agent-bin "$claude" "${vars[@]}" --timeout 2m \
    --resume=00000000-0000-4000-8000-000000000000 --prompt 'a lost session' > "$work/third.jsonl"
tail -1 "$work/third.jsonl" > "$work/result.json"
check 'a lost session starts a fresh one'   ask 'd["status"]=="completed" and d["session_id"] not in ("'"$session"'", None)'

# A skill of the user's that the task switches off; the user's and the task's MCP servers.
for skill in kept off; do
    mkdir -p "$HOME/.claude/skills/$skill"
    printf -- '---\nname: %s\ndescription: USER-MARK-%s\n---\nbody\n' "$skill" "$skill" > "$HOME/.claude/skills/$skill/SKILL.md"
done
stub=$(dirname "$server")/mcp_stub.py
echo "{\"mcpServers\":{\"user\":{\"command\":\"python3\",\"args\":[\"$stub\",\"$work/user.log\"]}}}" > "$env/workdir/.mcp.json"
managed="{\"mcpServers\":{\"managed\":{\"command\":\"python3\",\"args\":[\"$stub\",\"$work/managed.log\"]}}}"
echo "{\"agent\":{\"name\":\"Real\",\"disabled_runtime_skills\":[{\"root\":\"provider\",\"key\":\"off\"}],\"mcp_config\":$managed}}" > "$work/task.json"
fourth() {
    rm -f "$work"/*.log "$work/requests.jsonl"
    "$execenv" reuse "$env" --provider claude --task "$work/task.json" "$@" > /dev/null
    "$execenv" run "$env" -o json --agent-bin "$claude" "${vars[@]}" --timeout 2m --prompt 'what can you do' > "$work/fourth.jsonl"
}
fourth
check 'a kept skill reached the model'      grep -q USER-MARK-kept "$work/requests.jsonl"
check 'one that is off did not'             sh -c "! grep -q USER-MARK-off '$work/requests.jsonl'"
check 'the managed server was started'      test -s "$work/managed.log"
check 'another was not'                     test ! -e "$work/user.log"
fourth --mcp-mode merge
check 'merged, both were started'           test -s "$work/managed.log" -a -s "$work/user.log"

"$execenv" cleanup --all "$env"
check 'cleanup leaves nothing'              test ! -e "$env"
"$claude" --version
