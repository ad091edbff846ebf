/** What the lines view draws, free of DOM, host and kernel. */

/** Drawn lines as columns: entry `i` of each array describes line `i`. */
export interface Edges {
  readonly count: number;
  /** Position on the query axis. */
  readonly query: Uint32Array;
  /** Position on the key axis. */
  readonly key: Uint32Array;
  /** Head of the model, or `COMBINED` when heads are merged by mean or max. */
  readonly head: Uint16Array;
  /** The number itself: what readouts, tables and exports state. */
  readonly weight: Float32Array;
  /** 0..1 after the chosen scale: what opacity and width carry. */
  readonly strength: Float32Array;
  /** `Mark` bits: why a line is not an ordinary positive weight. */
  readonly mark: Uint8Array;
}

export const NO_EDGES: Edges = {
  count: 0,
  query: new Uint32Array(0),
  key: new Uint32Array(0),
  head: new Uint16Array(0),
  weight: new Float32Array(0),
  strength: new Float32Array(0),
  mark: new Uint8Array(0),
};

/** One of the lines by itself. */
export const lineOf = ({ query, key, head, weight, strength, mark }: Edges, line: number): Edges => ({
  count: 1,
  query: query.slice(line, line + 1),
  key: key.slice(line, line + 1),
  head: head.slice(line, line + 1),
  weight: weight.slice(line, line + 1),
  strength: strength.slice(line, line + 1),
  mark: mark.slice(line, line + 1),
});

export const COMBINED = 0xffff;

/** Bits of `Edges.mark`. */
export const Mark = { negative: 1, infinite: 2 } as const;

/** Weight that no single line carries, pooled into blocks of queries × keys. */
export interface Pool {
  readonly rows: number;
  readonly cols: number;
  /** One `rows × cols` block a head: summed strength of the lines in the block. */
  readonly heads: readonly { readonly head: number; readonly strength: Float32Array }[];
}

/** Pooled weight, drawn as a haze. */
export interface Fog extends Pool {
  /**
   * The same weight of the same heads pooled for either end, where lines of one token still lie together:
   * finely along that side, and coarsely along the other.
   */
  readonly ends?: { readonly query: Pool; readonly key: Pool } | undefined;
}

/**
 * Where lines run, in CSS pixels. A line leaves its query at `along.query`, arrives at its key at
 * `along.key`, and is placed across that direction by the centres of its two ends.
 */
export interface Geometry {
  /** True: tokens stand in two columns and lines run left to right. False: two rows, top to bottom. */
  readonly vertical: boolean;
  readonly along: { readonly query: number; readonly key: number };
  readonly query: Float32Array;
  readonly key: Float32Array;
  /** Room of one token across the line direction; line width is a share of it. */
  readonly pitch: number;
}

/** An opaque colour, 0..255 a channel. */
export type Rgb = readonly [red: number, green: number, blue: number];
