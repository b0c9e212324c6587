#!/usr/bin/env bash
# A table: what each real program does with skills and MCP servers of all kinds, natively and through execenv.
#
#   MODEL_SERVER=fake_models.py tests/real/skills_and_servers.sh DIR [NAME…]
#
# Natively: the skill or server stands where the program itself looks for it. Through execenv: `--skills`, `--mcp-config`.
# Needs what common.sh needs; programs that are not installed below DIR are installed. Prints the table, and ends with 1 where
# through execenv a skill is offered that is hidden, a server is started that is switched off, or either is lost.
set -euo pipefail
script=$(realpath "${BASH_SOURCE[0]}")
keep=${1:?name a folder for the installs}
shift
all=(claude codex copilot gemini hermes opencode pi qwen)
[ $# -gt 0 ] || set -- "${all[@]}"

skill_cases=(plain colon hint star twice tab bom hidden hidden-colon upper)
server_cases=(plain disabled enabled-false list-command text-args url-and-command)

# What must hold through execenv: a word for each case.
expected() {
    case $1 in
    skill:hidden | skill:hidden-colon) echo hidden ;;
    skill:*) echo listed ;;
    server:disabled | server:enabled-false) echo off ;;
    server:url-and-command) echo refused ;;
    server:*) echo started ;;
    esac
}

skill_text() { # CASE: a SKILL.md whose description has the mark MARK-<case>.
    local mark="MARK-$1."
    case $1 in
    plain) printf -- '---\nname: %s\ndescription: %s how\n---\nbody\n' "$1" "$mark" ;;
    colon) printf -- '---\nname: %s\ndescription: %s how: to\n---\nbody\n' "$1" "$mark" ;;
    hint) printf -- '---\nname: %s\ndescription: %s how\nargument-hint: [x] [y]\n---\nbody\n' "$1" "$mark" ;;
    star) printf -- '---\nname: %s\ndescription: *%s* how\n---\nbody\n' "$1" "$mark" ;;
    twice) printf -- '---\nname: %s\ndescription: first\ndescription: %s how\n---\nbody\n' "$1" "$mark" ;;
    tab) printf -- '---\nname: %s\ndescription: %s how\nmetadata:\n\tx: y\n---\nbody\n' "$1" "$mark" ;;
    bom) printf -- '\xef\xbb\xbf---\nname: %s\ndescription: %s how\n---\nbody\n' "$1" "$mark" ;;
    upper) printf -- '---\nname: UPPER Case\ndescription: %s how\n---\nbody\n' "$mark" ;;
    hidden) printf -- '---\nname: %s\ndescription: %s how\ndisable-model-invocation: true\n---\nbody\n' "$1" "$mark" ;;
    hidden-colon) printf -- '---\nname: %s\ndescription: %s how: to\ndisable-model-invocation: true\n---\nbody\n' "$1" "$mark" ;;
    esac
}

server_json() { # CASE: one server in the common form; its start leaves one.log
    local args="[\"$servers\",\"$work/one.log\"]"
    case $1 in
    plain) printf '{"command":"python3","args":%s}' "$args" ;;
    disabled) printf '{"command":"python3","args":%s,"disabled":true}' "$args" ;;
    enabled-false) printf '{"command":"python3","args":%s,"enabled":false}' "$args" ;;
    list-command) printf '{"command":["python3","%s","%s"]}' "$servers" "$work/one.log" ;;
    text-args) printf '{"command":"python3","args":"%s %s"}' "$servers" "$work/one.log" ;;
    url-and-command) printf '{"command":"python3","args":%s,"url":"http://127.0.0.1:9/"}' "$args" ;;
    esac
}

