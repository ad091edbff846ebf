/** The method switch beside the layers, and the line on what the map shown is. */
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, type FakeHost, mapTraits } from "../fakes.ts";
import { choose, endAll, expectState, find, framesOf, ready, settled, token, until } from "./mounted.ts";

afterEach(endAll);

const METHODS = [
  ["raw", "attention", "the weights as the model computed them"],
  ["rollout", "rollout", "attention followed through all layers"],
  ["mean", "mean over heads", "what the heads attend to on average"],
];

const traits = (more: Record<string, unknown> = {}, content: Record<string, unknown> = {}) => {
  const { _content, _block } = mapTraits({ layers: [1, 2].map((seed) => attention(2, 4, 4, seed)) });
  const described = {
    methods: METHODS,
    made: "",
    cost: "2 layers × 2 heads × 4 × 4 weights: 256 B as float32",
  };
  return {
    _content: { ...(_content as object), ...described, ...content },
    _block,
    ...{ map: "attention", layer: 1, heads: [], pinned_queries: [2], pinned_keys: [], ...more },
  };
};

const control = (root: HTMLElement) => find(root, 'select[aria-label="method"]') as HTMLSelectElement;
const shown = (element: Element | null | undefined) =>
  element instanceof HTMLElement && element.offsetParent !== null;
const said = (root: HTMLElement) => control(root).parentElement?.querySelector('[data-role="progress"]');
const cancel = (root: HTMLElement) => find(root, '[aria-label="cancel"]');
const asked = (host: FakeHost) => host.sent.filter(({ kind }) => kind === "method");
const last = (host: FakeHost) => asked(host).at(-1) ?? expect.fail("nothing was asked for");
const progress = (host: FakeHost, share: number) =>
  host.deliver({ v: 1, id: last(host).id, revision: 1, progress: share });

describe("the method switch", () => {
  it("offers what the kernel knows, by name, with what each says", async () => {
    const { root } = await ready(traits());
    const options = [...control(root).options];
    expect(options.map(({ value, text, title }) => [value, text, title])).toEqual(METHODS);
    expect(control(root).value).toBe("raw");
    expect(control(root).title).toBe(METHODS[0]?.[2]);
    expect(shown(said(root))).toBe(false);
    expect(shown(cancel(root))).toBe(false);
  });

  it("is not there where there is nothing to choose", async () => {
    const { root } = await ready(traits({}, { methods: [] }));
    expect(shown(control(root))).toBe(false);
  });

  it("asks, and shows the result when it is there", async () => {
    const { root, host } = await ready(traits());
    const before = framesOf(root);
    choose(control(root), "rollout");
    expect(last(host)).toMatchObject({ method: "rollout" });
    expect(host.saved.flatMap(Object.keys)).not.toContain("method");
    expect(framesOf(root)).toBe(before);
    const layers = [attention(1, 4, 4, 7)];
    const made = mapTraits({ revision: 2, kind: "relevance", layers });
    host.fromPython({ method: "rollout", layer: 0 });
    host.fromPython({
      _content: { ...(made._content as object), methods: METHODS, made: "rollout(residual=0.5)" },
      _block: made._block,
    });
    host.reply(last(host));
    await settled(root);
    expect(control(root).value).toBe("rollout");
    expect(control(root).title).toBe(METHODS[1]?.[2]);
    expect(find(root, '[data-role="readout"]').textContent).toMatch(/^t2 draws on k/);
    expect(find(root, '[data-role="legend"]').textContent).toContain("target (left) draws on source (right)");
    expect(find(root, '[data-role="about"]').textContent).toBe("rollout(residual=0.5)");
  });

  it("tells how far it is, while the old picture stays and can be read", async () => {
    const { root, host } = await ready(traits());
    const before = framesOf(root);
    choose(control(root), "rollout");
    progress(host, 0.4);
    expect(said(root)?.textContent).toBe("40 %");
    expect(shown(cancel(root))).toBe(true);
    expect(control(root).value).toBe("rollout");
    await userEvent.hover(token(root, "query", 0));
    await until(() => find(root, '[data-role="readout"]').textContent?.startsWith("t0"), "the readout");
    expect(find(root, '[data-role="readout"]').textContent).toMatch(/^t0 attends to/);
    expect(framesOf(root)).toBe(before);
  });

  it.each(["Escape", "×"])("is cancelled by %s, which clears nothing else", async (how) => {
    const { root, host } = await ready(traits());
    choose(control(root), "rollout");
    progress(host, 0.4);
    if (how === "×") await userEvent.click(cancel(root));
    else {
      token(root, "query", 2).focus();
      await userEvent.keyboard("{Escape}");
    }
    expect(host.sent.at(-1)).toMatchObject({ kind: "cancel", id: last(host).id });
    await until(() => control(root).value === "raw", "the old choice");
    expect(shown(said(root))).toBe(false);
    expect(shown(cancel(root))).toBe(false);
    expectState(host, { pinned_queries: [2] });
  });

  it("stops one for the next", async () => {
    const { root, host } = await ready(traits());
    choose(control(root), "rollout");
    const first = last(host).id;
    choose(control(root), "mean");
    expect(host.sent).toContainEqual(expect.objectContaining({ kind: "cancel", id: first }));
    progress(host, 0.2);
    await until(() => said(root)?.textContent === "20 %", "its progress");
    expect(control(root).value).toBe("mean");
  });

  it("says why there is none", async () => {
    const { root, host } = await ready(traits());
    choose(control(root), "rollout");
    host.deliver({ v: 1, id: last(host).id, revision: 1, ok: false, error: "rollout needs every weight" });
    await until(() => said(root)?.textContent === "rollout needs every weight", "the reason");
    expect(control(root).value).toBe("raw");
    expect(shown(cancel(root))).toBe(false);
  });

  it("says that it needs a kernel where there is none", async () => {
    const { root } = await ready(traits(), { kind: { sends: false } });
    choose(control(root), "rollout");
    await until(() => said(root)?.textContent === "needs a running kernel", "the reason");
    expect(control(root).value).toBe("raw");
  });
});

it.each(["lines", "matrix", "heads"])("says in a quiet line what the map of the %s costs", async (view) => {
  const { root } = await ready(traits({ view }));
  const about = find(root, '[data-role="about"]');
  expect(about.textContent).toBe("2 layers × 2 heads × 4 × 4 weights: 256 B as float32");
  expect(shown(about)).toBe(true);
});
