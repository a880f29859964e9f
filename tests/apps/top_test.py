# SPDX-License-Identifier: Apache-2.0
"""`askos top` on a terminal, by tmux.

usage: top_test.py ASKOS GRAPH.toml PICTURES      skips (77) without tmux
Leaves what the screen showed in PICTURES/top.txt.
"""
import pathlib
import shutil
import sys

from support import running
from support.terminal import Terminal

ASKOS, GRAPH, PICTURES = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


def main():
    if shutil.which("tmux") is None:
        running.skip("no tmux (scripts/bootstrap installs it)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running.folder() as folder, running.background(ASKOS, "run", GRAPH, "--set", "stages.source.count=0",
                                                        "--set", "stages.b.service=10 ms"):
        running.await_graph(ASKOS, "chain", packets=1)
        with Terminal(folder, f"{ASKOS} top") as terminal:
            running.until(lambda: "root cause: b " in terminal.screen() and "ddd" in terminal.screen(),
                          "the root cause in the title and a strip of the disk's state")
            screen = terminal.screen()
            for text in ("STAGE", "last 10 s", "<- root", "EDGE", "HELD BACK", "ccc", "q quit"):
                assert text in screen, f"{text} is missing:\n{screen}"
            (PICTURES / "top.txt").write_text(screen)
            terminal.call("send-keys", "q")
            running.until(lambda: not terminal.is_open(), "q ends it")
        plain = running.run(ASKOS, "top")
        assert "\x1b" not in plain and "STAGE" in plain, plain
    print("1 passed, 0 failed")


main()
