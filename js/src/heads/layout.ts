/** Where each head's thumbnail stands: a row a layer, or one flow in the order of a statistic. Pure. */

export interface GridInput {
  /** CSS pixels to fill. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Cells, `layer × heads + head`, in the order shown; null for a row a layer. */
  readonly order: Int32Array | null;
  /** Height of a map over its width. */
  readonly aspect: number;
  /** Width of a cell chosen by zooming; null for one that suits. */
  readonly pitch: number | null;
}

export interface Grid {
  readonly columns: number;
  readonly lines: number;
  /** Width of the layer labels on the left. */
  readonly left: number;
  readonly pitch: { readonly x: number; readonly y: number };
  /** A thumbnail, at the left top of its cell. */
  readonly box: { readonly width: number; readonly height: number };
  /** The cell in each place, line after line; −1 where there is none. */
  readonly slots: Int32Array;
  /** The place of each cell. */
  readonly slotOf: Int32Array;
  readonly width: number;
  readonly height: number;
  /** Lines of one layer; 0 in a flow, where each thumbnail has its own label. */
  readonly perLayer: number;
}

/** Widths of a cell that zooming steps through. */
export const PITCHES = [12, 16, 20, 26, 34, 44, 56, 80, 96, 128, 160] as const;
const LEAST = PITCHES[0];
/** Widest cell that nobody asked for. */
const MOST = 96;
/** Room that a label such as "L3 H7 0.82" takes. */
const LABELLED = 80;
const LABEL_HEIGHT = 15;
const GUTTER = 32;
/** Where a layer takes several lines, cells are as large as lets all of them be seen in two screens. */
const COMFORT = 1000;
const BAND = 320;

export function arrange({ width, layers, heads, order, aspect, pitch }: GridInput): Grid {
  const left = order ? 0 : GUTTER;
  const room = Math.max(LEAST, width - left);
  const cells = layers * heads;
  const shape = Math.min(2, Math.max(0.5, aspect));
  const below = order ? LABEL_HEIGHT : 0;
  const lineOf = (x: number) => {
    const gap = x < 24 ? 1 : x < 56 ? 3 : 6;
    const box = { width: x - gap, height: Math.max(4, Math.round((x - gap) * shape)) };
    return { box, y: box.height + gap + below };
  };
  const columnsAt = (x: number) => Math.max(1, Math.min(order ? cells : heads, Math.floor(room / x)));
  const linesAt = (x: number) =>
    order ? Math.ceil(cells / columnsAt(x)) : layers * Math.ceil(heads / columnsAt(x));
  const least = order ? LABELLED : LEAST;
  const choose = () => {
    const whole = Math.min(MOST, Math.floor(room / heads));
    if (!order && whole >= LEAST) return whole;
    const fits = PITCHES.filter((x) => x >= Math.max(least, 16) && x <= MOST);
    return fits.reverse().find((x) => linesAt(x) * lineOf(x).y <= COMFORT) ?? fits.at(-1) ?? least;
  };
  const x = Math.min(room, Math.max(least, pitch ?? choose()));
  const columns = columnsAt(x);
  const lines = linesAt(x);
  const perLayer = order ? 0 : lines / layers;
  const slots = new Int32Array(lines * columns).fill(-1);
  const slotOf = new Int32Array(cells);
  for (let at = 0; at < cells; at++) {
    const cell = order ? (order[at] as number) : at;
    const slot = order ? at : Math.floor(at / heads) * perLayer * columns + (at % heads);
    slots[slot] = cell;
    slotOf[cell] = slot;
  }
  const { box, y } = lineOf(x);
  return {
    ...{ columns, lines, left, box, slots, slotOf, perLayer },
    pitch: { x, y },
    width: left + columns * x,
    height: lines * y,
  };
}

/** The left top of a cell. */
export function placeOf({ slotOf, columns, left, pitch }: Grid, cell: number): { x: number; y: number } {
  const slot = slotOf[cell] ?? 0;
  return { x: left + (slot % columns) * pitch.x, y: Math.floor(slot / columns) * pitch.y };
}

/** The cell at a point of the content; −1 where there is none. */
export function cellAt({ slots, columns, lines, left, pitch }: Grid, x: number, y: number): number {
  const [column, line] = [Math.floor((x - left) / pitch.x), Math.floor(y / pitch.y)];
  if (column < 0 || column >= columns || line < 0 || line >= lines) return -1;
  return slots[line * columns + column] as number;
}

/** Lines that a stretch of the content shows, `[first, last)`. */
export function linesIn({ lines, pitch }: Grid, top: number, bottom: number): [first: number, last: number] {
  const clip = (line: number) => Math.max(0, Math.min(lines, line));
  return [clip(Math.floor(top / pitch.y)), clip(Math.ceil(bottom / pitch.y))];
}

/** Cells of the lines `[first, last)`. */
export const cellsIn = ({ slots, columns }: Grid, first: number, last: number): Int32Array =>
  slots.subarray(first * columns, last * columns).filter((cell) => cell >= 0);

/** Lines drawn on one canvas. */
export const bandLines = ({ pitch }: Grid): number => Math.max(1, Math.floor(BAND / pitch.y));

/** Every how many labels of `size` pixels one fits into cells of `pitch` pixels. */
export const labelStep = (pitch: number, size: number): number =>
  2 ** Math.max(0, Math.ceil(Math.log2(size / pitch)));

/** The cell that a key moves to; null for keys that mean something else. */
export function moved(grid: Grid, cell: number, key: string, page: number): number | null {
  const { columns, lines, slots, slotOf } = grid;
  const slot = slotOf[cell] ?? 0;
  const line = Math.floor(slot / columns);
  const column = slot % columns;
  const along = (from: number, step: number) => {
    for (let at = from + step; at >= 0 && at < slots.length; at += step) {
      if ((slots[at] as number) >= 0) return slots[at] as number;
    }
    return cell;
  };
  // A line may be shorter than the column is wide.
  const at = (to: number, place = column) => {
    const start = Math.max(0, Math.min(lines - 1, to)) * columns;
    const filled = slots.subarray(start, start + columns).filter((there) => there >= 0).length;
    return slots[start + Math.min(place, filled - 1)] as number;
  };
  switch (key) {
    case "ArrowLeft":
      return along(slot, -1);
    case "ArrowRight":
      return along(slot, 1);
    case "ArrowUp":
      return at(line - 1);
    case "ArrowDown":
      return at(line + 1);
    case "PageUp":
      return at(line - page);
    case "PageDown":
      return at(line + page);
    case "Home":
      return at(line, 0);
    case "End":
      return at(line, columns);
    default:
      return null;
  }
}
