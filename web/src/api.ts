// SPDX-License-Identifier: Apache-2.0
//
// Requests to the server that the page came from. Paths are relative, so a server behind --api-prefix works too.

/** The server's refusal, or that there was no answer (status 0). */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly reason = "") {
    super(message);
  }
}

const kKeyName = "glint.key";

export function apiKey(): string {
  try {
    return sessionStorage.getItem(kKeyName) ?? localStorage.getItem(kKeyName) ?? "";
  } catch {
    return "";
  }
}

export function keepApiKey(key: string, forLong: boolean): void {
  try {
    localStorage.removeItem(kKeyName);
    sessionStorage.removeItem(kKeyName);
    (forLong ? localStorage : sessionStorage).setItem(kKeyName, key);
  } catch {
    // Without storage there is no key; the next request asks again.
  }
}

export async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  if (apiKey()) headers.set("Authorization", `Bearer ${apiKey()}`);
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "the server cannot be reached");
  }
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    return toApiError(JSON.parse(text), response.status);
  } catch {
    return new ApiError(response.status, text.slice(0, 500) || response.statusText);
  }
}

/** From an error as OpenAI shapes it, of a response or of a stream's last event. */
export function toApiError(body: unknown, status: number): ApiError {
  const error = (body as { error?: { code?: number; message?: string; type?: string } }).error;
  return new ApiError(error?.code ?? status, error?.message ?? "unknown error", error?.type ?? "");
}

export function postJson(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return request(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, ...(signal && { signal }) });
}

export interface Model {
  name: string;
  isLoaded: boolean;
}

export async function fetchModels(): Promise<Model[]> {
  const list = (await (await request("v1/models")).json()).data as { id: string; status?: { value?: string } }[];
  return list.map(({ id, status }) => ({ name: id, isLoaded: status?.value !== "unloaded" }));
}

export function modelQuery(model: string): string {
  return model ? `?model=${encodeURIComponent(model)}` : "";
}

export interface Properties {
  model: string;
  isSleeping: boolean; // not in memory: the next answer has it loaded
  nCtx: number;
  defaults: Record<string, number>;
  origins: Record<string, string>;
  canThink: boolean;
  build: string;
}

export async function fetchProperties(name: string): Promise<Properties> {
  const props = await (await request("props" + modelQuery(name))).json();
  const generation = props.default_generation_settings ?? {};
  return {
    model: String(props.model_alias ?? "model"),
    isSleeping: props.is_sleeping === true,
    nCtx: Number(generation.n_ctx ?? 0),
    defaults: generation.params ?? {},
    origins: props.sampling_origins ?? {},
    canThink: Boolean(props.chat_template_caps?.thinking_variable || props.chat_template_caps?.supports_reasoning),
    build: String(props.build_info ?? ""),
  };
}

export async function countTokens(content: string, model: unknown, signal?: AbortSignal, withSpecial = false): Promise<number> {
  const answer = await (await postJson("tokenize", { content, model, parse_special: withSpecial }, signal)).json();
  return (answer.tokens as unknown[]).length;
}

/** Of the whole prompt that the model would be given for these messages. */
export async function countPrompt(messages: unknown[], members: Record<string, unknown>, signal: AbortSignal): Promise<number> {
  const { model, tools, thinking } = members;
  const rendered = await (await postJson("apply-template", { messages, model, tools, thinking }, signal)).json();
  return countTokens(String(rendered.prompt), model, signal, true);
}

export async function pdfText(file: Blob): Promise<string> {
  const response = await request("web/pdf-text", { method: "POST", body: file, headers: { "Content-Type": "application/pdf" } });
  return String((await response.json()).text);
}
