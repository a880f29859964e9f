# SPDX-License-Identifier: Apache-2.0
"""A real browser, driven through chromedriver's WebDriver protocol with the standard library alone."""
import base64
import json
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.request

DEADLINE = 60  # seconds for whatever the page should come to show


def missing():
    """Names what a machine lacks for these tests; empty if nothing."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    def __init__(self, folder, width=1500, height=1180):
        log = open(pathlib.Path(folder) / "chromedriver.log", "w+")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.base = f"http://127.0.0.1:{line.rstrip().rstrip('.').split()[-1]}"
                break
        options = {"binary": shutil.which("chromium"),
                   "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--hide-scrollbars", f"--window-size={width},{height}"]}
        answer = self.send("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.session = f"/session/{answer['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=10)

    def send(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, address):
        self.send("POST", self.session + "/url", {"url": address})

    def run(self, script, *arguments):
        """Runs a function body in the page and returns what it returns."""
        return self.send("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script, what):
        """Waits until the script returns something true, and returns that."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.1)
        raise AssertionError(f"the page did not come to show {what}; its log: "
                             + str(self.run("return document.getElementById('log').innerText")))

    def press(self, keys):
        """Types into whatever has the focus; WebDriver's code points stand for named keys."""
        actions = [action for key in keys for action in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})]
        self.send("POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        found = self.send("POST", self.session + "/element", {"using": "css selector", "value": selector})
        self.send("POST", f"{self.session}/element/{next(iter(found.values()))}/click", {})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.send("GET", self.session + "/screenshot")))
