#!/usr/bin/env bash
# `execenv publish --to pr` with the real gh and the real git, over HTTPS, against a small GitHub on loopback (forge.py).
#
#   cargo build; tests/real/publish_gh.sh
#
# Needs gh, git, python3 and openssl. No account, and nothing leaves the machine.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
for candidate in "${EXECENV:-}" "$here/target/release/execenv" "$here/target/debug/execenv"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { execenv=$candidate; break; }
done
: "${execenv:?build execenv first: cargo build}"
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$work"' EXIT

check() { # what, command…
    local what=$1; shift
    if "$@" > "$work/last" 2>&1; then echo "ok    $what"; else echo "FAIL  $what"; tail -20 "$work/last"; exit 1; fi
}

cd "$work"
mkdir home served
git -c init.defaultBranch=main init -q --bare served/ada/app.git
git -C served/ada/app.git config http.receivepack true
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout key.pem -out cert.pem 2> openssl.log
token=gh0-not-a-real-token
python3 "$here/tests/real/forge.py" "$work/served" cert.pem key.pem "$token" "$work/created.jsonl" > port 2> server.log &
pid=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
host=localhost:$(cat port)

# gh trusts the certificate by SSL_CERT_FILE, git by GIT_SSL_CAINFO; gh's login for a host that is not github.com is
# GH_ENTERPRISE_TOKEN, git's is asked for from the user's own credential helper.
export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root EXECENV_KEY_FILE=$work/key SSL_CERT_FILE=$work/cert.pem \
    GIT_SSL_CAINFO=$work/cert.pem GH_ENTERPRISE_TOKEN=$token
unset GH_TOKEN GITHUB_TOKEN GH_HOST
git config --global user.name Ada
git config --global user.email ada@example.invalid
git config --global credential.helper "!f() { echo username=ada; echo password=$token; }; f"

git -c init.defaultBranch=main init -q app
cd app
echo one > file
git add file
git commit -q -m one
git remote add origin "https://$host/ada/app.git"
git push -q origin main
cd ..
env=$("$execenv" prepare --repo app --agent-name Ada --task-id 11111111-2222-4333-8444-0123456789ab)
branch=$(git -C "$env/workdir" symbolic-ref --short HEAD)
echo two >> "$env/workdir/file"

publish() { "$execenv" publish "$env" "$@"; }
echo 'What was done.' > notes.txt
check 'a pull request is opened'            publish --to pr --title 'Say two' --body-file notes.txt
grep -v '^note: ' last > url
check 'its address is the answer'           grep -qx "https://$host/ada/app/pull/1" url
check 'the branch is on the server'         git -C served/ada/app.git rev-parse --verify "refs/heads/$branch"
check 'title, text, branch and base are right' python3 -c '
import json, sys
made = json.loads(open(sys.argv[1]).read())
expected = ["Say two", "What was done.\n", sys.argv[2], "main"]
assert [made[key] for key in ("title", "body", "headRefName", "baseRefName")] == expected, made' created.jsonl "$branch"
check 'it counts as pushed'                 git -C app rev-parse --verify "refs/remotes/origin/$branch"
echo three >> "$env/workdir/file"
check 'again: the open one is found'        publish --to pr
check 'with the new commits'                test "$(git -C served/ada/app.git rev-parse "$branch")" = "$(git -C "$env/workdir" rev-parse HEAD)"
check 'and no second one was made'          test "$(wc -l < created.jsonl)" = 1
check 'another base is another one'         publish --to pr --base next
check 'of which there are two now'          test "$(wc -l < created.jsonl)" = 2
said=$work/said
refused() { ! GH_ENTERPRISE_TOKEN=wrong-token publish --to pr --base next2 2> "$said"; }
check 'with a wrong login it fails'         refused
check "by gh's own words"                   grep -q 401 "$said"
check 'and says that the branch is pushed'  grep -q "the branch $branch is pushed" "$said"
check 'no login is in its answers'          sh -c '! grep -rq -e gh0-not-a-real -e wrong-token said root app/.git'
no_gh() { ! PATH=$work/bin publish --to pr 2> "$said"; }
mkdir bin
ln -s "$(command -v git)" bin/git
check 'without gh it fails'                 no_gh
check 'and says what to do'                 grep -q cli.github.com "$said"
gh --version
