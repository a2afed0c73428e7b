// SPDX-License-Identifier: Apache-2.0
//
// What shapes an answer: sampling, system prompt, thinking, schema, tools. Each conversation has its own; a new one
// begins with those of the last. An empty field leaves the choice to the server.

export const numberFields = [
  { name: "temperature", label: "Temperature", help: "0: always the likeliest token", min: 0, max: 5, step: 0.05 },
  { name: "top_p", label: "Top p", help: "the likeliest, up to this share", min: 0, max: 1, step: 0.01 },
  { name: "top_k", label: "Top k", help: "so many of the likeliest; 0: all", min: 0, max: 1000000, step: 1 },
  { name: "min_p", label: "Min p", help: "as likely as this part of the best", min: 0, max: 1, step: 0.01 },
  { name: "repeat_penalty", label: "Repeat penalty", help: "above 1 avoids what was said", min: 0, max: 3, step: 0.01 },
  { name: "presence_penalty", label: "Presence penalty", help: "avoids what occurred", min: -2, max: 2, step: 0.1 },
  { name: "frequency_penalty", label: "Frequency penalty", help: "avoids what occurred often", min: -2, max: 2, step: 0.1 },
  { name: "max_tokens", label: "Longest answer", help: "in tokens, with thinking", min: 1, max: 10000000, step: 1 },
  { name: "reasoning_budget", label: "Thinking budget", help: "in tokens; 0: no thinking", min: 0, max: 10000000, step: 1 },
  { name: "seed", label: "Seed", help: "same seed, same answer", min: 0, max: 4294967295, step: 1 },
] as const;

export type NumberName = typeof numberFields[number]["name"];
export type Thinking = "auto" | "on" | "off";

export interface Settings {
  model: string; // of several; empty: the server's choice
  system: string;
  thinking: Thinking;
  numbers: Partial<Record<NumberName, number>>;
  stop: string; // one a line
  schema: string; // JSON
  tools: string; // JSON: an array of functions
}

export function defaultSettings(): Settings {
  return { model: "", system: "", thinking: "auto", numbers: {}, stop: "", schema: "", tools: "" };
}

export type FieldName = "schema" | "tools";
export class SettingsError extends Error {
  constructor(readonly field: FieldName, message: string) {
    super(message);
  }
}

function parseJson(field: FieldName, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SettingsError(field, `This is not JSON: ${(error as Error).message}`);
  }
}

/** A tool as the API wants it; the bare function is taken too. */
function toTool(entry: unknown): unknown {
  const isFunction = typeof entry === "object" && entry !== null && "name" in entry;
  return isFunction ? { type: "function", function: entry } : entry;
}

/** What is wrong with a field of JSON; nothing when it is empty or right. */
export function fieldFault(field: FieldName, text: string): string {
  if (!text.trim()) return "";
  try {
    const value = parseJson(field, text);
    if (field === "tools" && !Array.isArray(value)) return "Tools are an array: [{\"name\": …, \"parameters\": …}]";
    if (field === "schema" && typeof value !== "boolean" && (typeof value !== "object" || value === null || Array.isArray(value))) return "A schema is an object: {\"type\": …}";
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Members of a chat request. Throws SettingsError for a field that is no JSON. */
export function requestMembers(settings: Settings): Record<string, unknown> {
  const members: Record<string, unknown> = { ...settings.numbers };
  if (settings.model) members["model"] = settings.model;
  const stop = settings.stop.split("\n").filter((line) => line !== "");
  if (stop.length) members["stop"] = stop;
  if (settings.thinking !== "auto") members["thinking"] = settings.thinking === "on";
  for (const field of ["schema", "tools"] as const) {
    const fault = fieldFault(field, settings[field]);
    if (fault) throw new SettingsError(field, fault);
  }
  if (settings.schema.trim()) {
    const schema = parseJson("schema", settings.schema);
    members["response_format"] = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
  } else if (settings.tools.trim()) {
    members["tools"] = (parseJson("tools", settings.tools) as unknown[]).map(toTool);
  }
  return members;
}

/** What differs from leaving all to the server, in words. */
export function describeChanges(settings: Settings): string[] {
  const changes: string[] = [];
  if (settings.system.trim()) changes.push("System prompt");
  const n = Object.keys(settings.numbers).length + (settings.stop.trim() ? 1 : 0);
  if (n) changes.push(n === 1 ? "1 setting" : `${n} settings`);
  if (settings.thinking !== "auto") changes.push(`Thinking ${settings.thinking}`);
  if (settings.schema.trim()) changes.push("JSON schema");
  else if (settings.tools.trim()) changes.push("Tools");
  return changes;
}

/** From a file or an older page: takes what is right and leaves the rest. */
export function readSettings(value: unknown): Settings {
  const settings = defaultSettings();
  if (typeof value !== "object" || value === null) return settings;
  const given = value as Record<string, unknown>;
  for (const name of ["model", "system", "stop", "schema", "tools"] as const) {
    const text = given[name];
    if (typeof text === "string") settings[name] = text;
  }
  if (given["thinking"] === "on" || given["thinking"] === "off") settings.thinking = given["thinking"];
  const numbers = given["numbers"];
  if (typeof numbers === "object" && numbers !== null) {
    for (const field of numberFields) {
      const number = (numbers as Record<string, unknown>)[field.name];
      if (typeof number === "number" && number >= field.min && number <= field.max) settings.numbers[field.name] = number;
    }
  }
  return settings;
}
