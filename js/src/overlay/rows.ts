/** The weights an overlay shows, as a table. */

import { labelOf } from "../content.ts";
import type { Row } from "../export/csv.ts";
import type { State } from "../model.ts";
import type { Focus, Source } from "./source.ts";

/** By head, query and key; the mean over all queries has the query −1. */
export function overlayRows(source: Source, state: State, focus: Focus | null): Row[] {
  const { content } = source;
  if (!content) return [];
  const { layer, combine } = state;
  const rows: Row[] = [];
  for (const position of focus?.positions ?? [-1]) {
    const shown = source.shown(focus && { side: focus.side, positions: [position] });
    shown?.rows.forEach((weights, number) => {
      const head = combine === "each" ? (shown.heads[number] as number) : combine;
      weights.forEach((weight, other) => {
        if (!(Math.abs(weight) > 0)) return;
        const [query, key] = shown.other === "key" ? [position, other] : [other, position];
        const queryLabel = query < 0 ? `mean of ${shown.count} queries` : labelOf(content.queries, query);
        rows.push({ layer, head, query, queryLabel, key, keyLabel: labelOf(content.keys, key), weight });
      });
    });
  }
  const number = ({ head }: Row) => (typeof head === "number" ? head : 0);
  return rows.sort((a, b) => number(a) - number(b) || a.query - b.query || a.key - b.key);
}
