#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official openai, anthropic and ollama Python clients against `glint serve` with the embedded model: answers, streams,
tools, schemas, errors, cancelling. The model is small, so what is asked is what it was trained on.

usage: clients_test.py GLINT"""
import json
import sys
import threading
import time
import unittest
import urllib.request
from typing import Literal

try:
    import anthropic
    import ollama
    import openai
    import pydantic
except ImportError as error:
    print(f"no {error.name}")
    sys.exit(77)

from glint_server import Server

QUESTION = [{"role": "user", "content": "What is 2 + 3?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Get the weather in a city", "parameters": SCHEMA}
LONG = [{"role": "user", "content": "word " * 1200}]


def metric(name, of=None):
    text = urllib.request.urlopen((of or server).url + "/metrics").read().decode()
    return float(next((line for line in text.splitlines() if line.startswith(name + " ")), "none 0").split()[1])


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=10)
    age: int = pydantic.Field(ge=0, le=99)


class Listed(pydantic.BaseModel):
    """For Anthropic's client, which keeps bounds of numbers and lengths to itself: what it sends binds the whole answer."""
    name: Literal["Ann", "Bo", "Cleo"]
    age: Literal[7, 42, 99]


NUMBERS = {"type": "array", "items": {"type": "integer"}, "minItems": 300}  # takes a while, whatever the model would say


class Case(unittest.TestCase):
    def assert_leaving_cancels(self, begin):
        """begin(): starts an answer that takes a while, and goes away."""
        name = 'vllm:request_success_total{finished_reason="abort"}'
        before = metric(name)
        begin()
        end = time.monotonic() + 10
        while metric(name) == before or metric("llamacpp:requests_processing") > 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.assertEqual(metric(name), before + 1)


