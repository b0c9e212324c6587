#!/usr/bin/env bash
# shellcheck disable=SC2016 # hostile values are to arrive as they are
# Runs the steps of action.yml, as GitHub's runner does (tests/real/action.py), with the built binary and an agent that speaks as
# Claude Code does: a success, a failure, a cancelled job, hostile inputs, a hostile agent, an installation from a release.
#
#   cargo build && tests/real/action.sh
#
# Needs git, jq, curl, shellcheck and PyYAML (PYTHON=…/bin/python), and says which of the checkers it has not found:
#   pip install pyyaml check-jsonschema zizmor      (PATH)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
source=$PWD
binary=${EXECENV_BIN:-$source/target/debug/execenv} python=${PYTHON:-python3}
work=$(mktemp -d "${TMPDIR:-/tmp}/execenv-action-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/home"
cp "$binary" "$work/bin/execenv"
export PATH="$work/bin:$PATH" HOME="$work/home" IS_SANDBOX=1
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

failures=0
bad() { echo "  FAILED: $*"; failures=$((failures + 1)); }
check() { local what=$1; shift; if "$@"; then echo "  ok: $what"; else bad "$what ($*)"; fi; }
is() { [ "$1" = "$2" ] || { printf '    is:  %s\n    not: %s\n' "$1" "$2"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) printf '    %s\n    has not: %s\n' "$1" "$2"; return 1 ;; esac; }

# The agent: `claude`. It does what the prompt says, as lines of shell behind `do: `.
cat > "$work/bin/claude" <<'AGENT'
#!/usr/bin/env bash
[ "${1:-}" = --version ] && { echo '2.1.0 (Claude Code)'; exit; }
read -r message
prompt=$(jq -r '.message.content | if type == "string" then . else map(.text) | add end' <<< "$message")
printf '%s' "$prompt" > "$SEEN/prompt"
env > "$SEEN/env"
session=${SESSION:-s1}
jq -nc --arg s "$session" '{type:"system",subtype:"init",session_id:$s,model:"m"}'
case $prompt in *do:*) eval "${prompt#*do: }" ;; esac
jq -nc --arg s "$session" --arg t "${SAYS:-all done}" '{type:"assistant",session_id:$s,message:{id:"a",model:"m",content:[{type:"text",text:$t}],usage:{input_tokens:3,output_tokens:2}}}'
jq -nc --arg s "$session" '{type:"result",subtype:"success",is_error:false,result:"all done",session_id:$s}'
cat > /dev/null
AGENT
chmod +x "$work/bin/claude"

# act NAME INPUTS [MORE]: a checkout of its own, and the action in it; INPUTS and MORE are JSON. $out has what came of it.
act() {
    echo "$1"
    scene=$work/$1
    mkdir -p "$scene/checkout" "$scene/temp" "$scene/seen"
    git -C "$scene/checkout" init -q -b main
    echo 'My rules.' > "$scene/checkout/CLAUDE.md"
    [ -z "${project_file:-}" ] || echo "$project_file" > "$scene/checkout/.execenv.json"
    git -C "$scene/checkout" add .
    git -C "$scene/checkout" -c user.name=Ada -c user.email=ada@example.invalid commit -qm start
    local more=${3:-"{}"}
    jq -n --argjson inputs "$2" --argjson more "$more" --arg scene "$scene" \
        '{inputs: ({version: "installed"} + $inputs), workspace: ($scene + "/checkout"), temp: ($scene + "/temp"), env: {SEEN: ($scene + "/seen"), IS_SANDBOX: "1"}}
         * $more' > "$scene/scene.json"
    "$python" tests/real/action.py action.yml "$scene/scene.json" > "$scene/out.json" || bad "the runner itself"
    out=$scene/out.json
    seen=$scene/seen
}
of() { jq -r "$1" "$out"; }
outcome() { jq -r --arg name "$1" '.steps[] | select(.[0] == $name) | .[1]' "$out"; }
checkout() { git -C "$scene/checkout" status --porcelain; }

act success '{"provider": "claude", "local-dir": ".", "timeout": "1m", "prompt": "say hello. do: echo work > work.txt"}'
check "the action succeeds" is "$(of .status)" success
check "outputs" is "$(of '.outputs | [.status, ."exit-code", ."failure-reason", ."session-id"] | join(",")')" completed,0,,s1
check "the env root is an environment, and its logs stay" test -s "$(of '.outputs."env-root"')/logs/agent.ndjson"
check "the result is a file" is "$(jq -r .status "$(of '.outputs."result-file"')")" completed
check "the work dir is the checkout" is "$(of '.outputs."work-dir"')" "$scene/checkout"
check "the checkout has the agent's work and nothing else" is "$(checkout)" "?? work.txt"
check "the agent got the job's id" grep -q '^GITHUB_RUN_ID=42$' "$seen/env"
check "but no way to set outputs or variables of steps" is "$(grep -cE '^GITHUB_(ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)=' "$seen/env")" 0
if [ "$(of '.annotations | length')" = 0 ]; then
    check "the summary has the report" has "$(of .summary)" "all done"
