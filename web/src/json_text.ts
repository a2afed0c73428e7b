// SPDX-License-Identifier: Apache-2.0
//
// JSON that a model wrote, for reading: indented where it is whole, else as it is.

export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** As a block of code in Markdown; no fence in the text can end it. */
export function jsonBlock(text: string): string {
  let fence = "```";
  while (text.includes(fence)) fence += "`";
  return `${fence}json\n${prettyJson(text)}\n${fence}`;
}
