# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

__version__: str

class Error(RuntimeError): ...
class RequestError(Error, ValueError): ...
class ContextLengthError(RequestError): ...
class ModelError(Error): ...
class QueueFullError(Error): ...

@dataclass(frozen=True)
class Finish:
    reason: Literal["end_of_text", "stop_string", "limit", "context_full", "cancelled"]
    end_token: int
    stop_string: str
    n_prompt: int
    n_cached: int
    n_computed: int
    n_predicted: int
    queue_seconds: float
    prompt_seconds: float
    predicted_seconds: float
    parting_position: int
    parting_prompt_text: str
    parting_cached_text: str

@dataclass(frozen=True)
class Piece:
    text: str
    token: int = -1
    completion: int = 0
    logprob: float = 0.0
    top: list[tuple[int, float]] = ...

class Answer(Iterator[Piece]):
    def __next__(self) -> Piece: ...
    def cancel(self) -> None: ...
    def wait(self) -> Answer: ...
    @property
    def text(self) -> str: ...
    @property
    def texts(self) -> list[str]: ...
    @property
    def tokens(self) -> list[int]: ...
    @property
    def finish(self) -> Finish: ...
    @property
    def finishes(self) -> list[Finish]: ...

Message = Mapping[str, Any]

class Engine:
    def __init__(self, path: str | PathLike[str], *, context: int = 0, threads: int = 0, backend: str = "auto",
                 parallel: int = 8, queued: int = 256, batch: int = 512, cache_type_k: str = "f16",
                 cache_type_v: str = "f16", cpu_moe: int = 0, card: int = 0,
                 store: str | PathLike[str] | None = None, store_bytes: int = 0,
                 progress: Callable[[int, int], object] | None = None) -> None: ...
    def generate(self, prompt: str | Sequence[Message] | Sequence[int], *, max_tokens: int = 0, n: int = 1,
                 stop: str | Iterable[str] = (), schema: Mapping[str, Any] | bool | str | None = None,
                 strict: bool = True, regex: str | None = None, grammar: str | None = None,
                 tools: Sequence[Mapping[str, Any]] | None = None, tool_choice: str | None = None,
                 template_variables: Mapping[str, Any] | None = None, thinking: bool | None = None,
                 thinking_budget: int | None = None, logprobs: int = 0,
                 priority: Literal["interactive", "normal", "batch"] = "normal", ignore_eos: bool = False,
                 show_special: bool = False, samplers: str | Iterable[str] | None = None,
                 logit_bias: Mapping[int, float] | None = None, **sampling: float | None) -> Answer: ...
    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]: ...
    def detokenize(self, ids: Iterable[int], *, skip_special: bool = False) -> str: ...
    def render_chat(self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] | None = None,
                    template_variables: Mapping[str, Any] | None = None, thinking: bool | None = None,
                    complete: bool = False) -> str: ...
    def tokenize_chat(self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] | None = None,
                      template_variables: Mapping[str, Any] | None = None, thinking: bool | None = None,
                      complete: bool = False) -> list[int]: ...
    @property
    def info(self) -> dict[str, Any]: ...
    @property
    def statistics(self) -> dict[str, int]: ...
    @property
    def warnings(self) -> list[str]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(self, *arguments: object) -> None: ...
