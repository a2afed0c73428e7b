// SPDX-License-Identifier: Apache-2.0
//
// Where the next message is written: text, files, thinking, and how much of the context the prompt would fill.
import { countPrompt } from "./api";
import type { App } from "./app";
import { promptText, shownPath, toApiMessages } from "./conversation";
import { fill, formatCount, h, icon, iconButton } from "./dom";
import { growWithText } from "./editor";
import { acceptDrops, FileTray } from "./files";
import { describeChanges, requestMembers, type Thinking } from "./settings";

const kCountDelayMs = 350;

export class Composer {
  private readonly area = h("textarea", { rows: 1, placeholder: "Write a message", "aria-label": "Message", id: "message" });
  // Counting would have a model loaded that is not: then there is no count.
  private readonly tray = new FileTray(() => this.countSoon(), () => (this.app.server?.isSleeping ? undefined : this.app.current.settings.model));
  private readonly picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files", id: "files" });
  private readonly send = h("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" }, icon("send"));
  private readonly stop = h("button", { type: "button", class: "send stop", "aria-label": "Stop", title: "Stop (Escape)", hidden: true }, icon("stop"));
  private readonly count = h("span", { class: "count", id: "prompt-count" });
  private readonly changes = h("span", { class: "changes" });
  private readonly thinking = h("select", { "aria-label": "Thinking", id: "thinking" },
    h("option", { value: "auto" }, "Thinking: auto"), h("option", { value: "on" }, "Thinking: on"), h("option", { value: "off" }, "Thinking: off"));
  readonly element = h("form", { class: "composer" }, this.tray.element, this.area,
    h("div", { class: "row" }, iconButton("clip", "Add files", () => this.picker.click(), { class: "icon-button attach" }), this.picker, this.thinking, this.changes,
      h("span", { class: "spacer" }), this.count, this.send, this.stop));
  private counting: AbortController | null = null;
  private timer = 0;

  constructor(private readonly app: App, openSettings: () => void) {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.area.addEventListener("keydown", (event) => this.onKey(event));
    this.area.addEventListener("input", () => this.countSoon());
    this.area.addEventListener("paste", (event) => {
      const files = event.clipboardData?.files;
      if (files?.length) void this.tray.add(files);
    });
    this.picker.addEventListener("change", () => {
      void this.tray.add([...(this.picker.files ?? [])]);
      this.picker.value = "";
      this.area.focus();
    });
    this.stop.addEventListener("click", () => app.stop());
    this.thinking.addEventListener("change", () => {
      app.current.settings.thinking = this.thinking.value as Thinking;
      app.settingsChanged();
    });
    this.changes.addEventListener("click", openSettings);
    growWithText(this.area);
    acceptDrops(this.tray);
    app.on("conversation", () => this.update());
    app.on("settings", () => this.update());
    app.on("server", () => this.update());
    this.update();
  }

  focus(): void {
    this.area.focus();
  }

  private onKey(event: KeyboardEvent): void {
    // The keyboards of phones have no Shift+Enter; there the button sends.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !this.area.value) {
      const edits = document.querySelectorAll<HTMLElement>(".message.user .edit");
      edits[edits.length - 1]?.click();
      if (edits.length) event.preventDefault();
    }
  }

  private submit(): void {
    const text = this.area.value.trim();
    if (this.app.run || this.tray.isReading || (!text && !this.tray.attachments.length)) return;
    this.area.value = "";
    this.area.dispatchEvent(new Event("input"));
    this.app.send(text, this.tray.take());
  }

  private update(): void {
    const { app } = this;
    const isWriting = app.run !== undefined;
    const hadFocus = document.activeElement === this.send || document.activeElement === this.stop;
    this.send.hidden = isWriting;
    this.stop.hidden = !isWriting;
    if (hadFocus) (isWriting ? this.stop : this.area).focus();
    this.thinking.hidden = !app.server?.canThink;
    this.thinking.value = app.current.settings.thinking;
    fill(this.changes, ...describeChanges(app.current.settings).filter((change) => !change.startsWith("Thinking"))
      .map((change) => h("button", { type: "button", class: "chip", title: "Settings" }, change)));
    this.countSoon();
  }

  private countSoon(): void {
    window.clearTimeout(this.timer);
    if (this.app.server && !this.app.server.isSleeping && !this.app.run) this.timer = window.setTimeout(() => void this.showCount(), kCountDelayMs);
  }

  /** Tokens of the whole prompt as it would be sent now. */
  private async showCount(): Promise<void> {
    const { current, server } = this.app;
    this.counting?.abort();
    this.counting = new AbortController();
    const messages = toApiMessages(shownPath(current), current.settings.system);
    const draft = promptText({ content: this.area.value, attachments: this.tray.attachments });
    if (draft.trim()) messages.push({ role: "user", content: draft });
    if (!messages.length) return this.count.replaceChildren();
    try {
      let members = {};
      try {
        members = requestMembers(current.settings);
      } catch {
        // A broken field is shown where it is.
      }
      const n = await countPrompt(messages, members, this.counting.signal);
      const nCtx = server?.nCtx ?? 0;
      const isTooLong = nCtx > 0 && n >= nCtx;
      this.count.classList.toggle("bad", isTooLong);
      fill(this.count, isTooLong ? icon("warning") : null, `${formatCount(n)} / ${formatCount(nCtx)}`, h("span", { class: "unit" }, "tokens"));
      this.count.title = isTooLong ? "The prompt does not fit into the context" : "Tokens of the prompt, and what the context holds";
    } catch {
      // Superseded, or the server is away; that is shown elsewhere.
    }
  }
}
