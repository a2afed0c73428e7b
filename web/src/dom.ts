// SPDX-License-Identifier: Apache-2.0
//
// Makes elements. Text is only ever set as text: nothing here takes HTML.
import { iconShapes, type IconName } from "./icons";

type Child = Node | string | null | undefined | false;
type Handler = (event: never) => void;
type Property = string | number | boolean | undefined | Handler;

/** An element; "on..." properties are listeners, true and false set or leave out an attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, Property> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as unknown as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element: Node, children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.appendChild(typeof child === "string" ? new Text(child) : child);
  }
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", iconShapes[name]);
  svg.appendChild(path);
  return svg;
}

/** A button that shows an icon and is called by its label. */
export function iconButton(name: IconName, label: string, onclick: (event: MouseEvent) => void, more: Record<string, Property> = {}): HTMLButtonElement {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...more }, icon(name));
}

export function formatCount(n: number): string {
  return Math.round(n).toLocaleString("en");
}
