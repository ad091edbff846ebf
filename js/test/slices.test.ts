/** Parts asked of the kernel: what is here, what is under way, what is given up. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Model } from "../src/model.ts";
import { Requests } from "../src/protocol.ts";
import { Slices } from "../src/slices.ts";
import { FakeHost, type HostKind, pack } from "./fakes.ts";

function made(kind: HostKind = {}, memory?: number) {
  const host = new FakeHost({}, kind);
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  const changed = vi.fn();
  const slices = new Slices(model, new Requests(model, signal), changed, memory);
  slices.update(1);
  const asked = (kind: string) => host.sent.filter((sent) => sent.kind === kind);
  return { host, slices, changed, asked };
}

const cells = (value: number, count = 4) => ({ max: pack(Uint16Array.from({ length: count }, () => value)) });
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("slices", () => {
  it("keep what came, for the same request in any order of its fields", async () => {
    const { host, slices, asked, changed } = made();
    slices.want("window", "region", { layer: 1, rows: [0, 4] });
    expect(slices.get("region", { layer: 1, rows: [0, 4] })).toBeUndefined();
    host.reply(host.sent[0] as never, cells(7));
    await settled();
    expect(changed).toHaveBeenCalled();
    expect(slices.get("region", { rows: [0, 4], layer: 1 })?.arrays.max?.values[0]).toBe(7);
    slices.want("window", "region", { layer: 1, rows: [0, 4] });
    expect(asked("region")).toHaveLength(1);
  });

  it("ask once for the same, and only for the last of what was wanted meanwhile", async () => {
    const { host, slices, asked } = made();
    for (const layer of [0, 0, 1, 2, 3]) slices.want("window", "region", { layer });
    expect(asked("region").map(({ layer }) => layer)).toEqual([0]);
    host.reply(host.sent[0] as never, cells(0));
    await settled();
    expect(asked("region").map(({ layer }) => layer)).toEqual([0, 3]);
    expect(asked("cancel")).toHaveLength(0);
  });

  it("stop a long answer that is no longer wanted", async () => {
    const { host, slices, asked } = made();
    slices.want("window", "region", { layer: 0 });
    await vi.advanceTimersByTimeAsync(400);
    expect(slices.progress("window")).toBe(0);
    host.deliver({ v: 1, id: host.sent[0]?.id, progress: 0.25 });
    expect(slices.progress("window")).toBe(0.25);
    slices.want("window", "region", { layer: 1 });
    await settled();
    expect(asked("cancel").map(({ id }) => id)).toEqual([host.sent[0]?.id]);
    expect(asked("region").map(({ layer }) => layer)).toEqual([0, 1]);
    expect(slices.progress("window")).toBeUndefined();
  });

  it("show no progress before a person would wonder", async () => {
    const { slices } = made();
    slices.want("window", "region", { layer: 0 });
    await vi.advanceTimersByTimeAsync(200);
    expect(slices.progress("window")).toBeUndefined();
  });

  it("wait for as long as the kernel tells of progress, and not longer", async () => {
    const { host, slices } = made();
    slices.want("window", "region", { layer: 0 });
    for (let share = 0; share < 5; share++) {
      await vi.advanceTimersByTimeAsync(9_000);
      host.deliver({ v: 1, id: host.sent[0]?.id, progress: share / 5 });
    }
    expect(slices.failure("window")).toBeUndefined();
    await vi.advanceTimersByTimeAsync(11_000);
    expect(slices.failure("window")).toContain("kernel");
  });

  it("say why nothing came, and ask again only after a while", async () => {
    const { host, slices, asked } = made();
    slices.want("window", "region", { layer: 0 });
    host.deliver({ v: 1, id: host.sent[0]?.id, ok: false, error: "too large" });
    await settled();
    expect(slices.failure("window")).toBe("too large");
    slices.want("window", "region", { layer: 0 });
    expect(asked("region")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(6_000);
    slices.want("window", "region", { layer: 0 });
    expect(asked("region")).toHaveLength(2);
  });

  it("take what is on screen from its trait, whichever comes first, trait or reply", async () => {
    for (const traitFirst of [true, false]) {
      const { host, slices, asked } = made();
      slices.want("window", "region", { layer: 2 }, { hold: true });
      const request = host.sent[0] as never;
      expect(request).toMatchObject({ hold: true });
      const trait = { revision: 1, request: { layer: 2 }, full: 1, arrays: cells(5) };
      const give = () => {
        host.values._region = trait;
        slices.update(1);
      };
      if (traitFirst) give();
      host.reply(request, {}, { held: true });
      await settled();
      if (!traitFirst) give();
      await settled();
      expect(slices.get("region", { layer: 2 })?.arrays.max?.values[0]).toBe(5);
      expect(slices.get("region", { layer: 2 })?.fields.full).toBe(1);
      slices.want("window", "region", { layer: 2 }, { hold: true });
      expect(asked("region")).toHaveLength(1);
    }
  });

  it("show what a saved notebook holds, and say what it doesn't", async () => {
    const { host, slices } = made({ sends: false });
    host.values._region = { revision: 1, request: { layer: 2 }, arrays: cells(5) };
    slices.update(1);
    expect(slices.held("region")?.arrays.max?.values).toHaveLength(4);
    slices.want("window", "region", { layer: 3 });
    await settled();
    expect(slices.failure("window")).toContain("needs a running kernel");
  });

  it("forget all with the map, also what is under way", async () => {
    const { host, slices } = made();
    slices.want("window", "region", { layer: 0 });
    host.reply(host.sent[0] as never, cells(1));
    await settled();
    slices.want("window", "region", { layer: 1 });
    slices.update(2);
    host.reply(host.sent[1] as never, cells(2));
    await settled();
    expect(slices.get("region", { layer: 0 })).toBeUndefined();
    expect(slices.get("region", { layer: 1 })).toBeUndefined();
    expect(slices.failure("window")).toBeUndefined();
  });

  it("forget what was used longest ago when room is short", async () => {
    const { host, slices } = made({}, 2 * 2 * 100);
    for (const layer of [0, 1, 2]) {
      if (layer === 2) slices.get("region", { layer: 0 });
      slices.want(`slot ${layer}`, "region", { layer });
      host.reply(host.sent.at(-1) as never, cells(layer, 100));
      await settled();
    }
    const here = [0, 1, 2].filter((layer) => slices.get("region", { layer }));
    expect(here).toEqual([0, 2]);
  });
});
