#!/usr/bin/env bash
# The configuration of a task, judged by the real OpenClaw: it must find it valid, and see the work dir and the task's
# MCP servers where the user's would be. No account needed, nothing is sent anywhere.
#
#   tests/real/openclaw.sh FOLDER
#
# FOLDER keeps the npm installs (OpenClaw 2026.9.6 and the Node 24 that it wants) between runs; OPENCLAW_BIN names
# another OpenClaw. Needs npm, python3 and a built execenv in target/{release,debug}, in PATH, or in $EXECENV.
set -euo pipefail
keep=${1:?name a folder for the npm installs}
mkdir -p "$keep"
keep=$(realpath "$keep")
here=$(cd "$(dirname "$0")/../.." && pwd)
for candidate in "${EXECENV:-}" "$here/target/release/execenv" "$here/target/debug/execenv" "$(command -v execenv || true)"; do
    [ -x "$candidate" ] && { execenv=$candidate; break; }
done
: "${execenv:?build execenv first: cargo build --release}"

install() { # folder, package: npm wants a package.json in the prefix
    [ -d "$keep/$1/node_modules" ] && return
    mkdir -p "$keep/$1" "$keep/npm-home"
    echo '{"private":true}' > "$keep/$1/package.json"
    (cd "$keep/$1" && HOME=$keep/npm-home npm install --silent --no-audit --no-fund "$2")
}
install node24 node@24
export PATH=$keep/node24/node_modules/node/bin:$PATH
install openclaw openclaw@2026.9.6
openclaw=${OPENCLAW_BIN:-$keep/openclaw/node_modules/.bin/openclaw}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OPENCLAW_OFFLINE=1 OPENCLAW_NO_AUTO_UPDATE=1 MULTICA_OPENCLAW_PATH=$openclaw MULTICA_OPENCLAW_CLI_TIMEOUT=60
unset OPENCLAW_CONFIG_PATH OPENCLAW_STATE_DIR OPENCLAW_HOME OPENCLAW_INCLUDE_ROOTS
export EXECENV_WORKSPACES_ROOT=$work/root CLAW_KEY=sk-claw-secret
passed=0 failed=0 user='' config='' roots='' env='' workdir=''
answers=$work/answers
mkdir -p "$answers"

check() { # what, command…
    local what=$1; shift
    if "$@" > "$work/said" 2>&1; then passed=$((passed + 1)); echo "ok    $user: $what"
    else failed=$((failed + 1)); echo "FAIL  $user: $what"; sed 's/^/      /' "$work/said" | head -20; fi
}
claw() { # arguments…, with the task's variables
    OPENCLAW_CONFIG_PATH=$config ${roots:+env OPENCLAW_INCLUDE_ROOTS="$roots"} "$openclaw" "$@" < /dev/null
}
ask() { # file, expression over `d` (the JSON in it), `work` and `env`
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); v={"d":d,"work":sys.argv[3],"env":sys.argv[4]}; r=eval(sys.argv[2],v); print(d); sys.exit(0 if r else 1)' \
        "$answers/$1" "$2" "$workdir" "$env"
}
a_user() { # name: a home of its own
    user=$1
    export HOME=$work/$1
    mkdir -p "$HOME/.openclaw/parts"
}
prepare() { # mcp_config, runtime_config: each JSON
    cat > "$work/task.json" <<TASK
{"provider":"openclaw","issue_id":"","agent":{"name":"Real","mcp_config":$1,"runtime_config":$2,
 "skills":[{"name":"greeting","content":"---\nname: greeting\ndescription: how to greet\n---\nSay hello.\n"}]}}
TASK
    (cd "$HOME" && find . -type f ! -path '*/state/*' -exec sha256sum {} + | sort) > "$work/before"
    "$execenv" prepare --task "$work/task.json" -o json > "$answers/prepared"
    (cd "$HOME" && find . -type f ! -path '*/state/*' -exec sha256sum {} + | sort) > "$work/after"
    local read='import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))'
    env=$(python3 -c "$read" "$answers/prepared" 'd["root_dir"]')
    workdir=$(python3 -c "$read" "$answers/prepared" 'd["work_dir"]')
    config=$(python3 -c "$read" "$answers/prepared" 'd["env"]["OPENCLAW_CONFIG_PATH"]')
    roots=$(python3 -c "$read" "$answers/prepared" 'd["env"].get("OPENCLAW_INCLUDE_ROOTS","")')
    claw config validate --json > "$answers/valid" 2> /dev/null || true
    claw agents list --json > "$answers/agents" 2> /dev/null || true
    claw mcp list --json > "$answers/mcp" 2> /dev/null || true
    check 'the configuration is valid'          ask valid 'd["valid"]'
    check 'every workspace is the work dir'     ask agents 'd and all(a["workspace"] == work for a in d)'
    check 'the user'"'"'s files are as they were' cmp "$work/before" "$work/after"
    check 'the configuration is private'        test "$(stat -c %a "$config")" = 600
    [ "$2" = null ] || return 0 # the gateway would be asked for its skills
    # One that has several agents wants to know whose.
    local agent
    agent=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[-1]["id"])' "$answers/agents")
    claw skills list --json --agent "$agent" > "$answers/skills" 2> /dev/null || true
    check "the skill is found for $agent"       ask skills 'any(s["name"] == "greeting" for s in d["skills"])'
}
json_models="{ models: { providers: { fake: { api: 'openai-completions', baseUrl: 'http://127.0.0.1:9/v1', apiKey: '\${CLAW_KEY}', models: [{ id: 'fake-model', name: 'Fake' }] } } } }"
servers='{"mcpServers":{"same":{"command":"task-server","args":["t"]},"far":{"url":"https://mcp.example.test","transport":"streamable-http"}}}'