# Each program: `set_up` writes the user's configuration with the server $1 (or none), `agent` starts it once,
# `native_skills` is where it looks in a project.
program_claude() {
    start claude "$keep" @anthropic-ai/claude-code 22
    export ANTHROPIC_BASE_URL=http://127.0.0.1:$port ANTHROPIC_API_KEY=sk-made-up-key-for-the-test IS_SANDBOX=1 \
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 CLAUDE_CODE_MAX_RETRIES=1
    native_skills=.claude/skills
    set_up() { [ -z "$1" ] || echo "{\"mcpServers\":{\"one\":$1}}" > .mcp.json; }
    agent() {
        if [ "$how" = native ]; then
            timeout 90 claude -p 'say hi' --permission-mode bypassPermissions < /dev/null
        else
            "$execenv" run "$env" --timeout 1m -- claude -p 'say hi' --permission-mode bypassPermissions
        fi
    }
}
program_codex() {
    start codex "$keep" @openai/codex
    export FAKE_KEY=sk-fake-0123456789
    native_skills=.codex/skills
    set_up() {
        mkdir -p "$HOME/.codex"
        python3 - "$1" "$port" > "$HOME/.codex/config.toml" <<'PY'
import json, sys
print('model = "fake-model"\nmodel_provider = "fake"')
if sys.argv[1]:
    print("[mcp_servers.one]")
    for key, value in json.loads(sys.argv[1]).items():
        print(f"{key} = {json.dumps(value)}")
print(f'''[model_providers.fake]
name = "Fake"
base_url = "http://127.0.0.1:{sys.argv[2]}/v1"
wire_api = "responses"
env_key = "FAKE_KEY"
[analytics]
enabled = false''')
PY
    }
    agent() { timeout 90 codex exec --json --skip-git-repo-check 'say hi' < /dev/null; }
}
program_copilot() {
    start copilot "$keep" @github/copilot
    export COPILOT_OFFLINE=true COPILOT_AUTO_UPDATE=false COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:$port/v1 \
        COPILOT_PROVIDER_API_KEY=sk-fake-0123456789 COPILOT_MODEL=fake-model
    native_skills=.github/skills
    set_up() {
        mkdir -p "$HOME/.copilot"
        [ -z "$1" ] || echo "{\"mcpServers\":{\"one\":${1%\}},\"tools\":[\"*\"]}}}" > "$HOME/.copilot/mcp-config.json"
    }
    agent() { timeout 90 copilot -p 'say hi' --allow-all-tools --output-format json < /dev/null; }
}
program_gemini() {
    start gemini "$keep" @google/gemini-cli
    export GEMINI_API_KEY=fake GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$port GEMINI_CLI_TRUST_WORKSPACE=true
    native_skills=.gemini/skills
    set_up() {
        mkdir -p "$HOME/.gemini"
        local servers_of=${1:+,\"mcpServers\":{\"one\":$1\}}
        echo "{\"privacy\":{\"usageStatisticsEnabled\":false},\"general\":{\"enableAutoUpdate\":false},\"security\":{\"auth\":{\"selectedType\":\"gemini-api-key\"}}$servers_of}" > "$HOME/.gemini/settings.json"
    }
    agent() { timeout 90 gemini -m gemini-2.5-flash -p 'say hi' -o stream-json --approval-mode yolo < /dev/null; }
}
program_hermes() {
    if [ ! -x "$keep/hermes/bin/hermes" ]; then
        python3 -m venv "$keep/hermes" && "$keep/hermes/bin/pip" install -q 'hermes-agent[acp,mcp]'
    fi
    mkdir -p "$keep/hermes/node_modules" # nothing for npm to do
    start hermes "$keep" hermes-agent
    PATH=$keep/hermes/bin:$PATH
    native_skills=$HOME/.hermes/skills
    set_up() {
        mkdir -p "$HOME/.hermes"
        {
            echo "model: {default: fake-model, provider: custom, base_url: \"http://127.0.0.1:$port/v1\", api_key: sk-fake-0123456789}"
            [ -z "$1" ] || echo "mcp_servers: {\"one\":$1}" # JSON is YAML
        } > "$HOME/.hermes/config.yaml"
    }
    agent() { timeout 90 hermes chat -Q --yolo -q 'say hi' < /dev/null; }
}
program_opencode() {
    start opencode "$keep" opencode-ai
    export OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 FAKE_KEY=k
    native_skills=.opencode/skills
    set_up() {
        mkdir -p "$HOME/.config/opencode"
        # Its own form has a type and a list.
        local servers_of=${1:+,\"mcp\":{\"one\":{\"type\":\"local\",${1#\{}\}}
        echo "{\"autoupdate\":false,\"share\":\"disabled\",\"model\":\"fake/fake-model\",\"small_model\":\"fake/fake-model\",\"provider\":{\"fake\":{\"npm\":\"@ai-sdk/openai-compatible\",\"options\":{\"baseURL\":\"http://127.0.0.1:$port/v1\",\"apiKey\":\"{env:FAKE_KEY}\"},\"models\":{\"fake-model\":{}}}}$servers_of}" > "$HOME/.config/opencode/opencode.json"
    }
    agent() { PWD=$(pwd) timeout 90 opencode run --format json 'say hi' < /dev/null; }
}
program_pi() {
    start pi "$keep" @mariozechner/pi-coding-agent
    export PI_OFFLINE=1 PI_TELEMETRY=0 FAKE_KEY=k
    native_skills=.pi/skills
    no_servers=yes
    set_up() {
        mkdir -p "$HOME/.pi/agent"
        echo '{"providers":{"fake":{"baseUrl":"http://127.0.0.1:'"$port"'/v1","api":"openai-completions","apiKey":"FAKE_KEY","models":[{"id":"fake-model"}]}}}' > "$HOME/.pi/agent/models.json"
    }
    agent() { timeout 90 pi --mode json --provider fake --model fake-model -p 'say hi' < /dev/null; }
}
program_qwen() {
    start qwen "$keep" @qwen-code/qwen-code 22
    export OPENAI_API_KEY=sk-fake-0123456789 OPENAI_BASE_URL=http://127.0.0.1:$port/v1 OPENAI_MODEL=fake-model
    native_skills=.qwen/skills
    set_up() {
        mkdir -p "$HOME/.qwen"
        local servers_of=${1:+,\"mcpServers\":{\"one\":$1\}}
        echo "{\"security\":{\"auth\":{\"selectedType\":\"openai\"}}$servers_of}" > "$HOME/.qwen/settings.json"
    }
    agent() { timeout 90 qwen -p 'say hi' -o stream-json --approval-mode yolo < /dev/null; }
}

fresh() { # nothing of an earlier case
    cd "$work"
    rm -rf "$work"/*.log "$work/requests.jsonl" "$HOME" "$work/native" "$work/root" "$work/skills"
    mkdir -p "$HOME" "$work/native" "$work/skills"
    unset_exports
    exports=
}

# Prepares and enters the environment; not 0 where execenv refuses.
through_execenv() {
    exports=$("$execenv" prepare -o shell --task-id real --provider "$name" "$@" 2> "$work/prepare.log") || return 1
    eval "$exports"
    env=$EXECENV_ROOT
    cd "$EXECENV_WORKDIR"
}

asked() { # WHAT: a request to the model has it
    grep -q "$1" "$work/requests.jsonl" 2> /dev/null
}

skills_of() { # HOW
    how=$1
    fresh
    set_up ''
    for case in "${skill_cases[@]}"; do
        mkdir -p "$work/skills/$case"
        skill_text "$case" > "$work/skills/$case/SKILL.md"
    done
    if [ "$how" = native ]; then
        cd "$work/native"
        git init -q .
        mkdir -p "$native_skills"
        cp -r "$work/skills/." "$native_skills"
    else
        through_execenv --skills "$work/skills"
    fi
    agent > "$work/agent.out" 2>&1 || true
    for case in "${skill_cases[@]}"; do
        local word=hidden
        if ! [ -s "$work/requests.jsonl" ]; then word='no request'; elif asked "MARK-$case\."; then word=listed; fi
        say "skill:$case" "$word"
    done
}

servers_of() { # HOW
    how=$1
    for case in "${server_cases[@]}"; do
        fresh
        local word=off
        if [ "$how" = native ]; then
            cd "$work/native"
            set_up "$(server_json "$case")"
        else
            set_up ''
            echo "{\"mcpServers\":{\"one\":$(server_json "$case")}}" > "$work/mcp.json"
            if ! through_execenv --mcp-config "$work/mcp.json"; then say "server:$case" refused; continue; fi
        fi
        agent > "$work/agent.out" 2>&1 || true
        # A server may come up while the answer is on its way.
        for _ in 1 2 3 4 5; do [ -s "$work/one.log" ] && break; sleep 0.2; done
        if [ -s "$work/one.log" ]; then word=started; elif ! [ -s "$work/requests.jsonl" ]; then word='no request'; fi
        say "server:$case" "$word"
    done
}

say() { printf '%s\t%s\t%s\t%s\n' "$name" "$1" "$how" "$2" >> "$results"; }

# One program, in a process of its own: `start` makes a scene and a trap.
if [ "${RESULTS:-}" ]; then
    . "$(dirname "$script")/common.sh"
    results=$RESULTS no_servers=
    "program_$1"
    for way in native execenv; do
        skills_of "$way"
        [ "$no_servers" ] || servers_of "$way"
    done
    exit
fi

# One scene serves all cases of a program.
export RESULTS MODEL_SECONDS=1800
RESULTS=$(mktemp)
status=0
for program in "$@"; do
    echo "$program …" >&2
    "$script" "$keep" "$program" || { echo "$program: the script failed" >&2; status=1; }
done
printf '%-24s' case
printf '%-22s' "$@"
echo
for case in "${skill_cases[@]/#/skill:}" "${server_cases[@]/#/server:}"; do
    printf '%-24s' "$case"
    for program in "$@"; do
        word() { awk -F '\t' -v p="$program" -v c="$case" -v h="$1" '$1==p && $2==c && $3==h {print $4}' "$RESULTS"; }
        native=$(word native) ours=$(word execenv) mark=
        if [ "$ours" ] && [ "$ours" != "$(expected "$case")" ]; then
            # A flag that a program does not know is for it to heed: what it does natively is no fault of execenv's.
            [ "$ours" = "$native" ] || { mark='!'; status=1; }
        fi
        printf '%-22s' "${native:--} / ${ours:--}$mark"
    done
    echo
done
echo '(natively / through execenv; !: neither what the program does natively nor what is asked for)'
rm -f "$RESULTS"
exit $status
