/** Which line is under the pointer. */

import { riseAlong } from "./curve.ts";
import { lineWidth } from "./ink.ts";
import type { Edges, Geometry } from "./scene.ts";

/** How far from a line the pointer may be, in CSS pixels. */
const REACH = 4;

/** The line nearest to a point of the content, stronger ones first among near ones; -1 for none. */
export function lineAt(edges: Edges, geometry: Geometry, x: number, y: number): number {
  const [along, across] = geometry.vertical ? [x, y] : [y, x];
  const { query, key } = geometry.along;
  const share = (along - query) / (key - query);
  if (share < 0 || share > 1) return -1;
  const rise = riseAlong(share);
  let found = -1;
  let best = -Infinity;
  for (let i = 0; i < edges.count; i++) {
    const start = geometry.query[edges.query[i] as number] as number;
    const end = geometry.key[edges.key[i] as number] as number;
    const strength = edges.strength[i] as number;
    const distance = Math.abs(start + (end - start) * rise - across);
    const reach = lineWidth(strength, geometry.pitch) / 2 + REACH;
    if (distance > reach) continue;
    const score = strength - distance / reach;
    if (score > best) {
      best = score;
      found = i;
    }
  }
  return found;
}