a_user fresh
prepare null null
check 'no servers'                              ask mcp 'd == {}'
prepare "$servers" null
check 'the task'"'"'s servers'                  ask mcp 'sorted(d) == ["far", "same"]'
prepare null '{"mode":"gateway","gateway":{"host":"127.0.0.1","port":9,"token":"gw-secret","tls":true}}'

a_user plain
echo '{}' > "$HOME/.openclaw/openclaw.json"
prepare null null
prepare '{}' null
check 'no servers'                              ask mcp 'd == {}'

a_user entries
echo "$json_models" > "$HOME/.openclaw/parts/models.json5"
cat > "$HOME/.openclaw/openclaw.json" <<'CONFIG'
{ // JSON5, with an include, two agents with workspaces of their own, two servers
  $include: ["./parts/models.json5"],
  agents: { ownership: "explicit", defaults: { skipBootstrap: true },
    entries: { main: { workspace: "~/ws-main" }, helper: { workspace: "~/ws-helper", model: "fake/fake-model" } } },
  mcp: { sessionIdleTtlMs: 300000, servers: {
    same: { command: "user-server", args: ["u"], env: { TOK: "${CLAW_KEY}" } }, mine: { command: "true" } } },
  gateway: { auth: { mode: "token", token: "gw-user-secret" } },
}
CONFIG
prepare null null
check 'the user'"'"'s servers stay'             ask mcp 'sorted(d) == ["mine", "same"]'
claw config get models --json > "$answers/models" 2> /dev/null || true
check 'the user'"'"'s models stay'              ask models '"fake" in d["providers"]'
check 'an agent keeps its model'                ask agents '[a for a in d if a["id"] == "helper"][0]["model"] == "fake/fake-model"'
check 'no secret in what prepare says'          sh -c "! grep -q -e sk-claw -e gw-user '$answers/prepared'"
prepare "$servers" null
check 'exactly the task'"'"'s servers'          ask mcp 'd == {"same": {"command": "task-server", "args": ["t"]}, "far": {"url": "https://mcp.example.test", "transport": "streamable-http"}}'
claw config get models --json > "$answers/models" 2> /dev/null || true
check 'the user'"'"'s models stay'              ask models '"fake" in d["providers"]'
claw config get mcp.sessionIdleTtlMs --json > "$answers/ttl" 2> /dev/null || true
check 'other MCP settings stay'                 ask ttl 'd == 300000'
prepare '{"mcpServers":{}}' '{"mode":"gateway","gateway":{"host":"127.0.0.1","port":9,"token":"gw-secret"}}'
check 'no servers'                              ask mcp 'd == {}'
claw config get gateway.remote.url --json > "$answers/url" 2> /dev/null || true
check 'the gateway is the task'"'"'s'           ask url 'd == "ws://127.0.0.1:9"'

a_user list
cat > "$HOME/.openclaw/openclaw.json" <<'CONFIG'
{ agents: { defaults: { skipBootstrap: true },
    list: [ { id: "main", default: true, workspace: "~/ws-main" }, { id: "helper", name: "Helper", workspace: "~/ws-helper" } ] } }
CONFIG
prepare null null
check 'both agents are there'                   ask agents 'sorted(a["id"] for a in d) == ["helper", "main"]'
prepare "$servers" null
check 'both agents are there'                   ask agents 'sorted(a["id"] for a in d) == ["helper", "main"]'
check 'the task'"'"'s servers'                  ask mcp 'sorted(d) == ["far", "same"]'

a_user linked
mkdir -p "$HOME/dotfiles/claw/parts"
rmdir "$HOME/.openclaw/parts"
echo '{ mcp: { servers: { mine: { command: "true" } } } }' > "$HOME/dotfiles/claw/openclaw.json"
ln -s ../dotfiles/claw/openclaw.json "$HOME/.openclaw/openclaw.json"
prepare null null
check 'the user'"'"'s servers stay'             ask mcp 'sorted(d) == ["mine"]'

a_user broken
echo '{ gateway: { mode: "local" }, zzz: 1 }' > "$HOME/.openclaw/openclaw.json"
echo '{"provider":"openclaw","id":"broken-1","agent":{"name":"Real"}}' > "$work/task.json"
check 'an invalid configuration is refused'     sh -c "! '$execenv' prepare --task '$work/task.json' 2> '$work/error'"
check 'in words of its own'                     grep -q 'openclaw' "$work/error"
check 'and leaves nothing'                      sh -c "! find '$EXECENV_WORKSPACES_ROOT' -name 'openclaw-*' -newer '$work/task.json' | grep -q ."

"$openclaw" --version < /dev/null
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
