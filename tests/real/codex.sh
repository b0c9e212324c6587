#!/usr/bin/env bash
# The real Codex in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/codex.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start codex "${1:?name a folder for the install}" @openai/codex
export FAKE_KEY=sk-fake-0123456789
user=$HOME/.codex
strict() { timeout 120 codex exec --strict-config --json --skip-git-repo-check "$@" < /dev/null; }
agent() { strict "${prompt:-say hi}"; }
servers_are() { # NAME…: `codex mcp list` prints exactly these
    codex mcp list --json < /dev/null > "$work/servers.json"
    python3 -c 'import json,sys; found=sorted(s["name"] for s in json.load(open(sys.argv[1]))); print(found); sys.exit(found != sorted(sys.argv[2:]))' \
        "$work/servers.json" "$@"
}
state() { (cd "$HOME" && find . -printf '%p %y %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum); }
a_user() { # NAME: one without `.codex`
    who=$1
    rm -rf "$HOME"
    mkdir -p "$HOME"
}
model() { # the lines that every configuration begins with: a model on loopback
    cat <<CONFIG
model = "fake-model"
model_provider = "fake"
CONFIG
}
provider() {
    cat <<CONFIG
[model_providers.fake] # the user's
name = "Fake"
base_url = "http://127.0.0.1:$port/v1"
wire_api = "responses"
env_key = "FAKE_KEY"
[analytics]
enabled = false
CONFIG
}
toml_server() { printf '[mcp_servers.%s]\ncommand = "python3"\nargs = ["%s", "%s"]\n' "$1" "$servers" "$work/$1.log"; }
project() { mkdir -p .codex; toml_server project > .codex/config.toml; }
its_home() { # what each user's environment must hold
    local before
    before=$(state)
    prepare "$@"
    check "$who: CODEX_HOME is the environment's"  test "$CODEX_HOME" = "$env/codex-home"
    check "$who: the home is private"              test "$(stat -c '%a' "$CODEX_HOME" "$CODEX_HOME/config.toml" "$CODEX_HOME/sessions" | xargs)" = '700 600 700'
    check "$who: the user's is as it was"          test "$before" = "$(state)"
}

a_user 'no home'
its_home --mcp-config "$work/mcp.json"
given=(-c 'model_provider="fake"' -c 'model="fake-model"' -c 'analytics.enabled=false'
    -c "model_providers.fake={name='Fake',base_url='http://127.0.0.1:$port/v1',wire_api='responses',env_key='FAKE_KEY'}")
check "$who: it runs, every key known"             strict "${given[@]}" 'say hi'
check "$who: the managed server is the only one"   servers_are managed
check "$who: nothing came into the user's home"    test ! -e "$user"

a_user 'own servers'
mkdir -p "$user"
{ model; provider; toml_server user; } > "$user/config.toml"
common_checks
prepare
check "unmanaged, it lists the user's server"      servers_are user
prepare --mcp-config "$work/mcp.json"
check 'strict, it lists the managed one'           servers_are managed
prepare --mcp-config "$work/none.json"
check 'none, it lists none'                        servers_are
prepare --mcp-config "$work/mcp.json" --mcp-mode merge
check 'merged, it lists both'                      servers_are managed user

hash_of() { # HOME: the hash of its one hook that is in hooks.json, as Codex computes it
    python3 - "$1" "$work" <<'PYTHON'
import json, os, subprocess, sys
home, folder = sys.argv[1:]
server = subprocess.Popen(["codex", "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={**os.environ, "CODEX_HOME": home}, text=True)
def ask(number, method, params):
    server.stdin.write(json.dumps({"id": number, "method": method, "params": params}) + "\n")
    server.stdin.flush()
    for line in server.stdout:
        if json.loads(line).get("id") == number:
            return json.loads(line)["result"]
ask(1, "initialize", {"clientInfo": {"name": "test", "version": "1"}})
hooks = ask(2, "hooks/list", {"cwds": [folder]})["data"][0]["hooks"]
print(next(hook["currentHash"] for hook in hooks if hook["sourcePath"].endswith("hooks.json")))
server.kill()
PYTHON
}
a_user 'hooks'
mkdir -p "$user"
hook() { printf '{"hooks":[{"type":"command","command":"touch %s"}]}' "$work/$1"; }
printf '{"hooks":{"SessionStart":[%s]}}' "$(hook trusted-ran)" > "$user/hooks.json"
trusted=$(hash_of "$user")
{ model; provider; printf '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "touch %s"\n' "$work/untrusted-ran"
  printf '[hooks.state."%s/hooks.json:session_start:0:0"]\ntrusted_hash = "%s"\n' "$user" "$trusted"; } > "$user/config.toml"
its_home
check "$who: it runs, every key known"             agent
check 'a hook that the user trusts ran'            test -e "$work/trusted-ran"
check 'one that the user does not trust did not'   test ! -e "$work/untrusted-ran"

a_user 'all forms'
mkdir -p "$user/skills/own" "$user/skills/off" "$user/skills/named-off" "$HOME/.agents/skills/shared" "$HOME/.agents/skills/shared-off"
for skill in own off named-off; do
    printf -- '---\nname: %s\ndescription: USER-MARK-%s\n---\nbody\n' "$skill" "$skill" > "$user/skills/$skill/SKILL.md"
done
for skill in shared shared-off; do
    printf -- '---\nname: %s\ndescription: USER-MARK-%s\n---\nbody\n' "$skill" "$skill" > "$HOME/.agents/skills/$skill/SKILL.md"
done
cat > "$user/config.toml" <<CONFIG
# The user's: comments, inline tables, quoted headers, dotted keys.
$(model)
sandbox_mode = "read-only" # gives way
features.memories = true
'shell_environment_policy'.inherit = "none"
agents = { max_threads = 2 }   # inline
model_providers.fake = { name = "Fake", base_url = "http://127.0.0.1:$port/v1", wire_api = "responses", env_key = "FAKE_KEY" }
analytics.enabled = false

[ "mcp_servers" . 'user' ] # quoted
command = "python3"
args = ["$servers", "$work/user.log"] # one
env = { MCPMARK_USER = "sk-users-secret" }

["sandbox_workspace_write"]
writable_roots = [
  "/var/cache/mine", # the user's
]
[profiles."an old one"]
sandbox_mode = "danger-full-access"
[[skills.config]]
path = "$user/skills/off/SKILL.md"
enabled = false
[[skills.config]]
name = "named-off"
enabled = false
[tui]
notifications = false
[projects."$work/mine"]
trust_level = "trusted"
CONFIG
printf '{"OPENAI_API_KEY":"sk-users-login-secret"}' > "$user/auth.json"
chmod 600 "$user/auth.json" "$user/config.toml"
cat > "$user/work.config.toml" <<CONFIG
model_reasoning_effort = "low"
sandbox_mode = "danger-full-access"
features = { memories = true }
$(toml_server profiled)
CONFIG
chmod 640 "$user/work.config.toml"
mkdir "$user/rules"
echo 'prefix_rule(pattern=["touch"], decision="forbidden")' > "$user/rules/default.rules"
echo 'USER-INSTRUCTIONS-MARK' > "$user/AGENTS.md"
cat > "$work/task.json" <<TASK
{"issue_id":"issue-1","agent":{"id":"agent-1","name":"Real","custom_env":{"CUSTOM":"sk-custom-secret"},
 "disabled_runtime_skills":[{"root":"universal","key":"shared-off"}],
 "mcp_config":{"mcpServers":{$(server managed | sed 's/}$/,"env":{"MCPMARK_KEY":"sk-task-secret"}}/')}}}}
TASK
its_home --task "$work/task.json"
before=$(state)
cp -p "$CODEX_HOME/config.toml" "$work/config.toml"
prompt='the first question'
check "$who: it runs, every key known"             agent
check 'the brief reached the model'                reached EXECENV-BRIEF-MARK
check "the user's own instructions too"           reached USER-INSTRUCTIONS-MARK
check "the task's skill reached the model"         reached EXECENV-SKILL-MARK
check "the user's skills too"                      reached 'USER-MARK-own'
check 'and those of all agents'                    reached 'USER-MARK-shared\b'
check 'one that the user has off did not'          not reached 'USER-MARK-off'
check 'nor one that is off by name'               not reached 'USER-MARK-named-off'
check 'one that the task has off did not'          not reached 'USER-MARK-shared-off'
check 'the managed server was started'             started managed
check 'with its variable'                          grep -q sk-task-secret "$work/managed.log"
check "the user's was not"                         unstarted user
check 'the managed server is the only one'         servers_are managed
check 'commands can write, with a network'         sh -c "codex debug prompt-input x < /dev/null | grep -q 'workspace-write.*etwork access is enabled'"
check 'memory and child agents are off'            sh -c 'codex features list < /dev/null | awk "\$1 == \"memories\" || \$1 == \"multi_agent\"" | tee /dev/stderr | { ! grep -q true; }'
check "a profile's server is not the task's"       sh -c "codex -p work mcp list --json < /dev/null | grep '\"name\"' | tee /dev/stderr | { ! grep -v managed; }"
check 'the profile is there'                       grep -q model_reasoning_effort "$CODEX_HOME/work.config.toml"
check 'and private'                                test "$(stat -c %a "$CODEX_HOME/work.config.toml")" = 600
rm -f "$work"/*.log
check 'with the profile it runs'                   strict -p work 'the profile'
check 'the managed server was started'             started managed
check "the profile's was not"                      unstarted profiled
check 'its commands stay in the sandbox'           sh -c "codex -p work debug prompt-input x < /dev/null | grep -q 'workspace-write'"
check 'its effort reached the model'               sh -c "tail -1 '$work/requests.jsonl' | grep -q '\"effort\": \"low\"'"

# Codex may write into its own home; what is ours in it stays.
exports=$("$execenv" reuse -o shell "$env" --provider codex --task "$work/task.json" --agent-name Real \
    --instructions "$work/rules.md" --skills "$work/skills")
check 'reuse writes the same configuration'        cmp "$work/config.toml" "$CODEX_HOME/config.toml"
written=$(stat -c '%i %Y' "$CODEX_HOME/config.toml")
"$execenv" reuse "$env" --provider codex --task "$work/task.json" --agent-name Real \
    --instructions "$work/rules.md" --skills "$work/skills" > /dev/null
check 'a second one does not touch it'             test "$written" = "$(stat -c '%i %Y' "$CODEX_HOME/config.toml")"
rollout() { find "$CODEX_HOME/sessions/" -name 'rollout-*.jsonl' | sort | head -1; }
check 'the conversation is kept over reuse'        test -s "$(rollout)"
session=$(rollout | sed 's/.*rollout-....-..-..T..-..-..-//; s/.jsonl$//')
resume() { timeout 120 codex exec resume --strict-config --json --skip-git-repo-check "$1" 'the second question' < /dev/null; }
check 'resume finds it'                            resume "$session"
check 'with what was said before'                  sh -c "tail -1 '$work/requests.jsonl' | grep -q 'the first question'"
check "it is not among the user's"                 test ! -e "$user/sessions"
check "the user's home is as it was"               test "$before" = "$(state)"
check 'no secret in logs, records and meta'        not grep -rqE 'sk-(users|custom|task|fake)' \
    "$env/logs" "$env/.gc_meta.json" "$env/.multica_sidecar_manifest.json" "$env/workdir"
check 'nor in what prepare says'                   not grep -qE 'sk-(users|custom|task)' <<< "$exports"

# `run` knows the task's own variables too; a command of the agent's says which it got.
python3 "$models" --port 0 --log "$work/tools.jsonl" --tool-command 'env > got' --max-seconds 120 > "$work/tools.port" &
second=$!
trap 'kill "$pid" "$second" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -s "$work/tools.port" ] && break; sleep 0.1; done
by_run() {
    "$execenv" run "$env" --timeout 2m -- codex exec --strict-config --json --skip-git-repo-check \
        -c "model_providers.fake.base_url=\"http://127.0.0.1:$(head -1 "$work/tools.port")/v1\"" 'make it'
}
arguments() { "$execenv" run "$env" -- sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'; }
check '`run` runs it'                              by_run
check "a command gets the task's variable"         grep -qx CUSTOM=sk-custom-secret "$env/workdir/got"
check "the environment's too"                      grep -qx "EXECENV_ROOT=$env" "$env/workdir/got"
check "the host's key not"                         not grep -q FAKE_KEY "$env/workdir/got"
rm "$env/workdir/got"
check 'what the user forbids is forbidden'         sh -c "codex execpolicy check --rules '$CODEX_HOME/rules/default.rules' touch x | grep -q forbidden"
check 'processes can be looked at'                 sh -c "$(declare -f arguments); execenv='$execenv' env='$env'; arguments | grep -q execenv"
check 'no secret in the arguments of a process'     not sh -c "$(declare -f arguments); execenv='$execenv' env='$env'; arguments | grep -qE 'sk-(users|custom|task|fake)-'"
check 'nor in what `run` has logged'               not grep -rqE 'sk-(users|task|fake)' "$env/logs" "$env/.gc_meta.json" "$env/.multica_sidecar_manifest.json"

# A local directory's conversations outlive its environment.
mkdir -p "$work/mine"
echo mine > "$work/mine/file"
(cd "$work/mine" && project) # the user trusts this folder, and so Codex would start its server
local_dir() {
    unset_exports
    exports=$("$execenv" prepare -o shell --task "$work/task.json" --task-id "local-$1" --provider codex \
        --instructions "$work/rules.md" --skills "$work/skills" --local-dir "$work/mine")
    eval "$exports"
    env=$EXECENV_ROOT
    cd "$EXECENV_WORKDIR"
}
local_dir one
prompt='asked at home'
rm -f "$work"/*.log
check 'in a local directory it runs'               agent
check 'the managed server was started'             started managed
check "the trusted project's was not"              unstarted project
check 'the managed server is the only one'         servers_are managed
session=$(rollout | sed 's/.*rollout-....-..-..T..-..-..-//; s/.jsonl$//')
cd "$work"
"$execenv" cleanup --all "$env"
check 'cleanup brings the folder back'             test "$(ls -A "$work/mine" | xargs)" = '.codex file'
local_dir two
check 'the next environment finds it'              resume "$session"
check 'with what was said before'                  sh -c "tail -1 '$work/requests.jsonl' | grep -q 'asked at home'"
cd "$work"
"$execenv" cleanup --all "$env"
check "the user's home is as it was"               test "$before" = "$(state)"
unset_exports

a_user 'schema'
mkdir -p "$user"
{ model; provider; } > "$user/config.toml"
prepare
unset CODEX_HOME
check 'requests, answers and news are of the schema' python3 "$here/tests/real/codex_schema.py" "$execenv" "$(command -v codex)" "$env" "$work"
cat "$work/last"
codex --version
