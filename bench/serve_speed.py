#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generation through `glint serve` beside `glint bench`: the same model, one stream, with and without a client that asks for
/metrics and /slots ten times a second. Runs take turns, so that whatever else the machine does meets all alike; told are the
best of each, and the median of what a round's runs are to its bench.

usage: serve_speed.py GLINT [-m MODEL] [-n TOKENS] [-r ROUNDS] [-t THREADS]"""
import argparse
import json
import re
import statistics
import subprocess
import threading
import time
import urllib.request


def bench(options):
    command = [options.glint, "bench", "-p", "0", "-n", str(options.tokens), "-r", "1", "-o", "json", "-t", options.threads]
    command += ["-m", options.model] if options.model else []
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]["avg_ts"]


class Server:
    def __init__(self, options):
        command = [options.glint, "serve", "--port", "0", "-np", "4", "--no-log-requests", "-t", options.threads]
        command += ["-m", options.model] if options.model else []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"listening on (http\S+)", line):
                self.url = found.group(1)
            if "is ready" in line:
                break

    def generate(self, n):
        body = {"prompt": "Once", "n_predict": n, "ignore_eos": True, "temperature": 0, "stream": True, "cache_prompt": True}
        request = urllib.request.Request(self.url + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            last = [line for line in response if line.startswith(b"data: ")][-1]
        return json.loads(last[6:])["timings"]["predicted_per_second"]

    def poll(self, stop):
        while not stop.wait(0.1):
            for path in ("/metrics", "/slots"):
                urllib.request.urlopen(self.url + path).read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("glint")
    parser.add_argument("-m", "--model", default="")
    parser.add_argument("-n", "--tokens", type=int, default=128)
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("-t", "--threads", default="2")
    options = parser.parse_args()
    server = Server(options)
    rates = {"bench": [], "serve": [], "serve, polled": []}
    for _ in range(options.rounds):
        rates["bench"].append(bench(options))
        rates["serve"].append(server.generate(options.tokens))
        stop = threading.Event()
        poller = threading.Thread(target=server.poll, args=(stop,))
        poller.start()
        time.sleep(0.2)
        rates["serve, polled"].append(server.generate(options.tokens))
        stop.set()
        poller.join()
    server.process.terminate()
    for name, values in rates.items():
        ratio = statistics.median(value / of_bench for value, of_bench in zip(values, rates["bench"]))
        print(f"{name:14} best {max(values):8.1f} tokens/s, median {ratio:.1%} of bench; all: "
              + " ".join(f"{value:.1f}" for value in values))


if __name__ == "__main__":
    main()
