#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint serve` as a process: start, TLS, unix socket, what the log tells, SIGTERM with answers under way, clients that
misbehave, many streams at once.

usage: serve_test.py GLINT"""
import http.client
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from glint_server import Server  # noqa: E402

GLINT = ""
DEMO = Path(__file__).resolve().parents[2] / "models" / "glint-demo.gguf"
STORY = {"prompt": "Once upon a time", "ignore_eos": True, "stream": True}


def post(url, path, body, context=None):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=60, context=context)


def connect(url):
    host, port = url.rsplit("/", 1)[1].split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def request_of(path, body):
    text = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


class ServeTest(unittest.TestCase):
    def test_slot_files_outlive_the_process(self):
        story = {"prompt": [7 * i % 5000 for i in range(150)], "n_predict": 8, "ignore_eos": True, "temperature": 0}
        with tempfile.TemporaryDirectory() as folder:
            def start():
                return Server(GLINT, "--slot-save-path", folder, "-np", "2")

            def act(server, slot, action, body):
                return json.load(post(server.url, f"/slots/{slot}?action={action}", body))

            with start() as server:
                first = json.load(post(server.url, "/completion", story))
                saved = act(server, first["id_slot"], "save", {"filename": "story.bin"})
                self.assertEqual(saved["n_saved"], 158)
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    act(server, 0, "save", {"filename": "../story.bin"})
                self.assertEqual(refused.exception.code, 400)
            with start() as server:
                restored = act(server, 1, "restore", {"filename": "story.bin"})
                self.assertEqual((restored["id_slot"], restored["n_restored"]), (1, 158))
                self.assertGreater(restored["n_read"], 2 * 64)
                self.assertGreater(restored["timings"]["restore_ms"], 0)
                second = json.load(post(server.url, "/completion", story))
                self.assertEqual((second["id_slot"], second["timings"]["cache_n"]), (1, 149))
                self.assertEqual(second["content"], first["content"])
                self.assertGreater(act(server, 1, "erase", {})["n_erased"], 128)
            with start() as server:  # without a word about it, whole pages are found
                third = json.load(post(server.url, "/completion", story))
                self.assertEqual((third["timings"]["cache_n"], third["content"]), (128, first["content"]))
            with Server(GLINT, "--slot-save-path", folder, "-ctk", "f32", "-np", "2") as server:
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    act(server, 0, "restore", {"filename": "story.bin"})
                self.assertIn("another model", json.load(refused.exception)["error"]["message"])

    def test_models_share_what_memory_allows(self):
        """With -c 0 the first takes all there is, though it touches none of it; the second must not be promised that again."""
        with tempfile.TemporaryDirectory() as folder:
            for name in "ab":
                subprocess.run([GLINT, "synth", "llama-tiny", "-o", f"{folder}/{name}.gguf"], check=True, capture_output=True)
            with Server(GLINT, "--models-dir", folder, "-c", "0", "-np", "2",
                        "--override-kv", "llama.context_length=int:1000000000") as server:
                def contexts():
                    models = json.load(urllib.request.urlopen(server.url + "/v1/models"))["data"]
                    return {model["id"]: model["meta"]["n_ctx"] for model in models if model["status"]["value"] == "loaded"}

                first = None
                for name in "abab":
                    answer = json.load(post(server.url, "/v1/completions", {"model": name, "prompt": "Hello", "max_tokens": 2}))
                    self.assertEqual(answer["model"], name)
                    self.assertIn(name, contexts())
                    first = first or contexts()[name]
                    # Others on the machine give memory back and take it meanwhile.
                    self.assertLess(sum(contexts().values()), 1.5 * first)

    def test_sigterm_lets_answers_end(self):
        with Server(GLINT) as server:
            answers = []

            def ask():
                with post(server.url, "/completion", {**STORY, "n_predict": 300}) as response:
                    answers.append(response.read().decode())

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            while json.dumps(json.load(urllib.request.urlopen(server.url + "/slots"))).count('"is_processing": true') < 4:
                time.sleep(0.01)
            self.assertEqual(server.stop(), 0)
            for thread in threads:
                thread.join()
            for answer in answers:
                self.assertIn('"stop_type":"limit"', answer)
            self.assertEqual(len(answers), 4)

    def test_sigterm_ends_what_takes_too_long(self):
        with Server(GLINT, "--drain-seconds", "0", "-c", "1024", "-np", "1") as server:
            # The second waits for the first, which takes a while: neither can end at once.
            streams = [connect(server.url) for _ in range(2)]
            for stream in streams:
                stream.sendall(request_of("/v1/completions", STORY))
                self.assertIn(b"200 OK", stream.recv(100))
            self.assertEqual(server.stop(), 0)
            text = b"".join(iter(lambda: streams[1].recv(65536), b""))
            self.assertIn(b'data: {"error":{"code":503', text)
            for stream in streams:
                stream.close()

    def test_the_log_holds_no_text(self):
        with Server(GLINT, "-np", "4") as server:
            post(server.url, "/completion", {"prompt": "a secret zebra", "n_predict": 2}).read()
            with self.assertRaises(urllib.error.HTTPError) as caught:
                post(server.url, "/completion", {"prompt": "zebra", "n_predict": "zebra"})
            caught.exception.close()
            server.stop()
            log = "\n".join(server.log)
        self.assertIn("POST /completion 200", log)
        self.assertIn("POST /completion 400", log)
        self.assertNotIn("zebra", log)

    def test_unix_socket_and_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate, path = (f"{folder}/{name}" for name in ("key.pem", "certificate.pem", "glint.sock"))
            made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                                   "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                                  capture_output=True)
            self.assertEqual(made.returncode, 0, made.stderr)
            with Server(GLINT, "--ssl-key-file", key, "--ssl-cert-file", certificate) as server:
                context = ssl.create_default_context(cafile=certificate)
                with post(server.url, "/completion", {"prompt": "Hello", "n_predict": 3}, context) as response:
                    self.assertEqual(json.load(response)["tokens_predicted"], 3)
                with connect(server.url) as plain:
                    plain.sendall(b"GET /health HTTP/1.1\r\n\r\n")
                    self.assertNotIn(b"200 OK", plain.recv(1000))
                with urllib.request.urlopen(server.url + "/health", timeout=60, context=context) as response:
                    self.assertEqual(response.status, 200)
            with Server(GLINT, "--host", f"127.0.0.1,{path}") as server:
                with socket.socket(socket.AF_UNIX) as local:
                    local.connect(path)
                    local.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
                    self.assertIn(b"200 OK", local.recv(1000))
                self.assertEqual(server.stop(), 0)
                self.assertFalse(Path(path).exists())

    def test_misbehaving_clients_hurt_nobody(self):
        with Server(GLINT, "-np", "4", "-c", "512") as server:
            bad = [b"\x00" * 100, b"\xff\xfe\r\n\r\n", b"GET", b"POST /completion HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
                   request_of("/completion", {**STORY, "prompt": "Hello"})]
            held = []
            for i in range(100):
                stream = connect(server.url)
                stream.sendall(bad[i % len(bad)])
                if i % 2:
                    stream.close()
                else:
                    held.append(stream)  # and reads nothing
            with connect(server.url) as bomb:
                body = b'{"prompt":' + b"[" * 1_000_000
                bomb.sendall(b"POST /completion HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                self.assertIn(b" 400 ", bomb.recv(1000))
            with post(server.url, "/completion", {"prompt": "Hello", "n_predict": 3}) as response:
                self.assertEqual(json.load(response)["tokens_predicted"], 3)
            for stream in held:
                stream.close()

    def test_several_models(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one", "two"):
                Path(folder, name + ".gguf").symlink_to(DEMO)
            with Server(GLINT, "--models-dir", folder, "--models-max", "1", "-np", "2", "-c", "512") as server:
                ask = {"prompt": "Hello", "max_tokens": 3}

                def status():
                    models = json.load(urllib.request.urlopen(server.url + "/v1/models"))["data"]
                    return {model["id"]: model["status"]["value"] for model in models}

                self.assertEqual(status(), {"one": "unloaded", "two": "unloaded"})
                # The first is still answering when the second is asked for, and ends all the same.
                with post(server.url, "/v1/completions", {**STORY, "model": "one", "max_tokens": 200}) as stream:
                    self.assertEqual(json.load(post(server.url, "/v1/completions", {**ask, "model": "two"}))["model"], "two")
                    self.assertTrue(stream.read().decode().endswith("data: [DONE]\n\n"))
                self.assertEqual(status(), {"one": "unloaded", "two": "loaded"})
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    post(server.url, "/v1/completions", {**ask, "model": "three"})
                self.assertEqual(caught.exception.code, 404)
                self.assertIn("one, two", caught.exception.read().decode())
                self.assertEqual(server.stop(), 0)

    def test_many_streams(self):
        n = 60  # http_load_test has a thousand
        with Server(GLINT, "-np", "16", "--queue", "1000", "-c", "2048", "--no-log-requests") as server:
            streams = [connect(server.url) for _ in range(n)]
            for stream in streams:
                stream.sendall(request_of("/v1/completions", {**STORY, "max_tokens": 8}))
            for stream in streams:
                response = http.client.HTTPResponse(stream)
                response.begin()
                text = response.read().decode()
                self.assertTrue(text.endswith("data: [DONE]\n\n"), text)
                self.assertEqual(text.count("data: "), 8 + 2)  # tokens, the end, [DONE]
                stream.close()


if __name__ == "__main__":
    GLINT = sys.argv.pop(1)
    unittest.main()
