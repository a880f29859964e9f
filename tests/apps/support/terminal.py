# SPDX-License-Identifier: Apache-2.0
"""A terminal of tmux's that runs one command, and a picture of its screen with its colours."""
import shutil
import subprocess


def missing():
    """Names what a machine lacks for terminals and their pictures; empty if nothing."""
    return [name for name in ("tmux", "aha") if shutil.which(name) is None]


class Terminal:
    def __init__(self, folder, command, columns=140, lines=30):
        self.folder = folder
        self.tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self.call("new-session", "-d", "-x", str(columns), "-y", str(lines), command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.tmux, "kill-server"], capture_output=True)

    def call(self, *arguments):
        return subprocess.run([*self.tmux, *arguments], capture_output=True, text=True, check=True, timeout=30).stdout

    def screen(self, *options):
        return self.call("capture-pane", "-p", *options)

    def is_open(self):
        return subprocess.run([*self.tmux, "has-session"], capture_output=True).returncode == 0

    def picture(self, browser, path):
        """Shows the screen in a browser and takes a picture of it there."""
        page = self.folder / "terminal.html"
        page.write_text(subprocess.run(["aha", "--black", "--title", path.stem], input=self.screen("-e"),
                                       capture_output=True, text=True, check=True, timeout=30).stdout)
        browser.open(page.as_uri())
        browser.screenshot(path)
