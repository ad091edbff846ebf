/**
 * The one shape all lines share. With control points half way along, a line from (0, 0) to (1, 1)
 * is the cubic (1.5t − 1.5t² + t³, 3t² − 2t³): level at both tokens, steepest in the middle. How far
 * it has risen at a place along the way is therefore the same for every line, up to its height.
 */

/** Share of the way along, at parameter `t` of the curve. */
export const alongAt = (t: number): number => 1.5 * t - 1.5 * t * t + t * t * t;

/** Share of the rise, at parameter `t` of the curve. */
export const riseAt = (t: number): number => t * t * (3 - 2 * t);

/** Parameter at which the curve has come `share` of the way along. */
export function parameterAt(share: number): number {
  let low = 0;
  let high = 1;
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (alongAt(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Share of the rise where the curve has come `share` of the way along. */
export const riseAlong = (share: number): number => riseAt(parameterAt(Math.min(1, Math.max(0, share))));
