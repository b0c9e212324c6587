#!/usr/bin/env bash
# The real OpenCode in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/opencode.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start opencode "${1:?name a folder for the install}" opencode-ai
export OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 FAKE_KEY=k
local_server() { printf '"%s":{"type":"local","command":["python3","%s","%s"],"environment":{"MCPMARK_USER":"secret"}}' "$1" "$servers" "$work/$1.log"; }
mkdir -p "$HOME/.config/opencode"
cat > "$HOME/.config/opencode/opencode.jsonc" <<CONFIG
{ // the user's
  "autoupdate": false, "share": "disabled", "model": "fake/fake-model", "small_model": "fake/fake-model",
  "provider": { "fake": { "npm": "@ai-sdk/openai-compatible", "options": { "baseURL": "http://127.0.0.1:$port/v1", "apiKey": "{env:FAKE_KEY}" }, "models": { "fake-model": {} } } },
  "mcp": { $(local_server user), }
}
CONFIG
# The project's must be there before it is prepared: OpenCode has its servers switched off by name.
project() {
    echo "{\"mcp\":{$(local_server project)}}" > "$env/workdir/opencode.json"
    prepare_again --mcp-config "$work/mcp.json"
}
prepare_again() {
    exports=$("$execenv" reuse -o shell "$env" --provider "$name" --agent-name Real --instructions "$work/rules.md" --skills "$work/skills" "$@")
    eval "$exports"
}
agent() { PWD=$env/workdir timeout 120 opencode run --format json 'say hi' < /dev/null; }
common_checks
prepare --mcp-config "$work/mcp.json"
check 'it lists the managed server as connected' sh -c 'PWD=$PWD opencode mcp list < /dev/null 2>&1 | grep -q "managed.*connected"'
opencode --version
