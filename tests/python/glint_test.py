# SPDX-License-Identifier: Apache-2.0
"""The Python package as its users see it: glint_test.py DEMO_MODEL SMOLLM2. Without the second model, which has a chat
template and bytes as tokens, what needs it is left out. Run by ctest with the package of the build folder."""
import json
import os
import signal
import sys
import threading
import time
import unittest

import glint

DEMO, SMOLLM2 = sys.argv[1:3]


class EngineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = glint.Engine(DEMO, context=512, threads=2)

    @classmethod
    def tearDownClass(cls):
        cls.engine.close()

    def test_streams_what_it_answers_at_once(self):
        answer = self.engine.generate("Once upon a time", max_tokens=20, temperature=0)
        pieces = list(answer)
        self.assertEqual([piece.token for piece in pieces], answer.tokens)
        self.assertEqual("".join(piece.text for piece in pieces), answer.text)
        self.assertEqual((answer.finish.reason, answer.finish.n_predicted, len(pieces)), ("limit", 20, 20))
        again = self.engine.generate("Once upon a time", max_tokens=20, temperature=0)
        self.assertEqual(str(again), answer.text)
        ids = self.engine.tokenize("Once upon a time", add_special=True)
        self.assertEqual(self.engine.generate(ids, max_tokens=20, temperature=0).tokens, answer.tokens)

    def test_seeds_and_completions(self):
        texts = self.engine.generate("One day", n=3, max_tokens=12, seed=5, temperature=1.0).texts
        self.assertEqual(len(set(texts)), 3)
        self.assertEqual(self.engine.generate("One day", max_tokens=12, seed=6, temperature=1.0).text, texts[1])

    def test_log_probabilities(self):
        piece = next(self.engine.generate("One day", max_tokens=1, temperature=0, logprobs=3))
        self.assertEqual(len(piece.top), 3)
        self.assertEqual(piece.top[0], (piece.token, piece.logprob))
        self.assertLess(piece.logprob, 0)

    def test_constraints(self):
        schema = {"type": "object", "properties": {"n": {"type": "integer"}, "mood": {"enum": ["happy", "sad"]}},
                  "required": ["n", "mood"], "additionalProperties": False}
        made = json.loads(self.engine.generate("One day", schema=schema, max_tokens=80, temperature=0, seed=1).text)
        self.assertEqual(set(made), {"n", "mood"})
        self.assertRegex(self.engine.generate("One day", regex="[a-c]{4}", temperature=0).text, "^[a-c]{4}$")
        self.assertIn(self.engine.generate("One", grammar='root ::= "yes" | "no"').text, ("yes", "no"))
        with self.assertRaisesRegex(glint.RequestError, "one of"):
            self.engine.generate("One", regex="a", schema={})

    def test_stop_strings(self):
        answer = self.engine.generate("Once upon a", stop=" time", max_tokens=40, temperature=0)
        self.assertNotIn(" time", answer.text)
        self.assertEqual((answer.finish.reason, answer.finish.stop_string), ("stop_string", " time"))

    def test_cancel(self):
        answer = self.engine.generate("Once", ignore_eos=True)
        next(answer)
        answer.cancel()
        self.assertEqual(answer.wait().finish.reason, "cancelled")

    def test_errors(self):
        with self.assertRaisesRegex(glint.ModelError, "no such file"):
            glint.Engine("no such file.gguf")
        with self.assertRaisesRegex(glint.RequestError, "cache_type_k"):
            glint.Engine(DEMO, cache_type_k="q1")
        for wanted, message, arguments in [
                (glint.RequestError, "tempo", {"tempo": 1}), (glint.RequestError, "top_p", {"top_p": 3}),
                (glint.RequestError, "priority", {"priority": "urgent"}), (ValueError, "unicorn", {"schema": {"type": "unicorn"}}),
                (glint.RequestError, "tools", {"tool_choice": "required"})]:
            with self.assertRaisesRegex(wanted, message):
                self.engine.generate("One", **arguments)
        with self.assertRaises(glint.ContextLengthError):
            self.engine.generate("one two three " * 600)
        with self.assertRaisesRegex(glint.RequestError, "chat template|messages"):
            self.engine.generate([{"role": "user", "content": "Hi"}] if not self.engine.info["has_chat_template"] else [{}])
        with self.assertRaises(TypeError):
            self.engine.generate([1.5])
        with glint.Engine(DEMO, context=64, threads=1) as closed:
            pass
        with self.assertRaisesRegex(glint.Error, "closed"):
            closed.generate("One")

    def test_loading_can_be_given_up(self):
        told = []

        def progress(done, total):
            told.append((done, total))
            raise KeyError("enough")

        with self.assertRaisesRegex(KeyError, "enough"):
            glint.Engine(DEMO, progress=progress)
        self.assertEqual(len(told), 1)

    def test_other_threads_run_while_one_waits(self):
        counted = 0
        answer = self.engine.generate("Once upon a time", max_tokens=200, ignore_eos=True)
        reader = threading.Thread(target=answer.wait)
        reader.start()
        while reader.is_alive():
            counted += 1
            time.sleep(0)
        self.assertGreater(counted, 100)  # with the GIL held it would be one, at the end
        self.assertEqual(answer.finish.n_predicted, 200)

    def test_many_at_once_from_many_threads(self):
        expected = self.engine.generate("Once upon", max_tokens=15, temperature=0).text
        texts = [None] * 6

        def ask(i):
            texts[i] = self.engine.generate("Once upon", max_tokens=15, temperature=0, priority="batch").text

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, [expected] * 6)
        self.assertEqual(self.engine.statistics["open"], 0)

    def test_an_interrupt_cancels(self):
        with glint.Engine(DEMO, context=131072 // 64, threads=1, parallel=1, queued=4) as engine:
            # The second waits for the first, which nobody reads once its buffer is full: for ever.
            first = engine.generate("Once", ignore_eos=True)
            second = engine.generate("Once", ignore_eos=True)
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            with self.assertRaises(KeyboardInterrupt):
                first.wait()
                second.wait()
                time.sleep(30)
            first.cancel()
            second.cancel()
            self.assertEqual(first.wait().finish.reason in ("cancelled", "context_full"), True)


@unittest.skipUnless(os.path.exists(SMOLLM2), "the model is not here")
class ChatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = glint.Engine(SMOLLM2, context=1024, threads=2)

    @classmethod
    def tearDownClass(cls):
        cls.engine.close()

    def test_messages_go_through_the_template(self):
        messages = [{"role": "user", "content": "Say <|im_end|> twice"}]
        prompt = self.engine.render_chat(messages)
        self.assertIn("<|im_start|>user\nSay <|im_end|> twice<|im_end|>", prompt)
        ids = self.engine.tokenize_chat(messages)
        end = self.engine.tokenize("<|im_end|>", parse_special=True)
        self.assertEqual(len(end), 1)
        # Of the template's own; not of what the user wrote.
        as_if_trusted = self.engine.tokenize(prompt, parse_special=True)
        self.assertEqual(as_if_trusted.count(end[0]) - 1, ids.count(end[0]))
        answer = self.engine.generate(messages, max_tokens=4, temperature=0)
        self.assertEqual(answer.wait().finish.n_prompt, len(ids))
        follow_up = self.engine.generate(messages, max_tokens=4, temperature=0)
        self.assertEqual(follow_up.text, answer.text)
        self.assertGreaterEqual(follow_up.finish.n_cached, 16)

    def test_text_comes_in_whole_code_points(self):
        text = "🦜 naïve 漢字 🏴‍☠️"
        ids = self.engine.tokenize(text)
        self.assertGreater(len(ids), len(text))  # some code points are several tokens
        self.assertEqual(self.engine.detokenize(ids), text)
        answer = self.engine.generate("Parrots:", regex="(🦜|漢|🏴‍☠️){6}", max_tokens=200, temperature=0, seed=3)
        pieces = [piece.text for piece in answer]
        self.assertIn("", pieces)  # tokens that end within one
        self.assertNotIn("�", "".join(pieces))
        self.assertRegex(answer.text, "^(🦜|漢|🏴‍☠️){6}$")
        self.assertEqual(self.engine.detokenize(answer.tokens), answer.text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
