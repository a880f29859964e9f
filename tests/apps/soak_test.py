# SPDX-License-Identifier: Apache-2.0
"""A long storm training with many checkpoints keeps its resident size and its open files.

usage: soak_test.py ASKOS EXAMPLES STEPS EVERY GROWTH [OPTION...]
       a checkpoint after each EVERY steps; resident size may grow by GROWTH percent; options of askos train
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from support import running

ASKOS, EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
STEPS, EVERY = int(sys.argv[3]), int(sys.argv[4])
GROWTH = float(sys.argv[5])
OPTIONS = sys.argv[6:]
LONGEST = 3600  # seconds
INTERVAL = 0.1  # seconds between samples
SETTLED = 0.2  # of the run: caches are warm, buffers have their sizes


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def events(folder, name):
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record for record in records if record["event"] == name]


def watch(process):
    """Samples (MiB, open files) until the process ends."""
    samples = []
    end = time.monotonic() + LONGEST
    while process.poll() is None:
        assert time.monotonic() < end, f"not within {LONGEST} s: the training ends"
        try:
            samples.append((resident_mib(process.pid), len(os.listdir(f"/proc/{process.pid}/fd"))))
        except (OSError, TypeError):
            break  # it has just ended
        time.sleep(INTERVAL)
    return samples


def main():
    with running.folder() as folder:
        running.run(ASKOS, "import", EXAMPLES / "storm/import.toml", "--out", folder / "storm.h5")
        run = folder / "run"
        command = [ASKOS, "train", EXAMPLES / "storm/train.toml", *OPTIONS,
                   "--set", f"data.file={folder / 'storm.h5'}", "--set", f"run.folder={run}",
                   "--set", f"training.steps={STEPS}", "--set", f"run.checkpoint_every={EVERY}"]
        begun = time.monotonic()
        with open(folder / "out", "w+") as out:
            process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.STDOUT)
            try:
                samples = watch(process)
                code = process.wait(timeout=running.DEADLINE)
            finally:
                process.kill()
            out.seek(0)
            assert code == 0, out.read()[-4000:]
        minutes = (time.monotonic() - begun) / 60
        steps = len(events(run, "step"))
        checkpoints = len(events(run, "checkpoint"))
        assert steps > EVERY and checkpoints >= steps // EVERY, (steps, checkpoints)

        settled = samples[int(SETTLED * len(samples)):]
        fifth = len(settled) // 5
        assert fifth >= 2, samples
        early, late = settled[:fifth], settled[-fifth:]
        size = [statistics.median(mib for mib, _ in part) for part in (early, late)]
        files = [statistics.median_low(number for _, number in part) for part in (early, late)]
        print(f"{steps} steps, {checkpoints} checkpoints, {minutes:.1f} min: resident {size[0]:.1f} MiB, later {size[1]:.1f}; "
              f"{files[0]} open files, later {files[1]}")
        assert size[1] <= size[0] * (1 + GROWTH / 100), "the resident size grew"
        assert files[1] <= files[0], "files stay open"
    print("1 passed, 0 failed")


main()
