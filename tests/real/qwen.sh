#!/usr/bin/env bash
# The real Qwen Code in a prepared environment.   MODEL_SERVER=fake_models.py tests/real/qwen.sh DIR
set -euo pipefail
. "$(dirname "$0")/common.sh"
start qwen "${1:?name a folder for the install}" @qwen-code/qwen-code 22
export OPENAI_API_KEY=sk-fake-0123456789 OPENAI_BASE_URL=http://127.0.0.1:$port/v1 OPENAI_MODEL=fake-model
mkdir -p "$HOME/.qwen"
echo "{\"security\":{\"auth\":{\"selectedType\":\"openai\"}},\"mcpServers\":{$(server user)}}" > "$HOME/.qwen/settings.json"
# Not allowed, and so not started, even where it came after the environment.
project() { mkdir -p .qwen; echo "{\"mcpServers\":{$(server project)}}" > .qwen/settings.json; }
agent() { timeout 120 qwen -p 'say hi' -o stream-json --approval-mode yolo < /dev/null; }
common_checks
qwen --version
