/** Text and patches on one axis: all views mean the same by an index. */
import { afterEach, describe, it } from "vitest";
import { userEvent } from "vitest/browser";
import { formatWeight } from "../../src/scale/scale.ts";
import { attention } from "../fakes.ts";
import { centre, plotOf, send } from "./heatmap.ts";
import { endAll, expectState, find, pointAway, readout, ready, token, until } from "./mounted.ts";
import { mixed, patchAt, pictures } from "./scenes.ts";

const [BEFORE, PATCHES, AFTER, COLS] = [12, 24, 6, 6];
const COUNT = BEFORE + PATCHES + AFTER;
const WEIGHTS = attention(1, COUNT, COUNT, 1, 4).values;

/** What the axis says at an index. */
const labelAt = (at: number): string => {
  const patch = at - BEFORE;
  if (patch < 0) return `before ${at}`;
  if (patch >= PATCHES) return `after ${patch - PATCHES}`;
  return `row ${Math.floor(patch / COLS) + 1}, column ${(patch % COLS) + 1}`;
};

/** What every view has to say of a query: the four strongest keys, counted in the weights themselves. */
function expected(query: number): string {
  const row = WEIGHTS.subarray(query * COUNT, (query + 1) * COUNT);
  const order = [...row.keys()].sort((a, b) => (row[b] as number) - (row[a] as number));
  const named = order.slice(0, 4).map((key) => `${labelAt(key)} ${formatWeight(row[key] as number)}`);
  return `${labelAt(query)} attends to ${named.join(", ")}`;
}

const said = (root: HTMLElement): string => readout(root).split(";")[0] as string;

afterEach(endAll);

describe("text and patches on one axis", () => {
  const queries = [0, BEFORE - 1, BEFORE, BEFORE + 8, BEFORE + PATCHES - 1, BEFORE + PATCHES, COUNT - 1];

  it("lines say of every index what the weights say", async () => {
    const { root } = await ready(await mixed(BEFORE, AFTER, { view: "lines", height: 1600 }));
    for (const query of queries) {
      await userEvent.hover(token(root, "query", query));
      await until(() => said(root) === expected(query), `${labelAt(query)}, which is ${expected(query)}`);
    }
  });

  it("so does the matrix, of every pair", async () => {
    const { root } = await ready(await mixed(BEFORE, AFTER, { view: "matrix" }));
    for (const query of queries) {
      for (const key of queries) {
        send(plotOf(root), "pointermove", centre(root, query, key, [COUNT, COUNT]));
        const weight = formatWeight(WEIGHTS[query * COUNT + key] as number);
        const pair = `${labelAt(query)} attends to ${labelAt(key)} ${weight}`;
        await until(() => readout(root).startsWith(pair), pair);
      }
    }
  });

  it("and so does the overlay, for words and patches", async () => {
    const { root } = await ready(await mixed(BEFORE, AFTER));
    for (const query of queries) {
      const patch = query - BEFORE;
      if (patch >= 0 && patch < PATCHES) {
        const picture = pictures(root)[0] as HTMLElement;
        send(picture, "pointermove", patchAt(root, Math.floor(patch / COLS), patch % COLS));
        await until(() => picture.dataset.cursor === String(query), "the cursor");
      } else await userEvent.hover(token(root, "query", query));
      await until(() => said(root) === expected(query), `${labelAt(query)}, which is ${expected(query)}`);
    }
  });

  it("what is pinned on the picture stays pinned, in the same place, in every view", async () => {
    const { root, host } = await ready(await mixed(BEFORE, AFTER));
    const query = BEFORE + 8;
    const at = patchAt(root, 1, 2);
    const picture = pictures(root)[0] as HTMLElement;
    send(picture, "pointerdown", at, { buttons: 1 });
    send(picture, "pointerup", at);
    const [clientX, clientY] = at;
    picture.dispatchEvent(
      new MouseEvent("click", { bubbles: true, composed: true, detail: 1, clientX, clientY }),
    );
    expectState(host, { pinned_queries: [query], pinned_keys: [] });
    for (const view of ["lines", "matrix", "overlay"]) {
      await userEvent.click(find(root, `[data-choose="${view}"]`));
      await until(() => root.querySelector(`[data-view="${view}"]`), view);
      await pointAway();
      await until(() => said(root) === expected(query), `the same sentence as ${view}`);
    }
  });
});

it("a pinned word among many is in sight, whoever pins it", async () => {
  const { root, host } = await ready(await mixed(400, 6, { pinned_queries: [200] }));
  const inSight = (at: number) => {
    const word = token(root, "query", at);
    const [own, list] = [word.getBoundingClientRect(), find(root, ".words .side").getBoundingClientRect()];
    return own.top >= list.top - 1 && own.bottom <= list.bottom + 1;
  };
  await until(() => inSight(200), "the word pinned from the start");
  host.fromPython({ pinned_queries: [5] });
  await until(() => inSight(5), "the word that Python pins");
});
