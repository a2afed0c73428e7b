# SPDX-License-Identifier: Apache-2.0
"""Runs GGUF language models.

    import glint

    with glint.Engine("model.gguf", context=8192) as engine:
        for piece in engine.generate("Once upon a time", max_tokens=100, temperature=0.7):
            print(piece.text, end="", flush=True)
        answer = engine.generate([{"role": "user", "content": "Three colours, please."}],
                                 schema={"type": "array", "items": {"type": "string"}})
        print(answer.text, answer.finish.n_cached)

An Engine serves any number of threads at once; an Answer is read by one. Waiting releases the GIL, Ctrl-C cancels.
"""
import json as _json
from dataclasses import dataclass as _dataclass, field as _field

from . import _glint

__version__ = _glint.version()
__all__ = ["Answer", "ContextLengthError", "Engine", "Error", "Finish", "ModelError", "Piece", "QueueFullError",
           "RequestError"]


class Error(RuntimeError):
    """Whatever glint could not do; the message says what was wrong and what would help."""


class RequestError(Error, ValueError):
    """An argument, or what a request asks for."""


class ContextLengthError(RequestError):
    """The prompt is longer than the context."""


class ModelError(Error):
    """The file cannot be read or run, or does not fit the memory."""


class QueueFullError(Error):
    """Too many requests wait; try again later."""


_ERRORS = {-1: RequestError, -2: ModelError, -4: ContextLengthError, -5: QueueFullError, -8: MemoryError}
_REASONS = {1: "end_of_text", 2: "stop_string", 3: "limit", 4: "context_full", 5: "cancelled", 6: "error"}
_PRIORITIES = {"normal": 0, "interactive": 1, "batch": 2}


def _call(function, *arguments):
    try:
        return function(*arguments)
    except _glint.Failure as failure:
        status, message = failure.args
        raise _ERRORS.get(status, Error)(message) from None


@_dataclass(frozen=True)
class Finish:
    """How a completion ended, and what it took."""
    reason: str  # "end_of_text", "stop_string", "limit", "context_full" or "cancelled"
    end_token: int  # of "end_of_text"; -1: none
    stop_string: str
    n_prompt: int
    n_cached: int  # of the prompt's tokens, found in the cache
    n_computed: int
    n_predicted: int
    queue_seconds: float
    prompt_seconds: float
    predicted_seconds: float
    parting_position: int  # where the nearest prompt that the cache knew went another way; -1: nowhere
    parting_prompt_text: str
    parting_cached_text: str


@_dataclass(frozen=True)
class Piece:
    """A token that was chosen and the text that became final with it: whole code points, possibly none."""
    text: str
    token: int = -1  # -1: none was chosen; text that had been held back
    completion: int = 0
    logprob: float = 0.0  # where logprobs was asked for
    top: list = _field(default_factory=list)  # [(token, logprob)], best first


class Answer:
    """Iterates over the pieces as they come. Read it once: by iteration, or by `text` and `texts`."""

    def __init__(self, stream, completions):
        self._stream = stream
        self._texts = [""] * completions
        self._tokens = [[] for _ in range(completions)]
        self._finishes = [None] * completions

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            event = _call(self._stream.next)
            if event is None:
                raise StopIteration
            self._texts[event.completion] += event.text
            if event.token >= 0:
                self._tokens[event.completion].append(event.token)
            if event.finish is not None:
                finish = dict(event.finish)
                error = finish.pop("error")
                if error:
                    raise Error(error)
                finish["reason"] = _REASONS.get(finish["reason"], "error")
                self._finishes[event.completion] = Finish(**finish)
            if event.text or event.token >= 0:
                return Piece(event.text, event.token, event.completion, event.logprob, event.top)

    def cancel(self):
        """Ends it within one step; safe from any thread."""
        _call(self._stream.cancel)

    def wait(self):
        """Reads what is left."""
        for _ in self:
            pass
        return self

    @property
    def texts(self):
        """The text of each completion; waits for the end."""
        return list(self.wait()._texts)

    @property
    def text(self):
        return self.texts[0]

    @property
    def tokens(self):
        """The ids of the first completion."""
        return list(self.wait()._tokens[0])

    @property
    def finishes(self):
        return list(self.wait()._finishes)

    @property
    def finish(self):
        return self.finishes[0]

    def __str__(self):
        return self.text


def _chat(messages, tools, template_variables, thinking, complete=False):
    chat = _glint.ChatOptions()
    chat.messages = _json.dumps(messages)
    if tools is not None:
        chat.tools = _json.dumps(tools)
    if template_variables is not None:
        chat.variables = _json.dumps(template_variables)
    chat.thinking = 0 if thinking is None else 1 if thinking else -1
    chat.complete = complete
    return chat


