# SPDX-License-Identifier: Apache-2.0
"""The server of `askos ui` without a browser: its token, its bounds, clients that mean ill.

usage: page_server_test.py ASKOS GRAPH.toml [MUTATIONS IDLE]
example: page_server_test.py build/dev/bin/askos examples/graphs/chain.toml 100000 1000
"""
import contextlib
import json
import random
import re
import socket
import sys
import urllib.error
import urllib.request

from support import running

ASKOS, GRAPH = sys.argv[1], sys.argv[2]
NUM_MUTATIONS, NUM_IDLE = map(int, sys.argv[3:5] or (1000, 120))
SEED = 20261127
EDGE = "a.out>b.in"


class Page:
    """A running `askos ui`, and what can be asked of it."""

    def __init__(self, server):
        self.server = server
        self.address = json.loads(server.stdout.readline())["address"]
        self.base, self.token = self.address.split("#token=")
        self.port = int(self.base.rsplit(":", 1)[1].rstrip("/"))

    def ask(self, path, body=None, token=None):
        """Returns the status and the text of an answer; `body` is what a POST sends as it is."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}",
                   "Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def command(self, **request):
        status, text = self.ask("command", json.dumps(request).encode())
        return status, json.loads(text)

    def send(self, data):
        """Sends bytes on a connection of their own and returns what comes back until it is closed."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as link:
            try:
                link.sendall(data)
                link.shutdown(socket.SHUT_WR)
                while part := link.recv(1 << 16):
                    answer += part
            except TimeoutError:
                raise
            except OSError:  # hung up on
                pass
        return answer


def arrived():
    return json.loads(running.run(ASKOS, "top", "--json"))["packets"]


def page(*options):
    return running.background(ASKOS, "ui", "--graph", "chain", "--json", *options)


def wants_its_token(page):
    assert len(page.token) == 32
    near = page.token[:-1] + ("0" if page.token[-1] != "0" else "1")
    for wrong in ("", "x", near, page.token[:-1], page.token + "0"):
        for path, body in (("events", None), ("metrics", None), ("trace", None), ("command", b'{"verb":"pause"}')):
            status, text = page.ask(path, body, token=wrong)
            assert status == 401 and page.token not in text, (path, wrong, status)
    status, text = page.ask("")
    assert status == 200 and page.token not in text and "<script src" not in text


def steers(page):
    status, answer = page.command(verb="what_if", stage="b", times=2)
    assert status == 200 and answer["result"]["gain"] > 0, answer
    status, answer = page.command(verb="credit", edge=EDGE, credit=3)
    assert status == 200, answer
    running.until(lambda: [edge["credit"] for edge in json.loads(running.run(ASKOS, "top", "--json"))["edges"]
                           if edge["edge"] == EDGE] == [3], "the credit")
    assert page.command(verb="pause")[0] == 200
    running.until(lambda: json.loads(running.run(ASKOS, "ps", "--json"))[0]["hold"]["state"] == "paused", "paused")
    assert page.command(verb="resume")[0] == 200
    status, answer = page.command(verb="pause", stage="nobody")
    assert status == 404 and "nobody" in answer["error"]["message"], answer


def tells_metrics(page):
    status, text = page.ask("metrics")
    assert status == 200 and text.endswith("\n# EOF\n"), text
    families = re.findall(r"^# TYPE (\S+) (counter|gauge)$", text, re.M)
    assert len(families) == len({name for name, _ in families}) and len(families) >= 9, families
    sample = re.compile(r'(\w+)\{graph="chain",(?:stage|edge)="[^"]+",rank="0"(?:,state="[a-z.]+")?\} [-+.e\d]+')
    kinds = dict(families)
    for line in text.splitlines():
        if not line.startswith("#"):
            name = sample.fullmatch(line).group(1)
            assert kinds.get(name) == "gauge" or kinds.get(name.removesuffix("_total")) == "counter", line


def streams_events(page):
    request = urllib.request.Request(page.base + "events", headers={"Authorization": f"Bearer {page.token}"})
    seen = {}
    with urllib.request.urlopen(request, timeout=60) as events:
        while not {"hello", "trace", "hold", "top"} <= seen.keys():
            name = events.readline().decode().removeprefix("event: ").strip()
            seen[name] = json.loads(events.readline().decode().removeprefix("data: "))
            assert events.readline() == b"\n"
    assert seen["hello"]["read_only"] is False and seen["top"]["graph"] == "chain"
    assert seen["trace"]["tracks"][0]["name"] == "source" and seen["trace"]["events"]


