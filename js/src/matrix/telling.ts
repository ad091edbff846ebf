/** What is hovered or pinned in the matrix, in words. */

import type { Kind } from "../content.ts";
import { type Axes, type Focus, isEmpty } from "../lines/picture.ts";
import { lineSentence, listed, type Piece } from "../lines/reading.ts";
import { COMBINED } from "../lines/scene.ts";
import type { Hovered } from "../lines/telling.ts";
import type { State } from "../model.ts";
import { adds, verb } from "../scale/kinds.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import { merging } from "./field.ts";
import type { Span } from "./pool.ts";
import type { Source } from "./source.ts";

/** What is under the pointer, the keyboard's crosshair, or both sides' pins. */
export interface Cell {
  readonly row: number | null;
  readonly col: number | null;
}

const NAMED = 4;

/** Which heads a number is of: "(head 3)", "(mean of 4 heads)". */
export const headsText = (heads: readonly number[], combine: State["combine"]): string =>
  heads.length === 1 ? ` (head ${heads[0]})` : ` (${merging(combine)} of ${heads.length} heads)`;

const kindOf = ({ content }: Source): Kind => content?.kind ?? "weight";

export function tell(source: Source, state: State, { row, col }: Cell, pinned: Focus): Piece[] {
  const { axes, heads } = source;
  if (heads.length === 0) return [{ text: "no head is shown: choose heads above" }];
  if (row !== null && col !== null) return cellSentence(source, state, row, col);
  if (row !== null) return rowSentence(source, state, "query", [row]);
  if (col !== null) return rowSentence(source, state, "key", [col]);
  if (isEmpty(pinned)) return [{ text: "hover a cell to read its weight; click to pin its query and key" }];
  const { query, key } = pinned;
  if (query.length === 1 && key.length === 1)
    return cellSentence(source, state, query[0] as number, key[0] as number);
  if (query.length > 0 && key.length > 0) {
    return [
      ...listed(query.map((at) => axes.query.labels[at] ?? "")),
      { text: ` ${verb(kindOf(source), "query", query.length)} ` },
      ...listed(key.map((at) => axes.key.labels[at] ?? "")),
      { text: `: ${query.length * key.length} cells pinned` },
    ];
  }
  return query.length > 0
    ? rowSentence(source, state, "query", query)
    : rowSentence(source, state, "key", key);
}

/** The exact weight of a cell; undefined while neither its row nor its column is here. */
export function weightOf(source: Source, row: number, col: number): number | undefined {
  return source.row("query", row)?.[col] ?? undefined;
}

function cellSentence(source: Source, state: State, row: number, col: number): Piece[] {
  const { axes, heads } = source;
  const [from, to] = [axes.query.labels[row] ?? "", axes.key.labels[col] ?? ""];
  const of = headsText(heads, state.combine);
  const weight = weightOf(source, row, col);
  const after = source.here.causal && col > row + axes.key.count - axes.query.count;
  if (weight !== undefined) {
    return [
      ...lineSentence(kindOf(source), from, to, weight, COMBINED),
      { text: after ? `${of}: masked` : of },
    ];
  }
  const said = [...listed([from]), { text: ` ${verb(kindOf(source), "query")} ` }, ...listed([to])];
  const about = source.about(row, col, state.pool);
  const size = (span: Span) => span[1] - span[0];
  if (about && !Number.isNaN(about.value) && size(about.rows) * size(about.cols) === 1) {
    return [...said, { text: ` ≈ ${formatWeight(Number(about.value.toPrecision(2)))}${of}` }];
  }
  return [...said, { text: ` — ${source.refusal("query", row) ?? "loading …"}` }];
}

/** "*mon* attends to *my* 0.817, *beautiful* 0.179; 7 more share 0.004": the mean over several. */
function rowSentence(source: Source, state: State, side: Side, units: readonly number[]): Piece[] {
  const { axes, heads, here } = source;
  const kind = kindOf(source);
  const said: Piece[] = listed(units.map((at) => axes[side].labels[at] ?? ""));
  const rows = units.map((unit) => source.row(side, unit));
  const other = side === "query" ? axes.key : axes.query;
  if (rows.some((row) => !row)) {
    return [...said, { text: ` — ${source.refusal(side, units[0] as number) ?? "loading …"}` }];
  }
  const mean = meanOf(rows as Float32Array[]);
  const { strongest, rest, sum, most } = summed(mean);
  said.push({ text: ` ${verb(kind, side, units.length)} ` });
  strongest.forEach((at, i) => {
    if (i > 0) said.push({ text: ", " });
    said.push(...listed([other.labels[at] ?? ""]), { text: ` ${formatWeight(mean[at] as number)}` });
  });
  if (strongest.length === 0) said.push({ text: "nothing" });
  const others = adds(kind) ? ` share ${formatWeight(sum)}` : `, at most ${formatWeight(most)}`;
  if (rest > 0) said.push({ text: `; ${rest} more${others}` });
  said.push({ text: units.length > 1 ? ` (mean of ${units.length})` : headsText(heads, state.combine) });
  if (units.length > 1) return said;
  const strip = side === "query" ? here.entropy : here.totals;
  const value =
    strip && strip.values.length === axes[side].count ? strip.values[units[0] as number] : undefined;
  if (value !== undefined && !Number.isNaN(value)) {
    said.push({
      text:
        side === "query"
          ? ` · entropy ${formatWeight(value)} nats`
          : ` · receives ${formatWeight(value)} in all`,
    });
  }
  return said;
}

