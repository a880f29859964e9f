#!/usr/bin/env bash
set -eu
export ECF_PORT=%ECF_PORT% ECF_HOST=%ECF_HOST% ECF_NAME=%ECF_NAME% ECF_PASS=%ECF_PASS% ECF_TRYNO=%ECF_TRYNO%
export ECF_RID=$$ ECF_TIMEOUT=10
ecflow_client --init=$$

# Ends the task as aborted, with askos's line as reason and label.
give_up() {
  trap - TERM EXIT
  reason=$1
  ecflow_client --label=error "$reason" || true
  ecflow_client --abort="$reason"
  exit 0
}
trap 'give_up "the job ended early"' EXIT

# run_askos FOLLOW ARGUMENTS...: runs askos and gives FOLLOW its output line by line. A kill by ecFlow
# (TERM) is passed on: training writes a checkpoint and ends, and the same task goes on from there.
run_askos() {
  local follow=$1 killed=no code=0 pid
  shift
  "%ASKOS%" "$@" > >("$follow") 2>error.$ECF_RID &
  pid=$!
  trap 'killed=yes; kill -TERM $pid' TERM
  wait $pid || code=$?
  while kill -0 $pid 2>/dev/null; do wait $pid && code=0 || code=$?; done  # a signal ends a wait
  trap - TERM
  cat error.$ECF_RID >&2
  local line
  line=$(grep -m 1 'askos: error: ' error.$ECF_RID || true)
  rm -f error.$ECF_RID
  [ $code = 0 ] || give_up "${line:-askos ended with code $code}"
  [ $killed = no ] || give_up "killed; the task goes on from its checkpoint"
}
