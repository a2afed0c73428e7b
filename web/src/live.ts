// SPDX-License-Identifier: Apache-2.0
//
// How the server is doing: of the answer that is written or was last, and of the machine by /metrics and /slots. It asks
// once a second while something runs and the page is seen, else rarely.
import { modelQuery, request } from "./api";
import type { App } from "./app";
import { shownPath } from "./conversation";
import { fill, formatCount, h } from "./dom";

interface ServerLoad {
  cacheShare: number;
  running: number;
  waiting: number;
  slots: number;
}

/** An answer at work, whoever asked for it. */
interface Slot {
  id: number;
  state: string;
  prompt: number;
  read: number;
  cached: number;
  written: number;
}

const kBusyMs = 1000;
const kIdleMs = 8000;

export class LivePanel {
  readonly element = h("section", { class: "live", "aria-label": "Live" });
  private load: ServerLoad | null = null;
  private slots: Slot[] = [];
  private speeds: number[] = [];
  private timer = 0;
  private drawing = 0;

  constructor(private readonly app: App, private readonly isShown: () => boolean) {
    app.on("progress", () => this.drawSoon());
    app.on("conversation", () => {
      if (app.run?.progress.tokens === 0) this.speeds = [];
      this.draw();
      void this.poll();
    });
    app.on("server", () => this.draw());
    document.addEventListener("visibilitychange", () => void this.poll());
    void this.poll();
    this.draw();
  }

  /** Also when the panel is opened. */
  async poll(): Promise<void> {
    window.clearTimeout(this.timer);
    if (!document.hidden && this.isShown() && this.app.server && !this.app.server.isSleeping) {
      const query = modelQuery(this.app.current.settings.model);
      // Either may be switched off, and the server may be gone.
      const ask = (path: string): Promise<Response | null> => request(path + query).catch(() => null);
      const [metrics, slots] = await Promise.all([ask("metrics"), ask("slots")]);
      this.load = metrics && readMetrics(await metrics.text());
      this.slots = slots ? readSlots(await slots.json()) : [];
      const speed = this.app.run?.progress.tokensPerSecond;
      if (speed) this.speeds = [...this.speeds.slice(-59), speed];
      this.draw();
    }
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.poll(), this.app.run || this.slots.length ? kBusyMs : kIdleMs);
  }

  private drawSoon(): void {
    if (this.drawing) return;
    this.drawing = window.setTimeout(() => {
      this.drawing = 0;
      this.draw();
    }, 250);
  }

  private draw(): void {
    if (!this.isShown()) return;
    const { app } = this;
    const last = [...shownPath(app.current)].reverse().find((message) => message.role === "assistant" && (message.timings || app.run?.message === message));
    const timings = last?.timings;
    const progress = app.run?.progress;
    const speed = timings ? (timings.predictedMs > 0 ? (1000 * timings.predicted) / timings.predictedMs : 0) : progress?.tokensPerSecond ?? 0;
    const first = timings?.firstTokenMs ?? progress?.firstTokenMs ?? 0;
    const written = timings?.predicted ?? progress?.tokens ?? 0;
    const read = timings ? timings.prompt + timings.cached : 0;
    const nCtx = app.server?.nCtx ?? 0;
    fill(this.element, h("dl", { class: "facts" },
      fact("Speed", speed ? `${speed.toFixed(speed < 10 ? 1 : 0)}` : "–", "tok/s"),
      fact("First token", first ? (first < 1000 ? `${first.toFixed(0)}` : (first / 1000).toFixed(1)) : "–", first < 1000 ? "ms" : "s"),
      fact("Written", written ? formatCount(written) : "–", "tokens"),
      fact("Prompt", read && timings ? formatCount(read) : "–", "tokens"),
      fact("Cached", read && timings ? formatCount(timings.cached) : "–", "tokens"),
      fact("Queue", this.load ? `${this.load.running}/${this.load.slots}` : "–", this.load?.waiting ? `running, ${this.load.waiting} wait` : "running")),
      meter("Context", read + written, nCtx, nCtx ? `${formatCount(read + written)} of ${formatCount(nCtx)} tokens` : "–"),
      this.load ? meter("Cache in use", this.load.cacheShare, 1, `${(100 * this.load.cacheShare).toFixed(0)} %`) : null,
      this.slots.length ? slotTable(this.slots) : null,
      this.speeds.length > 4 ? sparkline(this.speeds) : null);
  }
}

function fact(name: string, value: string, unit: string): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, h("b", {}, value), " ", h("span", {}, unit)));
}

function meter(name: string, value: number, most: number, text: string): HTMLElement {
  const bar = h("progress", { max: most || 1, value: Math.min(value, most || 1), "aria-label": name });
  return h("div", { class: "meter" }, h("div", { class: "row" }, h("span", {}, name), h("span", { class: "spacer" }), h("span", { class: "muted" }, text)), bar);
}

function slotTable(slots: Slot[]): HTMLElement {
  const row = ({ id, state, prompt, read, cached, written }: Slot): HTMLElement => h("tr", {},
    h("th", { scope: "row" }, String(id)),
    h("td", {}, state === "reading" ? `reads ${formatCount(read)} of` : state === "writing" ? "writes" : "waits"),
    h("td", {}, formatCount(state === "writing" ? written : prompt)),
    h("td", {}, formatCount(cached)));
  const head = ["Slot", "State", "Tokens", "Cached"].map((name) => h("th", { scope: "col" }, name));
  return h("table", { class: "slots" }, h("caption", { class: "unseen" }, "Answers at work"), h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...slots.map(row)));
}

function sparkline(values: number[]): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "sparkline");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Speed of the last seconds");
  const most = Math.max(...values);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((value, i) => `${((100 * i) / (values.length - 1)).toFixed(1)},${(22 - (20 * value) / most).toFixed(1)}`).join(" "));
  svg.appendChild(line);
  return svg;
}

/** Those at work. */
function readSlots(slots: unknown): Slot[] {
  return (slots as Record<string, unknown>[]).filter((slot) => slot["is_processing"] === true).map((slot) => ({
    id: Number(slot["id"]),
    state: String(slot["state"]),
    prompt: Number(slot["n_prompt_tokens"]),
    read: Number(slot["n_prompt_tokens_processed"]),
    cached: Number(slot["n_prompt_tokens_cache"]),
    written: Number((slot["next_token"] as { n_decoded: number }[])[0]?.n_decoded),
  }));
}

function readMetrics(text: string): ServerLoad {
  const values = new Map(text.split("\n").filter((line) => line && !line.startsWith("#")).map((line): [string, number] => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
  const value = (name: string): number => values.get(name) ?? 0;
  return {
    cacheShare: value("llamacpp:kv_cache_usage_ratio"),
    running: value("llamacpp:requests_processing"),
    waiting: value("llamacpp:requests_deferred"),
    slots: value("glint:slots"),
  };
}
