// SPDX-License-Identifier: Apache-2.0
//
// The conversations in this browser: found by words in them, opened, renamed, exported, deleted.
import type { App } from "./app";
import type { Conversation } from "./conversation";
import { fill, h, icon, iconButton } from "./dom";
import { notify } from "./dialog";
import { download, fileName, fromJson, toJson, toMarkdown } from "./exchange";

export class Sidebar {
  private readonly search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search conversations", id: "search" });
  private readonly list = h("nav", { class: "conversations", "aria-label": "Conversations" });
  private readonly picker = h("input", { type: "file", accept: ".json,application/json", hidden: true, id: "import", "aria-label": "Import" });
  readonly element = h("aside", { class: "sidebar", id: "sidebar", "aria-label": "Conversations" },
    h("button", { type: "button", class: "button primary wide", id: "new-chat", onclick: () => this.newChat() }, icon("plus"), "New chat", h("kbd", {}, "Ctrl K")),
    h("div", { class: "search" }, icon("search"), this.search),
    this.list,
    h("div", { class: "row" },
      h("button", { type: "button", class: "text-button", onclick: () => this.picker.click() }, "Import"),
      h("button", { type: "button", class: "text-button", id: "export-all", onclick: () => download("glint-conversations.json", "application/json", toJson(this.app.conversations)) }, "Export all"),
      this.picker));

  constructor(private readonly app: App, private readonly onopen: () => void) {
    this.search.addEventListener("input", () => this.draw());
    this.picker.addEventListener("change", () => void this.importFile());
    app.on("list", () => this.draw());
    this.draw();
  }

  newChat(): void {
    this.app.newChat();
    this.onopen();
  }

  private async importFile(): Promise<void> {
    const file = this.picker.files?.[0];
    this.picker.value = "";
    if (!file) return;
    try {
      const conversations = fromJson(await file.text());
      this.app.add(conversations);
      notify(conversations.length === 1 ? "1 conversation imported" : `${conversations.length} conversations imported`);
    } catch (error) {
      notify((error as Error).message);
    }
  }

  private draw(): void {
    const words = this.search.value.trim().toLowerCase();
    const found = this.app.conversations.filter((conversation) => !words || matches(conversation, words));
    const groups = new Map<string, HTMLElement[]>();
    for (const conversation of found) {
      const name = ageName(conversation.updated);
      groups.set(name, [...(groups.get(name) ?? []), this.entry(conversation)]);
    }
    fill(this.list, ...[...groups].map(([name, entries]) => h("section", {}, h("h2", {}, name), h("ul", {}, ...entries))),
      found.length ? null : h("p", { class: "muted" }, words ? "Nothing found" : "No conversations yet"));
  }

  private entry(conversation: Conversation): HTMLElement {
    const isCurrent = conversation === this.app.current;
    const open = h("button", { type: "button", class: "title", "aria-current": isCurrent ? "true" : undefined, onclick: () => {
      this.app.open(conversation);
      this.onopen();
    } }, conversation.title);
    if (this.app.isWriting(conversation)) open.append(h("span", { class: "dot", title: "An answer is being written" }));
    const item: HTMLElement = h("li", { class: isCurrent ? "current" : "" }, open, this.menu(conversation, () => this.edit(conversation, item)));
    return item;
  }

  private menu(conversation: Conversation, rename: () => void): HTMLElement {
    const menu = h("details", { class: "menu" }, h("summary", { class: "icon-button", "aria-label": `More for ${conversation.title}`, title: "More" }, icon("more")));
    const action = (label: string, run: () => void): HTMLElement => h("button", { type: "button", onclick: () => {
      menu.open = false;
      run();
    } }, label);
    menu.append(h("div", { class: "menu-items" },
      action("Rename", rename),
      action("Export as Markdown", () => download(fileName(conversation, "md"), "text/markdown", toMarkdown(conversation))),
      action("Export as JSON", () => download(fileName(conversation, "json"), "application/json", toJson([conversation]))),
      action("Delete", () => notify(`“${conversation.title}” is deleted`, { label: "Undo", run: this.app.remove(conversation) }))));
    menu.addEventListener("focusout", (event) => {
      if (!menu.contains(event.relatedTarget as Node | null)) menu.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary")?.focus();
    });
    return menu;
  }

  private edit(conversation: Conversation, item: HTMLElement): void {
    const input = h("input", { "aria-label": "Title", value: conversation.title, maxlength: 200 });
    let isOver = false;
    const end = (keep: boolean): void => {
      if (isOver) return;
      isOver = true;
      if (keep) this.app.rename(conversation, input.value);
      this.draw();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.stopPropagation();
        end(event.key === "Enter");
      }
    });
    input.addEventListener("blur", () => end(true));
    fill(item, input);
    input.select();
    input.focus();
  }
}

function matches(conversation: Conversation, words: string): boolean {
  return conversation.title.toLowerCase().includes(words) || conversation.messages.some((message) => message.content.toLowerCase().includes(words));
}

function ageName(time: number): string {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const kDay = 86_400_000;
  if (time >= midnight) return "Today";
  if (time >= midnight - kDay) return "Yesterday";
  return time >= midnight - 7 * kDay ? "This week" : "Earlier";
}

/** The bar above the conversation on narrow screens and its buttons. */
export function toolbar(app: App, openList: () => void, newChat: () => void, ...more: Node[]): HTMLElement {
  const title = h("h1", { class: "conversation-title" });
  const state = h("p", { class: "server-state", role: "status" });
  const model: HTMLSelectElement = h("select", { id: "model", "aria-label": "Model", hidden: true, onchange: () => app.chooseModel(model.value) });
  const update = (): void => {
    title.textContent = app.current.messages.length ? app.current.title : "New chat";
    document.title = app.current.messages.length ? `${app.current.title} – glint` : "glint";
    state.textContent = app.server?.model ?? app.serverFault;
    // With several models the name is where one is chosen.
    model.hidden = app.server === null || app.models.length < 2;
    state.hidden = !model.hidden;
    fill(model, ...app.models.map(({ name, isLoaded }) => h("option", { value: name }, isLoaded ? name : `${name} (not loaded)`)));
    model.value = app.current.settings.model || (app.server?.model ?? "");
    state.classList.toggle("bad", app.server === null && app.serverFault !== "");
  };
  app.on("conversation", update);
  app.on("server", update);
  update();
  return h("header", { class: "toolbar" },
    iconButton("menu", "Conversations", openList, { id: "toggle-list", "aria-controls": "sidebar" }),
    h("div", { class: "titles" }, title, state, model),
    iconButton("plus", "New chat", newChat, { class: "icon-button narrow-only" }), ...more);
}
