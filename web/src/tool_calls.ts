// SPDX-License-Identifier: Apache-2.0
//
// The calls that an answer makes. Nothing is run here: whoever reads may enter what the tool would say.
import type { App } from "./app";
import { childrenOf, type Message } from "./conversation";
import { h, icon } from "./dom";
import { growWithText } from "./editor";
import { jsonBlock } from "./json_text";
import { MarkdownView } from "./markdown_view";

export function isAnswered(app: App, message: Message): boolean {
  return Boolean(message.calls) && childrenOf(app.current, message.id).some((child) => child.role === "tool");
}

export function callsView(app: App, message: Message): HTMLElement {
  const wantsResults = !isAnswered(app, message);
  const results: HTMLTextAreaElement[] = [];
  const cards = (message.calls ?? []).map((call) => {
    const shown = new MarkdownView();
    shown.update(jsonBlock(call.arguments));
    const card = h("section", { class: "call", "aria-label": `Call of ${call.name}` }, h("h3", {}, icon("tool"), call.name), shown.element);
    if (wantsResults) {
      const result = h("textarea", { rows: 1, placeholder: "Result of this call", "aria-label": `Result of ${call.name}` });
      growWithText(result);
      results.push(result);
      card.append(result);
    }
    return card;
  });
  const form = h("form", { class: "calls", onsubmit: (event: SubmitEvent) => {
    event.preventDefault();
    app.answerCalls(message, results.map((area) => area.value));
  } }, ...cards);
  if (wantsResults) form.append(h("div", { class: "row end" }, h("button", { type: "submit", class: "button" }, "Hand over the result")));
  return form;
}
