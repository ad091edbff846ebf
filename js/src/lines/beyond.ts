/** What lies out of sight: the strongest token beyond either end of the view, one click away. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Side } from "../store.ts";
import type { Layout, SideLayout } from "./layout.ts";
import type { Joint } from "./reading.ts";
import { shortNumber } from "./tokens.ts";

type End = "before" | "after";

/** What is out of sight beyond one end. */
export interface Beyond {
  /** The strongest position there. */
  readonly position: number;
  readonly weight: number;
  readonly count: number;
}

/** Weaker weights don't call for a scroll. */
const LEAST_STRENGTH = 0.01;

/** What of `joint` lies before `start` and after `stop` of the scrolling direction. */
export function beyond(
  place: SideLayout,
  joint: Joint,
  start: number,
  stop: number,
): Partial<Record<End, Beyond>> {
  const found: Partial<Record<End, Beyond>> = {};
  joint.strengths.forEach((strength, position) => {
    if (!(strength >= LEAST_STRENGTH)) return;
    const centre = place.centres[position] as number;
    const end: End | null = centre < start ? "before" : centre > stop ? "after" : null;
    if (!end) return;
    const held = found[end];
    const strongest = !held || strength > (joint.strengths[held.position] as number);
    const at = strongest ? position : held.position;
    found[end] = { position: at, weight: joint.weights[at] as number, count: (held?.count ?? 0) + 1 };
  });
  return found;
}

export class BeyondMarks {
  readonly elements: readonly HTMLElement[];
  readonly #marks: Record<Side, Record<End, HTMLButtonElement>>;
  readonly #positions = new Map<HTMLElement, number>();

  constructor(go: (side: Side, position: number) => void, signal: AbortSignal) {
    const mark = (side: Side, end: End) => {
      const element = h("button", {
        type: "button",
        class: `beyond ${side} ${end}`,
        hidden: true,
        tabindex: -1,
      });
      on(element, "click", () => go(side, this.#positions.get(element) ?? 0), signal);
      return element;
    };
    const both = (side: Side) => ({ before: mark(side, "before"), after: mark(side, "after") });
    this.#marks = { query: both("query"), key: both("key") };
    this.elements = Object.values(this.#marks).flatMap(({ before, after }) => [before, after]);
  }

  show(
    layout: Layout,
    joints: { query?: Joint; key?: Joint },
    labels: Record<Side, readonly string[]>,
    scroll: number,
  ): void {
    const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
    for (const side of ["query", "key"] as const) {
      const joint = joints[side];
      const place = layout[side];
      const found = joint && !place.sticky ? beyond(place, joint, scroll, scroll + seen) : {};
      for (const end of ["before", "after"] as const) {
        const element = this.#marks[side][end];
        const there = found[end];
        set(element, "hidden", !there);
        if (!there) continue;
        this.#positions.set(element, there.position);
        const arrow = layout.vertical ? (end === "before" ? "↑" : "↓") : end === "before" ? "←" : "→";
        const more = there.count > 1 ? ` + ${there.count - 1}` : "";
        setText(
          element,
          `${arrow} ${labels[side][there.position] ?? ""} ${shortNumber(there.weight)}${more}`,
        );
        const { band } = layout;
        const [near, far] = [`${band.start + 4}px`, `calc(100% - ${band.start + band.size - 4}px)`];
        Object.assign(
          element.style,
          layout.vertical
            ? side === "query"
              ? { left: near, right: "auto" }
              : { left: "auto", right: far }
            : side === "query"
              ? { top: near, bottom: "auto" }
              : { top: "auto", bottom: far },
        );
      }
    }
  }
}