class OpenAi(Case):
    def setUp(self):
        self.client = openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0)
        self.addCleanup(self.client.close)

    def chat(self, **more):
        return self.client.chat.completions.create(**{"model": "demo", "messages": QUESTION, "temperature": 0, **more})

    def test_answer_and_models(self):
        answer = self.chat()
        self.assertIn("5", answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertTrue(answer.choices[0].message.reasoning_content)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertEqual(self.client.models.list().data[0].id, "demo")

    def test_stream_equals_answer(self):
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        whole = self.chat()
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_tools_there_and_back(self):
        tools = [{"type": "function", "function": FUNCTION}]
        message = self.chat(messages=WEATHER, tools=tools).choices[0].message
        call = message.tool_calls[0]
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_weather", {"city": "Paris"}))
        result = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}
        answer = self.chat(messages=[*WEATHER, message.model_dump(exclude_none=True), result], tools=tools)
        self.assertIn("18", answer.choices[0].message.content)
        forced = self.chat(tools=tools, tool_choice={"type": "function", "function": {"name": "get_weather"}}, max_tokens=200)
        self.assertEqual(forced.choices[0].message.tool_calls[0].function.name, "get_weather")

    def test_streamed_tools(self):
        name = arguments = ""
        for chunk in self.chat(messages=WEATHER, tools=[{"type": "function", "function": FUNCTION}], stream=True):
            for call in chunk.choices[0].delta.tool_calls or []:
                self.assertEqual(call.index, 0)
                name += call.function.name or ""
                arguments += call.function.arguments or ""
            reason = chunk.choices[0].finish_reason
        self.assertEqual((name, json.loads(arguments), reason), ("get_weather", {"city": "Paris"}, "tool_calls"))

    def test_schema_by_pydantic(self):
        answer = self.client.chat.completions.parse(model="demo", messages=QUESTION, response_format=Person, max_tokens=300,
                                                    extra_body={"reasoning_budget": 0})
        self.assertLessEqual(answer.choices[0].message.parsed.age, 99)
        with self.client.chat.completions.stream(model="demo", messages=QUESTION, response_format=Person, max_tokens=300,
                                                 extra_body={"reasoning_budget": 5}) as stream:
            self.assertGreaterEqual(stream.get_final_completion().choices[0].message.parsed.age, 0)
        parsed = self.client.responses.parse(model="demo", input="Who are you?", text_format=Person, max_output_tokens=300,
                                             reasoning={"effort": "none"})
        self.assertIsInstance(parsed.output_parsed, Person)

    def test_words_that_are_forced(self):
        said = self.chat(extra_body={"grammar": 'root ::= "na\u00efve \U0001f600"', "reasoning_budget": 0}, stream=True)
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in said), "na\u00efve \U0001f600")

    def test_logprobs_and_completions(self):
        answer = self.chat(logprobs=True, top_logprobs=2, max_tokens=3)
        self.assertEqual(len(answer.choices[0].logprobs.content), 3)
        text = self.client.completions.create(model="demo", prompt=["Once upon a time", "Hello"], max_tokens=5, logprobs=1)
        self.assertEqual([choice.index for choice in text.choices], [0, 1])
        self.assertEqual(len(text.choices[1].logprobs.tokens), 5)

    def test_errors_have_their_classes(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(messages=LONG)
        self.assertEqual(caught.exception.type, "exceed_context_size_error")
        self.assertEqual(caught.exception.body["n_ctx"], 1024)
        with self.assertRaises(openai.BadRequestError):
            self.chat(n=1000)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array", "uniqueItems": True}}})
        self.assertIn("#/uniqueItems", caught.exception.message)
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("nothing")
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").chat.completions.create(model="demo", messages=QUESTION)

    def test_leaving_cancels(self):
        def begin():
            stream = self.chat(stream=True, extra_body={"ignore_eos": True})
            next(iter(stream))
            stream.close()

        self.assert_leaving_cancels(begin)
        with self.assertRaises(openai.APITimeoutError):  # of a whole answer, too
            self.client.with_options(timeout=0.05).chat.completions.create(model="demo", messages=QUESTION, extra_body={"ignore_eos": True})
        end = time.monotonic() + 10
        while metric("llamacpp:requests_processing") > 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_embeddings(self):
        made = self.client.embeddings.create(model="demo", input=["one text", "another"])  # asks for base64 by itself
        self.assertEqual([vector.index for vector in made.data], [0, 1])
        plain = self.client.embeddings.create(model="demo", input="one text", encoding_format="float")
        self.assertEqual(len(plain.data[0].embedding), len(made.data[0].embedding))
        for a, b in zip(plain.data[0].embedding, made.data[0].embedding):
            self.assertAlmostEqual(a, b, delta=1e-6)

    def test_responses_are_kept(self):
        first = self.client.responses.create(model="demo", input="What is 2 + 3?", temperature=0)
        self.assertEqual(self.client.responses.retrieve(first.id).output_text, first.output_text)
        second = self.client.responses.create(model="demo", input="Hello", previous_response_id=first.id, max_output_tokens=5)
        self.assertGreater(second.usage.input_tokens, first.usage.input_tokens)
        self.client.responses.delete(first.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(first.id)

    def test_what_was_ignored_is_told(self):
        self.assertEqual(self.chat(user="me", max_tokens=1).warnings, ["user: ignored"])

    def test_responses(self):
        answer = self.client.responses.create(model="demo", input="What is 2 + 3?", temperature=0)
        self.assertIn("5", answer.output_text)
        with self.client.responses.stream(model="demo", input="What is 2 + 3?", temperature=0) as stream:
            events = [event.type for event in stream]
            final = stream.get_final_response()
        self.assertEqual((events[0], events[-1]), ("response.created", "response.completed"))
        self.assertEqual(final.output_text, answer.output_text)
        tools = [{"type": "function", **FUNCTION}, {"type": "web_search"}]
        called = self.client.responses.create(model="demo", input=WEATHER, tools=tools, temperature=0)
        call = called.output[-1]
        self.assertEqual((call.type, json.loads(call.arguments)), ("function_call", {"city": "Paris"}))
        back = [*WEATHER, call.model_dump(), {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}]
        self.assertIn("18", self.client.responses.create(model="demo", input=back, tools=tools, temperature=0).output_text)


class Anthropic(Case):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=server.url, api_key="secret", max_retries=0)
        self.addCleanup(self.client.close)

    def ask(self, **more):
        return self.client.messages.create(**{"model": "demo", "max_tokens": 100, "messages": QUESTION, **more})

    def test_answer_stream_and_count(self):
        answer = self.ask(thinking={"type": "disabled"}, extra_body={"temperature": 0})
        self.assertIn("5", answer.content[0].text)
        self.assertEqual(answer.stop_reason, "end_turn")
        with self.client.messages.stream(model="demo", max_tokens=100, messages=QUESTION, thinking={"type": "disabled"},
                                         extra_body={"temperature": 0}) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, answer.content[0].text)
        self.assertEqual(final.usage.output_tokens, answer.usage.output_tokens)
        count = self.client.messages.count_tokens(model="demo", messages=QUESTION)
        self.assertGreater(count.input_tokens, 5)

    def test_tools_there_and_back(self):
        tools = [{"name": "get_weather", "description": FUNCTION["description"], "input_schema": SCHEMA}]
        answer = self.ask(messages=WEATHER, tools=tools, extra_body={"temperature": 0})
        call = answer.content[-1]
        self.assertEqual((answer.stop_reason, call.type, call.input), ("tool_use", "tool_use", {"city": "Paris"}))
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
        back = [*WEATHER, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        self.assertIn("18", self.ask(messages=back, tools=tools, extra_body={"temperature": 0}).content[-1].text)

    def test_streamed_tools(self):
        tools = [{"name": "get_weather", "description": FUNCTION["description"], "input_schema": SCHEMA}]
        with self.client.messages.stream(model="demo", max_tokens=100, messages=WEATHER, tools=tools,
                                         extra_body={"temperature": 0}) as stream:
            events = {event.type for event in stream}
            final = stream.get_final_message()
        self.assertLessEqual({"message_start", "content_block_start", "input_json", "content_block_stop", "message_stop"}, events)
        call = final.content[-1]
        self.assertEqual((final.stop_reason, call.name, call.input), ("tool_use", "get_weather", {"city": "Paris"}))
        forced = self.ask(tools=tools, tool_choice={"type": "tool", "name": "get_weather"}, thinking={"type": "disabled"})
        self.assertEqual(forced.content[-1].name, "get_weather")

    def test_schema_by_pydantic(self):
        answer = self.client.messages.parse(model="demo", max_tokens=300, messages=QUESTION, output_format=Listed,
                                            thinking={"type": "disabled"})
        self.assertLessEqual(answer.parsed_output.age, 99)
        with self.client.messages.stream(model="demo", max_tokens=300, messages=QUESTION, output_format=Listed,
                                         thinking={"type": "disabled"}) as stream:
            self.assertGreaterEqual(stream.get_final_message().parsed_output.age, 0)

    def test_leaving_cancels(self):
        def begin():
            with self.client.messages.stream(model="demo", max_tokens=900, messages=QUESTION, thinking={"type": "disabled"},
                                             output_config={"format": {"type": "json_schema", "schema": NUMBERS}}) as stream:
                next(iter(stream))

        self.assert_leaving_cancels(begin)

    def test_errors_have_their_classes(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.ask(messages=LONG)
        self.assertEqual(caught.exception.body["error"]["type"], "invalid_request_error")
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.ask(output_config={"format": {"type": "json_schema", "schema": {"type": "array", "uniqueItems": True}}})
        self.assertIn("#/uniqueItems", str(caught.exception))
        with self.assertRaises(anthropic.AuthenticationError):
            self.client.with_options(api_key="wrong").messages.create(model="demo", max_tokens=1, messages=QUESTION)


class Ollama(Case):
    def setUp(self):
        self.client = ollama.Client(host=server.url, headers={"Authorization": "Bearer secret"})

    def chat(self, **more):
        return self.client.chat(**{"model": "demo", "messages": QUESTION, "options": {"temperature": 0}, **more})

    def test_answer_stream_and_models(self):
        answer = self.chat(think=True)
        self.assertIn("5", answer.message.content)
        self.assertTrue(answer.message.thinking)
        self.assertEqual("".join(part.message.content for part in self.chat(stream=True)), answer.message.content)
        self.assertEqual(self.client.list().models[0].model, "demo")
        self.assertIn("tools", self.client.show("demo").capabilities)
        text = self.client.generate(model="demo", prompt="What is 2 + 3?", think=False, options={"temperature": 0})
        self.assertIn("5", text.response)

    def test_tools_and_schema(self):
        call = self.chat(messages=WEATHER, tools=[{"type": "function", "function": FUNCTION}]).message.tool_calls[0].function
        self.assertEqual((call.name, dict(call.arguments)), ("get_weather", {"city": "Paris"}))
        schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
        self.assertIn(json.loads(self.chat(format=schema, think=False).message.content)["n"], [1, 2])

    def test_streamed_tools_and_schema(self):
        parts = list(self.chat(messages=WEATHER, tools=[{"type": "function", "function": FUNCTION}], stream=True))
        calls = [call.function for part in parts for call in part.message.tool_calls or []]
        self.assertEqual([(call.name, dict(call.arguments)) for call in calls], [("get_weather", {"city": "Paris"})])
        text = "".join(part.message.content for part in self.chat(format=Person.model_json_schema(), think=False, stream=True))
        self.assertLessEqual(Person.model_validate_json(text).age, 99)
        made = self.client.generate(model="demo", prompt="Hi", raw=True, format={"enum": ["yes", "no"]}, options={"temperature": 0})
        self.assertIn(json.loads(made.response), ["yes", "no"])

    def test_tools_there_and_back(self):
        tools = [{"type": "function", "function": FUNCTION}]
        message = self.chat(messages=WEATHER, tools=tools).message
        back = [*WEATHER, message, {"role": "tool", "tool_name": "get_weather", "content": "18 degrees"}]
        self.assertIn("18", self.chat(messages=back, tools=tools).message.content)

    def test_leaving_cancels(self):
        def begin():
            next(self.chat(format=NUMBERS, think=False, stream=True, options={"num_predict": 900}))  # and is forgotten

        self.assert_leaving_cancels(begin)

    def test_embed(self):
        made = self.client.embed(model="demo", input=["one text", "another"])
        self.assertEqual(len(made.embeddings), 2)
        self.assertAlmostEqual(sum(x * x for x in made.embeddings[0]), 1, delta=1e-5)

    def test_errors(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.chat(messages=LONG)
        self.assertEqual(caught.exception.status_code, 400)
        with self.assertRaises(ollama.ResponseError) as caught:
            self.chat(format={"type": "array", "uniqueItems": True})
        self.assertIn("#/uniqueItems", caught.exception.error)
        with self.assertRaises(ollama.ResponseError) as caught:
            ollama.Client(host=server.url).chat("demo", QUESTION)
        self.assertEqual(caught.exception.status_code, 401)
        with self.assertRaises(ollama.ResponseError) as caught:
            self.client.show("nothing")
        self.assertEqual(caught.exception.status_code, 404)


class Stopping(unittest.TestCase):
    """A server that stops while answers run: every client raises its own error and nobody hangs."""

    def test_errors_amid_streams(self):
        with Server(GLINT, "-np", "1", "--drain-seconds", "0") as stopping:
            open_ai = openai.OpenAI(base_url=stopping.url + "/v1", api_key="x", max_retries=0)
            claude = anthropic.Anthropic(base_url=stopping.url, api_key="x", max_retries=0)
            llama = ollama.Client(host=stopping.url)
            endless = {"ignore_eos": True}
            first = open_ai.chat.completions.create(model="demo", messages=QUESTION, stream=True, extra_body=endless)
            next(iter(first))  # it has the only place; the others wait behind it
            responses = open_ai.responses.create(model="demo", input="Hi", stream=True)
            streams = [first, open_ai.chat.completions.create(model="demo", messages=QUESTION, stream=True),
                       claude.messages.create(model="demo", max_tokens=9, messages=QUESTION, stream=True)]
            lines = llama.chat("demo", QUESTION, stream=True)
            waiting = threading.Thread(target=self.check_lines, args=[lines])
            waiting.start()
            while metric("llamacpp:requests_deferred", stopping) < 4:  # the lines are asked for when they are read
                time.sleep(0.01)
            self.assertEqual(stopping.stop(), 0)
            for stream in streams:
                with self.assertRaises((openai.APIError, anthropic.APIError)):
                    list(stream)
            last = list(responses)[-1]  # where an error is an event like others
            self.assertEqual(last.type, "error")
            self.assertIn("stopping", last.message)
            waiting.join()
            self.assertIn("stopping", self.lines_error)
            for client in (open_ai, claude):
                client.close()

    def check_lines(self, lines):
        try:
            list(lines)
            self.lines_error = "none"
        except ollama.ResponseError as error:
            self.lines_error = error.error


if __name__ == "__main__":
    GLINT = sys.argv.pop(1)
    with Server(GLINT, "-a", "demo", "--api-key", "other,secret") as server:
        # /metrics needs the key too; urllib has no other way to send it everywhere.
        opener = urllib.request.build_opener()
        opener.addheaders = [("X-Api-Key", "secret")]
        urllib.request.install_opener(opener)
        result = unittest.main(exit=False, verbosity=1).result
        status = server.stop()
    sys.exit(0 if result.wasSuccessful() and status == 0 else 1)
