// SPDX-License-Identifier: Apache-2.0
//
// A conversation as a tree: an edited question or a second answer is a further child of the same message, and `chosen`
// says which child is shown. Nothing here touches the page or the server.
import { defaultSettings, type Settings } from "./settings";

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Attachment {
  name: string;
  text: string;
  tokens?: number;
}

/** As the server measured it, and when the first token was here. */
export interface Timings {
  cached: number;
  prompt: number;
  promptMs: number;
  predicted: number;
  predictedMs: number;
  firstTokenMs: number;
}

export type Ending = "done" | "length" | "stopped" | "error";

export interface Message {
  id: string;
  parent: string; // kRoot: it begins the conversation
  role: "user" | "assistant" | "tool";
  content: string;
  created: number;
  reasoning?: string;
  calls?: ToolCall[];
  callId?: string; // of a tool's result
  attachments?: Attachment[];
  ending?: Ending; // none: being written
  error?: string;
  warnings?: string[]; // of what the server left aside
  timings?: Timings;
  model?: string;
  isJson?: boolean; // bound to a schema
}

export interface Conversation {
  id: string;
  title: string;
  isNamed: boolean; // by hand
  created: number;
  updated: number;
  messages: Message[];
  chosen: Record<string, string>;
  settings: Settings;
}

export const kRoot = "";

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function newConversation(settings: Settings = defaultSettings()): Conversation {
  const now = Date.now();
  return { id: newId(), title: "New chat", isNamed: false, created: now, updated: now, messages: [], chosen: {}, settings: { ...settings } };
}

export function childrenOf(conversation: Conversation, parent: string): Message[] {
  return conversation.messages.filter((message) => message.parent === parent);
}

/** The messages that are shown, first to last. */
export function shownPath(conversation: Conversation): Message[] {
  const children = new Map<string, Message[]>();
  for (const message of conversation.messages) {
    const siblings = children.get(message.parent);
    if (siblings) siblings.push(message);
    else children.set(message.parent, [message]);
  }
  const path: Message[] = [];
  for (let parent = kRoot; ; ) {
    const versions = children.get(parent);
    if (!versions || path.length > conversation.messages.length) return path;
    const next = versions.find((message) => message.id === conversation.chosen[parent]) ?? versions[versions.length - 1]!;
    path.push(next);
    parent = next.id;
  }
}

/** The messages that lead to this one, itself included. */
export function pathTo(conversation: Conversation, id: string): Message[] {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  for (let at = byId.get(id); at && path.length <= byId.size; at = byId.get(at.parent)) path.unshift(at);
  return path;
}

/** Adds a message below `parent` and shows it. */
export function addMessage(conversation: Conversation, parent: string, role: Message["role"], content: string, more: Partial<Message> = {}): Message {
  const message: Message = { id: newId(), parent, role, content, created: Date.now(), ...more };
  conversation.messages.push(message);
  conversation.chosen[parent] = message.id;
  conversation.updated = message.created;
  if (role === "user" && parent === kRoot && !conversation.isNamed) conversation.title = titleFrom(message);
  return message;
}

function length({ content, reasoning, calls, error }: Message): number {
  return content.length + (reasoning?.length ?? 0) + (error?.length ?? 0) + (calls ?? []).reduce((sum, call) => sum + call.arguments.length, 0);
}

/** The one that is further: longer, or over where the other is not. */
function isFurther(message: Message, than: Message): boolean {
  const more = length(message) - length(than);
  return more > 0 || (more === 0 && message.ending !== undefined && than.ending === undefined);
}

/** Makes `mine` what both tabs know: the messages of either, of each the one that is further. Title and settings are
    those of `head`; which version is shown stays as it is. True: something of `theirs` was taken. */
export function merge(mine: Conversation, theirs: Conversation, head: "mine" | "theirs"): boolean {
  const before = JSON.stringify(mine);
  const known = new Map(mine.messages.map((message) => [message.id, message]));
  for (const message of theirs.messages) {
    const own = known.get(message.id);
    if (own && isFurther(message, own)) Object.assign(own, { ending: undefined }, message); // views know it by its object
  }
  const added = theirs.messages.filter(({ id }) => !known.has(id));
  if (added.length) mine.messages = [...mine.messages, ...added].sort((a, b) => a.created - b.created);
  mine.chosen = { ...theirs.chosen, ...mine.chosen };
  mine.updated = Math.max(mine.updated, theirs.updated);
  if (head === "theirs") {
    mine.title = theirs.title;
    mine.isNamed = theirs.isNamed;
    Object.assign(mine.settings, theirs.settings);
  }
  return JSON.stringify(mine) !== before;
}

function titleFrom(message: Message): string {
  const line = message.content.trim().split("\n")[0] ?? "";
  const text = line || message.attachments?.[0]?.name || "New chat";
  return text.length > 60 ? text.slice(0, 59).trimEnd() + "…" : text;
}

/** The text that the model is given for a user's message: its files first. */
export function promptText(message: Pick<Message, "content" | "attachments">): string {
  const files = (message.attachments ?? []).map(({ name, text }) => {
    let fence = "```";
    while (text.includes(fence)) fence += "`";
    return `File: ${name}\n${fence}\n${text}\n${fence}\n\n`;
  });
  return files.join("") + message.content;
}

/** In the words of the chat API. */
export function toApiMessages(path: Message[], system: string): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const message of path) {
    if (message.role === "user") {
      messages.push({ role: "user", content: promptText(message) });
    } else if (message.role === "tool") {
      messages.push({ role: "tool", tool_call_id: message.callId, content: message.content });
    } else if (message.content || message.calls?.length) {
      // An answer that failed before its first word is left out.
      const entry: Record<string, unknown> = { role: "assistant", content: message.content };
      if (message.reasoning) entry["reasoning_content"] = message.reasoning;
      if (message.calls?.length) {
        entry["tool_calls"] = message.calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } }));
      }
      messages.push(entry);
    }
  }
  return messages;
}
