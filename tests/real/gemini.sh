#!/usr/bin/env bash
# The real Gemini CLI in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/gemini.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start gemini "${1:?name a folder for the install}" @google/gemini-cli
export GEMINI_API_KEY=fake GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$port
mkdir -p "$HOME/.gemini"
cat > "$HOME/.gemini/settings.json" <<CONFIG
{ // the user's
  "privacy": { "usageStatisticsEnabled": false }, "general": { "enableAutoUpdate": false },
  "security": { "auth": { "selectedType": "gemini-api-key" } },
  "mcpServers": { $(server user) }
}
CONFIG
project() { mkdir -p .gemini; echo "{\"mcpServers\":{$(server project)}}" > .gemini/settings.json; }
agent() { timeout 120 gemini -m gemini-2.5-flash -p 'say hi' -o stream-json --approval-mode yolo < /dev/null; }
common_checks
check 'it lists the skill'  sh -c 'gemini skills list < /dev/null 2>&1 | grep -q greeting'
gemini --version
