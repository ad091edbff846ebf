import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { actionOf, createAnnouncer, type Key, type ListPlace, nextIndex } from "../src/a11y.ts";
import { createLifetime } from "../src/lifetime.ts";

const column: ListPlace = { index: 5, count: 20, page: 8, vertical: true, rtl: false };
const row: ListPlace = { ...column, vertical: false };
const press = (key: string, more: Partial<Key> = {}): Key => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
});

describe("nextIndex", () => {
  it.each([
    ["ArrowDown", 6],
    ["ArrowUp", 4],
    ["PageDown", 13],
    ["PageUp", 0],
    ["Home", 0],
    ["End", 19],
    ["ArrowLeft", null],
    ["ArrowRight", null],
    ["Tab", null],
    ["x", null],
  ])("moves by %s in a column to %j", (key, index) => {
    expect(nextIndex(key, column)).toBe(index);
    expect(nextIndex(key, { ...column, rtl: true })).toBe(index);
  });

  it.each([
    ["ArrowRight", 6, 4],
    ["ArrowLeft", 4, 6],
    ["ArrowDown", null, null],
    ["Home", 0, 0],
  ])("moves by %s in a row to %j, from right to left to %j", (key, ltr, rtl) => {
    expect(nextIndex(key, row)).toBe(ltr);
    expect(nextIndex(key, { ...row, rtl: true })).toBe(rtl);
  });

  it("never leaves the list", () => {
    const keys = ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "PageDown", "PageUp", "Home", "End"];
    for (const place of [column, row, { ...row, rtl: true }]) {
      for (let count = 0; count < 4; count++) {
        for (let index = 0; index < Math.max(1, count); index++) {
          for (const key of keys) {
            const next = nextIndex(key, { ...place, index, count });
            if (next !== null) expect(next >= 0 && next < count).toBe(true);
            else if (count > 0) expect(key).toMatch(/^Arrow/);
          }
        }
      }
    }
  });
});

describe("actionOf", () => {
  it("moves, crosses, pins and clears", () => {
    expect(actionOf(press("ArrowDown"), column)).toEqual({ kind: "move", index: 6 });
    expect(actionOf(press("ArrowLeft"), column)).toEqual({ kind: "cross" });
    expect(actionOf(press("ArrowRight"), column)).toEqual({ kind: "cross" });
    expect(actionOf(press("ArrowUp"), row)).toEqual({ kind: "cross" });
    expect(actionOf(press("Enter"), column)).toEqual({ kind: "pin", add: false });
    expect(actionOf(press(" ", { shiftKey: true }), column)).toEqual({ kind: "pin", add: true });
    expect(actionOf(press("Escape"), column)).toEqual({ kind: "clear" });
  });

  it("leaves others' keys alone", () => {
    expect(actionOf(press("Tab"), column)).toBeNull();
    expect(actionOf(press("a"), column)).toBeNull();
    for (const modifier of ["ctrlKey", "metaKey", "altKey"] as const) {
      for (const key of ["ArrowDown", "Enter", "Escape", "Home"]) {
        expect(actionOf(press(key, { [modifier]: true }), column)).toBeNull();
      }
    }
  });

  it("only clears where there is nothing to move through", () => {
    const empty = { ...column, index: 0, count: 0 };
    expect(actionOf(press("ArrowDown"), empty)).toBeNull();
    expect(actionOf(press("Enter"), empty)).toBeNull();
    expect(actionOf(press("Escape"), empty)).toEqual({ kind: "clear" });
  });
});

describe("createAnnouncer", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("says the first at once and of hasty ones the last", () => {
    const region = { textContent: "" };
    const say = createAnnouncer(region, createLifetime());
    say("one");
    expect(region.textContent).toBe("one");
    say("two");
    say("three");
    vi.advanceTimersByTime(499);
    expect(region.textContent).toBe("one");
    vi.advanceTimersByTime(1);
    expect(region.textContent).toBe("three");
    say("four");
    expect(region.textContent).toBe("three");
    vi.advanceTimersByTime(500);
    expect(region.textContent).toBe("four");
    vi.advanceTimersByTime(500);
    say("five");
    expect(region.textContent).toBe("five");
  });

  it("is silent once its lifetime ends", () => {
    const region = { textContent: "" };
    const lifetime = createLifetime();
    const say = createAnnouncer(region, lifetime);
    say("one");
    say("two");
    lifetime.end();
    say("three");
    vi.advanceTimersByTime(5000);
    expect(region.textContent).toBe("one");
    expect(vi.getTimerCount()).toBe(0);
  });
});
