#!/usr/bin/env bash
# The suite of examples/ecflow on a real ecFlow server, in a network namespace of its own: it runs to
# its end; a kill leaves a checkpoint from which the task goes on; a fault aborts with askos's line.
# usage: ecflow.sh ASKOS STORM_EXAMPLE. Needs root; exits 77 (skipped) where it cannot run.
set -euo pipefail
askos=$1 example=$2

[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v ecflow_server >/dev/null && command -v ip >/dev/null ||
  { echo "skipped: no ecflow-server (scripts/bootstrap --clusters)"; exit 77; }
[ -f /usr/share/ncarg/data/cdf/Pstorm.cdf ] || { echo "skipped: no storm data"; exit 77; }
if [ "${3:-}" != inside ]; then  # the server listens on all interfaces: it gets loopback alone
  unshare --net true || { echo "skipped: no network namespaces here"; exit 77; }
  exec unshare --net "$0" "$askos" "$example" inside
fi
ip link set lo up

work=$(mktemp -d)
export ECF_HOST=localhost ECF_PORT=31415 ECF_HOME=$work XDG_RUNTIME_DIR=$work LANG=C
leave() {
  kill -9 "${server:-0}" 2>/dev/null || true
  rm -rf "$work"
}
trap leave EXIT
fail() {
  echo "FAILED: $1"
  ecflow_client --get_state=/storm || true
  tail -n 20 "$work"/storm/*.[0-9]* "$work"/server.log || true
  exit 1
}
# comes_true WHAT COMMAND...: waits until the command succeeds
comes_true() {
  local what=$1
  shift
  for _ in $(seq 1200); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "$what"
}
state_is() { [ "$(ecflow_client --query state "$1")" = "$2" ]; }
label() { ecflow_client --query label "$1"; }
meter_beyond() { [ "$(ecflow_client --query meter "$1")" -gt "$2" ]; }

cd "$work"
ecflow_server --port $ECF_PORT >server.log 2>&1 &
server=$!
comes_true "the server does not start" ecflow_client --ping
suite=$(cd "$example/../ecflow" && pwd)
ecflow_client --load="$suite/storm.def"
add() { ecflow_client --alter=add variable "$1" "$2" /storm; }
change() { ecflow_client --alter=change variable "$1" "$2" /storm; }
add ECF_FILES "$suite/scripts"
add ECF_INCLUDE "$suite/include"
change ASKOS "$askos"
change RECIPE "$example/import.toml"
change CONFIG "$example/train.toml"
change DATASET "$work/storm.h5"
change RUN "$work/run"
change STEPS 200
ecflow_client --restart
ecflow_client --begin=storm

comes_true "training makes no steps" meter_beyond /storm/train:step 2
ecflow_client --kill=/storm/train
comes_true "the killed task is not aborted" state_is /storm/train aborted
label /storm/train:error | grep -q "killed" || fail "the label does not say that it was killed"
ls "$work"/run/checkpoints/step-* >/dev/null || fail "no checkpoint was left"
made=$(grep -c '"event":"step"' run/metrics.jsonl)
[ "$made" -lt 200 ] || fail "training was over before the kill"
change STEPS $((made + 3))
ecflow_client --requeue=force /storm/train
comes_true "the suite does not complete" state_is /storm complete
[ "$(grep -c '"event":"step"' run/metrics.jsonl)" = $((made + 3)) ] || fail "steps were made twice"
label /storm/evaluate:scores | grep -q '"rmse"' || fail "no scores"
label /storm/train:loss | grep -q '^0\.' || fail "no loss"
echo "suite: killed after $made steps, went on, complete"

change CONFIG "$example/nothing.toml"
ecflow_client --requeue=force /storm/train
comes_true "a faulty task is not aborted" state_is /storm/train aborted
label /storm/train:error | grep -q 'askos: error: .*nothing.toml' || fail "the label has not askos's line"
echo "suite: a fault aborts with askos's line"
