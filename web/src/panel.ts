// SPDX-License-Identifier: Apache-2.0
//
// Settings of the shown conversation, with the server's own choices as placeholders.
import type { App } from "./app";
import { h, iconButton } from "./dom";
import notice from "notice.txt";
import { defaultSettings, fieldFault, numberFields, type FieldName } from "./settings";

const kSchemaExample = '{\n  "type": "object",\n  "properties": {"name": {"type": "string"}},\n  "required": ["name"]\n}';
const kToolsExample = '[{"name": "weather", "description": "…",\n  "parameters": {"type": "object",\n    "properties": {"city": {"type": "string"}}}}]';

const kKeys = [
  ["Enter", "Send"],
  ["Shift Enter", "New line"],
  ["Escape", "Stop the answer, or close"],
  ["Ctrl K", "New chat"],
  ["↑", "Edit the last message, from an empty field"],
] as const;

export class SettingsPanel {
  readonly element = h("div", { class: "settings" });

  constructor(private readonly app: App) {
    app.on("server", () => this.draw());
    app.on("conversation", () => this.drawIfOther());
    app.on("elsewhere", () => {
      if (!this.element.contains(document.activeElement)) this.draw(); // not under the hands of who types
    });
    app.on("field-fault", () => this.showServerFault());
    this.draw();
  }

  private shownId = "";
  private drawIfOther(): void {
    if (this.app.current.id !== this.shownId) this.draw();
  }

  private draw(): void {
    this.shownId = this.app.current.id;
    const { settings } = this.app.current;
    const { server } = this.app;
    const isOpen = (name: string): boolean => this.element.querySelector<HTMLDetailsElement>(`[data-section="${name}"]`)?.open ?? (name !== "tools" && name !== "keys");
    const section = (name: string, title: string, ...children: Node[]): HTMLElement =>
      h("details", { class: "section", "data-section": name, open: isOpen(name) }, h("summary", {}, title), ...children);
    this.element.replaceChildren(
      section("system", "System prompt", this.textField("system", "System prompt", "What the model should know and be", 4)),
      section("sampling", "Sampling", ...numberFields.map((field) => this.numberField(field)), this.textField("stop", "Stop at", "Texts that end the answer, one a line", 1)),
      section("schema", "Answer as JSON", h("p", { class: "hint" }, "A JSON schema that the answer is bound to."), this.jsonField("schema", "JSON schema", kSchemaExample)),
      section("tools", "Tools", h("p", { class: "hint" }, "Functions that the model may call. Not together with a schema."), this.jsonField("tools", "Tools", kToolsExample)),
      h("button", { type: "button", class: "button wide", id: "reset-settings", onclick: () => {
        this.app.current.settings = { ...defaultSettings(), model: settings.model, thinking: settings.thinking };
        this.draw();
        this.app.settingsChanged();
      } }, "Reset all"),
      section("keys", "Keys", h("dl", { class: "keys" }, ...kKeys.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]))),
      h("p", { class: "hint" }, `${server?.build ?? "glint"} · `, h("a", { href: `web/${notice}`, target: "_blank" }, "Licences")),
    );
    this.showServerFault();
  }

  private numberField(field: typeof numberFields[number]): HTMLElement {
    const { settings } = this.app.current;
    const server = this.app.server;
    // Of the limit and the budget the server's own value says little: -1 is none.
    const usual = server?.defaults[field.name];
    const shown = usual === undefined || usual < 0 || field.name === "seed" ? "auto" : String(Math.round(usual * 1000) / 1000);
    const origin = server?.origins[field.name];
    const input = h("input", { type: "number", id: `set-${field.name}`, min: field.min, max: field.max, step: "any", inputmode: "decimal", placeholder: shown, "aria-describedby": `about-${field.name}`,
      title: origin ? `Now ${shown}: from the ${origin === "default" ? "defaults" : origin}` : undefined });
    input.value = settings.numbers[field.name]?.toString() ?? "";
    input.addEventListener("change", () => {
      const value = input.valueAsNumber;
      if (!input.value) delete settings.numbers[field.name];
      else if (Number.isFinite(value) && value >= field.min && value <= field.max) settings.numbers[field.name] = field.step === 1 ? Math.round(value) : value;
      else input.value = settings.numbers[field.name]?.toString() ?? "";
      this.app.settingsChanged();
    });
    const about = h("span", { class: "hint", id: `about-${field.name}` }, field.help);
    return h("div", { class: "field number" }, h("label", { for: `set-${field.name}` }, field.label), input, about);
  }

  private textField(name: "system" | "stop", label: string, hint: string, rows: number): HTMLElement {
    const { settings } = this.app.current;
    const area = h("textarea", { id: `set-${name}`, rows, placeholder: hint, "aria-label": label });
    area.value = settings[name];
    area.addEventListener("input", () => (settings[name] = area.value));
    area.addEventListener("change", () => this.app.settingsChanged());
    const isShownByTitle = name === "system";
    return h("div", { class: "field" }, isShownByTitle ? null : h("label", { for: `set-${name}` }, label), area);
  }

  private jsonField(name: FieldName, label: string, example: string): HTMLElement {
    const { settings } = this.app.current;
    const fault = h("p", { class: "field-fault", id: `fault-${name}`, role: "status" });
    const area = h("textarea", { id: `set-${name}`, class: "mono", rows: 6, spellcheck: "false", placeholder: example, "aria-label": label, "aria-describedby": `fault-${name}` });
    area.value = settings[name];
    const check = (): void => {
      fault.textContent = fieldFault(name, area.value);
      area.setAttribute("aria-invalid", String(fault.textContent !== ""));
    };
    area.addEventListener("input", () => {
      settings[name] = area.value;
      check();
    });
    area.addEventListener("change", () => this.app.settingsChanged());
    check();
    return h("div", { class: "field" }, area, fault);
  }

  /** What the server found wrong with the schema or the tools. */
  private showServerFault(): void {
    const { fieldFault: found } = this.app;
    if (!found) return;
    const fault = this.element.querySelector(`#fault-${found.field}`)!;
    fault.textContent = found.text;
    this.element.querySelector(`#set-${found.field}`)?.setAttribute("aria-invalid", "true");
    this.element.querySelector<HTMLDetailsElement>(`[data-section="${found.field}"]`)!.open = true;
    fault.parentElement?.scrollIntoView({ block: "center" });
  }
}

export function panelHead(close: () => void): HTMLElement {
  return h("header", {}, h("h2", {}, "Settings"), iconButton("close", "Close", close));
}
