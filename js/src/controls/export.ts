/** What is on screen, saved as a file. */

import { h, set, setText } from "../dom.ts";
import { type Row, toCsv } from "../export/csv.ts";
import type { Picture } from "../export/picture.ts";
import { toPng } from "../export/png.ts";
import { toSvg } from "../export/svg.ts";
import { on } from "../lifetime.ts";

export interface Exportable {
  picture(): Picture | null;
  rows(): Row[];
  name(): string;
}

export function exportPanel(from: Exportable, signal: AbortSignal): HTMLElement {
  const told = h("span", { class: "quiet", role: "status" });
  const button = (text: string, title: string, make: () => Promise<Blob | null>) => {
    const element = h("button", { type: "button", title, "data-export": text.toLowerCase() }, text);
    const save = async () => {
      try {
        const blob = await make();
        if (!blob || signal.aborted) return;
        const name = `${from.name()}.${text.toLowerCase()}`;
        download(blob, name);
        setText(told, `saved ${name}`);
      } catch (error) {
        setText(told, `not saved: ${error instanceof Error ? error.message : error}`);
      }
    };
    on(element, "click", () => void save(), signal);
    return element;
  };
  const panel = h(
    "div",
    { class: "panel" },
    button("SVG", "lines as paths, text as text", async () => {
      const picture = from.picture();
      return picture && new Blob([toSvg(picture)], { type: "image/svg+xml" });
    }),
    button("PNG", "twice the pixels of the screen", async () => {
      const picture = from.picture();
      return picture && toPng(picture);
    }),
    button(
      "CSV",
      "the weights on screen, one line each",
      async () => new Blob([toCsv(from.rows())], { type: "text/csv;charset=utf-8" }),
    ),
    told,
  );
  set(panel, "hidden", true);
  return panel;
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  // Some webviews ignore clicks on detached links.
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