else
    check "without a report there is a warning, and no failure" has "$(of '.annotations | join(" ")')" "there is no report"
fi

act failure '{"provider": "claude", "local-dir": ".", "prompt": "do: exit 3"}'
check "the action fails" is "$(of .status)" failed
check "outputs" is "$(of '.outputs | [.status, ."exit-code"] | join(",")')" failed,3
check "reported and cleaned up" is "$(outcome Report),$(outcome 'Clean up')" success,success
check "the checkout is as it was" is "$(checkout)" ""

act cancelled '{"provider": "claude", "local-dir": ".", "prompt": "do: touch $SEEN/on; sleep 300 & sleep 300"}' \
    "$(jq -n --arg on "$work/cancelled/seen/on" '{cancel: {step: "Run the agent", when: $on}}')"
check "the action is cancelled" is "$(of .status)" cancelled
check "the run is interrupted" is "$(of '.outputs | [.status, ."exit-code"] | join(",")')" interrupted,130
check "reported and cleaned up" is "$(outcome Report),$(outcome 'Clean up')" success,success
check "the checkout is as it was" is "$(checkout)" ""
left=$(grep -lz "^SEEN=$seen\$" /proc/[0-9]*/environ 2> /dev/null)
check "no process is left" is "$left" ""

act no_agent '{"provider": "claude", "local-dir": ".", "prompt": "go", "run-args": "--agent-bin=/nowhere"}'
check "a run that did not start is told so" is "$(of '.status, .outputs.status' | paste -sd,)" failed,not_started
check "cleaned up" is "$(outcome 'Clean up'),$(checkout)" success,

act nothing_prepared '{"provider": "claude", "local-dir": "not there", "prompt": "go"}'
check "a failing prepare fails the action" is "$(of .status),$(outcome 'Prepare the environment')" failed,failure
check "and nothing else is done" is "$(outcome 'Run the agent'),$(outcome Report),$(outcome 'Clean up')" skipped,skipped,skipped

act program '{"local-dir": ".", "prompt": "by standard input", "run-args": "--\nsh\n-c\ncat > got; echo \"$1\" >> got\nsh\n; touch pwned #"}'
check "a program gets its arguments as they are" is "$(cat "$scene/checkout/got")" "by standard input; touch pwned #"
check "and runs nothing else" is "$(checkout)" "?? got"

project_file='{"setup": ["echo set up > made"], "teardown": ["rm made"]}'
act untrusted '{"provider": "claude", "local-dir": ".", "prompt": "go"}'
check "commands of a checkout do not run unasked" is "$(of .status),$(outcome 'Trust the setup commands'),$(checkout)" failed,skipped,
act trusted '{"provider": "claude", "local-dir": ".", "trust": "true", "prompt": "do: cat made > $SEEN/made"}'
check "trusted ones run before the agent" is "$(of .status),$(cat "$seen/made")" "success,set up"
check "and after it" is "$(checkout)" ""
act trusted_repo '{"provider": "claude", "repo": ".", "trust": "true", "prompt": "do: cat made > $SEEN/made"}'
check "also in a worktree" is "$(of .status),$(cat "$seen/made")" "success,set up"
project_file=

act worktree '{"provider": "claude", "repo": ".", "prompt": "do: echo work > work.txt"}'
check "work that is nowhere else is kept with a warning" is "$(of .status),$(of '.annotations[-1]' | cut -c1-30)" "success,warning: the work dir was kept"
check "it is there" test -s "$(of '.outputs."work-dir"')/work.txt"
git -C "$scene/checkout" config user.name Ada
git -C "$scene/checkout" config user.email ada@example.invalid

hostile='a"; touch pwned; "'\''$(touch pwned)`touch pwned`
::set-output name=env-root::/etc
::add-mask::root
env-root<<end
/etc
end
${{ github.token }} \ --help'
act hostile_inputs "$(jq -n --arg h "$hostile" '{provider: "claude", "local-dir": ".", prompt: $h}')"
check "a hostile prompt is only a prompt" is "$(of .status),$(cat "$seen/prompt")" "success,$hostile"
check "and runs nothing" is "$(find "$scene" -name pwned)$(of '.masks | join(" ")')" ""
for name in provider task prompt-file local-dir repo base instructions skills mcp-config timeout max-cost sandbox on-success prepare-args run-args version sha256 download-url; do
    case $name in sha256 | download-url) version='' ;; *) version=installed ;; esac
    act "hostile_$name" "$(jq -n --arg name "$name" --arg h "$hostile" --arg version "$version" \
        '{version: $version, provider: "claude", prompt: "go", "local-dir": "."} + {($name): $h}')"
    check "a hostile $name fails, or is a name, and runs nothing" is "$(find "$scene" -name pwned)$(of '.masks | join(" ")')" ""
    check "it changes no output" is "$(of '.outputs."env-root"' | grep -v "^$scene/temp/execenv-.*/root/default/[0-9a-f]*$")" ""
    check "the checkout is as it was" is "$(checkout)" ""
