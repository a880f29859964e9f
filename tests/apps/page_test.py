# SPDX-License-Identifier: Apache-2.0
"""The page of `askos ui` on the storm run, seen and steered in a real browser, and `askos top` beside it.

usage: page_test.py ASKOS EXAMPLES PICTURES      skips (77) without chromium, chromedriver, tmux and aha
Leaves screenshots in the folder PICTURES.
"""
import json
import pathlib
import sys
import urllib.error
import urllib.request

from support import browser as browsers
from support import running, terminal
from support.browser import Browser
from support.terminal import Terminal

ASKOS, EXAMPLES, PICTURES = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
ENTER = "\ue007"
EDGE = "partition.sample>compute.sample"


def ask(address, path, token, body=None):
    """Asks the page's server; returns the status and the text."""
    request = urllib.request.Request(address.split("#")[0] + path, data=body and json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def log_has(text):
    return f"return document.getElementById('log').innerText.includes({json.dumps(text)})"


def see(browser, address):
    browser.open(address)
    browser.until("return document.querySelectorAll('#graph .stage').length === 5", "the five stages")
    browser.until("return document.querySelectorAll('#graph .bar').length === 15", "a bar per stage and rank")
    browser.until("return /rank 0 \\d+ % hidden/.test(document.getElementById('overlap').innerText)", "overlap")
    browser.until("return document.getElementById('chain').innerText !== ''", "the chain of waits")
    browser.until("return document.querySelector('#graph [data-edge] .load').textContent.includes('/')", "credit")


def what_if(browser):
    browser.until("return [...document.querySelectorAll('.chip b')].some(chip => chip.textContent.includes('%'))",
                  "a chip with a gain")
    browser.run("[...document.querySelectorAll('.chip')].find(chip => /faster/.test(chip.textContent)).click()")
    browser.until(log_has("packets/s"), "a prediction in the log")


def pause(browser):
    browser.press("p")
    browser.until("return /▮▮ paused/.test(document.getElementById('hold').textContent)", "paused")
    held = json.loads(running.run(ASKOS, "ps", "--json"))[0]["hold"]
    assert held["state"] == "paused", held
    browser.screenshot(PICTURES / "page-paused.png")
    browser.press("p")
    browser.until("return document.getElementById('hold').textContent === ''", "running again")


def change_credit(browser):
    browser.run(f"document.querySelector('[data-edge=\"{EDGE}\"]').focus()")
    browser.press(ENTER)
    browser.until("return document.querySelector('#drawer.open #credit')", "the drawer of an edge")
    browser.run("const slider = document.querySelector('#credit input'); slider.value = 3;"
                "slider.dispatchEvent(new Event('input'))")
    browser.click("#credit button")
    browser.until(f"return document.querySelector('[data-edge=\"{EDGE}\"] .load').textContent.includes('/3')",
                  "the new credit")
    top = json.loads(running.run(ASKOS, "top", "--json"))
    assert all(edge["credit"] == 3 for edge in top["edges"] if edge["edge"] == EDGE), top["edges"]
    browser.until("return document.querySelectorAll('#packets table').length", "packets in flight")
    browser.screenshot(PICTURES / "page-edge.png")
    browser.press("\ue00c")  # Escape
    browser.until("return !document.querySelector('#drawer.open')", "the drawer closed")


def guard(address):
    token = address.split("token=")[1]
    for wrong in ("", "x", token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1")):
        assert ask(address, "events", wrong)[0] == 401, wrong
        assert ask(address, "command", wrong, {"verb": "pause"})[0] == 401, wrong
    assert ask(address, "command", token, {"verb": "reboot"})[0] == 404
    assert ask(address, "command", token, {"verb": 7})[0] == 400
    assert ask(address, "command", token, {"verb": "x" * (1 << 17)})[0] == 413
    status, text = ask(address, "metrics", token)
    assert status == 200 and text.endswith("# EOF\n"), text
    assert 'askos_stage_state_seconds_total{graph="train",stage="compute",rank="2",state="busy.cpu"}' in text
    with running.background(ASKOS, "ui", "--graph", "train", "--read-only", "--json") as server:
        address = json.loads(server.stdout.readline())["address"]
        status, text = ask(address, "command", address.split("token=")[1], {"verb": "pause"})
        assert status == 403 and "read-only" in text, (status, text)


def top(browser, folder):
    with Terminal(folder, f"{ASKOS} top --graph train", columns=150, lines=56) as screen:
        running.until(lambda: "root cause:" in screen.screen() and "partition.sample" in screen.screen(),
                      "the root cause and the edges of the storm run")
        screen.picture(browser, PICTURES / "top.png")


def snapshot(browser, folder):
    file = folder / "storm.html"
    running.run(ASKOS, "ui", "--graph", "train", "--snapshot", file)
    browser.open(file.as_uri())
    browser.until("return document.querySelectorAll('#graph .stage').length === 5", "the stages of a snapshot")
    assert browser.run("return document.getElementById('link').textContent") == "saved snapshot"
    assert browser.run("return document.getElementById('pause').disabled")
    assert "<script src" not in file.read_text() and "<link" not in file.read_text()
    browser.screenshot(PICTURES / "page-snapshot.png")


def main():
    if missing := browsers.missing() + terminal.missing():
        running.skip(f"no {' and no '.join(missing)} (scripts/bootstrap installs them)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running.folder() as folder:
        data = folder / "storm.h5"
        running.run(ASKOS, "import", EXAMPLES / "storm/import.toml", "--out", data)
        train = (ASKOS, "train", EXAMPLES / "storm/train.toml", "--ranks", "3", "--set", f"data.file={data}",
                 "--set", f"run.folder={folder / 'run'}", "--set", "training.steps=100000")
        with running.background(*train), Browser(folder) as browser:
            running.await_graph(ASKOS, "train", packets=3)
            with running.background(ASKOS, "ui", "--graph", "train", "--json") as server:
                address = json.loads(server.stdout.readline())["address"]
                see(browser, address)
                what_if(browser)
                browser.screenshot(PICTURES / "page.png")
                pause(browser)
                change_credit(browser)
                guard(address)
            top(browser, folder)
            snapshot(browser, folder)
    print("1 passed, 0 failed")


main()
