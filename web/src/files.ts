// SPDX-License-Identifier: Apache-2.0
//
// Files for the prompt: text and code are read here, PDFs by the server. Chips show them with their tokens.
import { countTokens, pdfText } from "./api";
import type { Attachment } from "./conversation";
import { fill, formatCount, h, icon, iconButton } from "./dom";
import { notify } from "./dialog";
import { explain } from "./explain";

const kMostTextBytes = 4 << 20;
const kMostPdfBytes = 32 << 20;

export class FileTray {
  readonly element = h("div", { class: "tray" });
  private files: Attachment[] = [];
  private nReading = 0;

  constructor(private readonly onchange: () => void, private readonly model: () => string | undefined) {
    this.draw();
  }

  get attachments(): Attachment[] {
    return this.files;
  }
  get isReading(): boolean {
    return this.nReading > 0;
  }

  take(): Attachment[] {
    const files = this.files;
    this.files = [];
    this.draw();
    return files;
  }

  async add(files: Iterable<File>): Promise<void> {
    for (const file of files) {
      ++this.nReading;
      this.draw();
      try {
        const attachment: Attachment = { name: file.name, text: await readText(file) };
        this.files.push(attachment);
        void this.count(attachment);
      } catch (error) {
        notify(`${file.name}: ${explain(error)}`);
      }
      --this.nReading;
      this.draw();
    }
    this.onchange();
  }

  private async count(attachment: Attachment): Promise<void> {
    const model = this.model();
    if (model === undefined) return;
    try {
      attachment.tokens = await countTokens(attachment.text, model || undefined);
      this.draw();
    } catch {
      // The count is a courtesy; sending says what is wrong.
    }
  }

  private draw(): void {
    this.element.hidden = !this.files.length && !this.nReading;
    fill(this.element, ...this.files.map((file) => {
      const remove = iconButton("close", `Remove ${file.name}`, () => {
        this.files = this.files.filter((other) => other !== file);
        this.draw();
        this.onchange();
      });
      return h("span", { class: "chip" }, icon("file"), h("span", { class: "name" }, file.name), h("small", {}, file.tokens === undefined ? "" : `${formatCount(file.tokens)} tokens`), remove);
    }), this.nReading ? h("span", { class: "chip" }, "Reading…") : null);
  }
}

async function readText(file: File): Promise<string> {
  const head = new Uint8Array(await file.slice(0, 5).arrayBuffer());
  if (String.fromCharCode(...head) === "%PDF-") {
    if (file.size > kMostPdfBytes) throw new Error("PDFs of more than 32 MiB are not read");
    const text = (await pdfText(file)).trim();
    if (!text) throw new Error("this PDF holds no text; it may be made of pictures");
    return text;
  }
  if (file.size > kMostTextBytes) throw new Error("texts of more than 4 MiB are not read");
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Said below.
  }
  throw new Error("this is neither text in UTF-8 nor a PDF");
}

/** Takes files that are dropped anywhere on the page. */
export function acceptDrops(tray: FileTray): void {
  const veil = h("div", { class: "veil", hidden: true }, h("p", {}, icon("file"), "Drop files here to put their text into the prompt"));
  document.body.appendChild(veil);
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  const show = (by: number): void => {
    depth = Math.max(0, depth + by);
    veil.hidden = depth === 0;
  };
  window.addEventListener("dragenter", (event) => hasFiles(event) && show(1));
  window.addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
  window.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(-depth);
    void tray.add(event.dataTransfer!.files);
  });
}
