#!/usr/bin/env bash
# `execenv run --prompt` with the real agent CLIs, against a model server on loopback: a table of what came of it.
#
#   MODEL_SERVER=fake_models.py tests/real/runs.sh DIR [NAME…]
#
# DIR has the programs, installed as common.sh says; NAME: only these. A cell says what `run` told, `-` where there is
# nothing to tell, and `FAIL …` where it is wrong; the script then ends with 1. A program that is not there is left out.
#
#   launched   one tool call, to `completed`            text, tools, usage, cost, session: of that run (`file`: the tool worked,
#              and its program tells of no tools)
#   resumed    `--resume`, twice: the same session, and only the tokens of the second run
#   timeout    `--timeout` while a tool works           ctrl-c: SIGINT then        killed: SIGKILL of execenv then, and the
#              record knows the session
#   dead, 401, 500   the model's server: nothing listens, refuses, fails. With `--idle-timeout`: `timeout/idle_watchdog` is
#              an answer for a program that tries on
#   unknown    `--resume=ID` of no session: a new one is begun
#   survivors  processes of the environment after all that
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
IDLE=${IDLE:-30s}
COLUMNS_=(launched text tools usage cost session resumed timeout ctrl-c killed dead 401 500 unknown survivors)
TOOL='echo made-by-tool > made.txt'
SLOW='echo started > started.txt; sleep 120; echo late > late.txt'

# ---- the programs: `NAME_point PORT` makes the program use the model server at that port ------------------------------

