#!/usr/bin/env bash
# Builds the GPU programs here, gathers what they need in one folder, and runs them on a GPU machine.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: scripts/gpu pack FOLDER        build the preset gpu and gather programs, libraries and cases
       scripts/gpu run [WHAT...]      run them: tests, parity, benches (default: all)

`pack` works without a GPU. FOLDER can be copied to any x86-64 machine with an NVIDIA driver and the
wheel torch==2.11.0 (found through python3, or in $ASKOS_DEPS); there, FOLDER/gpu run is this script.
`run` in a checkout uses build/gpu. Without a GPU, tests skip and the rest is left out, with a word.
The exit code is 7 if something failed.

example: scripts/gpu pack /tmp/askos-gpu && scp -r /tmp/askos-gpu gpu-host: && ssh gpu-host askos-gpu/gpu run
HELP
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=(askos askos-model model_cuda_attention_test device_step_bench)

pack() {
  local folder=$1 root
  root=$(dirname "$here")
  cd "$root"
  scripts/bootstrap --quiet
  cmake --preset gpu >/tmp/askos-configure-gpu.log 2>&1 || { cat /tmp/askos-configure-gpu.log >&2; exit 1; }
  cmake --build --preset gpu --target "${programs[@]}"
  mkdir -p "$folder/bin" "$folder/lib" "$folder/parity"
  for program in "${programs[@]}"; do cp "build/gpu/bin/$program" "$folder/bin/"; done
  # The C library is the other machine's own, LibTorch and NVIDIA's libraries come from the wheel.
  ldd "$folder"/bin/* | awk '$3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl|librt|libresolv|libgomp)\.so|/torch/|/nvidia/|/cuda' |
    xargs -I{} cp -L {} "$folder/lib/"
  for case in tests/parity/*/; do cp -r "$case" "$folder/parity/"; done
  cp "${BASH_SOURCE[0]}" "$folder/gpu"
  echo "gpu: $(du -sh "$folder" | cut -f1) in $folder"
}

# Prints the folder that holds the packages torch and nvidia.
find_packages() {
  python3 -c 'import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))' 2>/dev/null ||
    echo "${ASKOS_DEPS:-$HOME/.cache/askos}/torch-2.11.0-cpu"
}

failures=0
step() {
  local name=$1 code=0
  shift
  "$@" || code=$?
  [ "$code" = 0 ] || { echo "gpu: $name failed (exit code $code)" >&2; failures=$((failures + 1)); }
}

run() {
  local bin=$here/bin cases=$here/parity packages
  if [ ! -d "$bin" ]; then
    bin=$here/../build/gpu/bin cases=$here/../tests/parity
  fi
  [ -x "$bin/askos-model" ] || { echo "gpu: no programs in $bin: run 'scripts/gpu pack' first" >&2; exit 2; }
  packages=$(find_packages)
  export LD_LIBRARY_PATH=$packages/torch/lib:$packages/nvidia/cu13/lib:$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export OMP_WAIT_POLICY=passive
  local has_gpu=yes
  nvidia-smi -L 2>/dev/null || { has_gpu=no; echo "gpu: no GPU here: parity and benches are left out"; }
  for what in "$@"; do
    [ "$has_gpu" = yes ] || [ "$what" = tests ] || continue
    case "$what" in
      tests) step tests "$bin/model_cuda_attention_test" ;;
      parity)
        for case in "$cases"/*/; do
          [ -n "$(find "$case" -maxdepth 1 -name '*.json' -print -quit)" ] || continue
          [ "$(basename "$case")" != make ] || continue
          step "parity of $case" "$bin/askos-model" parity "$case" --device cuda
          [ ! -f "$case/model.json" ] ||
            step "parity of $case in bfloat16" "$bin/askos-model" parity "$case" --device cuda --dtype bfloat16
        done ;;
      benches)
        for case in o32 o96 n320; do step "step of $case" "$bin/device_step_bench" "$case"; done ;;
      *) echo "gpu: unknown '$what' (see --help)" >&2; exit 2 ;;
    esac
  done
  [ "$failures" = 0 ] || exit 7
}

case "${1:-}" in
  pack) [ $# = 2 ] || { usage >&2; exit 2; }; pack "$2" ;;
  run) shift; [ $# -gt 0 ] || set -- tests parity benches; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
