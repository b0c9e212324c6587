# What the scripts of the real programs share; sourced, after `set -euo pipefail`.
#
#   start NAME DIR PACKAGE [NODE]   finds execenv, the model server (MODEL_SERVER, or fake_models.py beside the shared tools)
#                                   and the MCP server (MCP_SERVER); installs PACKAGE into DIR/NAME; makes a scene
#   prepare ARG…                    prepares the environment of the scene; exports its variables into this shell
#   check WHAT COMMAND…             says ok or FAIL, and ends at the first FAIL
#   reached MARK, (un)started SERVER   what the model server got, which MCP servers were started
#
# All of them, for programs that are installed below DIR (not below /tmp), or are to be:
#
#   cargo build; export MODEL_SERVER=…/fake_models.py
#   for name in claude codex copilot gemini hermes opencode pi qwen; do tests/real/$name.sh DIR || echo "$name failed"; done
#   tests/real/openclaw.sh DIR                 # takes minutes
#   tests/real/claude_hooks.sh DIR             # Claude Code makes the worktrees, by `execenv hook claude`
#   tests/real/control.sh DIR                  # send, pause, stop, heartbeats and the autonomous loop with Claude Code
#   tests/real/codex_commit.sh DIR             # Codex commits in a worktree, from its sandbox
#   tests/real/sandbox.sh DIR                  # Claude Code, Codex, OpenCode, Gemini … in `run --sandbox`, of both kinds
#   tests/real/skills_and_servers.sh DIR    # a table of all programs: skills and servers of all kinds; takes half an hour
#
# Needs npm (or the install in DIR already), python3 and git. Everything happens on loopback, without an account.

start() {
    name=$1 keep=$2
    mkdir -p "$keep"
    keep=$(realpath "$keep")
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    for candidate in "${EXECENV:-}" "$here/target/release/execenv" "$here/target/debug/execenv"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] && { execenv=$candidate; break; }
    done
    : "${execenv:?build execenv first: cargo build}"
    models=$(realpath "${MODEL_SERVER:?name the model server script}")
    servers=$(realpath "${MCP_SERVER:-$(dirname "$models")/mcp_stub.py}")
    if [ "${4:-}" ]; then # a newer node than the system's
        [ -d "$keep/node$4/node_modules" ] || npm install --silent --no-audit --no-fund --prefix "$keep/node$4" "node@$4"
        PATH=$keep/node$4/node_modules/node/bin:$PATH
    fi
    [ -d "$keep/$name/node_modules" ] || HOME=$keep/npm-home npm install --silent --no-audit --no-fund --prefix "$keep/$name" "$3"
    PATH=$keep/$name/node_modules/.bin:$PATH

    # Not below /tmp: Gemini and Codex distrust folders that everybody may write to.
    work=$(mktemp -d "$keep/scene.XXXXXX")
    # The operator's key is made on first need: not in the home that is compared with what it was.
    export EXECENV_KEY_FILE=$work/key
    trap 'kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
    mkdir -p "$work/home" "$work/skills/greeting"
    printf -- '---\nname: greeting\ndescription: EXECENV-SKILL-MARK how to greet\n---\nSay hello.\n' > "$work/skills/greeting/SKILL.md"
    echo 'EXECENV-BRIEF-MARK: be terse.' > "$work/rules.md"
    printf '{"mcpServers":{%s}}' "$(server managed)" > "$work/mcp.json"
    echo '{"mcpServers":{}}' > "$work/none.json"
    # Slow enough for servers to be up: Copilot ends with the answer, whether they are or not.
    python3 "$models" --port 0 --log "$work/requests.jsonl" --reply 'all done' --delay 0.5 --max-seconds "${MODEL_SECONDS:-300}" > "$work/port" &
    pid=$!
    for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
    port=$(head -1 "$work/port")
    export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root
}

server() { # NAME: a stdio server in the common form; its start leaves NAME.log
    printf '"%s":{"command":"python3","args":["%s","%s"]}' "$1" "$servers" "$work/$1.log"
}

prepare() {
    rm -f "$work"/*.log "$work/requests.jsonl"
    unset_exports
    env=$("$execenv" prepare --replace --task-id real --provider "$name" --agent-name Real \
        --instructions "$work/rules.md" --skills "$work/skills" "$@")
    exports=$("$execenv" reuse -o shell "$env" --provider "$name" --agent-name Real \
        --instructions "$work/rules.md" --skills "$work/skills" "$@")
    eval "$exports"
    cd "$env/workdir"
}

unset_exports() {
    local line
    while read -r line; do unset "${line%%=*}"; done < <(sed -n 's/^export //p' <<< "${exports:-}")
}

check() { # what, command…
    local what=$1; shift
    if "$@" > "$work/last" 2>&1; then echo "ok    $what"; else echo "FAIL  $what"; tail -20 "$work/last"; exit 1; fi
}
reached() { grep -q "$1" "$work/requests.jsonl"; }
started() { # a server may come up while the answer is on its way
    for _ in $(seq 50); do [ -s "$work/$1.log" ] && return; sleep 0.1; done
    return 1
}
unstarted() { test ! -s "$work/$1.log"; }
not() { ! "$@"; }

# The checks that every program must pass. `agent` starts it once with a prompt; the user and the project have servers
# named `user` and `project`.
common_checks() {
    local managed=${1:-yes}
    prepare
    check 'without managed servers it runs'       agent
    check 'the brief reached the model'           reached EXECENV-BRIEF-MARK
    check 'the skill reached the model'           reached EXECENV-SKILL-MARK
    [ "$managed" = yes ] || return 0
    check "the user's own server was started"     started user
    prepare --mcp-config "$work/mcp.json"
    project
    check 'with a managed server it runs'         agent
    check 'the brief still reached the model'     reached EXECENV-BRIEF-MARK
    check 'the skill still reached the model'     reached EXECENV-SKILL-MARK
    check 'the managed server was started'        started managed
    check "the user's was not"                    unstarted user
    check "the project's was not"                 unstarted project
    prepare --mcp-config "$work/none.json"
    check 'with none managed it runs'             agent
    check 'no server was started'                 unstarted user
    prepare --mcp-config "$work/mcp.json" --mcp-mode merge
    check 'merged it runs'                        agent
    check 'the managed server was started'        started managed
    check "the user's too"                        started user
}

# A project's own servers; a program that needs another file for them has its own.
project() { :; }
