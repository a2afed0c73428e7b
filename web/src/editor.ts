// SPDX-License-Identifier: Apache-2.0
//
// Edits a question in its place. Sending makes a new version; the old one stays.
import type { App } from "./app";
import type { Message } from "./conversation";
import { h } from "./dom";

export function openEditor(app: App, message: Message, body: HTMLElement, foot: HTMLElement): void {
  const area = h("textarea", { "aria-label": "Edit your message", rows: 1 });
  area.value = message.content;
  const close = (): void => {
    form.remove();
    body.hidden = foot.hidden = false;
    foot.querySelector<HTMLElement>(".edit")?.focus();
  };
  const form = h("form", { class: "editor", onsubmit: (event: SubmitEvent) => {
    event.preventDefault();
    if (!area.value.trim() && !message.attachments?.length) return;
    close();
    app.resend(message, area.value);
  } }, area, h("div", { class: "row end" },
    h("button", { type: "button", class: "button", onclick: close }, "Cancel"),
    h("button", { type: "submit", class: "button primary" }, "Send as new version")));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  body.hidden = foot.hidden = true;
  body.after(form);
  growWithText(area);
  area.focus();
}

/** As high as its text, up to what its style allows. */
export function growWithText(area: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return; // the style sheet does it
  const fit = (): void => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
  };
  area.addEventListener("input", fit);
  requestAnimationFrame(fit);
}