function meanOf(rows: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0)] = rows;
  if (rows.length === 1) return first;
  return Float32Array.from(
    first,
    (_, at) => rows.reduce((sum, row) => sum + (row[at] as number), 0) / rows.length,
  );
}

/** The strongest few of a row, how many others share what, and the strongest of those. */
function summed(weights: Float32Array) {
  const strongest: number[] = [];
  let rest = 0;
  let sum = 0;
  let most = 0;
  const size = (at: number) => Math.abs(weights[at] as number);
  for (let at = 0; at < weights.length; at++) {
    if (!(size(at) > 0) || weights[at] === -Infinity) continue;
    rest++;
    sum += weights[at] as number;
    const weakest = strongest[NAMED - 1];
    if (weakest !== undefined) most = Math.max(most, Math.min(size(at), size(weakest)));
    if (weakest !== undefined && size(at) <= size(weakest)) continue;
    let place = strongest.length;
    while (place > 0 && size(at) > size(strongest[place - 1] as number)) place--;
    strongest.splice(place, 0, at);
    if (strongest.length > NAMED) strongest.pop();
  }
  for (const at of strongest) sum -= weights[at] as number;
  return { strongest, rest: rest - strongest.length, sum, most };
}

/** The cell of largest magnitude in a rectangle, where all weights are here. */
export function strongestIn(
  source: Source,
  rows: Span,
  cols: Span,
): { row: number; col: number } | undefined {
  const field = source.field;
  if (!field) return undefined;
  let found: { row: number; col: number } | undefined;
  let most = -1;
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let col = cols[0]; col < cols[1]; col++) {
      const size = Math.abs(field.values[row * field.cols + col] as number);
      if (size > most) {
        most = size;
        found = { row, col };
      }
    }
  }
  return found;
}

/** The report that Python may observe; positions are tokens. */
export function hoveredAt(source: Source, { layer }: State, { row, col }: Cell): Hovered | null {
  const { axes, heads } = source;
  if (row === null && col === null) return null;
  const weight = row === null || col === null ? undefined : weightOf(source, row, col);
  return {
    layer,
    head: heads.length === 1 && weight !== undefined ? (heads[0] as number) : null,
    query: row === null ? null : (axes.query.starts[row] as number),
    key: col === null ? null : (axes.key.starts[col] as number),
    weight: weight ?? null,
  };
}

/** Whether any axis has a label that holds a text, or the position that it names; from a place on, around. */
export function findUnit(
  axes: Axes,
  wanted: string,
  after: { side: Side; unit: number },
): { side: Side; unit: number } | undefined {
  const text = wanted.trim().toLocaleLowerCase();
  if (text === "") return undefined;
  const sides: Side[] = axes.key.labels === axes.query.labels ? ["key"] : ["key", "query"];
  const all = sides.flatMap((side) =>
    Array.from({ length: axes[side].count }, (_, unit) => ({ side, unit })),
  );
  const from = all.findIndex(({ side, unit }) => side === after.side && unit === after.unit);
  const matches = (test: (label: string) => boolean) => {
    for (let step = 1; step <= all.length; step++) {
      const place = all[(from + step) % all.length] as { side: Side; unit: number };
      if (test((axes[place.side].labels[place.unit] ?? "").toLocaleLowerCase())) return place;
    }
    return undefined;
  };
  const labelled =
    matches((label) => label.trim() === text) ??
    // "row 1" is not yet "row 10".
    matches((label) => label.startsWith(`${text},`)) ??
    matches((label) => label.includes(text));
  if (labelled || !/^\d+$/.test(text)) return labelled;
  const unit = Number(text);
  return unit < axes.key.count ? { side: "key", unit } : undefined;
}
