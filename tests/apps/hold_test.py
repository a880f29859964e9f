# SPDX-License-Identifier: Apache-2.0
"""The storm training on 3 ranks, held at a cut, stepped and looked into, has the losses of an undisturbed run; the
steps of one rank, recorded meanwhile, are done again alone.

usage: hold_test.py ASKOS EXAMPLES SECONDS [OPTION...]      holds it for so long; options of askos train
"""
import json
import pathlib
import sys
import time

from support import running

ASKOS, EXAMPLES, SECONDS = sys.argv[1], pathlib.Path(sys.argv[2]), float(sys.argv[3])
OPTIONS = sys.argv[4:]
DEADLINE_OF_COLLECTIVES = "20 s"  # less than the long hold: no collective may wait meanwhile
STEPS = 12


def training(folder, name, *more):
    return [ASKOS, "train", EXAMPLES / "storm/train.toml", "--ranks", "3", *OPTIONS, *more,
            "--set", f"data.file={folder / 'storm.h5'}", "--set", f"run.folder={folder / name}",
            "--set", f"training.steps={STEPS}", "--set", f"run.deadline={DEADLINE_OF_COLLECTIVES}"]


def losses(folder):
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {record["step"]: record["loss"] for record in records if record["event"] == "step"}


def ask(*arguments):
    return json.loads(running.run(ASKOS, *arguments, "--json"))


def check_cut(hold):
    """Every stage stands, and compute after the same run on all ranks; returns which."""
    assert hold["state"] == "paused" and all(stage["held"] for stage in hold["stages"]), hold
    runs = {stage["runs"] for stage in hold["stages"] if stage["stage"] == "compute"}
    assert len(runs) == 1, hold
    return runs.pop()


def main():
    with running.folder() as folder:
        running.run(ASKOS, "import", EXAMPLES / "storm/import.toml", "--out", folder / "storm.h5")
        running.run(*training(folder, "undisturbed"))
        expected = losses(folder / "undisturbed")
        assert len(expected) == STEPS, expected

        with running.background(*training(folder, "held", "--paused", "--record", "compute=3")) as process:
            running.await_graph(ASKOS, "train")
            running.until(lambda: ask("hold")["state"] == "paused", "the run is held")
            begun = check_cut(ask("step", "3", "--wait", "60 s"))
            ask("step", "1", "read")  # a packet ahead, to be looked at later
            time.sleep(SECONDS)  # this long hold is what is shown
            assert check_cut(ask("hold")) == begun
            assert check_cut(ask("step", "5", "--wait", "60 s")) == begun + 5
            edges = {edge["edge"] for edge in ask("top")["edges"]}
            peeks = [ask("peek", edge, "--rank", str(rank), "--statistics") for edge in edges for rank in range(3)]
            packets = sum(len(peek["packets"]) for peek in peeks)
            assert packets >= 3, peeks
            recording = ask("record", "compute", "--rank", "1", "-o", folder / "compute.h5")
            ask("resume")
            out, _ = process.communicate(timeout=running.DEADLINE)
            assert process.returncode == 0, out
        assert losses(folder / "held") == expected
        alone = ask("replay", folder / "compute.h5", "--stage", "compute", "--check")
        done = [run for run in alone["runs"] if run["done"]]
        assert alone["equal"] and len(done) == recording["runs"] >= 3, alone
        print(f"held {SECONDS:g} s after step {begun}, then 5 steps, {len(peeks)} edges with {packets} packets looked at; "
              f"{STEPS} losses equal bit by bit; {len(done)} steps of rank 1 done again alone, equal")
    print("1 passed, 0 failed")


main()
