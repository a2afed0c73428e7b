#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint serve` under clients of every kind at once, for as long as told: short and long answers, streams, tools, schemas,
thinking, some left half read. All the while the status endpoints must answer; at the end no place is taken, memory is what it
was early on, and SIGTERM ends the process with streams still running.

usage: soak_test.py GLINT [SECONDS [CLIENTS]]      (5 and 8; prints the slowest answer of a status endpoint)"""
import http.client
import json
import random
import sys
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from glint_server import Server  # noqa: E402

WEATHER = {"type": "function", "function": {"name": "get_weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"], "additionalProperties": False}}}
SCHEMA = {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 30}
MOST_MORE_MEMORY = 64 << 20  # what the cache of prefixes and of grammars may still grow by


def bodies(rng):
    chat = {"messages": [{"role": "user", "content": rng.choice(["Hello", "What is 2 + 3?", "word " * rng.randrange(1, 200)])}],
            "max_tokens": rng.choice([1, 20, 200]), "seed": rng.randrange(1000), "temperature": 1}
    return rng.choice([
        ("/v1/chat/completions", chat),
        ("/v1/chat/completions", {**chat, "tools": [WEATHER], "tool_choice": rng.choice(["auto", "required"])}),
        ("/v1/chat/completions", {**chat, "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}),
        ("/v1/messages", {**chat, "thinking": {"type": "enabled", "budget_tokens": 10}}),
        ("/api/chat", {"messages": chat["messages"], "options": {"num_predict": 30}}),
        ("/completion", {"prompt": "Once upon a time", "n_predict": rng.choice([5, 300]), "ignore_eos": True, "n_cmpl": rng.choice([1, 3])}),
        ("/v1/completions", {"prompt": "word " * 2000}),  # is refused
    ])


class Client(threading.Thread):
    def __init__(self, address, seed, until):
        super().__init__()
        self.address, self.rng, self.until = address, random.Random(seed), until
        self.counts, self.problems = {"whole": 0, "left": 0, "refused": 0}, []

    def run(self):
        while not self.until.is_set():
            try:
                self.ask()
            except (OSError, http.client.HTTPException) as error:
                if not self.until.is_set():
                    self.problems.append(repr(error))

    def ask(self):
        path, body = bodies(self.rng)
        body["stream"] = self.rng.random() < .6
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("POST", path, json.dumps(body))
        if self.rng.random() < .3:  # goes away, before or amid the answer
            if self.rng.random() < .5:
                connection.getresponse().read(self.rng.randrange(1, 300))
            self.counts["left"] += 1
        else:
            response = connection.getresponse()
            text = response.read().decode()
            self.counts["whole" if response.status == 200 else "refused"] += 1
            if response.status not in (200, 400) or (response.status == 200 and not text):
                self.problems.append(f"{path}: {response.status} {text[:200]}")
        connection.close()


def memory_of(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    return 0


def look(server):
    """Every status endpoint once; the slowest of them in seconds, and whether nothing is at work."""
    slowest, idle = 0.0, True
    for path in ("/health", "/slots", "/metrics", "/props", "/v1/models"):
        start = time.monotonic()
        text = urllib.request.urlopen(server.url + path, timeout=60).read().decode()
        slowest = max(slowest, time.monotonic() - start)
        if path == "/slots":
            idle = not any(slot["is_processing"] for slot in json.loads(text))
        if path == "/metrics":
            idle = idle and "\nllamacpp:requests_deferred 0\n" in text
    return slowest, idle


def main(glint, seconds=5.0, n_clients=8):
    with Server(glint, "-np", "4", "-c", "1024", "--queue", "1000", "--drain-seconds", "1", "--no-log-requests") as server:
        until = threading.Event()
        clients = [Client(server.url.rsplit("/", 1)[1], seed, until) for seed in range(n_clients)]
        for client in clients:
            client.start()
        start, slowest, early = time.monotonic(), 0.0, 0
        while time.monotonic() - start < seconds:
            slowest = max(slowest, look(server)[0])
            if not early and time.monotonic() - start > seconds / 4:
                early = memory_of(server.process)
            time.sleep(0.1)
        until.set()
        for client in clients:
            client.join()
        for _ in range(600):
            if look(server)[1]:
                break
            time.sleep(0.05)
        is_idle, late = look(server)[1], memory_of(server.process)
        endless = http.client.HTTPConnection(server.url.rsplit("/", 1)[1], timeout=60)
        endless.request("POST", "/completion", json.dumps({"prompt": "A", "ignore_eos": True, "stream": True}))
        endless.getresponse().read(10)
        status = server.stop(seconds=30)
        endless.close()
    totals = {name: sum(client.counts[name] for client in clients) for name in clients[0].counts}
    problems = [problem for client in clients for problem in client.problems]
    print(f"{totals}, slowest status {slowest * 1000:.0f} ms, memory {early >> 20} MiB early and {late >> 20} MiB late, exit {status}")
    for problem in problems[:10]:
        print(problem)
    if not is_idle:
        print("an answer is still at work")
    return 1 if problems or not is_idle or status != 0 or late > early + MOST_MORE_MEMORY or not totals["whole"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:4])))