claude_point() {
    export ANTHROPIC_BASE_URL=http://127.0.0.1:$1 ANTHROPIC_API_KEY=sk-made-up-key-for-the-test IS_SANDBOX=1 \
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 CLAUDE_CODE_MAX_RETRIES=1
}
gemini_point() {
    export GEMINI_API_KEY=fake GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$1
    mkdir -p "$HOME/.gemini"
    echo '{"privacy":{"usageStatisticsEnabled":false},"general":{"enableAutoUpdate":false},"security":{"auth":{"selectedType":"gemini-api-key"}}}' > "$HOME/.gemini/settings.json"
}
gemini_model=gemini-2.5-flash
qwen_point() {
    export OPENAI_API_KEY=sk-fake-0123456789 OPENAI_BASE_URL=http://127.0.0.1:$1/v1 OPENAI_MODEL=fake-model
    mkdir -p "$HOME/.qwen"
    echo '{"security":{"auth":{"selectedType":"openai"}}}' > "$HOME/.qwen/settings.json"
}
copilot_point() {
    export COPILOT_OFFLINE=true COPILOT_AUTO_UPDATE=false COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:$1/v1 \
        COPILOT_PROVIDER_API_KEY=sk-fake-0123456789 COPILOT_MODEL=fake-model
}
opencode_point() {
    export OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 FAKE_KEY=sk-fake-0123456789
    mkdir -p "$HOME/.config/opencode"
    echo '{"autoupdate":false,"share":"disabled","model":"fake/fake-model","small_model":"fake/fake-model","provider":{"fake":{"npm":"@ai-sdk/openai-compatible","options":{"baseURL":"http://127.0.0.1:'"$1"'/v1","apiKey":"{env:FAKE_KEY}"},"models":{"fake-model":{}}}}}' > "$HOME/.config/opencode/opencode.json"
}
kilo_point() { # what it fetches at its start must fail at once
    export KILO_API_URL=http://127.0.0.1:9 KILO_DISABLE_SESSION_INGEST=1 KILO_DISABLE_MODELS_FETCH=1 KILO_DISABLE_AUTOUPDATE=1 \
        KILO_DISABLE_LSP_DOWNLOAD=1 FAKE_KEY=sk-fake-0123456789
    mkdir -p "$HOME/.config/kilo"
    echo '{"enabled_providers":["fake"],"autoupdate":false,"share":"disabled","model":"fake/fake-model","small_model":"fake/fake-model","provider":{"fake":{"npm":"@ai-sdk/openai-compatible","options":{"baseURL":"http://127.0.0.1:'"$1"'/v1","apiKey":"{env:FAKE_KEY}"},"models":{"fake-model":{}}}}}' > "$HOME/.config/kilo/kilo.json"
}
kilo_idle=90s # it starts for half a minute
kilo_limit=60s
kimi_point() {
    export KIMI_CODE_NO_AUTO_UPDATE=1
    mkdir -p "$HOME/.kimi-code"
    printf 'default_model = "fake"\n[providers.fake]\ntype = "openai"\nbase_url = "http://127.0.0.1:%s/v1"\napi_key = "sk-fake-0123456789"\n[models.fake]\nprovider = "fake"\nmodel = "fake-model"\nmax_context_size = 100000\n' "$1" > "$HOME/.kimi-code/config.toml"
}
pi_point() {
    export PI_OFFLINE=1 PI_TELEMETRY=0 FAKE_KEY=sk-fake-0123456789
    mkdir -p "$HOME/.pi/agent"
    echo '{"providers":{"fake":{"baseUrl":"http://127.0.0.1:'"$1"'/v1","api":"openai-completions","apiKey":"FAKE_KEY","models":[{"id":"fake-model"}]}}}' > "$HOME/.pi/agent/models.json"
}
pi_model=fake/fake-model
reasonix_point() {
    export FAKE_KEY=sk-fake-0123456789
    mkdir -p "$HOME/.config/reasonix"
    printf 'default_model = "fake/fake-model"\n[[providers]]\nname = "fake"\nkind = "openai"\nbase_url = "http://127.0.0.1:%s/v1"\napi_key_env = "FAKE_KEY"\nmodels = ["fake-model"]\n' "$1" > "$HOME/.config/reasonix/config.toml"
}
codex_point() { # the home of an environment has a copy of the configuration
    export FAKE_KEY=sk-fake-0123456789
    mkdir -p "$HOME/.codex"
    printf 'model = "fake-model"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "Fake"\nbase_url = "http://127.0.0.1:%s/v1"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n[analytics]\nenabled = false\n' "$1" > "$HOME/.codex/config.toml"
    [ ! -e "${env:-}/codex-home/config.toml" ] || sed -i "s|127.0.0.1:[0-9]*/v1|127.0.0.1:$1/v1|" "$env/codex-home/config.toml"
}
openclaw_point() {
    export OPENCLAW_NO_AUTO_UPDATE=1 OPENCLAW_OFFLINE=1 MULTICA_OPENCLAW_CLI_TIMEOUT=90
    mkdir -p "$HOME/.openclaw"
    echo '{"models":{"providers":{"fake":{"api":"openai-completions","baseUrl":"http://127.0.0.1:'"$1"'/v1","apiKey":"sk-fake-0123456789","models":[{"id":"fake-model","name":"Fake"}]}}},"agents":{"defaults":{"model":{"primary":"fake/fake-model"}}}}' > "$HOME/.openclaw/openclaw.json"
}
openclaw_unknown='completed old' # it makes a session of any id
hermes_point() { # DIR/hermes is a Python environment with hermes-agent[acp,mcp]
    mkdir -p "$HOME/.hermes"
    echo 'model: {default: fake-model, provider: custom, base_url: "http://127.0.0.1:'"$1"'/v1", api_key: sk-fake-0123456789}' > "$HOME/.hermes/config.yaml"
}
qwenpaw_point() { # DIR/qwenpaw is a Python environment; with `--runtime-provider` it would keep no sessions
    local own=$HOME/.qwenpaw.secret/providers
    mkdir -p "$own/custom"
    echo '{"id":"fake","name":"Fake","is_custom":true,"base_url":"http://127.0.0.1:'"$1"'/v1","api_key":"sk-fake-0123456789","chat_model":"OpenAIChatModel","models":[{"id":"fake-model","name":"Fake"}]}' > "$own/custom/fake.json"
    echo '{"provider_id":"fake","model":"fake-model"}' > "$own/active_model.json"
}
qwenpaw_tool=execute_shell_command
qwenpaw_unknown='completed old' # it makes a session of any id
qwenpaw_idle=2m                 # it imports for more than half a minute before it asks its model
qwenpaw_cached=0                # it counts them among the others
cline_point() {
    export CLINE_API_KEY=sk-fake-0123456789 CLINE_PROVIDER=openai-compatible
    mkdir -p "$HOME/.cline/data/settings"
    echo '{"version":1,"lastUsedProvider":"openai-compatible","providers":{"openai-compatible":{"settings":{"provider":"openai-compatible","apiKey":"sk-fake-0123456789","model":"fake-model","baseUrl":"http://127.0.0.1:'"$1"'/v1"},"updatedAt":"2026-11-29T00:00:00Z","tokenSource":"manual"}}}' > "$HOME/.cline/data/settings/providers.json"
}
cline_tool=run_commands
ALL=(claude codex openclaw gemini qwen copilot opencode kilo kimi pi reasonix hermes qwenpaw cline)

