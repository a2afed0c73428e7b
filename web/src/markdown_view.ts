// SPDX-License-Identifier: Apache-2.0
//
// An element that shows a growing Markdown text: of a longer text only the blocks that changed are made anew, so that
// selections stay and long answers stay cheap.
import katex from "katex";
import { copyText } from "./copy";
import { h, icon } from "./dom";
import { splitBlocks } from "./markdown";

export class MarkdownView {
  readonly element = h("div", { class: "markdown" });
  private shown: { raw: string; element: HTMLElement }[] = [];
  private text = "";

  update(text: string): void {
    if (text === this.text) return;
    this.text = text;
    const blocks = splitBlocks(text);
    blocks.forEach((block, i) => {
      const old = this.shown[i];
      if (old?.raw === block.raw) return;
      const element = h("div", { class: "block" });
      element.appendChild(block.render());
      decorate(element);
      if (old) old.element.replaceWith(element);
      else this.element.appendChild(element);
      this.shown[i] = { raw: block.raw, element };
    });
    for (const gone of this.shown.splice(blocks.length)) gone.element.remove();
  }
}

/** What the sanitised HTML leaves out: formulas, buttons, and what keyboards need. */
function decorate(element: HTMLElement): void {
  for (const math of element.querySelectorAll<HTMLElement>(".math")) {
    const isDisplay = math.dataset["display"] === "1";
    const tex = math.dataset["tex"] ?? "";
    try {
      katex.render(tex, math, { displayMode: isDisplay, throwOnError: false, errorColor: "var(--bad)", trust: false, strict: false, maxSize: 20, maxExpand: 300 });
    } catch {
      math.textContent = tex; // nested too deep
    }
    if (isDisplay) makeScrollable(math, "Formula");
  }
  for (const code of element.querySelectorAll<HTMLElement>(".code")) {
    const pre = code.querySelector("pre")!;
    makeScrollable(pre, "Code");
    const button: HTMLButtonElement = h("button", { type: "button", class: "text-button", onclick: () => copyText(pre.textContent ?? "", button) }, icon("copy"), "Copy");
    code.prepend(h("div", { class: "code-head" }, h("span", {}, code.dataset["language"] || "text"), button));
  }
  for (const table of element.querySelectorAll<HTMLElement>(".table")) makeScrollable(table, "Table");
}

function makeScrollable(element: HTMLElement, label: string): void {
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
}
