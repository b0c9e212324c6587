#!/usr/bin/env bash
# The real Claude Code with `execenv hook claude` in its settings.   MODEL_SERVER=fake_models.py tests/real/claude_hooks.sh DIR
#
# The settings are those of `execenv man hook`. The model calls the tools that each session names.
set -euo pipefail
. "$(dirname "$0")/common.sh"
start claude "${1:?name a folder for the install}" @anthropic-ai/claude-code
PATH=$(dirname "$execenv"):$PATH
[ "$(basename "$execenv")" = execenv ] || { mkdir "$work/bin"; ln -s "$execenv" "$work/bin/execenv"; PATH=$work/bin:$PATH; }
export ANTHROPIC_API_KEY=sk-made-up-key-for-the-test CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 \
    CLAUDE_CODE_MAX_RETRIES=1 IS_SANDBOX=1
unset DIALECT CLAUDECODE

# The model server, which makes the tool calls of CALLS in turn, and those of SUB for a subagent.
cat > "$work/calls.py" <<'PYTHON'
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("models", sys.argv.pop(1))
models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)
answer = models.Handler.api_messages
def in_turn(handler, body, n, text, _):
    said = body.get("messages", [])
    calls = json.loads(os.environ["SUB" if "SUBAGENT" in json.dumps(said[:1]) else "CALLS"])
    made = sum(b.get("type") == "tool_use" for m in said if isinstance(m["content"], list) for b in m["content"])
    answer(handler, body, n, text, (*calls[made], "function") if body.get("tools") and made < len(calls) else None)
models.Handler.api_messages = in_turn
models.main()
PYTHON

