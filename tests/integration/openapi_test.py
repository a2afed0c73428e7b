#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Schemathesis against `glint serve` with the embedded model: requests made from /openapi.json, right and wrong, of a fixed
seed. None may get a 5xx, and the server must still be there at the end.

usage: openapi_test.py GLINT"""
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from glint_server import Server  # noqa: E402

try:
    import schemathesis  # noqa: F401
except ImportError as error:
    print(f"no {error.name}")
    sys.exit(77)

# These say 501, as they should, with this model or always.
SWITCHED_OFF = ["/infill", "/rerank", "/reranking", "/v1/rerank", "/v1/reranking"]


def main(glint):
    with Server(glint, "-c", "128", "-np", "4", "--props", "--no-log-requests") as server:
        command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/openapi.json", "--checks", "not_a_server_error",
                   "--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "7", "--workers", "1",
                   "--request-timeout", "20", "--generation-database", "none", "--suppress-health-check", "all", "--no-color",
                   "--warnings", "off"]
        for path in SWITCHED_OFF:
            command += ["--exclude-path", path]
        found = subprocess.run(command, capture_output=True, text=True)
        print(found.stdout[-6000:], found.stderr[-2000:])
        health = urllib.request.urlopen(server.url + "/health", timeout=20).status
        status = server.stop()
    return 0 if found.returncode == 0 and health == 200 and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