def refuses_bad_requests(page):
    for body, wanted in ((b"", 400), (b"{", 400), (b"[]", 400), (b'{"verb":7}', 400), (b'{"verb":"reboot"}', 404),
                         (b'{"verb":"top","x":' + b"[" * 30000 + b"]" * 30000 + b"}", 400),
                         (b'{"verb":"' + b"x" * (1 << 17) + b'"}', 413)):
        status, text = page.ask("command", body)
        assert status == wanted and json.loads(text)["error"]["message"], (body[:40], status, text)
    for path in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "index.html"):
        assert page.ask(path)[0] == 404, path
    for flood in (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * (1 << 18), b"GET /" + b"a" * (1 << 22), b"\n" * (1 << 20)):
        answer = page.send(flood)
        assert not answer.startswith(b"HTTP/1.1 200"), answer[:80]


def mutate(chance, request):
    data = bytearray(request)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0: data[at] = chance.randrange(256)
            case 1: del data[at]
            case 2: data[at:at] = bytes([chance.randrange(256)]) * chance.randint(1, 64)
            case 3: data[at:] = b""
        if not data:
            break
    return bytes(data)


def survives_mutations(page):
    chance = random.Random(SEED)
    body = b'{"verb":"what_if","stage":"b","times":2}'
    head = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {page.token}\r\nConnection: close\r\n".encode()
    requests = [b"POST /command " + head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
                b"GET /metrics " + head + b"\r\n", b"GET /trace?last_ms=10 " + head + b"\r\n"]
    for number in range(NUM_MUTATIONS):
        sent = mutate(chance, requests[number % len(requests)])
        answer = page.send(sent)
        assert not answer or answer.startswith(b"HTTP/1."), (sent, answer)
        assert page.server.poll() is None, f"the server ended after {sent!r} (seed {SEED}, number {number})"


def outlives_idle_and_deaf_clients(page):
    before = arrived()
    with contextlib.ExitStack() as links:
        for number in range(NUM_IDLE):
            link = links.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=60))
            if number % 2:
                link.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        for _ in range(3):  # ask for much, read nothing
            deaf = links.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=60))
            deaf.sendall(f"GET /events HTTP/1.1\r\nAuthorization: Bearer {page.token}\r\n\r\n".encode())
        running.until(lambda: arrived() > before + 20, "the graph goes on")
        assert page.ask("metrics")[0] == 200


def is_read_only():
    with page("--read-only") as server:
        locked = Page(server)
        for verb in ("pause", "resume", "step", "break", "credit", "drain", "record"):
            status, answer = locked.command(verb=verb)
            assert status == 403 and "read-only" in answer["error"]["message"], (verb, status, answer)
        assert locked.command(verb="top")[0] == 200
        assert json.loads(running.run(ASKOS, "ps", "--json"))[0]["hold"] is None


def saves_a_snapshot(folder):
    file = folder / "chain.html"
    running.run(ASKOS, "ui", "--graph", "chain", "--snapshot", file)
    text = file.read_text()
    kept = json.loads(re.search(r'id="snapshot">(.*)</script>', text).group(1))
    assert kept["top"]["graph"] == "chain" and kept["hello"]["saved_at"], kept.keys()
    line = running.run(ASKOS, "ui", "--graph", "chain", "--snapshot", folder / "nowhere" / "x.html", code=6)
    assert "cannot write the snapshot" in line and len(line.splitlines()) == 1, line
    assert "no running graph" in running.run(ASKOS, "ui", "--graph", "other", code=2)


def main():
    with running.folder() as folder, running.background(ASKOS, "run", GRAPH, "--set", "stages.source.count=0",
                                                        "--set", "stages.b.service=4 ms"):
        running.await_graph(ASKOS, "chain", packets=200)
        with page() as server:
            opened = Page(server)
            taken = running.run(ASKOS, "ui", "--port", opened.port, code=6)
            assert "cannot listen on the port" in taken, taken
            for check in (wants_its_token, steers, tells_metrics, streams_events, refuses_bad_requests,
                          survives_mutations, outlives_idle_and_deaf_clients):
                check(opened)
                print(f"ok: {check.__name__}", flush=True)
        is_read_only()
        saves_a_snapshot(folder)
    print("1 passed, 0 failed")


main()
