# SPDX-License-Identifier: Apache-2.0
"""Programs under test in the background, with a runtime folder of their own."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # what ctest takes for "skipped"
DEADLINE = 120


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


@contextlib.contextmanager
def folder():
    """A folder that is the runtime folder of all that is started in it."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_RUNTIME_DIR"] = name
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        yield pathlib.Path(name)


def run(*arguments, code=0):
    """Runs a program to its end and returns what it printed."""
    ended = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=DEADLINE)
    assert ended.returncode == code, f"{arguments}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout if code == 0 else ended.stderr


@contextlib.contextmanager
def background(*arguments):
    """A program that runs meanwhile; it is asked to end, then killed."""
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def until(condition, what):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


def await_graph(askos, name, packets=0):
    """Waits until a graph of that name runs and so many packets have arrived; returns its `top`."""
    def look():
        if not any(row["graph"] == name for row in json.loads(run(askos, "ps", "--json"))):
            return None
        ended = subprocess.run([askos, "top", "--graph", name, "--json"], capture_output=True, text=True, timeout=DEADLINE)
        top = json.loads(ended.stdout.splitlines()[0]) if ended.returncode == 0 else None
        return top if top and top["packets"] >= packets else None
    return until(look, f"{name} runs")
