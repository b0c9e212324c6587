#!/bin/bash
# Many tasks on Slurm: each line of tasks.jsonl is an element of an array, on one root that all nodes share.
#
#   sbatch --array="1-$(grep -c '' tasks.jsonl)%8" examples/slurm-array.sh
#   scrontab: 0 * * * * execenv gc -q --workspaces-root $HOME/agents --max-total 200G
#
# The root must be on a file system whose locks all nodes see (`execenv doctor` says so): NFS 4, CephFS, GPFS, Lustre with
# `flock`. `KillWait` of Slurm (30 s) must be longer than `--kill-grace` (5 s).
#SBATCH --job-name=agents --time=60 --requeue --open-mode=append --output=agents-%A_%a.log
export EXECENV_WORKSPACES_ROOT="${EXECENV_WORKSPACES_ROOT:-$HOME/agents}"

# Slurm signals every process of the job. This shell stays until execenv has ended the agent and written down how.
trap : TERM

# The limit is below that of Slurm (`--time`), so that execenv ends the agent.
execenv run --task tasks.jsonl --line "$SLURM_ARRAY_TASK_ID" --once --wait 3m --resume --timeout "${LIMIT:-55m}"
status=$?

# The time was up: this element, and no other one, goes on with its work. What is preempted Slurm starts again itself.
[ "$status" != 124 ] || scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
exit "$status"
