/** The overlay's focus in words and as the report that Python may observe. */

import { listed, type Piece, sentence } from "../lines/reading.ts";
import type { Hovered } from "../lines/telling.ts";
import { headsText } from "../matrix/telling.ts";
import type { State } from "../model.ts";
import { percent } from "./account.ts";
import type { Focus, Shown, Source } from "./source.ts";

/** "*orange* attends to *row 4, column 2* 0.455, …; 62 more share 0.425 · 100 % on the image". */
export function tell(source: Source, state: State, focus: Focus | null): Piece[] {
  const { content, heads } = source;
  if (!content) return [];
  if (heads.length === 0) return [{ text: "no head is shown: choose heads above" }];
  const shown = source.shown(focus);
  if (!focus && !shown) return [{ text: "hover a patch or a token to see its weights; click to pin it" }];
  const side = focus?.side ?? "query";
  const [own, others] = side === "query" ? [content.queries, content.keys] : [content.keys, content.queries];
  const positions = focus?.positions ?? [];
  const named = focus
    ? positions.map((at) => own.labels[at] ?? "")
    : [own.labels.length === 1 ? (own.labels[0] ?? "") : `the mean of ${shown?.count ?? 0} queries`];
  if (!shown) return [...listed(named), { text: ` — ${source.refusal(focus) ?? "loading …"}` }];
  const apart = source.apart[side];
  if (side === "key" && positions.every((at) => apart.has(at))) {
    return [...listed(named), { text: positions.length === 1 ? " is set aside" : " are set aside" }];
  }
  const manyHeads = shown.rows.length > 1;
  const joined = side === "query" ? `mean of ${shown.count} queries` : `sum of ${shown.count} keys`;
  const of = [
    positions.length > 1 ? joined : "",
    !manyHeads && content.heads > 1 ? headsText(heads, state.combine).slice(2, -1) : "",
  ];
  const said = sentence({
    kind: content.kind,
    side,
    focus: named,
    joint: strongestOf(shown),
    labels: others.labels,
    manyHeads,
    combine: state.combine,
    of: of.filter(Boolean).join(", "),
  });
  said.push({ text: whereText(shown) });
  if (!focus) said.push({ text: " · hover a patch or a token to see its own" });
  return said;
}

/** The strongest head at each position; no line where the weight is 0. */
function strongestOf({ heads, rows }: Shown): Parameters<typeof sentence>[0]["joint"] {
  const { length } = rows[0] ?? [];
  const joint = {
    weights: new Float32Array(length).fill(NaN),
    strengths: new Float32Array(length),
    heads: new Uint16Array(length),
  };
  rows.forEach((row, number) => {
    for (let at = 0; at < length; at++) {
      const size = Math.abs(row[at] as number);
      if (!(size > 0) || size <= Math.abs(joint.weights[at] as number)) continue;
      joint.weights[at] = row[at] as number;
      joint.heads[at] = heads[number] as number;
    }
  });
  return joint;
}

/** " · 62 % on the image, 12 % set aside": where there is an image, and weight beside it. */
function whereText({ account, setAside }: Shown): string {
  const image = account.shares.find(({ role, aside }) => role === "image" && !aside);
  const said = [
    image ? `${percent(image.share)} on the image` : "",
    setAside > 0 ? `${percent(setAside)} set aside` : "",
  ].filter(Boolean);
  return said.length > 0 ? ` · ${said.join(", ")}` : "";
}

/** The report that Python may observe. */
export function hoveredAt({ layer }: State, hover: Focus | null): Hovered | null {
  if (!hover) return null;
  return {
    layer,
    head: null,
    query: null,
    key: null,
    weight: null,
    [hover.side]: hover.positions[0] ?? null,
  };
}
