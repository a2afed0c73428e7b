// SPDX-License-Identifier: Apache-2.0
//
// Asks for the API key of a server that was started with --api-key.
import { apiKey, keepApiKey } from "./api";
import type { App } from "./app";
import { h } from "./dom";
import { openDialog } from "./dialog";

let open: HTMLDialogElement | null = null;

export function askForKey(app: App): void {
  if (open) return;
  const key = h("input", { type: "password", id: "api-key", autocomplete: "off", required: true, spellcheck: "false" });
  key.value = apiKey();
  const remember = h("input", { type: "checkbox", id: "remember-key" });
  const form = h("form", { onsubmit: (event: SubmitEvent) => {
    event.preventDefault();
    keepApiKey(key.value.trim(), remember.checked);
    open?.close();
    void app.connect();
  } },
    h("h2", {}, "API key"),
    h("p", { class: "muted" }, apiKey() ? "The server does not know this key." : "This server answers only those who know its key (--api-key)."),
    h("label", { for: "api-key" }, "Key"), key,
    h("label", { class: "check" }, remember, "Remember it in this browser"),
    h("div", { class: "row end" },
      h("button", { type: "button", class: "button", onclick: () => open?.close() }, "Not now"),
      h("button", { type: "submit", class: "button primary" }, "Use this key")));
  open = openDialog("small", "API key", form);
  open.addEventListener("close", () => (open = null));
  key.focus();
}
