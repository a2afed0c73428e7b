// SPDX-License-Identifier: Apache-2.0
//
// Copies a text and says so on the button that was pressed.
import { icon } from "./dom";
import { announce } from "./announce";

export async function copyText(text: string, button: HTMLButtonElement): Promise<void> {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = copyBySelection(text); // the clipboard API is only there over HTTPS and on this machine
  }
  announce(copied ? "Copied" : "Copying is not allowed here");
  const old = button.querySelector("svg");
  if (!copied || !old) return;
  const tick = icon("check");
  old.replaceWith(tick);
  setTimeout(() => tick.replaceWith(old), 1500);
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.appendChild(area);
  const before = document.activeElement as HTMLElement | null;
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus();
  return copied;
}
