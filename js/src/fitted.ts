/** The state as Python makes it fit another map (`WidgetState._fit_state`), for pages without Python. */

type Fields = Readonly<Record<string, unknown>>;

export type Shape = readonly [layers: number, heads: number, queries: number, keys: number];

export interface ShownAxis {
  readonly labels: readonly string[];
  readonly parts: readonly unknown[];
  readonly words: unknown;
}

/** What of a map its state must fit. */
export interface Shown {
  readonly shape: Shape;
  readonly kind: string;
  readonly mechanism: string | null;
  readonly queries: ShownAxis;
  readonly keys: ShownAxis | null;
}

/** With more tokens on either side, maps are first shown as a matrix. */
const MATRIX_ABOVE = 2048;

export function fitted(state: Fields, { shape, kind, mechanism, queries: axis, keys: other }: Shown) {
  const [layers, heads, queries, keys] = shape;
  const below = (positions: unknown, count: number) =>
    ((positions ?? []) as number[]).filter((position) => position < count);
  const window = state.window as readonly number[] | null;
  const [top = 0, bottom = 0, left = 0, right = 0] = window ?? [];
  const inside = window && top < queries && left < keys;
  const parts = [...axis.parts, ...(other?.parts ?? [])];
  const lacks = (view: unknown) =>
    (view === "overlay" && parts.length === 0) || (view === "mechanism" && !mechanism);
  const without = Math.max(queries, keys) > MATRIX_ABOVE ? "matrix" : "lines";
  const suiting = parts.some((part) => (part as { image?: unknown }).image) ? "overlay" : without;
  const view = lacks(state.view) ? suiting : state.view;
  const beside = lacks(state.beside) ? null : state.beside;
  return {
    view,
    beside: beside === view ? null : beside,
    layer: Math.max(0, Math.min(Number(state.layer), layers - 1)),
    heads: state.heads === null ? null : below(state.heads, heads),
    pinned_queries: below(state.pinned_queries, queries),
    pinned_keys: below(state.pinned_keys, keys),
    aside: below(state.aside, keys),
    links: ((state.links ?? []) as [number, number][]).filter(([q, k]) => q < queries && k < keys),
    words: state.words === true && kind !== "score" && (axis.words ?? other?.words ?? null) !== null,
    window: inside ? [top, Math.min(bottom, queries), left, Math.min(right, keys)] : null,
  };
}
