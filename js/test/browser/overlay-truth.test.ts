/** Masks given as the truth over the overlay's pictures, and what the legend says of them. */
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { all, endAll, find, framesOf, inked, pixels, ready, settled, token } from "./mounted.ts";
import { canvasOf, caption } from "./scenes.ts";

afterEach(endAll);

/** A square of 20 × 20 pixels in the middle of a picture of 60 × 40. */
const SQUARE = { scene: "M20 10h20v20h-20z" };
const marks = (root: HTMLElement) => canvasOf(root, "overlay");
const told = (root: HTMLElement) =>
  all(root, ".legend span").some(
    ({ hidden, textContent }) => !hidden && textContent === "mask given as the truth",
  );

/** Bright and dark pixels along a horizontal line of a canvas, by shares of its size. */
function along(
  canvas: HTMLCanvasElement,
  y: number,
  from: number,
  to: number,
): [bright: number, dark: number] {
  const { width, height } = canvas;
  const [left, wide] = [Math.round(from * width), Math.round((to - from) * width)];
  const data = canvas.getContext("2d")?.getImageData(left, Math.round(y * height), wide, 1).data ?? [];
  let [bright, dark] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if ((data[at + 3] ?? 0) < 200) continue;
    if ((data[at] ?? 0) > 200) bright++;
    if ((data[at] ?? 0) < 80) dark++;
  }
  return [bright, dark];
}

describe("a mask given as the truth", () => {
  it("has dashes along its edges, and the legend says what they are", async () => {
    const { root, host } = await ready(await caption({ _masks: SQUARE, pinned_queries: [1] }));
    const [bright, dark] = along(marks(root), 0.25, 0.36, 0.64);
    expect(bright).toBeGreaterThan(20);
    expect(dark).toBeGreaterThan(20);
    expect(told(root)).toBe(true);
    const before = inked(marks(root));
    host.fromPython({ _masks: {} });
    await settled(root);
    expect(told(root)).toBe(false);
    expect(inked(marks(root))).toBeLessThan(before);
  });

  it("of another image is not there", async () => {
    const { root, host } = await ready(await caption({ _masks: SQUARE }));
    const masked = inked(marks(root));
    host.fromPython({ _masks: { other: SQUARE.scene } });
    await settled(root);
    expect(told(root)).toBe(false);
    const other = inked(marks(root));
    expect(other).toBeLessThan(masked);
    host.fromPython({ _masks: {} });
    await settled(root);
    expect(inked(marks(root))).toBe(other);
  });

  it("stays while something is hovered, and touches neither picture nor weights", async () => {
    const { root, host } = await ready(await caption());
    const below = () => [pixels(canvasOf(root, "base")), pixels(canvasOf(root, "heat"))];
    const before = below();
    host.fromPython({ _masks: SQUARE });
    await settled(root);
    expect(below()).toEqual(before);
    const frames = framesOf(root);
    await userEvent.hover(token(root, "query", 1));
    expect(along(marks(root), 0.25, 0.36, 0.64)[0]).toBeGreaterThan(20);
    expect(framesOf(root)).toBe(frames);
  });

  it("is zoomed with the picture", async () => {
    const { root } = await ready(await caption({ _masks: SQUARE }));
    const before = pixels(marks(root));
    await userEvent.click(find(root, '[aria-label^="zoom in"]'));
    await settled(root);
    expect(pixels(marks(root))).not.toBe(before);
    // Zoomed by 1.6 about the middle, the upper edge of the square stands at 0.5 − 0.25 · 1.6.
    expect(along(marks(root), 0.1, 0.4, 0.6)[0]).toBeGreaterThan(20);
  });
});
