/** What pointer and keys ask of the lines view. */

import { actionOf, type ListPlace } from "../a11y.ts";
import { on } from "../lifetime.ts";
import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import type { Focus } from "./picture.ts";

/** What is under the pointer or has the keyboard's focus. */
export type Target = { readonly side: Side; readonly position: number } | { readonly line: number } | null;

export interface Handlers {
  hover(target: Target): void;
  /** The keyboard has reached a token. */
  reached(side: Side, position: number): void;
  pin(side: Side, position: number, add: boolean): void;
  pinLine(): void;
  /** The line at a place of the content, in CSS pixels; -1 for none. */
  lineAt(x: number, y: number): number;
  /** Where the keyboard is in the tokens of a side. */
  place(side: Side): ListPlace;
  /** Bring a token into sight and give it the keyboard's focus. */
  goTo(side: Side, position: number): void;
}

export function listen(
  scene: HTMLElement,
  columns: Readonly<Record<Side, HTMLElement>>,
  handlers: Handlers,
  signal: AbortSignal,
): void {
  for (const side of ["query", "key"] as const) {
    const column = columns[side];
    on(column, "pointerover", (event) => handlers.hover(tokenAt(event, side)), signal);
    let pressed: MouseEvent | undefined;
    on(
      column,
      "mousedown",
      (event) => {
        pressed = event;
        // A click that adds a pin must not also select all text since the last one.
        if (event.shiftKey) event.preventDefault();
      },
      signal,
    );
    on(
      column,
      "click",
      (event) => {
        const token = tokenAt(event, side);
        // Text selected by dragging is to be copied, not pinned.
        if (!token || (pressed && isDrag(pressed, event) && hasSelection(column))) return;
        handlers.pin(side, token.position, event.shiftKey || event.metaKey || event.ctrlKey);
      },
      signal,
    );
    on(
      column,
      "focusin",
      (event) => {
        const token = tokenAt(event, side);
        if (token && (event.target as Element).matches(":focus-visible")) {
          handlers.reached(side, token.position);
        }
      },
      signal,
    );
    on(column, "focusout", () => handlers.hover(null), signal);
    on(
      column,
      "keydown",
      (event) => {
        const action = actionOf(event, handlers.place(side));
        // Escape is the frame's: it clears from anywhere, and goes on to the notebook.
        if (!action || action.kind === "clear") return;
        event.preventDefault();
        if (action.kind === "pin") handlers.pin(side, handlers.place(side).index, action.add);
        else if (action.kind === "move") handlers.goTo(side, action.index);
        else cross(side, handlers);
      },
      signal,
    );
  }
  on(
    scene,
    "pointermove",
    (event) => {
      if (event.pointerType === "touch" || tokenAt(event, "query")) return;
      const box = scene.getBoundingClientRect();
      const line = handlers.lineAt(event.clientX - box.left, event.clientY - box.top);
      handlers.hover(line < 0 ? null : { line });
    },
    signal,
  );
  on(scene, "pointerleave", () => handlers.hover(null), signal);
  on(
    scene,
    "click",
    (event) => {
      if (!tokenAt(event, "query")) handlers.pinLine();
    },
    signal,
  );
}

function cross(side: Side, handlers: Handlers): void {
  const other: Side = side === "query" ? "key" : "query";
  const { count } = handlers.place(other);
  if (count > 0) handlers.goTo(other, Math.min(count - 1, handlers.place(side).index));
}

function tokenAt(event: Event, side: Side): { side: Side; position: number } | null {
  const token = (event.target as Element | null)?.closest<HTMLElement>(".token");
  return token ? { side, position: Number(token.dataset.position) } : null;
}

const DRAG_PX = 4;

const isDrag = (from: MouseEvent, to: MouseEvent): boolean =>
  Math.hypot(to.clientX - from.clientX, to.clientY - from.clientY) >= DRAG_PX;

function hasSelection(element: HTMLElement): boolean {
  const root = element.getRootNode() as Document | ShadowRoot;
  // Only Chromium knows the selection of a shadow root.
  const selection = "getSelection" in root ? root.getSelection() : document.getSelection();
  return (selection?.toString() ?? "") !== "";
}

type Pins = Pick<State, "pinned_queries" | "pinned_keys">;

/** Equal where the same is pinned. */
export const pinsKey = ({ pinned_queries, pinned_keys }: Pins): string =>
  JSON.stringify([pinned_queries, pinned_keys]);

/**
 * What is pinned after a click on the tokens of one position: alone, or beside what is pinned where `add`.
 * A click on what is pinned alone, or an adding click on what is pinned, unpins it.
 */
export function nextPins(
  pins: Pins,
  pinned: Focus,
  side: Side,
  position: number,
  tokens: readonly number[],
  add: boolean,
): Pins {
  const was = pinned[side].includes(position);
  const alone = pinned.query.length + pinned.key.length === 1;
  const [mine, other] =
    side === "query" ? [pins.pinned_queries, pins.pinned_keys] : [pins.pinned_keys, pins.pinned_queries];
  const rest = mine.filter((token) => !tokens.includes(token));
  const next = was && (add || alone) ? rest : add ? [...rest, ...tokens] : tokens;
  const kept = add ? other : [];
  return side === "query"
    ? { pinned_queries: next, pinned_keys: kept }
    : { pinned_queries: kept, pinned_keys: next };
}
