#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints how fast attention and training steps are beside what was asked for, as one table.

With a GPU: attention on the icosphere of level 6, to and from N320 (the reference's Triton operator beside
ours, if --reference names its file), and whole training steps. Without one, or with --reduced: attention on
this processor against LibTorch's operations, and a step of the storm example; a minute on two cores.

Each program checks its results before it times. What was asked for is issue 6's; `-` means that it asks
nothing of this size.

Examples:
  bench/speed_table.py
  bench/speed_table.py --reference anemoi/models/triton/gt.py --json speed.json
  scripts/device pack && build/device/device exec -- bench/speed_table.py     on another machine
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# name in the benches, in the table, least ratio to the reference
GRAPHS = [("processor6", "attention, icosphere 6", 4), ("decoder", "attention, icosphere 6 to N320", 3.5),
          ("encoder", "attention, N320 to icosphere 6", 3)]
# case, most milliseconds
STEPS = [("o32", 9), ("o96", 40), ("n320", 260)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, metavar="FOLDER",
                        help="where the benches are (default: of this packed folder, or of a build with them)")
    parser.add_argument("--reference", type=pathlib.Path, metavar="FILE", help="anemoi/models/triton/gt.py")
    parser.add_argument("--reduced", action="store_true", help="the processor's part, also where a GPU is")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the rows there")
    return parser.parse_args()


def find_programs(wanted):
    folders = [HERE.parent / "bin", HERE.parent / "build/gpu/bin", HERE.parent / "build/release/bin"]
    for folder in folders:
        if (folder / wanted).exists():
            return folder
    sys.exit(f"speed_table: no {wanted} in {', '.join(map(str, folders))}: build it, or name --programs")


def output_of(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"speed_table: {command[0]} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def gpu_name():
    try:
        names = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], text=True, check=True,
                               capture_output=True).stdout
        return names.splitlines()[0]
    except (FileNotFoundError, subprocess.CalledProcessError, IndexError):
        return None


def processor_name():
    words = [line.partition(": ")[2] for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(words)} x {words[0]}" if words else "a processor"


def median_of(result):
    return result["forward_ms"]["median"] + result["backward_ms"]["median"]


def gpu_rows(programs, reference):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ours, peers = f"{folder}/ours.json", f"{folder}/peers.json"
        output_of(programs / "cuda_attention_bench", "--graphs", ",".join(name for name, _, _ in GRAPHS),
                  "--repeats", 20, "--save", folder, "--json", ours)
        found = {r["graph"]: median_of(r) for r in json.load(open(ours))}
        theirs = {}
        if reference:
            output_of(sys.executable, HERE / "peers/attention_peers.py", "--graphs", folder, "--reference", reference,
                      "--peers", "reference", "--repeats", 15, "--json", peers)
            theirs = {r["graph"]: median_of(r) for r in json.load(open(peers))}
    for name, title, least in GRAPHS:
        other = theirs.get(name)
        rows.append({"what": title, "ms": found[name], "reference_ms": other,
                     "ratio": other / found[name] if other else None, "asked": f">= {least} x",
                     "met": other / found[name] >= least if other else None})
    for case, most in STEPS:
        step = json.loads(output_of(programs / "device_step_bench", case).splitlines()[-1])
        ms = step["step_ms"]["median"]
        rows.append({"what": f"training step {case}, bfloat16, {step['peak_GiB']:.1f} GiB", "ms": ms,
                     "reference_ms": None, "ratio": None, "asked": f"<= {most} ms", "met": ms <= most})
    return rows


def processor_rows(programs):
    text = output_of(programs / "attention_bench", 4, 256, 8)
    parts = {name: [float(x) for x in re.findall(r"(?:forward|backward) ([\d.]+)", line)]
             for name, line in re.findall(r"^(loops|composite)(.*)$", text, re.M) if "forward" in line}
    ours, theirs = sum(parts["loops"]), sum(parts["composite"])
    step = output_of(programs / "step_bench", "storm", 6)
    ms = float(re.search(r"1 rank, 2 threads: ([\d.]+)", step).group(1))
    return [{"what": "attention, icosphere 4, 256 channels, float32 (beside LibTorch's)", "ms": ours,
             "reference_ms": theirs, "ratio": theirs / ours, "asked": "-", "met": None},
            {"what": "training step storm, float32, 2 threads", "ms": ms, "reference_ms": None, "ratio": None,
             "asked": "-", "met": None}]


def print_table(rows):
    def number(x):
        return "" if x is None else f"{x:.2f}"

    lines = [("what", "ms", "reference ms", "ratio", "asked", "met")]
    for row in rows:
        met = "" if row["met"] is None else "yes" if row["met"] else "NO"
        lines.append((row["what"], number(row["ms"]), number(row["reference_ms"]), number(row["ratio"]),
                      row["asked"], met))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for i, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def main():
    options = arguments()
    gpu = None if options.reduced else gpu_name()
    wanted = "cuda_attention_bench" if gpu else "attention_bench"
    programs = options.programs or find_programs(wanted)
    print(f"{gpu or processor_name()}; programs of {programs}", flush=True)
    rows = gpu_rows(programs, options.reference) if gpu else processor_rows(programs)
    print_table(rows)
    if options.json:
        options.json.write_text(json.dumps({"machine": gpu or processor_name(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
