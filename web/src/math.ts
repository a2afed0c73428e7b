// SPDX-License-Identifier: Apache-2.0
//
// Finds formulas in Markdown: $…$, $$…$$, \(…\), \[…\]. A dollar before a number with a blank behind it is money.
import type { Extension, Token } from "marked";

function toHtml(token: Token): string {
  const tex = String(token.text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const element = token["display"] ? "div" : "span";
  return `<${element} class="math" data-tex="${tex}"${token["display"] ? ' data-display="1"' : ""}>${tex}</${element}>`;
}

function firstOf(source: string, needles: string[]): number | undefined {
  const found = needles.map((needle) => source.indexOf(needle)).filter((at) => at >= 0);
  return found.length ? Math.min(...found) : undefined;
}

const block: Extension = {
  name: "mathBlock",
  level: "block",
  start: (source) => firstOf(source, ["$$", "\\["]),
  tokenizer(source) {
    const match = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/.exec(source);
    if (!match) return undefined;
    return { type: "mathBlock", raw: match[0]!, text: (match[1] ?? match[2]!).trim(), display: true };
  },
  renderer: toHtml,
};

const inline: Extension = {
  name: "mathInline",
  level: "inline",
  start: (source) => firstOf(source, ["$", "\\(", "\\["]),
  tokenizer(source) {
    const match =
      /^\$\$([^$]+?)\$\$/.exec(source) ??
      /^\\\(([\s\S]+?)\\\)/.exec(source) ??
      /^\\\[([\s\S]+?)\\\]/.exec(source) ??
      /^\$((?:\\.|[^\s$\\])(?:(?:\\.|[^$\\\n])*?(?:\\.|[^\s$\\]))?)\$(?![\d\w])/.exec(source);
    if (!match) return undefined;
    return { type: "mathInline", raw: match[0]!, text: match[1]!.trim(), display: false };
  },
  renderer: toHtml,
};

export const mathExtensions = [block, inline];
