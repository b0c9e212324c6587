#!/usr/bin/env bash
# The real Hermes in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/hermes.sh DIR
# DIR/hermes is a Python environment with hermes-agent; it is made where it is missing.
set -euo pipefail
. "$(dirname "$0")/common.sh"
keep=${1:?name a folder for the install}
mkdir -p "$keep"
if [ ! -x "$keep/hermes/bin/hermes" ]; then
    python3 -m venv "$keep/hermes" && "$keep/hermes/bin/pip" install -q hermes-agent
fi
mkdir -p "$keep/hermes/node_modules" # nothing for npm to do
start hermes "$keep" hermes-agent
PATH=$keep/hermes/bin:$PATH
user=$HOME/.hermes
mkdir -p "$user/skills/own" "$user/memories"
printf -- '---\nname: own\ndescription: USER-SKILL-MARK of the user\n---\nbody\n' > "$user/skills/own/SKILL.md"
cat > "$user/config.yaml" <<CONFIG
# the user's
model: {default: fake-model, provider: custom, base_url: "http://127.0.0.1:$port/v1", api_key: sk-fake-0123456789}
memory:
  provider: somebody
CONFIG
echo "HERMES_HOME=$user" > "$user/.env"
before=$(cd "$user" && find . -type f | sort | xargs sha256sum)
echo '{"agent":{"id":"agent-1","name":"Real"}}' > "$work/task.json"

# Its own one-shot form; the last line of standard error names the session.
agent() { timeout 180 hermes chat -Q --yolo -q "${1:-say hi}" < /dev/null; }
issue() { prepare --task "$work/task.json" --issue-id "$1"; }
issue issue-1
check 'HERMES_HOME is the overlay'            test "$HERMES_HOME" = "$env/hermes-home"
check 'it accepts the configuration'          hermes config check
check 'it runs'                               agent 'the first question'
check 'the brief reached the model'           reached EXECENV-BRIEF-MARK
check 'the skill reached the model'           reached EXECENV-SKILL-MARK
check "the user's own skill too"              reached USER-SKILL-MARK
check 'the session database is in the store'  sh -c "find '$work/root/.stores/hermes-sessions/agent-1' -name state.db -size +0 | grep -q ."
check 'the link to it is still one'           test -L "$env/hermes-home/state.db"
check 'memories lead to the store'            test -d "$env/hermes-home/memories/" -a -L "$env/hermes-home/memories"
sees() { # ISSUE: whether another environment of the agent for it sees the session
    local other
    other=$("$execenv" prepare --task "$work/task.json" --task-id "other-$1" --provider hermes --issue-id "$1" --skills "$work/skills")
    HERMES_HOME=$other/hermes-home hermes sessions list < /dev/null 2>&1 | tee "$work/sessions" | grep -q 'first question'
}
check 'another task of the issue sees it'     sees issue-1
check 'one of another issue does not'         not sees issue-2
after=$(cd "$user" && find . -type f | sort | xargs sha256sum)
check "the user's files are as they were"     test "$(grep -v cache <<< "$before")" = "$(grep -E "config.yaml|\.env|skills/own" <<< "$after")"
"$execenv" cleanup --all "$env"
check 'cleanup leaves the store'              sh -c "find '$work/root/.stores/hermes-sessions/agent-1' -name state.db | grep -q ."
hermes --version