# ---- what is particular to some ------------------------------------------------------------------------------------

codex_limit=8s # a tool that works for ten seconds goes on behind its back, and it ends
case "${DIALECT:-}" in
    acp) gemini_cached=0            # it counts them among the others
         opencode_usage=1000/200/34     # of the last step
         kilo_usage=1000/200/34 ;;
    chat) hermes_tools=file ;;
esac
openclaw_tools=file

# ---- what happens to each ------------------------------------------------------------------------------------------

serve() { # OPTION…: a model server, always at the same `port`: Reasonix keeps what it has read once
    stop_server
    local tool=${name}_tool
    [ -z "${!tool:-}" ] || set -- --tool-name "${!tool}" "$@"
    python3 "$models" --port "${port:-0}" --log "$work/requests.jsonl" --reply 'all done' --max-seconds 300 "$@" > "$work/port" & server=$!
    for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
    port=$(head -1 "$work/port")
    "${name}_point" "$port"
}
stop_server() {
    [ -z "$server" ] || { kill "$server"; wait "$server"; } 2> /dev/null
    server=
    rm -f "$work/port"
}

arguments() { # the arguments of `run` for all programs
    local model=${name}_model
    printf '%s\n' run "$env" -o json --kill-grace 5s --prompt 'say hi'
    [ -z "${!model:-}" ] || printf '%s\n' --model "${!model}"
    [ -z "${DIALECT:-}" ] || printf '%s\n' --dialect "$DIALECT"
}
run() { # OPTION…: the result is in result.json
    local line=()
    mapfile -t line < <(arguments)
    "$execenv" "${line[@]}" "$@" > "$work/events.jsonl" 2> "$work/stderr.txt" < /dev/null
    exited=$?
    tail -1 "$work/events.jsonl" > "$work/result.json"
}
start() { # OPTION…: a run in the background, until its tool works; `pid` is its process
    local line=()
    mapfile -t line < <(arguments)
    rm -f "$env/workdir/started.txt"
    env --default-signal=INT,QUIT "$execenv" "${line[@]}" "$@" > "$work/events.jsonl" 2> "$work/stderr.txt" < /dev/null & pid=$!
    for _ in $(seq 900); do [ -e "$env/workdir/started.txt" ] && return; sleep 0.2; done
}
ask() { # EXPRESSION over d, the result
    python3 - "$work/result.json" "$1" <<'PYTHON' 2> /dev/null
import json, sys
d = json.load(open(sys.argv[1]))
u = list((d.get("usage") or {}).values())
tokens = "/".join(str(sum(m[k] for m in u)) for k in ("input_tokens", "cache_read_tokens", "output_tokens")) if u else "-"
print(eval(sys.argv[2]))
PYTHON
}
ended() { ask 'd["status"] + ("/" + d["failure_reason"].split(".")[-1].replace("provider_", "") if d.get("failure_reason") else "")'; }
cell() { # COLUMN VALUE [WANTED-PATTERN]
    local value=$2
    [ -n "$value" ] || value='no result'
    if [ -n "${3:-}" ] && ! [[ $value =~ ^($3)$ ]]; then
        value="FAIL $value"
        { echo "--- $name $1: $value"; tail -3 "$work/events.jsonl" | cut -c1-600; tail -5 "$work/stderr.txt"; } >&2
    fi
    printf '%s\t%s\n' "$1" "$value" >> "$work/cells"
}
survivors() {
    for _ in $(seq 40); do
        left=$(grep -lsa "EXECENV_ROOT=$env" /proc/[0-9]*/environ 2> /dev/null | cut -d/ -f3)
        [ -z "$left" ] && { echo none; return; }
        sleep 0.5
    done
    for process in $left; do tr '\0' ' ' < "/proc/$process/cmdline" | cut -c1-40; done
}

