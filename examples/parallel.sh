#!/bin/sh
# Many tasks on this machine, by GNU parallel: each line of tasks.jsonl is a task, eight at a time.
#
#   examples/parallel.sh            starts all of them; a second call goes on with those that failed
#
# `log` says of each line how it ended, and `results/1/LINE/` has what it printed.
set -eu
export EXECENV_WORKSPACES_ROOT="${EXECENV_WORKSPACES_ROOT:-$HOME/agents}"

seq "$(grep -c '' tasks.jsonl)" |
    parallel -j "${JOBS:-8}" --retries 2 --joblog log --resume-failed --results results --termseq TERM,10000,KILL,1000 \
        execenv run --task tasks.jsonl --line {} --once --wait 3m --resume --timeout 45m
