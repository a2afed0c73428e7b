// SPDX-License-Identifier: Apache-2.0
//
// Text of a model to elements. It is hostile: HTML in it is shown, not read, but for a few tags without attributes;
// links lead only to the web and to mail; images become links, since loading one would tell its server who reads. What
// comes out goes through DOMPurify all the same, with only the attributes that are set here.
import purify from "dompurify";
import { marked, type Token, type TokenList } from "marked";
import { highlight } from "./highlight";
import { mathExtensions } from "./math";

const kHarmlessTag = /^<\/?(?:br|sub|sup|kbd|u|b|i|em|strong|small|mark|s|del|ins)\s*\/?>$/i;
const kAllowed = {
  ALLOWED_TAGS: [
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li",
    "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
  ],
  ALLOWED_ATTR: ["href", "title", "target", "rel", "class", "start", "align", "data-language", "data-tex", "data-display"],
  // All but href: they hold no addresses.
  ADD_URI_SAFE_ATTR: ["title", "target", "rel", "class", "start", "align", "data-language", "data-tex", "data-display"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
} as const;

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function link(href: string | null, title: string | null, content: string): string {
  if (!href || !/^(?:https?|mailto):/i.test(href)) return content;
  const about = title ? ` title="${escapeHtml(title)}"` : "";
  return `<a href="${escapeHtml(href.replace(/&amp;/g, "&"))}"${about} target="_blank" rel="noopener noreferrer nofollow">${content}</a>`;
}

function code(source: string, info: string | undefined): string {
  const language = (info ?? "").trim().split(/\s+/)[0]!.toLowerCase().replace(/[^\w+#.-]/g, "");
  const html = highlight(source, language) ?? escapeHtml(source);
  return `<div class="code" data-language="${escapeHtml(language)}"><pre><code>${html}</code></pre></div>`;
}

marked.use({
  gfm: true,
  breaks: true,
  mangle: false,
  headerIds: false,
  extensions: mathExtensions,
  // Blocks of HTML are paragraphs like others.
  tokenizer: { html: () => undefined },
  renderer: {
    html: (html: string) => (kHarmlessTag.test(html) ? html : escapeHtml(html)),
    link,
    image: (href: string | null, title: string | null, text: string) => link(href, title, `Image: ${text || escapeHtml(href ?? "")}`),
    code,
    checkbox: (checked: boolean) => (checked ? "☑ " : "☐ "),
    table: (header: string, body: string) => `<div class="table"><table><thead>${header}</thead><tbody>${body}</tbody></table></div>`,
  },
});

export interface Block {
  raw: string;
  render(): DocumentFragment;
}

/** The blocks that a text consists of: paragraphs, lists, code. Those of a text that grows keep their `raw` but the last.
    What is nested too deep for the parser is one block of plain text. */
export function splitBlocks(text: string): Block[] {
  try {
    const tokens = marked.lexer(text);
    return tokens
      .filter((token) => token.type !== "space")
      .map((token) => ({ raw: token.raw, render: () => renderTokens([token], tokens.links) }));
  } catch {
    return [{ raw: text, render: () => plainText(text) }];
  }
}

function plainText(text: string): DocumentFragment {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  const fragment = document.createDocumentFragment();
  fragment.append(paragraph);
  return fragment;
}

function renderTokens(tokens: Token[], links: TokenList["links"]): DocumentFragment {
  const list = tokens as TokenList;
  list.links = links;
  try {
    return purify.sanitize(marked.parser(list), kAllowed);
  } catch {
    return plainText(tokens.map((token) => token.raw).join(""));
  }
}
