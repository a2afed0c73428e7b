// SPDX-License-Identifier: Apache-2.0
//
// Two versions of an answer side by side (on a phone one above the other).
import type { Message } from "./conversation";
import { h, iconButton } from "./dom";
import { openDialog } from "./dialog";
import { jsonBlock } from "./json_text";
import { MarkdownView } from "./markdown_view";

export function openComparison(versions: Message[], shown: Message): void {
  const at = versions.indexOf(shown);
  const other = at > 0 ? at - 1 : 1;
  const columns = h("div", { class: "columns" }, column(versions, Math.min(at, other), "First version"), column(versions, Math.max(at, other), "Second version"));
  const close = iconButton("close", "Close", () => dialog.close());
  const dialog = openDialog("comparison", "Compare versions", h("header", {}, h("h2", {}, "Compare versions"), close), columns);
}

function column(versions: Message[], chosen: number, label: string): HTMLElement {
  const body = h("div", { class: "column-body", tabindex: 0, role: "region", "aria-label": label });
  const select = h("select", { "aria-label": label }, ...versions.map((_, i) => h("option", { value: i, selected: i === chosen }, `Version ${i + 1} of ${versions.length}`)));
  const show = (): void => {
    const message = versions[Number(select.value)]!;
    const content = new MarkdownView();
    content.update(message.isJson ? jsonBlock(message.content) : message.content || message.error || "(no text)");
    const calls = (message.calls ?? []).map((call) => h("p", {}, h("code", {}, `${call.name}(${call.arguments})`)));
    body.replaceChildren(content.element, ...calls);
    if (message.reasoning) {
      const thought = new MarkdownView();
      thought.update(message.reasoning);
      body.prepend(h("details", { class: "thinking" }, h("summary", {}, "Thought"), thought.element));
    }
  };
  select.addEventListener("change", show);
  show();
  return h("section", { class: "column" }, select, body);
}
