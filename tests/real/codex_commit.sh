#!/usr/bin/env bash
# The real Codex commits from its sandbox, in a worktree.   MODEL_SERVER=fake_models.py tests/real/codex_commit.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start codex "${1:?name a folder for the install}" @openai/codex
export FAKE_KEY=sk-fake-0123456789
not() { ! "$@"; }
mkdir -p "$HOME/.codex"
git config --global user.name T
git config --global user.email t@example.invalid
source=$work/source
git init -q -b main "$source"
echo one > "$source/file"
git -C "$source" add -A
git -C "$source" commit -q -m one
cp "$source/.git/config" "$work/config"
first=$(git -C "$source" rev-parse main)

# One tool call: a commit, and what must not work beside it. The model server makes it once in a conversation.
cat > "$work/tool.sh" <<'TOOL'
echo "$1" >> made
git add -A && git commit -q -m "$1"
git update-ref refs/heads/main HEAD
git branch other
git config core.fsmonitor /bin/false
touch "$2/.git/hooks/post-commit" "$2/outside"
:
TOOL
agent() { # MESSAGE
    python3 "$models" --port 0 --log "$work/tools.jsonl" --tool-command "sh $work/tool.sh $1 $source" --max-seconds 120 > "$work/tools.port" &
    local server=$!
    for _ in $(seq 100); do [ -s "$work/tools.port" ] && break; sleep 0.1; done
    printf 'model = "fake-model"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "Fake"\nbase_url = "http://127.0.0.1:%s/v1"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n' \
        "$(head -1 "$work/tools.port")" > "$HOME/.codex/config.toml"
    "$execenv" reuse "$env" --provider codex --agent-name Real "${@:2}" > /dev/null
    "$execenv" run "$env" --timeout 2m -- codex exec --json --skip-git-repo-check 'make it' < /dev/null
    kill "$server"
    rm "$work/tools.port"
}
commits() { git -C "$env/workdir" log --format=%s; }
untouched() {
    cmp "$work/config" "$source/.git/config" && [ "$(git -C "$source" rev-parse main)" = "$first" ] &&
        [ ! -e "$source/.git/hooks/post-commit" ] && [ ! -e "$source/outside" ] &&
        not git -C "$source" rev-parse --quiet --verify other && git -C "$source" fsck --no-dangling
}
env=$("$execenv" prepare --repo "$source" --task-id commit --provider codex --agent-name Real)
check 'it runs'                                    agent one
check 'the commit is there'                        test "$(commits)" = "one
one"
check 'git sees no change that is left'            test -z "$("$execenv" run -q "$env" -- git status --porcelain)"
check 'nothing else of the repository was changed' untouched
git -C "$source" pack-refs --all
check 'after a reuse it runs'                      agent two
check 'and commits, also on a packed branch'       test "$(commits | head -1)" = two
check 'nothing else of the repository was changed' untouched
check 'with `read-only` it runs'                   agent three --codex-sandbox read-only
check 'and cannot commit'                          test "$(commits | head -1)" = two
check 'cleanup keeps the branch'                   "$execenv" cleanup --all "$env"
check 'with its commits'                           test "$(git -C "$source" rev-list --count --all)" = 3
echo 'codex_commit: all checks passed'