done

act hostile_agent '{"provider": "claude", "local-dir": ".", "prompt": "do: for f in $RUNNER_TEMP/_runner_file_commands/output_*; do :; done; echo ::add-mask::root >&2"}' \
    "$(jq -n --arg s $'s1\nstatus<<x\ncompleted' '{env: {SESSION: $s, SAYS: "::set-output name=env-root::/etc\n::add-mask::root\n::error::forged\n::stop-commands::x\n::x::"}}')"
check "what an agent prints commands nothing" is "$(of '.masks + .annotations | map(select(contains("report") | not)) | join(" ")')" ""
check "its session id sets no other output" is "$(of '.outputs.status'),$(of '.outputs."env-root"' | grep -c "^$scene/temp/")" completed,1
check "the step's own variables do not reach it" is "$(grep -cE '^(PROMPT|RUN_ARGS|TIMEOUT|SANDBOX|EXECENV|ENV_ROOT)=' "$seen/env")" 0
act hostile_names '{"provider": "claude", "repo": ".", "prompt": "do: touch \"a ##[add-mask]e\""}'
check "what an agent calls its files commands nothing" is "$(of '.masks + .annotations | map(select(contains("was kept") | not)) | join(" ")')" ""
check "and its work is kept" is "$(of '.annotations[-1]' | cut -c1-30)" "warning: the work dir was kept"
project_file='{"setup": ["true ##[add-mask]root"]}'
act hostile_commands '{"provider": "claude", "local-dir": ".", "trust": "true", "prompt": "go"}'
check "nor do the commands of a checkout" is "$(of .status),$(of '.masks | join(" ")')" success,
project_file=
act trust_of_an_address '{"provider": "claude", "repo": "https://example.invalid/x", "trust": "true", "prompt": "go"}'
check "an address cannot be trusted" has "$(of '.annotations | join(" ")')" "is no folder here"

# A release as the workflow makes it, as far as the action uses it.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
archive=execenv-$version-$(uname -m)-unknown-linux-gnu
mkdir -p "$work/releases/v$version" "$work/tar/$archive"
cp "$binary" "$work/tar/$archive/execenv"
tar -czf "$work/releases/v$version/$archive.tar.gz" -C "$work/tar" "$archive"
(cd "$work/releases/v$version" && sha256sum ./*.tar.gz | sed 's, \./, ,' > SHA256SUMS)
digest=$(cut -d ' ' -f 1 "$work/releases/v$version/SHA256SUMS")
from=$(jq -n --arg url "file://$work/releases" '{version: "", provider: "claude", "local-dir": ".", prompt: "go", "download-url": $url}')
act release "$from"
check "a release is installed, and runs" is "$(of .status),$(of '.outputs.status')" success,completed
check "it is in PATH for later steps" is "$("$(of '.path[0]')/execenv" --version)" "$("$binary" --version)"
act release_by_digest "$(jq -n --argjson from "$from" --arg d "$digest" '$from + {sha256: $d}')"
check "the digest of the user is compared" is "$(of .status)" success
act release_other_digest "$(jq -n --argjson from "$from" '$from + {sha256: "0000"}')"
check "another one is refused, and nothing is unpacked" is "$(of .status),$(find "$scene/temp" -name execenv -type f)" failed,
echo more >> "$work/releases/v$version/$archive.tar.gz"
act release_changed "$from"
check "a changed archive is refused" has "$(of '.annotations | join(" ")')" "is not the expected one"
act release_unknown "$(jq -n --argjson from "$from" '$from + {version: "9.9.9"}')"
check "a version without a release is named" has "$(of '.annotations | join(" ")')" "of version 9.9.9 cannot be downloaded"

echo "checkers"
"$python" - "$work" <<'PYTHON'
# Each script, with the options of the runner's bash.
import sys, yaml
for number, step in enumerate(yaml.safe_load(open("action.yml"))["runs"]["steps"]):
    open(f"{sys.argv[1]}/step-{number}.bash", "w").write("#!/usr/bin/env bash\nset -eo pipefail\n" + step["run"])
PYTHON
checker() { local name=$1; shift; if command -v "$name" > /dev/null; then check "$name" "$name" "$@"; else echo "  not run: $name is not installed"; fi; }
checker shellcheck --exclude SC2153 "$work"/step-*.bash # VERSION is a variable of the step
checker check-jsonschema --builtin-schema vendor.github-actions action.yml
checker zizmor --offline --no-progress --quiet action.yml
echo "$failures failed"
[ "$failures" = 0 ]