part() ( # NAME: one program, in a home of its own
    name=$1 server= exited= port= pid=
    PATH=$keep/$name/node_modules/.bin:$keep/$name/bin:$PATH
    work=$(mktemp -d "$keep/runs.XXXXXX")
    trap 'stop_server; rm -rf "$work"' EXIT
    mkdir -p "$work/home"
    export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root EXECENV_KEY_FILE=$work/key
    serve --tool-command "$TOOL"
    env=$("$execenv" prepare --task-id runs --provider "$name") || exit 1

    run --timeout 3m
    cell launched "$(ended)" completed
    cell text "$(ask 'd["text"].strip()')" 'all done'
    made=no new=${name}_unknown tools=${name}_tools limit=${name}_limit cached=${name}_cached usage=${name}_usage idle=${name}_idle
    [ -e "$env/workdir/made.txt" ] && made=file
    [ "$made" = file ] && grep -q '"type":"tool_use"' "$work/events.jsonl" && grep -q '"type":"tool_result"' "$work/events.jsonl" && made=yes
    cell tools "$made" "${!tools:-yes}"
    cell usage "$(ask 'tokens')" "${!usage:-${!cached+2400/0/68|}2000/400/68|-}"
    cell cost "$(ask '"-" if d.get("cost_usd") is None else d["cost_usd"]')"
    session=$(ask 'd["session_id"] or ""')
    cell session "${session:+yes}" yes

    run --timeout 3m --resume # some lose a session when it is resumed, which is seen at the second time
    run --timeout 3m --resume
    cell resumed "$(ended) $(ask "'same' if d['session_id'] == '$session' else 'another'") $(ask 'tokens')" "completed same (${!cached+1200/0/34|}1000/200/34|-)"

    serve
    run --timeout 3m --resume=00000000-0000-4000-8000-000000000000
    cell unknown "$(ended) $(ask "'new' if d['session_id'] not in (None, '00000000-0000-4000-8000-000000000000') else 'old'")" "${!new:-completed new}"

    serve --tool-command "$SLOW"
    run --timeout "${!limit:-12s}"
    cell timeout "$(ended) $exited" 'timeout/timeout 124'
    serve --tool-command "$SLOW"
    start --timeout 3m
    kill -INT "$pid"; wait "$pid"; exited=$?
    tail -1 "$work/events.jsonl" > "$work/result.json"
    cell ctrl-c "$(ended) $exited" '(interrupted|killed)/cancelled (130|137)'
    serve --tool-command "$SLOW"
    start --timeout 3m
    kill -KILL "$pid"; wait "$pid" 2> /dev/null
    known=$("$execenv" show -o json "$env" | python3 -c 'import json,sys; print("known" if json.load(sys.stdin).get("session") else "unknown")' 2> /dev/null)
    cell killed "session $known, left: $(survivors)" 'session known, left: none'

    serve --status 500
    run --timeout 4m --idle-timeout "${!idle:-$IDLE}"
    cell 500 "$(ended)" 'failed/server_error|timeout/idle_watchdog'
    stop_server
    run --timeout 4m --idle-timeout "${!idle:-$IDLE}"
    cell dead "$(ended)" 'failed/network|timeout/idle_watchdog'
    serve --status 401
    run --timeout 4m --idle-timeout "${!idle:-$IDLE}"
    cell 401 "$(ended)" 'failed/auth_or_access' # after it OpenClaw asks no model for a minute
    cell survivors "$(survivors)" none

    version=$("$name" --version < /dev/null 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -1)
    printf '%s\n' "| $name $version | $(for column in "${COLUMNS_[@]}"; do awk -F'\t' -v c="$column" '$1 == c { print $2 }' "$work/cells"; done | paste -sd'|' | sed 's/|/ | /g') |"
)

[ $# -gt 0 ] || set -- "${ALL[@]}"
table=$(mktemp)
for name in "$@"; do
    [ -x "$keep/$name/node_modules/.bin/$name" ] || [ -x "$keep/$name/bin/$name" ] || { echo "$name is not in $keep: left out" >&2; continue; }
    part "$name" >> "$table"
done
echo "| program | $(printf '%s | ' "${COLUMNS_[@]}")"
echo "|---$(printf '|---%.0s' "${COLUMNS_[@]}")|"
cat "$table"
! grep -q FAIL "$table"
