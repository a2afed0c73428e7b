// SPDX-License-Identifier: Apache-2.0
//
// What went wrong and what to do about it, in plain words.
import { ApiError } from "./api";

export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const said = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  if (error.status === 0) return "The server cannot be reached. Is glint serve still running? Then try again.";
  if (error.status === 401) return "The server wants an API key. Enter it, then try again.";
  if (error.reason === "exceed_context_size_error") return `${said}. Begin a new chat, leave out files, or start the server with a larger context (-c).`;
  if (error.status === 413) return `${said}. Send less at once.`;
  if (error.status === 503 && /loading/i.test(error.message)) return "The model is still being loaded. Try again in a moment.";
  if (error.status === 503) return `${said}. The server is busy or stopping; try again in a moment.`;
  if (error.status >= 500 && error.status !== 501) return `${said}. This is a fault of the server; its log may say more.`;
  return said;
}
