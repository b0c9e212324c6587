#!/bin/sh
# Two tasks on one repository at the same time, from `prepare` to a pull request.
#
#   examples/two-tasks.sh             a new repository in a temporary folder; needs execenv and git in PATH, and nothing else
#   examples/two-tasks.sh ADDRESS     a repository of yours on GitHub, where `gh` is logged in: it gets branches and a pull request
#
# The agents are lines of shell. For a real one, replace `-- sh -c '…'` by `--prompt '…'`, and give `prepare` a `--provider`.
# KEEP=1 keeps the folder, to look round in it.
set -eu

title() { printf '\n# %s\n' "$1"; }

play=$(mktemp -d)
trap '[ -n "${KEEP:-}" ] || rm -rf "$play"' EXIT
cd "$play"
# Environments and all else stay in this folder.
export EXECENV_WORKSPACES_ROOT="$play/root" EXECENV_KEY_FILE="$play/key"

if [ $# -gt 0 ] && gh auth status >/dev/null 2>&1; then
    git clone -q "$1" app
    echo 'Say hello.' > app/greeting
    git -C app add greeting
    git -C app commit -q -m 'the first version'
else
    [ $# -eq 0 ] || echo "gh is not logged in: two scripts play the server, and $1 is left alone" >&2
    # gh is not logged in, or no address was given. Two scripts play the server then: one is the `ssh` that git starts, the other
    # one is `gh`. What execenv does is the same.
    mkdir -p bin server
    cat > bin/ssh <<'SSH'
#!/bin/sh
# The last word is the command for the server: git-receive-pack '/ada/app.git'
for word; do :; done
cd "$(dirname "$0")/../server" && eval "$(printf %s "$word" | sed "s,'/,'./,")"
SSH
    cat > bin/gh <<'GH'
#!/bin/sh
opened=$(dirname "$0")/../opened
case "$1 $2" in
"pr list")
    if [ -e "$opened" ]; then
        echo '[{"url":"https://forge.example/ada/app/pull/1","number":1,"baseRefName":"main","isCrossRepository":false}]'
    else
        echo '[]'
    fi ;;
"pr create")
    cat > "$opened"
    echo https://forge.example/ada/app/pull/1 ;;
esac
GH
    chmod +x bin/ssh bin/gh
    export PATH="$play/bin:$PATH" GIT_SSH_COMMAND="$play/bin/ssh"
    git init -q --bare -b main server/ada/app.git
    git init -q -b main app
    git -C app remote add origin ssh://git@forge.example/ada/app.git
    echo 'Say hello.' > app/greeting
    git -C app add greeting
    git -C app -c user.name=Ada -c user.email=ada@example.invalid commit -q -m 'the first version'
    git -C app push -q origin main
fi

title 'each task gets a worktree on a branch of its own; a third one brings them together'
ada=$(execenv prepare -q --repo app --agent-name Ada --base HEAD)
grace=$(execenv prepare -q --repo app --agent-name Grace --base HEAD)
lead=$(execenv prepare -q --repo app --agent-name Lead --base HEAD)
git -C app branch --format '%(refname:lstrip=2)' --list 'agent/*'

title 'both agents work at the same time'
execenv run -q "$ada" -- sh -c 'echo "Say hello, politely." > greeting; echo "ada was here" > ada.txt' &
first=$!
execenv run -q "$grace" -- sh -c 'echo "Say hello, and good bye." > greeting; echo "grace was here" > grace.txt' &
second=$!
wait "$first"
wait "$second"
execenv diff "$ada" --stat
execenv diff "$grace" --stat

title 'both are saved; then the folder of one is lost, and restored'
execenv checkpoint -q "$ada" -m 'the polite one' > saved
execenv checkpoint -q "$grace" -m 'the long one' >> saved
rm -rf "$ada/workdir"
execenv restore -q "$ada" > restored
cat "$ada/workdir/greeting" "$ada/workdir/ada.txt"

title 'each is published as a branch: what is not committed yet is committed'
branch_of_ada=$(execenv publish "$ada" --to branch --title 'Greet politely')
branch_of_grace=$(execenv publish "$grace" --to branch --title 'Say good bye')
git -C app log -1 --format=%s "$branch_of_ada"
git -C app log -1 --format=%s "$branch_of_grace"

title 'the lead merges both; they changed the same line'
execenv merge start "$lead" "$branch_of_ada" --commit > merged
if execenv merge start "$lead" "$branch_of_grace" 2> why; then exit 1; fi # status 5: it stopped, and names the conflict
echo 'Say hello, politely, and good bye.' > "$lead/workdir/greeting"
execenv merge resolve "$lead" greeting edited
execenv merge commit "$lead" -m 'Greet politely, and say good bye' > merged
execenv merge check "$lead" > checked && echo 'every branch is merged'

title 'the result is published as a merge: main has it, and a clean checkout of main follows'
execenv publish "$lead" --to merge --base main > merged
cat app/greeting

title 'and as a pull request; a second call finds the open one'
execenv publish -q "$lead" --to pr --title 'Better greetings'
execenv publish -q "$lead" --to pr

title 'the folders go; the commits stay'
execenv cleanup -q --all "$ada" "$grace" "$lead"
git -C app branch --format '%(HEAD) %(refname:lstrip=2)' --list main
git -C app log -1 --format=%s
