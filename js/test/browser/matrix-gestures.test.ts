import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { centre, click, large, matrix, plotOf, send } from "./heatmap.ts";
import {
  all,
  base,
  endAll,
  expectState,
  find,
  focused,
  frame,
  inked,
  overlay,
  pixels,
  pointAway,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(endAll);

describe("pins", () => {
  it("are made of both ends of a cell, added to with Shift, and taken back", async () => {
    const { root, host } = await ready(matrix());
    const still = pixels(base(root));
    click(root, centre(root, 2, 4, [6, 7]));
    expectState(host, { pinned_queries: [2], pinned_keys: [4] });
    await until(() => token(root, "query", 2).getAttribute("aria-selected") === "true", "the mark");
    expect(inked(overlay(root))).toBeGreaterThan(1000);
    click(root, centre(root, 3, 5, [6, 7]), { shiftKey: true });
    expectState(host, { pinned_queries: [2, 3], pinned_keys: [4, 5] });
    click(root, centre(root, 3, 5, [6, 7]), { shiftKey: true });
    click(root, centre(root, 2, 4, [6, 7]));
    expectState(host, { pinned_queries: [], pinned_keys: [] });
    expect(pixels(base(root))).toBe(still);
  });

  it("come from labels and from Python", async () => {
    const { root, host } = await ready(matrix());
    await userEvent.click(token(root, "query", 1));
    expectState(host, { pinned_queries: [1], pinned_keys: [] });
    await pointAway();
    host.fromPython({ pinned_queries: [], pinned_keys: [3] });
    await until(() => readout(root).startsWith("beau is attended by"), "the sentence");
    expect(token(root, "key", 3).getAttribute("aria-selected")).toBe("true");
  });
});

describe("zoom and pan", () => {
  const count = 80;
  const windowOf = (host: { values: Record<string, unknown> }) => host.values.window as number[] | null;
  const spread = (host: { values: Record<string, unknown> }) => {
    const [top = 0, bottom = count] = windowOf(host) ?? [];
    return bottom - top;
  };

  it("by buttons, whose window is shared", async () => {
    const { root, host } = await ready(large(count));
    await userEvent.click(find(root, '[aria-label="zoom in"]'));
    await settled(root);
    expect(spread(host)).toBeLessThan(count);
    expect(find(root, ".matrix-overview").hidden).toBe(false);
    await userEvent.click(find(root, '[title^="fit"]'));
    expect(windowOf(host)).toBeNull();
    await until(() => find(root, ".matrix-overview").hidden, "the whole map");
  });

  it("follow a window of Python's", async () => {
    const { root, host } = await ready(large(count));
    host.fromPython({ window: [20, 30, 40, 50] });
    await until(
      () =>
        all(root, '[data-side="query"]:not([data-away])')
          .map((label) => label.textContent)
          .includes("q29"),
      "its labels",
    );
    const shown = all(root, '[data-side="query"]:not([data-away])').map((label) =>
      Number(label.dataset.index),
    );
    expect(shown.sort((one, other) => one - other)).toEqual(Array.from({ length: 10 }, (_, at) => 20 + at));
    expect(windowOf(host)).toEqual([20, 30, 40, 50]);
  });

  it("by the wheel with a modifier only", async () => {
    const { root, host } = await ready(large(count));
    const plot = plotOf(root);
    const at = centre(root, 60, 60, [count, count]);
    const wheel = (more: WheelEventInit) => {
      const event = new WheelEvent("wheel", {
        bubbles: true,
        cancelable: true,
        clientX: at[0],
        clientY: at[1],
        deltaY: -120,
        ...more,
      });
      plot.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(wheel({})).toBe(false);
    expect(windowOf(host)).toBeNull();
    for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) {
      const before = spread(host);
      expect(wheel(more)).toBe(true);
      expect(spread(host)).toBeLessThan(before);
    }
    const [top = 0, bottom = 0] = windowOf(host) ?? [];
    expect(top).toBeLessThanOrEqual(60);
    expect(bottom).toBeGreaterThan(60);
  });

  it("by dragging, which pins nothing", async () => {
    const { root, host } = await ready(large(count, { window: [20, 40, 20, 40] }));
    const plot = plotOf(root);
    const [x, y] = centre(root, 10, 10, [20, 20]);
    send(plot, "pointerdown", [x, y], { buttons: 1 });
    for (let step = 1; step <= 10; step++)
      send(plot, "pointermove", [x - 8 * step, y + 6 * step], { buttons: 1 });
    send(plot, "pointerup", [x - 80, y + 60]);
    plot.dispatchEvent(
      new MouseEvent("click", { bubbles: true, detail: 1, clientX: x - 80, clientY: y + 60 }),
    );
    const [top = 0, , left = 0] = windowOf(host) ?? [];
    expect(top).toBeLessThan(20);
    expect(left).toBeGreaterThan(20);
    expectState(host, { pinned_queries: [], pinned_keys: [] });
    await settled(root);
  });

  it("by dragging on the overview", async () => {
    const { root, host } = await ready(large(count, { window: [0, 20, 0, 20] }));
    const overview = find(root, ".matrix-overview");
    const { left, top, width, height } = overview.getBoundingClientRect();
    send(overview, "pointermove", [left + 0.5 * width, top + 0.75 * height]);
    expect(windowOf(host)).toEqual([0, 20, 0, 20]);
    send(overview, "pointerdown", [left + 0.25 * width, top + 0.5 * height], { buttons: 1 });
    expect(windowOf(host)).toEqual([30, 50, 10, 30]);
    send(overview, "pointermove", [left + 0.5 * width, top + 0.75 * height], { buttons: 1 });
    expect(windowOf(host)).toEqual([50, 70, 30, 50]);
  });

  it("by two fingers", async () => {
    const { root, host } = await ready(large(count));
    const plot = plotOf(root);
    const [x, y] = centre(root, 40, 40, [count, count]);
    const touch = (type: string, pointerId: number, at: [number, number]) =>
      send(plot, type, at, { pointerId, pointerType: "touch", buttons: 1, isPrimary: pointerId === 1 });
    // Fingers that no one holds can't be captured.
    plot.setPointerCapture = () => {};
    touch("pointerdown", 1, [x - 20, y]);
    touch("pointerdown", 2, [x + 20, y]);
    for (let step = 1; step <= 8; step++) {
      touch("pointermove", 1, [x - 20 - 5 * step, y]);
      touch("pointermove", 2, [x + 20 + 5 * step, y]);
    }
    expect(spread(host)).toBeLessThan(count / 2);
  });

  it("by a double click, which leaves pins as they were", async () => {
    const { root, host } = await ready(large(count, { pinned_queries: [3] }));
    const at = centre(root, 40, 40, [count, count]);
    click(root, at);
    plotOf(root).dispatchEvent(
      new MouseEvent("dblclick", { bubbles: true, detail: 2, clientX: at[0], clientY: at[1] }),
    );
    expectState(host, { pinned_queries: [3], pinned_keys: [] });
    expect(spread(host)).toBeLessThanOrEqual(41);
  });

  it("by the field that finds tokens", async () => {
    const { root, host } = await ready(large(count, { window: [0, 10, 0, 10] }));
    const field = find<HTMLInputElement>(root, ".find");
    await userEvent.fill(field, "t63");
    await userEvent.keyboard("{Enter}");
    await until(() => readout(root).startsWith("t63 is attended by"), "the token");
    const [, , left = 0, right = 0] = windowOf(host) ?? [];
    expect(left).toBeLessThanOrEqual(63);
    expect(right).toBeGreaterThan(63);
    await userEvent.fill(field, "nowhere");
    await userEvent.keyboard("{Enter}");
    expect(field.getAttribute("aria-invalid")).toBe("true");
  });
});

describe("the keyboard", () => {
  it("moves the crosshair, pins and pans", async () => {
    const { root, host } = await ready(large(60));
    plotOf(root).focus();
    await userEvent.keyboard("{ArrowDown}");
    await until(() => readout(root).startsWith("q30 attends to t30 "), "the middle");
    await userEvent.keyboard("{ArrowDown}{ArrowRight}{ArrowRight}");
    await until(() => readout(root).startsWith("q31 attends to t32 "), "the next cells");
    await userEvent.keyboard("{Enter}");
    expectState(host, { pinned_queries: [31], pinned_keys: [32] });
    await userEvent.keyboard("{End}");
    await until(() => readout(root).startsWith("q31 attends to t59 "), "the last key");
    await userEvent.keyboard("+");
    await until(() => host.values.window, "a closer look");
    const [top = 0] = host.values.window as number[];
    await userEvent.keyboard("{Shift>}{ArrowDown}{/Shift}");
    expect((host.values.window as number[])[0]).toBeGreaterThan(top);
    await userEvent.keyboard("0");
    expect(host.values.window).toBeNull();
  });

  it("moves from label to label, and across", async () => {
    const { root, host } = await ready(matrix());
    token(root, "query", 0).focus();
    await userEvent.keyboard("{ArrowDown}{ArrowDown}");
    expect(focused()?.textContent).toBe("my");
    await userEvent.keyboard("{ArrowRight}");
    expect(focused()?.dataset.side).toBe("key");
    await userEvent.keyboard("{End}{Enter}");
    expect(focused()?.textContent).toBe("</s>");
    expectState(host, { pinned_keys: [6] });
    expect(all(root, '[data-side="key"][tabindex="0"]').length).toBe(1);
  });

  it("reaches labels that have no room", async () => {
    const { root } = await ready(large(300), { width: 500 });
    await frame();
    const labels = all(root, '[data-side="key"]');
    expect(labels.length).toBeLessThan(60);
    labels[0]?.focus();
    await userEvent.keyboard("{ArrowRight}");
    expect(focused()?.dataset.index).toBe("1");
    await userEvent.keyboard("{End}");
    expect(focused()?.dataset.index).toBe("299");
  });
});
