// SPDX-License-Identifier: Apache-2.0
//
// Speaks to screen readers: short notices, and an answer sentence by sentence while it is written. (The transcript
// itself is no live region: its blocks are made anew as they grow, and would be read again and again.)
import { h } from "./dom";

const notices = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
const log = h("div", { class: "unseen", role: "log", "aria-live": "polite", "aria-label": "Answer being written" });

export function mountAnnouncer(parent: Element): void {
  parent.append(notices, log);
}

export function announce(text: string): void {
  notices.textContent = text;
}

/** Reads an answer out as it grows. */
export class Narrator {
  private nSaid = 0;

  constructor() {
    log.replaceChildren();
  }

  update(text: string, isFinal: boolean): void {
    const rest = text.slice(this.nSaid);
    const end = isFinal ? rest.length : Math.max(rest.lastIndexOf("\n"), rest.search(/[.!?:][^.!?:]*$/) + 1);
    if (end <= 0) return;
    const sentence = rest.slice(0, end).trim();
    this.nSaid += end;
    if (sentence) log.appendChild(h("p", {}, sentence));
  }
}