def _constraint(request, schema, strict, regex, grammar, tools, tool_choice):
    wanted = [x for x in (schema, regex, grammar, tool_choice) if x is not None]
    if len(wanted) > 1:
        raise RequestError("give one of schema, regex, grammar and tool_choice")
    if schema is not None:
        request.constraint_kind = 1 if strict else 5
        request.constraint = schema if isinstance(schema, str) else _json.dumps(schema)
    elif regex is not None:
        request.constraint_kind, request.constraint = 2, regex
    elif grammar is not None:
        request.constraint_kind, request.constraint = 3, grammar
    elif tool_choice is not None:
        if tools is None:
            raise RequestError("tool_choice: there are no tools")
        request.constraint_kind = 4
        request.constraint = None if tool_choice == "required" else tool_choice


class Engine:
    """A model that is loaded. `progress(done, total)` is told of bytes while it loads, and gives up by raising."""

    def __init__(self, path, *, context=0, threads=0, backend="auto", parallel=8, queued=256, batch=512,
                 cache_type_k="f16", cache_type_v="f16", cpu_moe=0, card=0, store=None, store_bytes=0, progress=None):
        options = _glint.EngineOptions()
        options.model, options.backend = str(path), backend
        options.context, options.threads, options.parallel, options.queued = context, threads, parallel, queued
        options.batch, options.cpu_moe, options.card = batch, cpu_moe, card
        options.cache_type_k, options.cache_type_v = cache_type_k, cache_type_v
        options.store_folder, options.store_bytes = None if store is None else str(store), store_bytes
        options.progress = progress
        self._engine = _call(_glint.Engine, options)

    def generate(self, prompt, *, max_tokens=0, n=1, stop=(), schema=None, strict=True, regex=None, grammar=None,
                 tools=None, tool_choice=None, template_variables=None, thinking=None, thinking_budget=None,
                 logprobs=0, priority="normal", ignore_eos=False, show_special=False, samplers=None, logit_bias=None,
                 **sampling):
        """Asks and returns at once; the Answer streams. `prompt` is text, a list of messages (dicts), or of token ids.
        `sampling`: temperature, top_k, top_p, min_p, seed, repeat_penalty and so on."""
        request = _glint.RequestOptions()
        if isinstance(prompt, str):
            request.prompt = prompt
        elif len(prompt) > 0 and isinstance(prompt[0], dict):
            request.chat = _chat(prompt, tools, template_variables, thinking)
        else:
            request.ids, request.has_ids = list(prompt), True
        _constraint(request, schema, strict, regex, grammar, tools, tool_choice)
        if priority not in _PRIORITIES:
            raise RequestError(f"priority: {priority!r} is unknown; give normal, interactive or batch")
        request.priority = _PRIORITIES[priority]
        request.max_tokens, request.completions, request.logprobs = max_tokens, n, logprobs
        if thinking_budget is not None:
            request.thinking_budget = thinking_budget if thinking_budget > 0 else -1
        request.ignore_eos, request.show_special = ignore_eos, show_special
        request.samplers = samplers if samplers is None or isinstance(samplers, str) else ";".join(samplers)
        request.settings = [(name, float(value)) for name, value in sampling.items() if value is not None]
        request.logit_bias = list((logit_bias or {}).items())
        request.stop = [stop] if isinstance(stop, str) else list(stop)
        return Answer(_call(self._engine.submit, request), n)

    def tokenize(self, text, *, add_special=False, parse_special=False):
        return _call(self._engine.tokenize, text, add_special, parse_special)

    def detokenize(self, ids, *, skip_special=False):
        return _call(self._engine.detokenize, list(ids), skip_special)

    def render_chat(self, messages, *, tools=None, template_variables=None, thinking=None, complete=False):
        """The prompt that the model's chat template makes of messages."""
        return _call(self._engine.render, _chat(messages, tools, template_variables, thinking, complete))

    def tokenize_chat(self, messages, *, tools=None, template_variables=None, thinking=None, complete=False):
        return _call(self._engine.tokenize_chat, _chat(messages, tools, template_variables, thinking, complete))

    @property
    def info(self):
        return _call(self._engine.info)

    @property
    def statistics(self):
        return _call(self._engine.statistics)

    @property
    def warnings(self):
        """What a user should know about the file or the store."""
        return self._engine.warnings()

    def close(self):
        """Cancels what is running and frees the model."""
        self._engine.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
