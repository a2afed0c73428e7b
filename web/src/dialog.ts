// SPDX-License-Identifier: Apache-2.0
//
// Modal dialogs (the browser keeps the focus in them and closes them with Escape), and short notices with an undo.
import { announce } from "./announce";
import { h } from "./dom";

export function openDialog(kind: string, label: string, ...children: Node[]): HTMLDialogElement {
  const dialog = h("dialog", { class: kind, "aria-label": label }, ...children);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  document.body.appendChild(dialog);
  dialog.showModal();
  return dialog;
}

let shown: HTMLElement | null = null;

export function notify(text: string, action?: { label: string; run: () => void }): void {
  shown?.remove();
  const notice = h("div", { class: "toast" }, h("span", {}, text));
  if (action) {
    notice.append(h("button", { type: "button", class: "text-button", onclick: () => {
      action.run();
      notice.remove();
    } }, action.label));
  }
  document.body.appendChild(notice);
  shown = notice;
  announce(action ? `${text}. ${action.label} is possible.` : text);
  setTimeout(() => notice.remove(), action ? 10_000 : 5000);
}
