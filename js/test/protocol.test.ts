import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Model } from "../src/model.ts";
import * as protocol from "../src/protocol.ts";
import { NoKernel, type Reply, Requests } from "../src/protocol.ts";
import { FakeHost, type HostKind, pack, type Sent } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function make(kind: HostKind = {}, host = new FakeHost({}, kind)) {
  const controller = new AbortController();
  const model = new Model(host, controller.signal);
  const requests = new Requests(model, controller.signal);
  return { host, requests, end: () => controller.abort() };
}

const sent = (host: FakeHost, index = -1) => host.sent.at(index) as Sent;

/** What a promise has come to by now. */
async function settled<T>(promise: Promise<T>): Promise<T | Error | "pending"> {
  let outcome: T | Error | "pending" = "pending";
  promise.then(
    (value) => {
      outcome = value;
    },
    (error: Error) => {
      outcome = error;
    },
  );
  await vi.advanceTimersByTimeAsync(0);
  return outcome;
}

describe("a request", () => {
  it("is sent with version, id, kind and fields, and has a reply with decoded arrays", async () => {
    const { host, requests } = make();
    const asked = requests.ask("rows", { layer: 1, side: "key" }).reply;
    expect(sent(host)).toMatchObject({ v: 1, kind: "rows", layer: 1, side: "key" });
    const weights = Float32Array.of(0.25, 0.5, 0.125, 0.0625);
    const counts = Uint32Array.of(7, 9);
    host.reply(
      sent(host),
      { weights: pack(weights, [1, 2, 2]), counts: pack(counts) },
      { revision: 4, start: 2 },
    );
    const { revision, fields, arrays } = (await asked) as Reply;
    expect(revision).toBe(4);
    expect(fields.start).toBe(2);
    expect(arrays.weights).toEqual({ shape: [1, 2, 2], values: weights });
    expect(arrays.counts?.values).toEqual(counts);
  });

  it("may have a reply without arrays and without buffers", async () => {
    const { host, requests } = make();
    const asked = requests.ask("edges", {}).reply;
    host.deliver({ v: 1, id: sent(host).id, ok: true, revision: 1 });
    expect((await asked).arrays).toEqual({});
  });

  it("has the kernel's error as its own", async () => {
    const { host, requests } = make();
    const asked = requests.ask("rows", {}).reply;
    host.deliver({ v: 1, id: sent(host).id, ok: false, error: "ValueError: layer must be an int" });
    await expect(asked).rejects.toThrow("ValueError: layer must be an int");
    await expect(asked).rejects.not.toBeInstanceOf(NoKernel);
  });

  it("fails where the reply lacks what it describes", async () => {
    const { host, requests } = make();
    const [short, lacking, unknown, text] = [1, 2, 3, 4].map(
      () => requests.ask("rows", {}).reply,
    ) as Promise<Reply>[];
    const values = pack(Float32Array.of(1, 2, 3));
    host.reply(sent(host, 0), { weights: { ...values, shape: [2, 2] } });
    host.deliver({ id: sent(host, 1).id, ok: true, arrays: { weights: { dtype: "f4", shape: [3] } } }, []);
    host.reply(sent(host, 2), { weights: { ...values, dtype: "i4" } });
    host.deliver({ id: sent(host, 3).id, ok: true, arrays: { weights: { dtype: "f4", shape: [3] } } }, [
      "AAAA",
    ]);
    await expect(short).rejects.toThrow("needs 16 bytes; got 12");
    await expect(lacking).rejects.toThrow("binary data");
    await expect(unknown).rejects.toThrow("dtype");
    await expect(text).rejects.toThrow("got string");
  });

  it("times out, once, and drops a reply that comes later", async () => {
    const { host, requests } = make();
    const asked = requests.ask("rows", {}).reply;
    asked.catch(() => {});
    await vi.advanceTimersByTimeAsync(9_999);
    expect(await settled(asked)).toBe("pending");
    await vi.advanceTimersByTimeAsync(1);
    const error = await settled(asked);
    expect(error).toBeInstanceOf(NoKernel);
    host.reply(sent(host));
    expect(await settled(asked)).toBe(error);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leaves no timer behind", async () => {
    const { host, requests } = make();
    const asked = requests.ask("rows", {}).reply;
    expect(vi.getTimerCount()).toBe(1);
    host.reply(sent(host));
    await asked;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails when the page ends, and so does one that comes after", async () => {
    const { host, requests, end } = make();
    const asked = requests.ask("rows", {}).reply;
    end();
    await expect(asked).rejects.toBeInstanceOf(NoKernel);
    await expect(requests.ask("rows", {}).reply).rejects.toBeInstanceOf(NoKernel);
    expect(host.sent).toHaveLength(1);
    expect(host.listening).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails at once where there is no kernel", async () => {
    const { requests } = make({ sends: false });
    await expect(requests.ask("rows", {}).reply).rejects.toBeInstanceOf(NoKernel);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails at once where the connection is closed", async () => {
    const { host, requests } = make();
    host.onSend = () => {
      throw new Error("Comm is disposed");
    };
    await expect(requests.ask("rows", {}).reply).rejects.toBeInstanceOf(NoKernel);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("several requests", () => {
  it("find their replies in any order", async () => {
    const { host, requests } = make();
    const first = requests.ask("rows", { start: 1 }).reply;
    const second = requests.ask("rows", { start: 2 }).reply;
    host.reply(sent(host, 1), {}, { start: 2 });
    expect(await settled(first)).toBe("pending");
    host.reply(sent(host, 0), {}, { start: 1 });
    expect((await first).fields.start).toBe(1);
    expect((await second).fields.start).toBe(2);
  });

  it("of two pages with one kernel don't take each other's replies", async () => {
    const host = new FakeHost();
    const [one, two] = [make({}, host), make({}, host)];
    const mine = one.requests.ask("rows", {}).reply;
    const theirs = two.requests.ask("rows", {}).reply;
    expect(sent(host, 0).id).not.toBe(sent(host, 1).id);
    host.reply(sent(host, 1), {}, { whose: "theirs" });
    expect(await settled(mine)).toBe("pending");
    expect((await theirs).fields.whose).toBe("theirs");
    host.reply(sent(host, 0), {}, { whose: "mine" });
    expect((await mine).fields.whose).toBe("mine");
  });

  it.each([[null], [undefined], ["text"], [3], [{}], [{ id: null }], [{ id: "other-0", ok: true }]])(
    "are not disturbed by %j",
    async (message) => {
      const { host, requests } = make();
      const asked = requests.ask("rows", {}).reply;
      host.deliver(message);
      expect(await settled(asked)).toBe("pending");
      host.reply(sent(host));
      await expect(asked).resolves.toBeDefined();
    },
  );
});

it("has the names and numbers that Python has", () => {
  const python = readFileSync(new URL("../../attn_widget/protocol.py", import.meta.url), "utf8");
  const numbers = new Map<string, number>();
  for (const [, name = "", value = ""] of python.matchAll(/^([A-Z_]+): Final = (.+)$/gm)) {
    const factors = value.split("*").map((factor) => Number(factor.replaceAll("_", "")));
    numbers.set(
      name,
      factors.reduce((product, factor) => product * factor, 1),
    );
  }
  const mine = Object.entries(protocol).filter(([, value]) => typeof value === "number");
  expect(mine.length).toBeGreaterThan(3);
  for (const [name, value] of mine) expect([name, numbers.get(name)]).toEqual([name, value]);
});
