// SPDX-License-Identifier: Apache-2.0
//
// One message: a question with its files, or an answer with its thinking, calls, fault and what it cost; and what can
// be done with it.
import type { App } from "./app";
import { openComparison } from "./compare";
import { childrenOf, type Message } from "./conversation";
import { copyText } from "./copy";
import { fill, formatCount, h, icon, iconButton } from "./dom";
import { openEditor } from "./editor";
import { jsonBlock } from "./json_text";
import { MarkdownView } from "./markdown_view";
import { callsView, isAnswered } from "./tool_calls";

export class MessageView {
  readonly element: HTMLElement;
  private readonly thinking = h("details", { class: "thinking" });
  private readonly thinkingLabel = h("span");
  private readonly thought = new MarkdownView();
  private readonly content = new MarkdownView();
  private readonly body = h("div", { class: "body" });
  private readonly calls = h("div");
  private readonly fault = h("div");
  private readonly foot = h("footer");
  private shownState = "";

  constructor(private readonly app: App, readonly message: Message) {
    const isUser = message.role === "user";
    const name = isUser ? "You" : message.role === "tool" ? "Tool result" : "Assistant";
    this.element = h("article", { class: `message ${message.role}`, "aria-label": name, "data-id": message.id });
    if (message.role === "assistant") {
      this.thinking.append(h("summary", {}, icon("thought"), this.thinkingLabel), this.thought.element);
      this.element.append(this.thinking, this.content.element, this.calls, this.fault, this.foot);
    } else {
      this.showQuestion();
      this.element.append(this.body, this.foot);
    }
    this.update();
  }

  /** After the message grew, ended, or got other versions. */
  update(): void {
    const { app, message } = this;
    const isWriting = app.run?.message === message;
    if (message.role === "assistant") this.updateAnswer();
    // What has buttons and fields stays as it is, with the focus in it and what was typed, unless something is new.
    const versions = childrenOf(app.current, message.parent);
    const state = [isWriting, versions.length, versions.indexOf(message), message.calls?.length, isAnswered(app, message), message.ending].join();
    if (state === this.shownState) return;
    this.shownState = state;
    this.element.setAttribute("aria-busy", String(isWriting));
    this.updateCalls(isWriting);
    this.updateFault();
    fill(this.foot, ...(isWriting ? [] : this.actions()));
  }

  private updateAnswer(): void {
    const { message } = this;
    const isWriting = this.app.run?.message === message;
    this.thinking.hidden = !message.reasoning?.trim();
    if (!this.thinking.hidden) {
      this.thinkingLabel.textContent = isWriting && !message.content && !message.calls ? "Thinking…" : "Thought";
      this.thought.update(message.reasoning!);
    }
    const isEmpty = isWriting && !message.content && !message.calls && !message.reasoning;
    this.element.classList.toggle("waiting", isEmpty);
    this.content.update(message.isJson && message.content ? jsonBlock(message.content) : message.content);
  }

  private updateCalls(isWriting: boolean): void {
    const { calls } = this.message;
    if (!calls) return this.calls.replaceChildren();
    fill(this.calls, isWriting ? h("p", { class: "muted" }, icon("tool"), `Calls ${calls.map((call) => call.name).join(", ")}…`) : callsView(this.app, this.message));
  }

  private updateFault(): void {
    const { message } = this;
    if (message.error) {
      const again = h("button", { type: "button", class: "button", onclick: () => this.app.retry(message) }, icon("retry"), "Try again");
      fill(this.fault, h("div", { class: "fault", role: "alert" }, icon("warning"), h("p", {}, message.error), again));
      return;
    }
    const isCut = message.ending === "length" || message.ending === "stopped";
    const why = message.ending === "length" ? "Cut off: the longest answer or the context was reached." : "Stopped.";
    // Thinking counts as done once there is text; what is bound to a schema begins anew.
    const goOn = message.content && !message.calls && !message.isJson
      ? h("button", { type: "button", class: "text-button continue", onclick: () => this.app.continue(message) }, "Go on") : null;
    fill(this.fault, isCut ? h("p", { class: "muted" }, why, goOn) : null, ...(message.warnings ?? []).map((warning) => h("p", { class: "muted" }, icon("warning"), warning)));
  }

  private showQuestion(): void {
    const { message } = this;
    const files = (message.attachments ?? []).map((file) =>
      h("details", { class: "file" }, h("summary", {}, icon("file"), h("span", {}, file.name), file.tokens ? h("small", {}, `${formatCount(file.tokens)} tokens`) : null), h("pre", { tabindex: 0 }, file.text)),
    );
    const label = message.role === "tool" ? h("p", { class: "muted" }, icon("tool"), " Tool result") : null;
    fill(this.body, ...files, label, message.content ? h("p", { class: "words" }, message.content) : null);
  }

  private actions(): (HTMLElement | null)[] {
    const { app, message } = this;
    const copy = iconButton("copy", "Copy", () => void copyText(message.content, copy));
    const edit = message.role === "user" ? iconButton("edit", "Edit and resend", () => openEditor(app, message, this.body, this.foot), { class: "icon-button edit" }) : null;
    const retry = message.role === "assistant" ? iconButton("retry", "Answer again", () => app.retry(message), { class: "icon-button retry" }) : null;
    // A fault has its own button.
    const buttons = message.error && !message.content ? [] : [copy, edit, retry];
    return [h("div", { class: "actions" }, ...buttons, this.versions()), this.cost()];
  }

  private versions(): HTMLElement | null {
    const { app, message } = this;
    const versions = childrenOf(app.current, message.parent);
    if (versions.length < 2) return null;
    const at = versions.indexOf(message);
    const step = (by: number, name: "left" | "right", label: string): HTMLButtonElement =>
      iconButton(name, label, () => {
        const other = versions[at + by]!;
        app.choose(other);
        document.querySelector<HTMLElement>(`[data-id="${other.id}"] .versions button:not([disabled])`)?.focus();
      }, { disabled: !versions[at + by] });
    const compare = message.role === "assistant" ? iconButton("compare", "Compare versions", () => openComparison(versions, message), { class: "icon-button compare" }) : null;
    return h("div", { class: "versions", role: "group", "aria-label": "Versions" },
      step(-1, "left", "Earlier version"), h("span", { class: "count" }, `${at + 1}/${versions.length}`), step(1, "right", "Later version"), compare);
  }

  private cost(): HTMLElement | null {
    const { timings } = this.message;
    if (!timings || this.message.role !== "assistant") return null;
    const speed = timings.predictedMs > 0 ? timings.predicted / (timings.predictedMs / 1000) : 0;
    const parts = [`${formatCount(timings.predicted)} tokens`, speed ? `${speed.toFixed(speed < 10 ? 1 : 0)} tok/s` : ""];
    return h("small", { class: "cost" }, parts.filter(Boolean).join(" · "));
  }
}
