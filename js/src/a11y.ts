/** What keys mean in the token lists, and how a screen reader hears of changes. */
import type { Lifetime } from "./lifetime.ts";

/** Where the focus is in a list of tokens, of which only those in sight have elements. */
export interface ListPlace {
  readonly index: number;
  readonly count: number;
  /** Tokens that Page Up and Page Down move by. */
  readonly page: number;
  /** Tokens stand below each other, not beside each other. */
  readonly vertical: boolean;
  /** Beside each other, the first token stands at the right. */
  readonly rtl: boolean;
}

/** What a key asks for. */
export type Action =
  | { readonly kind: "move"; readonly index: number }
  /** To the list on the other side. */
  | { readonly kind: "cross" }
  /** Pin or unpin; `add` keeps what else is pinned. */
  | { readonly kind: "pin"; readonly add: boolean }
  /** Unpin everything. The event must go on: notebooks listen for it too. */
  | { readonly kind: "clear" };

/** The part of a keyboard event that says which key was meant. */
export type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">;

/** What `event` asks for in a list of tokens; null for keys that belong to others, Tab among them. */
export function actionOf(event: Key, place: ListPlace): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const { key } = event;
  if (key === "Escape") return { kind: "clear" };
  if (place.count === 0) return null;
  if (key === "Enter" || key === " ") return { kind: "pin", add: event.shiftKey };
  if ((place.vertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"]).includes(key)) {
    return { kind: "cross" };
  }
  const index = nextIndex(key, place);
  return index === null ? null : { kind: "move", index };
}

/** The index that `key` moves to along the list; it stays where the list ends. Null for other keys. */
export function nextIndex(key: string, { index, count, page, vertical, rtl }: ListPlace): number | null {
  const [back, forward] = vertical
    ? ["ArrowUp", "ArrowDown"]
    : rtl
      ? ["ArrowRight", "ArrowLeft"]
      : ["ArrowLeft", "ArrowRight"];
  const moves = new Map([
    [back, index - 1],
    [forward, index + 1],
    ["PageUp", index - page],
    ["PageDown", index + page],
    ["Home", 0],
    ["End", count - 1],
  ]);
  const next = moves.get(key);
  return next === undefined || count === 0 ? null : Math.max(0, Math.min(count - 1, next));
}

/** Screen readers drop announcements that follow each other faster. */
const ANNOUNCE_EVERY_MS = 500;

/**
 * Makes a function that has a polite live region say a text: the first at once, of those that follow
 * too soon only the last.
 */
export function createAnnouncer(
  region: Pick<Element, "textContent">,
  lifetime: Lifetime,
): (text: string) => void {
  let waiting: string | null = null;
  let pausing = false;

  const say = (text: string) => {
    region.textContent = text;
    pausing = true;
    lifetime.after(ANNOUNCE_EVERY_MS, () => {
      pausing = false;
      if (waiting === null) return;
      const next = waiting;
      waiting = null;
      say(next);
    });
  };

  return (text) => {
    if (lifetime.signal.aborted) return;
    if (pausing) waiting = text;
    else if (text !== region.textContent) say(text);
  };
}
