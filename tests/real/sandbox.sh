#!/usr/bin/env bash
# The real agent CLIs in `run --sandbox`, with both kinds, against a model server on loopback: a table of what came of it.
#
#   MODEL_SERVER=fake_models.py tests/real/sandbox.sh DIR [NAME…]
#
# DIR has the programs, installed as common.sh says. A column each:
#   completed   the run, with its text          tool     a command of the agent's has written in the work dir
#   key         a planted key: could it be read?         outside  could the home be written?
#   resumed     `--resume` of the same session           off      what becomes of a run without a network
set -uo pipefail
keep=$(realpath "${1:?name the folder with the programs}"); shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for candidate in "${EXECENV:-}" "$here/target/release/execenv" "$here/target/debug/execenv"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { execenv=$(realpath "$candidate"); break; }
done
: "${execenv:?build execenv first: cargo build --release}"
models=$(realpath "${MODEL_SERVER:?name the model server script}")
for node in node22 node24; do
    [ -d "$keep/$node" ] && PATH=$keep/$node/node_modules/node/bin:$PATH
done
TOOL='echo made-by-tool > made.txt; cat ~/.ssh/id > stolen.txt 2> /dev/null; echo x > ~/outside.txt'

claude_point() {
    given=(ANTHROPIC_BASE_URL=http://127.0.0.1:$1 ANTHROPIC_API_KEY=sk-made-up-key-for-the-test IS_SANDBOX=1
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 CLAUDE_CODE_MAX_RETRIES=1)
}
codex_point() {
    given=(FAKE_KEY=sk-fake-0123456789)
    mkdir -p "$HOME/.codex"
    printf 'model = "fake-model"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "Fake"\nbase_url = "http://127.0.0.1:%s/v1"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n[analytics]\nenabled = false\n' "$1" > "$HOME/.codex/config.toml"
}
gemini_point() {
    given=(GEMINI_API_KEY=fake GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$1)
    mkdir -p "$HOME/.gemini"
    echo '{"privacy":{"usageStatisticsEnabled":false},"general":{"enableAutoUpdate":false},"security":{"auth":{"selectedType":"gemini-api-key"}}}' > "$HOME/.gemini/settings.json"
}
gemini_model=gemini-2.5-flash
opencode_point() {
    given=(OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 FAKE_KEY=sk-fake-0123456789)
    mkdir -p "$HOME/.config/opencode"
    echo '{"autoupdate":false,"share":"disabled","model":"fake/fake-model","small_model":"fake/fake-model","provider":{"fake":{"npm":"@ai-sdk/openai-compatible","options":{"baseURL":"http://127.0.0.1:'"$1"'/v1","apiKey":"{env:FAKE_KEY}"},"models":{"fake-model":{}}}}}' > "$HOME/.config/opencode/opencode.json"
}
qwen_point() {
    given=(OPENAI_API_KEY=sk-fake-0123456789 OPENAI_BASE_URL=http://127.0.0.1:$1/v1 OPENAI_MODEL=fake-model)
    mkdir -p "$HOME/.qwen"
    echo '{"security":{"auth":{"selectedType":"openai"}}}' > "$HOME/.qwen/settings.json"
}
pi_point() {
    given=(PI_OFFLINE=1 PI_TELEMETRY=0 FAKE_KEY=sk-fake-0123456789)
    mkdir -p "$HOME/.pi/agent"
    echo '{"providers":{"fake":{"baseUrl":"http://127.0.0.1:'"$1"'/v1","api":"openai-completions","apiKey":"FAKE_KEY","models":[{"id":"fake-model"}]}}}' > "$HOME/.pi/agent/models.json"
}
pi_model=fake/fake-model

ask() { # EXPRESSION over d, the result
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/result.json" "$1" 2> /dev/null
}
run() { # OPTION…
    local model=${name}_model line=() variable
    for variable in "${given[@]}"; do line+=(--env "$variable"); done
    [ -z "${!model:-}" ] || line+=(--model "${!model}")
    "$execenv" run "$env" -o json --kill-grace 5s --prompt 'say hi' --sandbox "$kind" --idle-timeout 60s "${line[@]}" "$@" \
        > "$work/events.jsonl" 2> "$work/stderr.txt" < /dev/null
    exited=$?
    tail -1 "$work/events.jsonl" > "$work/result.json"
}
cell() { # VALUE WANTED-PATTERN
    local value=${1:-no result}
    if ! [[ $value =~ ^($2)$ ]]; then
        [ -n "${told:-}" ] || { echo "--- $name $kind: $value ($exited)"; tail -3 "$work/events.jsonl" | cut -c1-900; tail -8 "$work/stderr.txt" | cut -c1-600; tail -5 "$env/logs/agent.stderr.log" | cut -c1-600; } >&2
        told=yes
        value="FAIL $value"
    fi
    row="$row $value |"
}
part() ( # NAME KIND
    name=$1 kind=$2
    PATH=$keep/$name/node_modules/.bin:$keep/$name/bin:$PATH
    work=$(mktemp -d "$keep/sandbox.XXXXXX")
    mkdir -p "$work/home/.ssh"
    echo EXECENV-KEY-MARK > "$work/home/.ssh/id"
    export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root EXECENV_KEY_FILE=$work/key
    python3 "$models" --port 0 --log "$work/requests.jsonl" --reply 'all done' --tool-command "$TOOL" --max-seconds 300 > "$work/port" & server=$!
    trap 'kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
    for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
    "${name}_point" "$(head -1 "$work/port")"
    env=$("$execenv" prepare --task-id sandbox --provider "$name" ${PREPARE:-}) || exit 1
    row="| $name | $kind |"
    run --timeout 90s
    cell "$(ask 'd["status"] + " " + d["text"].strip() + " " + d["sandbox"]["kind"]')" "completed all done $kind"
    cell "$(cat "$env/workdir/made.txt" 2>&1)" made-by-tool
    cell "$([ -e "$env/workdir/stolen.txt" ] && { [ -s "$env/workdir/stolen.txt" ] && echo read || echo 'not read'; })" 'not read'
    cell "$([ -e "$HOME/outside.txt" ] && echo written || echo 'not written')" 'not written'
    session=$(ask 'd["session_id"]')
    run --timeout 90s --resume
    cell "$(ask 'd["status"] + (" same" if d["session_id"] == "'"$session"'" else " another")')" 'completed same'
    run --sandbox-net off --timeout 20s
    cell "$(ask 'd["status"] + "/" + str(d["failure_reason"])')" '(failed|timeout)/.*'
    echo "$row"
)

[ $# -gt 0 ] || set -- claude codex opencode gemini qwen pi
table=$(mktemp)
for name in "$@"; do
    [ -x "$keep/$name/node_modules/.bin/$name" ] || { echo "$name is not in $keep: left out" >&2; continue; }
    for kind in ${KINDS:-bwrap landlock}; do part "$name" "$kind" >> "$table"; done
done
echo '| program | sandbox | completed | tool | key | outside | resumed | off |'
echo '|---|---|---|---|---|---|---|---|'
cat "$table"
! grep -q FAIL "$table"
