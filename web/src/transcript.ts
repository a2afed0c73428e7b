// SPDX-License-Identifier: Apache-2.0
//
// The shown conversation, top to bottom. While an answer is written it follows the end, unless the reader scrolled up.
import { Narrator } from "./announce";
import type { App } from "./app";
import { shownPath } from "./conversation";
import { h, icon, iconButton } from "./dom";
import { MessageView } from "./message_view";

const kLeastMs = 50; // between two drawings of a growing answer

export class Transcript {
  private readonly list = h("div", { class: "messages" });
  private readonly toEnd = iconButton("down", "To the end", () => this.scrollToEnd(), { class: "icon-button to-end", hidden: true });
  private readonly welcome = h("div", { class: "welcome" }, icon("spark"), h("h1", {}, "What shall we talk about?"), h("p", { class: "muted" }, "Conversations stay in this browser."));
  readonly element = h("section", { class: "transcript", "aria-label": "Conversation", tabindex: 0 }, this.welcome, this.list);
  readonly overlay = h("div", { class: "overlay" }, this.toEnd);
  private views: MessageView[] = [];
  private shownId = "";
  private follows = true;
  private narrator: Narrator | null = null;
  private drawing = 0;
  private lastCost = 0;

  constructor(private readonly app: App) {
    app.on("conversation", () => this.sync());
    app.on("progress", () => this.schedule());
    app.on("server", () => this.sync());
    this.element.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.element;
      this.follows = scrollHeight - scrollTop - clientHeight < 48;
      this.toEnd.hidden = this.follows;
    });
    this.sync();
  }

  /** Makes the elements those of the shown path; views that stay are kept. */
  private sync(): void {
    const { current, run } = this.app;
    const path = shownPath(current);
    const hadFocus = this.list.contains(document.activeElement);
    const isOther = current.id !== this.shownId;
    if (isOther) {
      this.shownId = current.id;
      this.views = [];
      this.narrator = null;
    }
    const known = new Map(this.views.map((view) => [view.message, view]));
    const hasBegun = run !== undefined && !known.has(run.message);
    this.views = path.map((message) => known.get(message) ?? new MessageView(this.app, message));
    const elements = this.views.map((view) => view.element);
    const isSame = elements.length === this.list.childElementCount && elements.every((element, i) => element === this.list.children[i]);
    if (!isSame) this.list.replaceChildren(...elements);
    this.views.forEach((view) => view.update());
    this.welcome.hidden = path.length > 0;
    this.list.hidden = path.length === 0;
    if (run) this.narrator ??= new Narrator();
    else this.endNarration();
    if (isOther || hasBegun || (this.follows && run)) this.scrollToEnd();
    // What had the focus is gone; on a phone the field would bring up the keyboard.
    const lostFocus = hadFocus && !this.list.contains(document.activeElement);
    if (lostFocus && !matchMedia("(pointer: coarse)").matches) document.getElementById("message")?.focus();
  }

  /** One drawing a frame at most, and the longer it takes the rarer. */
  private schedule(): void {
    if (this.drawing) return;
    this.drawing = window.setTimeout(() => requestAnimationFrame(() => this.draw()), Math.max(kLeastMs, 3 * this.lastCost));
  }

  private draw(): void {
    this.drawing = 0;
    const { run } = this.app;
    const view = this.views[this.views.length - 1];
    if (!run || view?.message !== run.message) return;
    const begun = performance.now();
    view.update();
    if (this.follows) this.element.scrollTop = this.element.scrollHeight;
    this.narrator?.update(run.message.content, false);
    this.lastCost = performance.now() - begun;
  }

  private endNarration(): void {
    const last = this.views[this.views.length - 1]?.message;
    if (last) this.narrator?.update(last.content, true);
    this.narrator = null;
  }

  private scrollToEnd(): void {
    this.follows = true;
    this.element.scrollTop = this.element.scrollHeight;
    this.toEnd.hidden = true;
  }
}
