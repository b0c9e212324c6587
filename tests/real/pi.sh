#!/usr/bin/env bash
# The real Pi in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/pi.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start pi "${1:?name a folder for the install}" @mariozechner/pi-coding-agent
export PI_OFFLINE=1 PI_TELEMETRY=0 FAKE_KEY=k
mkdir -p "$HOME/.pi/agent"
echo '{"providers":{"fake":{"baseUrl":"http://127.0.0.1:'"$port"'/v1","api":"openai-completions","apiKey":"FAKE_KEY","models":[{"id":"fake-model"}]}}}' > "$HOME/.pi/agent/models.json"
agent() { timeout 120 pi --mode json --provider fake --model fake-model -p 'say hi' < /dev/null; }
common_checks no # it has no MCP client
check 'managed servers are refused' not "$execenv" prepare --provider pi --mcp-config "$work/mcp.json"
pi --version
