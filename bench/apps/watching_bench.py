#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What watching costs: the processor time that `askos top` and an open page take, in the watched
process and in the watcher, as a share of one core. Exits 7 if a target is missed.

example: bench/apps/watching_bench.py build/release/bin/askos 20
The watched graph's stages sleep, so that its own work does not drown what is measured.
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/apps"))
from support import running  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("askos", help="the program, with askos-ui beside it")
    parser.add_argument("seconds", type=float, nargs="?", default=20, help="to watch, each time (default: 20)")
    return parser.parse_args()


OPTIONS = arguments()
ASKOS = OPTIONS.askos
SECONDS = OPTIONS.seconds
GRAPH = pathlib.Path(__file__).parents[2] / "examples/graphs/chain.toml"
TARGET = 0.005


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pids):
    before = [processor_seconds(pid) for pid in pids]
    time.sleep(SECONDS)
    return [(processor_seconds(pid) - b) / SECONDS for pid, b in zip(pids, before)]


@contextlib.contextmanager
def top(folder):
    tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    subprocess.run([*tmux, "new-session", "-d", "-x", "140", "-y", "40", f"exec {ASKOS} top"], check=True)
    try:
        listed = subprocess.run([*tmux, "list-panes", "-F", "#{pane_pid}"], capture_output=True, text=True, check=True)
        yield int(listed.stdout)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@contextlib.contextmanager
def page(_folder):
    """A client in the place of a browser: it reads every event."""
    with running.background(ASKOS, "ui", "--json") as server:
        address = json.loads(server.stdout.readline())["address"]
        request = urllib.request.Request(address.split("#")[0] + "events",
                                         headers={"Authorization": f"Bearer {address.split('token=')[1]}"})
        events = urllib.request.urlopen(request, timeout=30)

        def read():
            with contextlib.suppress(OSError, ValueError):
                while events.readline():
                    pass
        threading.Thread(target=read, daemon=True).start()
        yield server.pid


def main():
    worst = 0
    with running.folder() as folder, running.background(
            ASKOS, "run", GRAPH, "--json", "--set", "stages.source.count=0", "--set", "stages.source.interval=20 ms") as graph:
        running.await_graph(ASKOS, "chain", packets=1)
        [alone] = share([graph.pid])
        print(f"alone   graph {100 * alone:.2f} % of a core")
        for name, watch in (("top", top), ("page", page)):
            with watch(folder) as watcher:
                time.sleep(2)  # its start is not what is asked for
                watched, own = share([graph.pid, watcher])
            cost = max(0, watched - alone) + own
            worst = max(worst, cost)
            print(f"{name:7} graph {100 * watched:.2f} %, watcher {100 * own:.2f} %: costs {100 * cost:.2f} % of a core, "
                  f"target {100 * TARGET:.1f} % {'met' if cost <= TARGET else 'MISSED'}")
    sys.exit(0 if worst <= TARGET else 7)


main()
