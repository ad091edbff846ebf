/** Lines around the cells that hold a share of the weight. Pure. No DOM. */

/** Ends of straight pieces: x, y, x, y each. */
export type Pieces = readonly (readonly [number, number, number, number])[];

/**
 * The smallest sets that hold shares of the weight: `order` lists the members from the strongest, and
 * the first `counts[i]` of them hold the i-th share. What is not finite, or 0, is in none.
 */
export function enclosing(
  weights: ArrayLike<number>,
  members: readonly number[],
  shares: readonly number[],
): { order: readonly number[]; counts: readonly number[] } {
  const magnitude = (member: number) => Math.abs(weights[member] as number);
  const order = members.filter((member) => magnitude(member) > 0 && magnitude(member) < Infinity);
  order.sort((a, b) => magnitude(b) - magnitude(a) || a - b);
  const sums: number[] = [];
  for (const member of order) sums.push((sums.at(-1) ?? 0) + magnitude(member));
  const counts = shares.map((share) => {
    // Sums of float32 weights may miss a share by their last digit.
    const enough = share * (sums.at(-1) ?? 0) * (1 - 1e-7);
    return Math.min(order.length, sums.findIndex((sum) => sum >= enough) + 1);
  });
  return { order, counts };
}

/** Edges between cells inside and outside a set, or of all cells inside; neighbours in line are one piece. */
export function edgesOf(
  rows: number,
  cols: number,
  inside: (row: number, col: number) => boolean,
  every: boolean,
): Pieces {
  const within = (row: number, col: number) =>
    row >= 0 && col >= 0 && row < rows && col < cols && inside(row, col);
  const parted = (a: boolean, b: boolean) => (every ? a || b : a !== b);
  const runs = (lines: number, length: number, is: (line: number, at: number) => boolean) => {
    const found: [line: number, from: number, to: number][] = [];
    for (let line = 0; line <= lines; line++) {
      for (let at = 0, from = -1; at <= length; at++) {
        const on = at < length && is(line, at);
        if (on && from < 0) from = at;
        if (!on && from >= 0) {
          found.push([line, from, at]);
          from = -1;
        }
      }
    }
    return found;
  };
  const lying = runs(rows, cols, (row, col) => parted(within(row - 1, col), within(row, col)));
  const upright = runs(cols, rows, (col, row) => parted(within(row, col - 1), within(row, col)));
  return [
    ...lying.map(([y, from, to]) => [from, y, to, y] as const),
    ...upright.map(([x, from, to]) => [x, from, x, to] as const),
  ];
}

/**
 * Where samples in rows of `width` pass a level, by marching squares. A sample lies in the middle of its unit
 * square; beyond the outermost there is nothing, so lines run along the border where the level is passed there.
 */
export function levelLines(samples: Float32Array, width: number, height: number, level: number): Pieces {
  const at = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? -Infinity : (samples[y * width + x] as number);
  // Where on the way from one sample to the next; all the way where the level is passed at the border.
  const way = (a: number, b: number): number =>
    b === -Infinity ? 1 : a === -Infinity ? 0 : (level - a) / (b - a);
  const spot = (from: number, share: number, size: number) => {
    const [a, b] = [Math.max(0, from + 0.5), Math.min(size, from + 1.5)];
    return a + (b - a) * share;
  };
  const found: [number, number, number, number][] = [];
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      // No arrays here: most of many samples end two lines below.
      const a = at(x, y);
      const b = at(x + 1, y);
      const c = at(x + 1, y + 1);
      const d = at(x, y + 1);
      const in0 = a >= level;
      const in1 = b >= level;
      const in2 = c >= level;
      const in3 = d >= level;
      if (in0 === in1 && in1 === in2 && in2 === in3) continue;
      const points: (readonly [number, number] | null)[] = [
        in0 === in1 ? null : [spot(x, way(a, b), width), spot(y, 0, height)],
        in1 === in2 ? null : [spot(x, 1, width), spot(y, way(b, c), height)],
        in2 === in3 ? null : [spot(x, way(d, c), width), spot(y, 1, height)],
        in3 === in0 ? null : [spot(x, 0, width), spot(y, way(a, d), height)],
      ];
      const join = (one: number, other: number) => {
        const [p, q] = [points[one], points[other]];
        if (p && q) found.push([...p, ...q]);
      };
      const crossed = points.flatMap((point, i) => (point ? [i] : []));
      if (crossed.length === 2) join(crossed[0] as number, crossed[1] as number);
      else {
        // Of a saddle the middle tells which corners belong together.
        const joined = (a + b + c + d) / 4 >= level === in0;
        join(0, joined ? 1 : 3);
        join(2, joined ? 3 : 1);
      }
    }
  }
  return found;
}