session() { # CALLS ARGUMENT…: a session in the repository that ends by itself; its output is in $work/session
    local calls=$1; shift
    kill "$pid" 2> /dev/null || true
    rm -f "$work/port"
    CALLS="[$calls]" SUB="[${SUB:-}]" python3 "$work/calls.py" "$models" --port 0 --reply 'all done' --max-seconds 100 > "$work/port" & pid=$!
    for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
    (cd "$work/repo" && ANTHROPIC_BASE_URL=http://127.0.0.1:$(head -1 "$work/port") timeout 90 claude "$@" -p 'say hi' \
        --permission-mode bypassPermissions --output-format stream-json --verbose < /dev/null) > "$work/session" 2>&1
}
call() { printf '["%s",%s]' "$1" "$2"; } # TOOL INPUT
shell() { call Bash "{\"command\":\"$1\",\"description\":\"d\"${2:-}}"; }
leave=$(call ToolSearch '{"query":"select:ExitWorktree"}'),$(call ExitWorktree '{"action":"remove","discard_changes":true}')
subagent=$(call Agent '{"description":"d","prompt":"SUBAGENT","subagent_type":"general-purpose","run_in_background":false,"isolation":"worktree"}')
where() { # NAME: the work dir of that worktree
    git -C "$work/repo" worktree list --porcelain | sed -n 's/^worktree //p' | while read -r path; do
        [ -d "$path" ] || continue # in the trash
        case $(git -C "$path" branch --show-current) in agent/$1/*) echo "$path" ;; esac
    done
}
settings() { # FILE: the two lines of the manual page
    mkdir -p "$(dirname "$1")"
    execenv man hook | sed -n '/^{$/,/^}$/p' > "$1"
    python3 -m json.tool "$1" > /dev/null
}
said() { grep -q "$1" "$work/session"; }

mkdir "$work/repo"
cd "$work/repo"
git init -q -b main
git config user.email t@example.invalid
git config user.name T
echo 1 > file
git add -A
git commit -qm one
before=$(git status --porcelain; git for-each-ref)

settings "$HOME/.claude/settings.json"
check 'a session in a worktree runs'           session "$(shell 'pwd > where.txt; execenv list -o json > listed.json')" --worktree feature/one
one=$(where feature-one)
check 'its worktree is an environment'         test "$(dirname "$(dirname "$one")")" = "$work/root/default"
check 'the agent works in it'                  test "$(cat "$one/where.txt")" = "$one"
check 'it is listed while the agent works'     grep -q "$(basename "$(dirname "$one")")" "$one/listed.json"
check 'it is locked'                           sh -c "git worktree list --porcelain | grep -A4 '^worktree $one$' | grep -q '^locked execenv'"
check 'the user'"'"'s checkout is as it was'   test "$before" = "$(git status --porcelain; git for-each-ref | grep -v refs/heads/agent/)"
check 'a second session continues in it'       session "$(shell 'test -e where.txt && echo again > again.txt')" --worktree feature/one
check 'that is the same worktree'              test -e "$one/again.txt" -a "$(where feature-one)" = "$one"
check 'a session leaves it'                    session "$leave" --worktree feature/one
check 'unsaved work is kept'                   test -e "$one/again.txt"
check 'Claude Code says so'                    said 'could not remove it'
check 'a session commits and leaves'           session "$(shell 'git add -A; git commit -qm work'),$leave" --worktree feature/one
check 'its worktree is removed'                test ! -e "$(dirname "$one")"
check 'Claude Code says so'                    said 'Exited and removed worktree'
check 'its branch has the work'                sh -c "git log --format=%s --branches='agent/feature-one/*' | grep -qx work"
check 'a session leaves an unchanged one'      session "$leave" --worktree two
check 'it is removed with its branch'          test -z "$(where two)$(git for-each-ref 'refs/heads/agent/two/*')"
check 'a session makes one and removes it'     session "$(call ToolSearch '{"query":"select:EnterWorktree,ExitWorktree"}'),$(call EnterWorktree '{"name":"mid"}'),$(call ExitWorktree '{"action":"remove","discard_changes":true}')"
check 'Claude Code says so'                    said 'Exited and removed worktree'
check 'a command of the agent'"'"'s works on'  session "$(shell 'sleep 20' ',"run_in_background":true'),$leave" --worktree busy
check 'the worktree is kept'                   test -e "$(where busy)/file"
SUB=$(shell 'pwd > made.txt') check 'a subagent in a worktree runs' session "$subagent"
sub=$(where 'agent-*')
check 'it works in an environment'             test "$(cat "$sub/made.txt")" = "$sub"
check 'the user'"'"'s checkout is as it was'   test "$before" = "$(git status --porcelain; git for-each-ref | grep -v refs/heads/agent/)"
SUB=$(shell 'true') check 'one that changes nothing runs' session "$subagent"
check 'Claude Code keeps its worktree'         test "$(where 'agent-*' | wc -l)" = 2
check 'Claude Desktop gets one'                claude worktree-hook --json --event create --name desk --trusted-folder "$PWD"
check 'and removes it'                         claude worktree-hook --json --event remove --path "$(where desk)" --trusted-folder "$PWD"
check 'it is gone'                             test -z "$(where desk)"
check 'gc removes what nobody works in'        env EXECENV_TEST_NOW=2036-01-01T00:00:00Z execenv gc
check 'but for the unsaved work'               test "$(where '*')" = "$sub"
execenv cleanup --all --force "$sub" > "$work/last" 2>&1

# In the settings of the repository: Claude Code reads those of the worktree when it leaves it.
rm "$HOME/.claude/settings.json"
settings .claude/settings.json
check 'not committed: a session leaves'        session "$leave" --worktree three
check 'the worktree is kept'                   test -e "$(where three)/file"
git add -A
git commit -qm settings
check 'committed: a session leaves'            session "$leave" --worktree four
check 'the worktree is removed'                test -z "$(where four)"
python3 - .claude/settings.json <<'PYTHON'
import json, sys
settings = json.load(open(sys.argv[1]))
del settings["hooks"]["WorktreeRemove"]
json.dump(settings, open(sys.argv[1], "w"))
PYTHON
git commit -qam 'one line'
check 'without the second line: it leaves'     session "$leave" --worktree five
check 'the worktree is kept, being locked'     test -e "$(where five)/file"
claude --version
