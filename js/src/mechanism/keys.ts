/** The names of the keys in a panel: elements to choose from, over what is painted. */

import type { Content } from "../content.ts";
import { set } from "../dom.ts";
import { TokenList } from "../token-list.ts";
import type { Panel } from "./layout.ts";
import { LINE } from "./sheet.ts";

export class KeyNames extends TokenList {
  constructor() {
    super("key", "key-names");
  }

  get count(): number {
    return this.units?.count ?? 0;
  }

  tokenOf(at: number): number {
    return this.units?.starts[at] ?? 0;
  }

  show(content: Content | undefined, { places }: Panel, chosen: number): void {
    const { labels, exact, special } = content?.keys ?? { labels: [], exact: new Map(), special: [] };
    const shown = places.map(({ key }) => key);
    const starts = Uint32Array.from([...shown, labels.length]);
    if (String(starts) !== String(this.units?.starts) || labels[0] !== this.units?.labels[0]) {
      const apart = shown.flatMap((key, at) => ((special as readonly number[]).includes(key) ? [at] : []));
      const units = {
        count: shown.length,
        labels: shown.map((key) => labels[key] ?? ""),
        special: apart,
        starts,
      };
      this.setUnits(units, (at) => exact.get(shown[at] as number) ?? units.labels[at] ?? "");
      this.keep(units, shown.keys());
      this.reach(shown.indexOf(chosen), false);
    }
    places.forEach(({ key, x, y, width }, at) => {
      const token = this.tokens.get(at) as HTMLElement;
      Object.assign(token.style, {
        left: `${x}px`,
        top: `${y}px`,
        width: `${width}px`,
        height: `${LINE}px`,
      });
      set(token, "aria-selected", String(key === chosen));
      set(token, "data-special", this.special.has(at) && "shown");
    });
  }

  protected complete(token: HTMLElement): void {
    token.classList.add("token");
  }
}
