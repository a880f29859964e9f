#!/usr/bin/env bash
# Three hosts that are network namespaces of this machine, joined by a switch in a fourth: training
# runs over them, and when one is cut off the others name it and nothing is left running.
# usage: three_hosts.sh ASKOS STORM_EXAMPLE. Needs root; exits 77 (skipped) where it cannot run.
set -euo pipefail
askos=$1 example=$2

[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v ip >/dev/null || { echo "skipped: no iproute2 (scripts/bootstrap --clusters)"; exit 77; }
[ -f /usr/share/ncarg/data/cdf/Pstorm.cdf ] || { echo "skipped: no storm data"; exit 77; }

work=$(mktemp -d)
name=askos$$  # of the namespaces
hosts=(1 2 3)
leave() {
  for host in "${hosts[@]}" switch; do
    ip netns pids "$name-$host" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns delete "$name-$host" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap leave EXIT

ip netns add "$name-switch" 2>/dev/null || { echo "skipped: no network namespaces here"; exit 77; }
ip -n "$name-switch" link add br0 type bridge || { echo "skipped: no bridges here"; exit 77; }
ip -n "$name-switch" link set br0 up
for host in "${hosts[@]}"; do
  ip netns add "$name-$host"
  ip -n "$name-$host" link set lo up
  ip -n "$name-$host" link add eth0 type veth peer name "port$host" netns "$name-switch"
  ip -n "$name-$host" address add "10.77.0.$host/24" dev eth0
  ip -n "$name-$host" link set eth0 up
  ip -n "$name-switch" link set "port$host" master br0 up
  tc -n "$name-$host" qdisc add dev eth0 root netem delay 200us loss 0.01% 2>/dev/null ||
    slow="this kernel has no netem: no latency, no loss"
done
[ -z "${slow:-}" ] || echo "note: $slow"

# How mpirun starts something on another host: AGENT ADDRESS COMMAND...
cat >"$work/agent" <<AGENT
#!/bin/sh
host=\${1##*.}
shift
exec ip netns exec $name-\$host unshare --uts sh -c "hostname host\$host; \$*"
AGENT
chmod +x "$work/agent"
export OMPI_MCA_plm_rsh_agent=$work/agent XDG_RUNTIME_DIR=$work

"$askos" import "$example/import.toml" --out "$work/storm.h5" >/dev/null
# launch FOLDER STEPS: trains on the three hosts, from the first one
launch() {
  "$work/agent" 10.77.0.1 "exec '$askos' launch -n 3 --interface eth0 \
    --hosts 10.77.0.1:1,10.77.0.2:1,10.77.0.3:1 -- \
    '$askos' train '$example/train.toml' --json --set data.file='$work/storm.h5' \
    --set run.folder='$work/$1' --set run.threads_per_rank=1 --set training.steps=$2 \
    --set run.heartbeat='3 s'"
}
fail() {
  echo "FAILED: $1"
  tail -n 40 "$work"/*.log
  exit 1
}
losses() { grep -o '"event":"step".*' "$work/$1/metrics.jsonl" | grep -o '"loss":[^,]*'; }
num_running() {
  for host in "${hosts[@]}"; do ip netns pids "$name-$host"; done | wc -l
}

launch hosts 5 >"$work/hosts.log" 2>&1 || fail "training on three hosts"
"$askos" train "$example/train.toml" --ranks 3 --json --set data.file="$work/storm.h5" \
  --set run.folder="$work/threads" --set run.threads_per_rank=1 --set training.steps=5 \
  >"$work/threads.log" 2>&1 || fail "training on three threads"
[ "$(losses hosts)" = "$(losses threads)" ] || fail "other losses than threads"
grep -q "rank 2 on host3" "$work/hosts.log" || fail "rank 2 was not on host 3"
echo "three hosts: the losses of three threads"

launch cut 100000 >"$work/cut.log" 2>&1 &
launched=$!
for _ in $(seq 600); do
  [ "$(cat "$work/cut/metrics.jsonl" 2>/dev/null | grep -c '"event":"step"' || true)" -gt 2 ] && break
  sleep 0.1
done
[ -f "$work/cut/metrics.jsonl" ] || fail "no step was made"
cut_at=$(date +%s%N)
ip -n "$name-switch" link set port3 down
code=0
wait $launched || code=$?
echo "ended $((($(date +%s%N) - cut_at) / 1000000)) ms after the cut, with code $code"
[ $code = 4 ] || fail "the exit code is $code, not 4"
for rank in 0 1; do
  grep -q "^\[$rank\] askos: error: a rank was lost: lost=2, host=host3" "$work/cut.log" ||
    fail "rank $rank did not name host 3"
done
grep "lost=2" "$work/cut.log"
for _ in $(seq 900); do
  [ "$(num_running)" = 0 ] && break
  sleep 0.1
done
[ "$(num_running)" = 0 ] || fail "$(num_running) processes are left"
echo "cut off: host 3 was named, nothing is left"
