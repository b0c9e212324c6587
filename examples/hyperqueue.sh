#!/bin/sh
# Many tasks on the workers of a HyperQueue server: each line of tasks.jsonl is a task of one job.
#
#   examples/hyperqueue.sh          `hq server start` and `hq worker start` come first
set -eu

# HyperQueue starts a program, not a shell, and names the task by a variable.
# shellcheck disable=SC2016 # the shell of the task expands it
hq submit --array "1-$(grep -c '' tasks.jsonl)" --cpus 1 --crash-limit 3 --name agents \
    --env "EXECENV_WORKSPACES_ROOT=${EXECENV_WORKSPACES_ROOT:-$HOME/agents}" \
    -- sh -c 'exec execenv run --task tasks.jsonl --line "$HQ_TASK_ID" --once --wait 3m --resume --timeout 45m'
