// SPDX-License-Identifier: Apache-2.0
//
// Builds the page and joins its parts: list of conversations, conversation, settings; keys that work everywhere.
import { mountAnnouncer } from "./announce";
import { App } from "./app";
import { Composer } from "./composer";
import { h, icon, iconButton } from "./dom";
import { notify } from "./dialog";
import { askForKey } from "./key_dialog";
import { LivePanel } from "./live";
import { panelHead, SettingsPanel } from "./panel";
import { Sidebar, toolbar } from "./sidebar";
import { chooseTheme, currentTheme, type Theme } from "./theme";
import { Transcript } from "./transcript";

const narrow = matchMedia("(max-width: 900px)");
const root = document.documentElement;

/** A side of the page that can be away: beside the conversation on wide screens, above it on narrow ones. */
class Side {
  constructor(private readonly name: "list" | "panel", private readonly element: HTMLElement, private readonly button: () => HTMLElement | null, isOpen: boolean) {
    this.set(isOpen);
  }
  get isOpen(): boolean {
    return root.classList.contains(`has-${this.name}`);
  }
  set(isOpen: boolean): void {
    root.classList.toggle(`has-${this.name}`, isOpen);
    this.element.inert = !isOpen;
    this.button()?.setAttribute("aria-expanded", String(isOpen));
  }
  open(): void {
    this.set(true);
    if (narrow.matches) this.element.querySelector<HTMLElement>("button, input")?.focus();
  }
  close(): void {
    this.set(false);
    this.button()?.focus();
  }
  toggle(): void {
    if (this.isOpen) this.close();
    else this.open();
  }
}

function themeButton(): HTMLButtonElement {
  const order: Theme[] = ["system", "light", "dark"];
  const icons = { system: "system", light: "sun", dark: "moon" } as const;
  const label = (theme: Theme): string => `Colours: ${theme === "system" ? "as the system" : theme}`;
  const button = iconButton(icons[currentTheme()], label(currentTheme()), () => {
    const next = order[(order.indexOf(currentTheme()) + 1) % order.length]!;
    chooseTheme(next);
    button.replaceChildren(icon(icons[next]));
    button.setAttribute("aria-label", label(next));
    button.title = label(next);
  }, { id: "theme" });
  return button;
}

async function main(): Promise<void> {
  const app = await App.start();
  let list: Side | null = null;
  let panel: Side | null = null;
  const afterOpen = (): void => {
    if (narrow.matches) list?.set(false);
    composer.focus();
  };
  const sidebar = new Sidebar(app, afterOpen);
  const transcript = new Transcript(app);
  const live = new LivePanel(app, () => panel?.isOpen ?? false);
  const settings = new SettingsPanel(app);
  const panelElement = h("aside", { class: "panel", id: "panel", "aria-label": "Settings" }, panelHead(() => panel?.close()), live.element, settings.element);
  const openPanel = (): void => {
    panel?.open();
    void live.poll();
  };
  const composer = new Composer(app, openPanel);
  const settingsButton = iconButton("sliders", "Settings", () => (panel?.isOpen ? panel.close() : openPanel()), { id: "toggle-panel", "aria-controls": "panel" });
  const bar = toolbar(app, () => list?.toggle(), () => sidebar.newChat(), themeButton(), settingsButton);
  const scrim = h("div", { class: "scrim", onclick: () => closeDrawers() });
  const main = h("main", {}, bar, transcript.element, h("div", { class: "dock" }, transcript.overlay, composer.element));
  document.body.append(h("a", { class: "skip", href: "#message" }, "To the message"), sidebar.element, main, panelElement, scrim);
  mountAnnouncer(document.body);
  list = new Side("list", sidebar.element, () => document.getElementById("toggle-list"), !narrow.matches);
  panel = new Side("panel", panelElement, () => settingsButton, matchMedia("(min-width: 1280px)").matches);
  narrow.addEventListener("change", () => {
    list?.set(!narrow.matches);
    if (narrow.matches) panel?.set(false);
  });

  /** True when one was open. */
  function closeDrawers(): boolean {
    const side = narrow.matches ? [list, panel].find((each) => each?.isOpen) : undefined;
    side?.close();
    return side !== undefined;
  }
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      sidebar.newChat();
    } else if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]") && !closeDrawers()) {
      app.stop();
    }
  });
  app.on("unkept", () => notify("The browser could not store this conversation; its space may be full. Export it to keep it."));
  app.on("key", () => askForKey(app));
  app.on("server", () => void live.poll());
  if (!app.store.isLasting) notify("This browser keeps nothing for pages; conversations last until you leave.");
  root.classList.add("ready");
  if (!narrow.matches) composer.focus();
  void app.connect();
}

void main();
