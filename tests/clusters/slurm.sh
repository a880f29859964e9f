#!/usr/bin/env bash
# A Slurm of one node on loopback, with no daemon of the system's: a batch job with mpirun inside
# trains to the losses of threads.
# usage: slurm.sh ASKOS STORM_EXAMPLE. Needs root; exits 77 (skipped) where it cannot run.
set -euo pipefail
askos=$1 example=$2

[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v slurmctld >/dev/null && command -v slurmd >/dev/null ||
  { echo "skipped: no slurm-wlm (scripts/bootstrap --clusters)"; exit 77; }
[ -f /usr/share/ncarg/data/cdf/Pstorm.cdf ] || { echo "skipped: no storm data"; exit 77; }

work=$(mktemp -d)
leave() {
  for daemon in slurmd slurmctld; do
    [ ! -f "$work/$daemon.pid" ] || kill -9 "$(cat "$work/$daemon.pid")" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap leave EXIT
fail() {
  echo "FAILED: $1"
  tail -n 30 "$work"/*.log
  exit 1
}

port=$((20000 + $$ % 20000))
node=$(hostname -s)
mkdir "$work/state" "$work/spool"
cat >"$work/slurm.conf" <<CONF
ClusterName=askos
SlurmctldHost=$node(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
SchedulerType=sched/builtin
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES OverSubscribe=FORCE MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf XDG_RUNTIME_DIR=$work
slurmctld -f "$SLURM_CONF" 2>>"$work/start.log" || fail "slurmctld does not start"
slurmd -f "$SLURM_CONF" -N "$node" 2>>"$work/start.log" || fail "slurmd does not start"
for _ in $(seq 300); do
  sinfo -h -o %t 2>/dev/null | grep -q idle && break
  sleep 0.1
done
sinfo -h -o %t 2>/dev/null | grep -q idle || fail "the node does not become idle"

"$askos" import "$example/import.toml" --out "$work/storm.h5" >/dev/null
settings=(--json --set data.file="$work/storm.h5" --set run.threads_per_rank=1
  --set training.steps=5 --set run.heartbeat="20 s")
cat >"$work/job.sh" <<JOB
#!/bin/sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun -n 3 --oversubscribe --bind-to none '$askos' train '$example/train.toml' \
  $(printf "'%s' " "${settings[@]}") --set run.folder='$work/slurm'
JOB
sbatch --wait --nodes=1 --ntasks="$(nproc)" --output="$work/job.log" "$work/job.sh" >"$work/sbatch.log" 2>&1 ||
  fail "the batch job"
"$askos" train "$example/train.toml" --ranks 3 "${settings[@]}" --set run.folder="$work/threads" \
  >"$work/threads.log" 2>&1 || fail "training on three threads"
losses() { grep -o '"event":"step".*' "$work/$1/metrics.jsonl" | grep -o '"loss":[^,]*'; }
[ "$(losses slurm | wc -l)" = 5 ] || fail "not all steps were made"
[ "$(losses slurm)" = "$(losses threads)" ] || fail "other losses than threads"
echo "batch job: the losses of three threads"
