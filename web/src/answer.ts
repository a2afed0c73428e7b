// SPDX-License-Identifier: Apache-2.0
//
// Lets the model write an answer into a message, piece by piece.
import { ApiError, postJson, toApiError } from "./api";
import { pathTo, toApiMessages, type Conversation, type Message, type Timings } from "./conversation";
import { readEvents } from "./event_stream";
import { explain } from "./explain";
import { requestMembers } from "./settings";

interface Delta {
  content?: string;
  reasoning_content?: string;
  tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

/** How an answer goes while it is written. */
export interface Progress {
  firstTokenMs: number; // 0: still waiting
  tokens: number;
  tokensPerSecond: number;
}

export interface AnswerRun {
  message: Message;
  stop(): void;
  /** Never fails: what went wrong is in the message, and the error is given back. */
  finished: Promise<unknown>;
}

/** `onprogress` is called after each piece. A message that is continued keeps its text. */
export function runAnswer(conversation: Conversation, message: Message, isContinued: boolean, onprogress: (progress: Progress) => void): AnswerRun {
  const abort = new AbortController();
  const path = pathTo(conversation, isContinued ? message.id : message.parent);
  const progress: Progress = { firstTokenMs: 0, tokens: 0, tokensPerSecond: 0 };
  const finished = write(conversation, path, message, abort.signal, progress, onprogress).then(
    () => undefined,
    (error: unknown) => {
      if (abort.signal.aborted) {
        message.ending = "stopped";
        message.timings = timingsOf(progress);
        return undefined;
      }
      message.ending = "error";
      message.error = explain(error);
      return error;
    },
  );
  return { message, stop: () => abort.abort(), finished };
}

async function write(conversation: Conversation, path: Message[], message: Message, signal: AbortSignal, progress: Progress, onprogress: (progress: Progress) => void): Promise<void> {
  const { settings } = conversation;
  const body = {
    ...requestMembers(settings),
    messages: toApiMessages(path, settings.system),
    stream: true,
    stream_options: { include_usage: true },
  };
  message.isJson = "response_format" in body;
  const begun = performance.now();
  const response = await postJson("v1/chat/completions", body, signal);
  for await (const event of readEvents(response)) {
    if ("error" in event) throw toApiError(event, 500);
    const choice = (event["choices"] as { delta?: Delta; finish_reason?: string | null }[] | undefined)?.[0];
    if (typeof event["model"] === "string") message.model = event["model"];
    if (choice?.delta && add(message, choice.delta)) {
      const now = performance.now();
      if (!progress.firstTokenMs) progress.firstTokenMs = now - begun;
      ++progress.tokens;
      const seconds = (now - begun - progress.firstTokenMs) / 1000;
      progress.tokensPerSecond = seconds > 0.05 ? (progress.tokens - 1) / seconds : 0;
    }
    if (Array.isArray(event["warnings"])) message.warnings = event["warnings"].map(String);
    if (event["timings"]) readTimings(message, event["timings"] as Record<string, number>, progress.firstTokenMs);
    if (choice?.finish_reason) message.ending = choice.finish_reason === "length" ? "length" : "done";
    onprogress(progress);
  }
  if (!message.ending) throw new ApiError(0, "the answer broke off");
}

/** False for a piece without text. */
function add(message: Message, delta: Delta): boolean {
  if (delta.reasoning_content) message.reasoning = (message.reasoning ?? "") + delta.reasoning_content;
  if (delta.content) message.content += delta.content;
  for (const piece of delta.tool_calls ?? []) {
    message.calls ??= [];
    const call = (message.calls[piece.index] ??= { id: "", name: "", arguments: "" });
    if (piece.id) call.id = piece.id;
    if (piece.function?.name) call.name = piece.function.name;
    call.arguments += piece.function?.arguments ?? "";
  }
  return Boolean(delta.reasoning_content || delta.content || delta.tool_calls?.length);
}

/** Of an answer whose end, where the server's numbers stand, never came. */
function timingsOf({ tokens, tokensPerSecond, firstTokenMs }: Progress): Timings {
  const predictedMs = tokensPerSecond > 0 ? (1000 * tokens) / tokensPerSecond : 0;
  return { cached: 0, prompt: 0, promptMs: 0, predicted: tokens, predictedMs, firstTokenMs };
}

function readTimings(message: Message, timings: Record<string, number>, firstTokenMs: number): void {
  const number = (name: string): number => Number(timings[name] ?? 0);
  message.timings = {
    cached: number("cache_n"),
    prompt: number("prompt_n"),
    promptMs: number("prompt_ms"),
    predicted: number("predicted_n"),
    predictedMs: number("predicted_ms"),
    firstTokenMs,
  };
}
