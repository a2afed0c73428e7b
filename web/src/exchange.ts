// SPDX-License-Identifier: Apache-2.0
//
// Conversations to files and back. A file is somebody else's: only members that are known, of the right type, are taken.
import { kRoot, newId, shownPath, promptText, type Conversation, type Message, type Timings, type ToolCall, type Attachment } from "./conversation";
import { readSettings } from "./settings";

const kFormat = "glint-conversations";

export function toJson(conversations: Conversation[]): string {
  return JSON.stringify({ format: kFormat, version: 1, conversations }, null, 1) + "\n";
}

/** The shown versions, for reading. */
export function toMarkdown(conversation: Conversation): string {
  const parts = [`# ${conversation.title}\n`];
  if (conversation.settings.system.trim()) parts.push(`> ${conversation.settings.system.trim().replace(/\n/g, "\n> ")}\n`);
  for (const message of shownPath(conversation)) {
    const name = message.role === "user" ? "You" : message.role === "tool" ? "Tool" : message.model ?? "Assistant";
    parts.push(`## ${name}\n`);
    if (message.reasoning) parts.push(`<details><summary>Thinking</summary>\n\n${message.reasoning.trim()}\n\n</details>\n`);
    const text = message.role === "user" ? promptText(message) : message.content;
    if (text.trim()) parts.push(message.isJson ? `\`\`\`json\n${text.trim()}\n\`\`\`\n` : `${text.trim()}\n`);
    for (const call of message.calls ?? []) parts.push(`Calls \`${call.name}\`:\n\n\`\`\`json\n${call.arguments}\n\`\`\`\n`);
    if (message.error) parts.push(`*${message.error}*\n`);
  }
  return parts.join("\n");
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function fileName(conversation: Conversation, suffix: string): string {
  const stem = conversation.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase();
  return `${stem || "conversation"}.${suffix}`;
}

/** Throws Error for a file that holds no conversations. They get new names, so none is overwritten. */
export function fromJson(text: string): Conversation[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON. Import takes what Export as JSON wrote.");
  }
  const list = object(file)["conversations"];
  if (object(file)["format"] !== kFormat || !Array.isArray(list)) throw new Error("This JSON holds no conversations of glint.");
  return list.map(readConversation);
}

type Fields = Record<string, unknown>;
const object = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
const array = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function readConversation(value: unknown): Conversation {
  const given = object(value);
  const names = new Map<string, string>([[kRoot, kRoot]]);
  const messages: Message[] = [];
  for (const entry of array(given["messages"])) {
    const message = readMessage(object(entry));
    // A parent stands before its children, so there are no rings.
    const parent = names.get(message.parent);
    if (parent === undefined || !message.id || names.has(message.id)) continue;
    names.set(message.id, newId());
    messages.push({ ...message, id: names.get(message.id)!, parent });
  }
  const chosen: Record<string, string> = {};
  for (const [parent, child] of Object.entries(object(given["chosen"]))) {
    const from = names.get(parent), to = names.get(text(child));
    if (from !== undefined && to) chosen[from] = to;
  }
  const now = Date.now();
  return {
    id: newId(),
    title: text(given["title"]).slice(0, 200) || "Imported chat",
    isNamed: given["isNamed"] === true,
    created: number(given["created"]) || now,
    updated: number(given["updated"]) || now,
    messages,
    chosen,
    settings: readSettings(given["settings"]),
  };
}

function readMessage(given: Fields): Message {
  const role = given["role"];
  const message: Message = {
    id: text(given["id"]),
    parent: text(given["parent"]),
    role: role === "assistant" || role === "tool" ? role : "user",
    content: text(given["content"]),
    created: number(given["created"]),
  };
  if (message.role === "assistant") {
    const ending = given["ending"];
    message.ending = ending === "length" || ending === "stopped" || ending === "error" ? ending : "done";
  }
  for (const name of ["reasoning", "callId", "error", "model"] as const) if (text(given[name])) message[name] = text(given[name]);
  if (given["isJson"] === true) message.isJson = true;
  const calls = array(given["calls"]).map((entry): ToolCall => {
    const call = object(entry);
    return { id: text(call["id"]), name: text(call["name"]), arguments: text(call["arguments"]) };
  });
  if (calls.length) message.calls = calls;
  const attachments = array(given["attachments"]).map((entry): Attachment => {
    const attachment = object(entry);
    return { name: text(attachment["name"]), text: text(attachment["text"]) };
  });
  if (attachments.length) message.attachments = attachments;
  const warnings = array(given["warnings"]).map(text).filter(Boolean);
  if (warnings.length) message.warnings = warnings;
  const timings = object(given["timings"]);
  if (Object.keys(timings).length) {
    const names: (keyof Timings)[] = ["cached", "prompt", "promptMs", "predicted", "predictedMs", "firstTokenMs"];
    message.timings = Object.fromEntries(names.map((name) => [name, number(timings[name])])) as unknown as Timings;
  }
  return message;
}
