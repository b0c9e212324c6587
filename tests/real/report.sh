#!/bin/bash
# tests/real/report.sh DIR: opens reports in a real Chromium, among them one whose every text is hostile: nothing in it may run, and
# nothing may be asked of a server. Puts pages and screenshots into DIR: light, dark, and as wide as a phone.
#
# Needs chromium, python3 and git; EXECENV, or a debug build. Everything happens on loopback.
set -euo pipefail

keep=${1:?name a folder for the pages and screenshots}
mkdir -p "$keep"
keep=$(realpath "$keep")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
execenv=${EXECENV:-$here/target/debug/execenv}
browser=${CHROMIUM:-chromium}
work=$(mktemp -d "$keep/scene.XXXXXX")
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
export HOME=$work/home EXECENV_WORKSPACES_ROOT=$work/root EXECENV_KEY_FILE=$work/key GIT_CONFIG_GLOBAL=/dev/null
mkdir -p "$HOME" "$work/repo"

check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then echo "ok    $what"; else echo "FAIL  $what" >&2; exit 1; fi
}

# A server that notes who asks it: nobody may.
cat > "$work/server.py" <<'PY'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(sys.argv[1], "a").write(self.path + "\n")
        self.send_response(200); self.end_headers(); self.wfile.write(b"document.title='ran'")
    do_POST = do_HEAD = do_GET
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
touch "$work/asked"
python3 "$work/server.py" "$work/asked" > "$work/port" &
server=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
port=$(cat "$work/port")

# An agent that speaks as Claude Code does.
cat > "$work/agent" <<'PY'
#!/usr/bin/env python3
import json, os, sys, time
if "--version" in sys.argv:
    print("2.1.0 (Claude Code)"); sys.exit()
scene, port = os.environ["SCENE"], os.environ["PORT"]
sys.stdin.readline()
count = 0
def line(**fields):
    print(json.dumps(dict(session_id="5f0c2f5e-3b1c-4c8e-9d43-1d2f7d0a1c11", **fields)), flush=True)
