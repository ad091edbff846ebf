import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLifetime, on, oncePerFrame } from "../src/lifetime.ts";

beforeEach(() => {
  vi.useFakeTimers();
  // Node has no frames: a timer stands in for one.
  vi.stubGlobal("requestAnimationFrame", (callback: (time: number) => void) =>
    setTimeout(() => callback(0), 16),
  );
  vi.stubGlobal("cancelAnimationFrame", (id: ReturnType<typeof setTimeout>) => clearTimeout(id));
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("a lifetime", () => {
  it("runs frames and timers while it lasts", () => {
    const lifetime = createLifetime();
    const [frame, timer] = [vi.fn(), vi.fn()];
    lifetime.frame(frame);
    lifetime.after(100, timer);
    vi.advanceTimersByTime(100);
    expect(frame).toHaveBeenCalledOnce();
    expect(timer).toHaveBeenCalledOnce();
  });

  it("cancels a timer when asked", () => {
    const lifetime = createLifetime();
    const timer = vi.fn();
    const cancel = lifetime.after(100, timer);
    cancel();
    cancel();
    vi.advanceTimersByTime(1000);
    expect(timer).not.toHaveBeenCalled();
  });

  it("ends everything at once, and only once", () => {
    const lifetime = createLifetime();
    const [late, cleanup, listener] = [vi.fn(), vi.fn(), vi.fn()];
    const target = new EventTarget();
    lifetime.frame(late);
    lifetime.after(100, late);
    lifetime.onEnd(cleanup);
    on(target, "ping", listener, lifetime.signal);
    target.dispatchEvent(new Event("ping"));
    lifetime.end();
    lifetime.end();
    target.dispatchEvent(new Event("ping"));
    vi.advanceTimersByTime(1000);
    expect(late).not.toHaveBeenCalled();
    expect(cleanup).toHaveBeenCalledOnce();
    expect(listener).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends with its parent, but not the other way round", () => {
    const parent = new AbortController();
    const [first, second] = [createLifetime(parent.signal), createLifetime(parent.signal)];
    first.end();
    expect(parent.signal.aborted).toBe(false);
    expect(second.signal.aborted).toBe(false);
    parent.abort();
    expect(second.signal.aborted).toBe(true);
  });

  it("starts nothing after its end, and cleans up at once", () => {
    const parent = new AbortController();
    parent.abort();
    const lifetime = createLifetime(parent.signal);
    const [late, cleanup] = [vi.fn(), vi.fn()];
    lifetime.frame(late);
    lifetime.after(0, late);
    lifetime.onEnd(cleanup);
    vi.advanceTimersByTime(1000);
    expect(lifetime.signal.aborted).toBe(true);
    expect(late).not.toHaveBeenCalled();
    expect(cleanup).toHaveBeenCalledOnce();
  });
});

describe("oncePerFrame", () => {
  it("runs once however often it is called, and again in the next frame", () => {
    const lifetime = createLifetime();
    const work = vi.fn();
    const ask = oncePerFrame(lifetime, work);
    ask();
    ask();
    expect(work).not.toHaveBeenCalled();
    vi.advanceTimersByTime(16);
    expect(work).toHaveBeenCalledOnce();
    ask();
    vi.advanceTimersByTime(16);
    expect(work).toHaveBeenCalledTimes(2);
  });
});
