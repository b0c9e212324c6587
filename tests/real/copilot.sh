#!/usr/bin/env bash
# The real Copilot CLI in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/copilot.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start copilot "${1:?name a folder for the install}" @github/copilot
export COPILOT_OFFLINE=true COPILOT_AUTO_UPDATE=false COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:$port/v1 \
    COPILOT_PROVIDER_API_KEY=sk-fake-0123456789 COPILOT_MODEL=fake-model
mkdir -p "$HOME/.copilot"
echo "{\"mcpServers\":{$(server user | sed 's/}$/,"type":"local","tools":["*"]}/')}}" > "$HOME/.copilot/mcp-config.json"
project() { echo "{\"mcpServers\":{$(server project)}}" > .mcp.json; }
agent() { timeout 120 copilot -p 'say hi' --allow-all-tools --output-format json < /dev/null; }
common_checks
check 'it lists the skill'              sh -c 'copilot skill list < /dev/null 2>&1 | grep -q greeting'
check 'it lists the managed server'     sh -c 'copilot mcp list < /dev/null 2>&1 | grep -q managed'
check 'it lists the brief'              sh -c 'copilot instruction list < /dev/null 2>&1 | grep -q AGENTS.md'
copilot --version