def says(*content, cost=900):
    global count
    count += 1
    usage = dict(input_tokens=40, output_tokens=cost // 3, cache_read_input_tokens=cost * 9, cache_creation_input_tokens=cost)
    line(type="assistant", message=dict(id="m%d" % count, model="claude-sonnet-4-5", content=list(content), usage=usage))
def text(words): return dict(type="text", text=words)
def thinks(words): return dict(type="thinking", thinking=words)
def call(name, wait=0.3, output="", is_error=False, before=(), **given):
    global count
    id = "t%d" % (count + 1)
    says(*before, dict(type="tool_use", id=id, name=name, input=given))
    time.sleep(wait)
    result = dict(type="tool_result", tool_use_id=id, content=output)
    if is_error: result["is_error"] = True
    line(type="user", message=dict(content=[result]))
def ends(words, subtype="success", is_error=False, cost=0.4213):
    line(type="result", subtype=subtype, is_error=is_error, result=words, total_cost_usd=cost, num_turns=count,
         usage=dict(input_tokens=40 * count, output_tokens=300 * count, cache_read_input_tokens=8100 * count, cache_creation_input_tokens=900 * count))
line(type="system", subtype="init", model="claude-sonnet-4-5")
time.sleep(0.2)
if scene == "success":
    says(thinks("The sum is wrong for an empty list. First look at the code, then write a test that fails."), text("I'll look at how the totals are computed, then fix the empty case."))
    call("Glob", pattern="**/*.py", output="cart.py\ntest_cart.py")
    call("Read", 0.2, file_path="cart.py", output=open("cart.py").read())
    call("Read", 0.2, file_path="test_cart.py", output=open("test_cart.py").read())
    call("Bash", 1.2, command="python3 -m unittest -q", description="Run the tests", is_error=True, before=[text("The tests first, to see the failure.")],
         output="ERROR: test_empty (test_cart.CartTest)\n" + "-" * 70 + "\nTraceback (most recent call last):\n  File \"test_cart.py\", line 9, in test_empty\n    self.assertEqual(average([]), 0)\nZeroDivisionError: division by zero\n\nRan 2 tests in 0.001s\n\nFAILED (errors=1)")
    time.sleep(0.6)
    source = open("cart.py").read().replace("    return total(prices) / len(prices)\n", "    if not prices:\n        return 0\n    return total(prices) / len(prices)\n")
    open("cart.py", "w").write(source)
    call("Edit", 0.4, file_path="cart.py", old_string="    return total(prices) / len(prices)\n", new_string="    if not prices:\n        return 0\n    return total(prices) / len(prices)\n", output="The file cart.py has been updated.", before=[thinks("An empty list has the average 0 here, as the test expects.")])
    call("Bash", 1.4, command="python3 -m unittest -q", description="Run the tests", output="Ran 2 tests in 0.001s\n\nOK")
    open("CHANGES.md", "w").write("# Changes\n\n- The average of an empty cart is 0.\n")
    call("Write", 0.3, file_path="CHANGES.md", content="# Changes\n\n- The average of an empty cart is 0.\n", output="File created successfully.")
    call("Bash", 0.7, command="git diff --stat", output=" cart.py | 2 ++\n 1 file changed, 2 insertions(+)")
    says(text("The average of an empty cart is 0 now, and both tests pass."))
    ends("The average of an empty cart is 0 now, and both tests pass.\n\n- `cart.py`: `average` returns 0 for an empty list.\n- `CHANGES.md`: says so.")
elif scene == "failure":
    says(text("I'll install the dependencies and run the build."))
    call("Bash", 0.8, command="npm ci", output="added 412 packages in 11s")
    for n in range(3):
        call("Bash", 0.9, command="npm run build", is_error=True, output="src/index.ts(%d,7): error TS2322: Type 'string' is not assignable to type 'number'.\nnpm error code 2" % (12 + n))
        call("Read", 0.2, file_path="src/index.ts", output="export const limit: number = '12'\n" * 40)
        says(thinks("The type error moves from line to line; the generated client is older than the schema."), text("The error is in generated code. I'll generate it again."))
    call("mcp__tracker__update_issue", 1.1, id="APP-512", status="blocked", output="403 Forbidden", is_error=True)
    print("fatal: the model's server closed the connection (503)", file=sys.stderr, flush=True)
    ends("API Error: 503 upstream connect error", "error_during_execution", True, 0.1187)
    sys.exit(1)
elif scene == "long":
    for n in range(int(os.environ["CALLS"])):
        call(["Bash", "Read", "Edit", "Grep"][n % 4], 0, command="step %d" % n, output=("line of output %d\n" % n) * int(os.environ["LINES"]), is_error=n % 17 == 0)
    ends("done")
else:
    address = "http://127.0.0.1:%s" % port
    evil = [
        "<script>document.title='ran'</script>", "</pre></style></script><script src=%s/a.js></script>" % address,
        "<img src=%s/b.png onerror=\"document.title='ran'\">" % address, "<svg onload=\"document.title='ran'\"><image href=%s/c.png></svg>" % address,
        "<a href=\"javascript:document.title='ran'\">a link</a>", "<iframe src=%s/d></iframe><object data=%s/e></object><embed src=%s/f>" % (address, address, address),
        "<link rel=stylesheet href=%s/g.css><style>@import url(%s/h.css); * { background: url(%s/i.png) }</style>" % (address, address, address),
        "<base href=%s/j/><meta http-equiv=refresh content=\"0;url=%s/k\">" % (address, address), "<form action=%s/l><input autofocus onfocus=\"document.title='ran'\">" % address,
        "<details open ontoggle=\"document.title='ran'\"><video><source onerror=\"document.title='ran'\"></video>", "</title><script>document.title='ran'</script>", "--><script>document.title='ran'</script><!--", "]]></svg><script>document.title='ran'</script>",
        "bidi: \u202e\u2066evil\u2069 user \u202d; ansi: \x1b[31mred\x1b[0m \x1b]8;;javascript:alert(1)\x07link; \x00\x07\x08\x7f\x9b", "\ufeff\u200b", "``` \n# @everyone ![](%s/m.png) [x](javascript:1)" % address]
    for bad in evil:
        says(thinks(bad), text(bad))
        call(bad, 0.1, bad, True, command=bad, **{bad: bad})
        call("Bash", 0.1, bad, command=bad)
    sys.stdout.buffer.write(b'{"type":"assistant","message":{"id":"u","content":[{"type":"text","text":"no utf-8: \xff\xfe\xc3("}]}}\n'); sys.stdout.flush()
    print("\n".join(evil), file=sys.stderr, flush=True)
    name = "<img src=x onerror=alert(1)>\u202e.txt"
    open(name, "w").write("\n".join(evil) + "\n")
    ends("\n".join(evil), "error_during_execution", True)
    sys.exit(1)
PY
chmod +x "$work/agent"

cat > "$work/repo/cart.py" <<'PY'
"""Prices of a cart."""


def total(prices):
    return sum(prices)


def average(prices):
    return total(prices) / len(prices)
PY
cat > "$work/repo/test_cart.py" <<'PY'
import unittest
from cart import average


class CartTest(unittest.TestCase):
    def test_some(self):
        self.assertEqual(average([1, 3]), 2)

    def test_empty(self):
        self.assertEqual(average([]), 0)
PY
git -C "$work/repo" init -q -b main
git -C "$work/repo" add -A
git -C "$work/repo" -c user.name=a -c user.email=a@b commit -qm first

run_scene() { # SCENE
    local env asked=()
    # The prompt is a text from outside as well.
    if [ "$1" = hostile ]; then asked=(--prompt "</h1><script>document.title='ran'</script><img src=http://127.0.0.1:$port/p.png onerror=\"document.title='ran'\">"); fi
    printf '{"id":"%s","workspace_id":"shop","provider":"claude","agent":{"id":"a1","name":"fixer"},"chat_session_id":"c1","chat_message":"The average of an empty cart fails with a division by zero. Make it 0, and keep the tests green."}' "$1" > "$work/task.json"
    env=$("$execenv" prepare --task "$work/task.json" --repo "$work/repo" -q)
    (cd "$env" && SCENE=$1 PORT=$port IS_SANDBOX=1 "$execenv" run "$env" -q --env "SCENE=$1" --env "PORT=$port" --env "CALLS=${CALLS:-}" --env "LINES=${LINES:-}" \
        --agent-bin "$work/agent" "${asked[@]}" > /dev/null 2> "$work/$1.err") || true
    if [ "$1" = success ]; then "$execenv" checkpoint "$env" -m 'the empty case' -q > /dev/null; fi
    "$execenv" report "$env" --html "$keep/$1.html" --markdown "$keep/$1.md" -q
    "$execenv" report "$env" --json > "$keep/$1.json"
}

chrome() { # ARG…
    rm -rf "$work/browser"
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=3000 --user-data-dir="$work/browser" "$@" 2> "$work/browser.log"
}

for scene in success failure hostile; do
    run_scene "$scene"
    chrome --dump-dom "file://$keep/$scene.html" > "$work/$scene.dom"
    check "$scene: the page is whole" grep -q 'id="about"' "$work/$scene.dom"
    check "$scene: its own script ran" sh -c "! grep -q 'class=\"toolbar\" hidden' '$work/$scene.dom'"
    check "$scene: no other script ran" sh -c "! grep -q '<title>ran' '$work/$scene.dom'"
    for look in light dark phone; do
        case $look in
            light) set -- --window-size=1280,2600 ;;
            dark) set -- --window-size=1280,2600 --force-dark-mode --blink-settings=preferredColorScheme=0 ;;
            phone) set -- --window-size=390,3000 ;;
        esac
        chrome "$@" --screenshot="$keep/$scene-$look.png" "file://$keep/$scene.html" || { cat "$work/browser.log" >&2; exit 1; }
    done
done
check "nothing was asked of a server" test ! -s "$work/asked"
# That would be noticed: the same texts as a page of their own.
printf '<!doctype html><title>x</title><img src=http://127.0.0.1:%s/proof><script>document.title="ran"</script>' "$port" > "$work/proof.html"
chrome --dump-dom "file://$work/proof.html" > "$work/proof.dom"
check "a page that could would be noticed" sh -c "grep -q '<title>ran' '$work/proof.dom' && grep -q proof '$work/asked'"
