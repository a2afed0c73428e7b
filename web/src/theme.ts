// SPDX-License-Identifier: Apache-2.0
//
// Light, dark, or as the system says. The style sheet reads data-theme of the root element.

export type Theme = "system" | "light" | "dark";
const kKey = "glint.theme";

export function currentTheme(): Theme {
  try {
    const kept = localStorage.getItem(kKey);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // storage is switched off
  }
}

export function applyTheme(theme: Theme = currentTheme()): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function chooseTheme(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, theme);
  } catch {
    // It holds until the page is closed.
  }
  applyTheme(theme);
}
