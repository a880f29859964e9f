#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What many processes bring and cost, on the storm: samples per second of two data-parallel processes
beside one, time that a step of two that share the model waits for the other, time that checkpoints take
from training, and how long four processes need to their first step. Exits 7 if a target is missed.

example: bench/apps/processes_bench.py build/release/bin/askos 5
Each process has one thread. Losses of all layouts are compared before anything is said of their speed.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES.parent / "tests/apps"))
from support import running  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("askos", help="the program, with askos-model beside it")
    parser.add_argument("rounds", type=int, nargs="?", default=5, help="trainings of each kind (default: 5)")
    return parser.parse_args()


OPTIONS = arguments()
ASKOS = OPTIONS.askos
ROUNDS = OPTIONS.rounds
STEPS = 60
WARM_UP = 10
DEADLINE = 600


class Training:
    """A training of the storm by so many processes, in a run folder of its own."""

    def __init__(self, folder, num_processes, *settings, steps=STEPS):
        self.folder = folder / f"run{time.monotonic_ns()}"
        settings = [f"data.file={folder / 'storm.h5'}", f"run.folder={self.folder}", f"training.steps={steps}",
                    "run.threads_per_rank=1", *settings]
        command = ["train", EXAMPLES / "storm/train.toml", *(w for s in settings for w in ("--set", s))]
        if num_processes > 1:
            command = ["launch", "-n", num_processes, "--", ASKOS, *command]
        else:
            command += ["--ranks", "1"]
        self.command = [ASKOS, *map(str, command)]

    def start(self):
        return subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def run(self):
        process = self.start()
        _, err = process.communicate(timeout=DEADLINE)
        if process.returncode != 0:
            sys.exit(f"{' '.join(self.command)}: exit code {process.returncode}\n{err}")
        return self

    def events(self, name):
        lines = (self.folder / "metrics.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def losses(self):
        return [step["loss"] for step in self.events("step")]

    def samples_per_s(self):
        return statistics.median(step["samples_per_s"] for step in self.events("step")[WARM_UP:])


def check_losses(expected, found):
    worst = max(abs(a - b) / abs(a) for a, b in zip(expected, found, strict=True))
    if worst > 1e-4:
        sys.exit(f"losses differ by {worst:.1e}")
    return worst


def first_step_s(training):
    """From the launch to the first step in the metrics."""
    begun = time.monotonic()
    process = training.start()
    metrics = training.folder / "metrics.jsonl"
    try:
        while process.poll() is None and time.monotonic() < begun + DEADLINE:
            if metrics.exists() and '"event":"step"' in metrics.read_text().replace(" ", ""):
                return time.monotonic() - begun
            time.sleep(0.01)
        sys.exit(f"no first step\n{process.communicate()[1]}")
    finally:
        process.terminate()
        process.communicate()


def waits_for_others(training):
    """Of the time in steps, what compute waited for the other rank."""
    computes = [e for e in training.events("ledger") if e["graph"] == "train" and e["stage"] == "compute"]
    own_time = [sum(s for state, s in e["states"].items() if state.startswith("busy") or state == "wait.comm") for e in computes]
    return max(e["states"]["wait.comm"] / own for e, own in zip(computes, own_time))


def main():
    rows = []

    def add(name, value, unit, target, met, more=""):
        rows.append(met)
        print(f"{name:44} {value:8.3f} {unit:12} target {target} {'met' if met else 'MISSED'}{more}", flush=True)

    with running.folder() as folder:
        running.run(ASKOS, "import", EXAMPLES / "storm/import.toml", "--out", folder / "storm.h5")
        shared = [Training(folder, 2).run() for _ in range(ROUNDS)]
        for batch in (4, 8):
            size = f"training.batch_size={batch}"
            ones, twos = [], []
            for _ in range(ROUNDS):
                ones.append(Training(folder, 1, size).run())
                twos.append(Training(folder, 2, size, "run.ranks_per_model=1").run())
            others = twos + (shared if batch == 4 else [])
            off = max(check_losses(ones[0].losses(), t.losses()) for t in others)
            print(f"losses of {STEPS} steps on batches of {batch}: those of one process within {off:.1e}")
            one, two = (statistics.median(t.samples_per_s() for t in ts) for ts in (ones, twos))
            spread = sorted(b.samples_per_s() / a.samples_per_s() for a, b in zip(ones, twos))
            more = f"   ({one:.1f} and {two:.1f} samples/s; {spread[0]:.2f} to {spread[-1]:.2f})"
            if batch == 8:
                add("two data-parallel processes, batches of 8", two / one, "x", ">= 1.8", two / one >= 1.8, more)
                continue
            print(f"{'two data-parallel processes, batches of 4':44} {two / one:8.3f} x{more}")
            share = statistics.median(t.samples_per_s() for t in shared)
            print(f"{'two processes that share the model':44} {share / one:8.3f} x   ({share:.1f} samples/s)")
        waits = 100 * statistics.median(map(waits_for_others, shared))
        add("exposed communication, two that share", waits, "% of a step", "< 15", waits < 15)

        saved = Training(folder, 1, "run.checkpoint_every=100", steps=301).run()
        steps, checkpoints = saved.events("step"), saved.events("checkpoint")
        stall = 100 * sum(c["stall_s"] for c in checkpoints) / sum(s.get("step_s", 0) for s in steps)
        add("stall by a checkpoint each 100 steps", stall, "% of a step", "< 2", stall < 2,
            f"   ({len(checkpoints)} checkpoints, each written in {1e3 * checkpoints[0]['write_s']:.0f} ms meanwhile)")

        starts = sorted(first_step_s(Training(folder, 4)) for _ in range(ROUNDS))
        start = statistics.median(starts)
        add("start of four processes to the first step", start, "s", "< 5", start < 5, f"   ({starts[0]:.2f} to {starts[-1]:.2f})")
    sys.exit(0 if all(rows) else 7)


main()
