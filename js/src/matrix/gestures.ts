/** What pointer and keys ask of the matrix. */

import { actionOf, type ListPlace } from "../a11y.ts";
import { on } from "../lifetime.ts";
import type { Side } from "../store.ts";

export interface PlotHandlers {
  /** A place of the plot in CSS pixels. */
  hover(x: number, y: number): void;
  leave(): void;
  /** Drag the matrix by some CSS pixels. */
  pan(dx: number, dy: number): void;
  zoomAt(factor: number, x: number, y: number): void;
  pinAt(x: number, y: number, add: boolean): void;
  /** The click before was the first of two: put the pins back. */
  unpinClick(): void;
  /** Move the crosshair, or the part in sight where `pan`. Returns false for other keys. */
  key(event: KeyboardEvent): boolean;
}

export interface AxisHandlers {
  hoverToken(side: Side, position: number): void;
  leave(): void;
  pinToken(side: Side, position: number, add: boolean): void;
  reached(side: Side, position: number): void;
  place(side: Side): ListPlace;
  goTo(side: Side, position: number): void;
}

const DRAG_PX = 4;
const WHEEL = 0.0022;

export function listenPlot(plot: HTMLElement, handlers: PlotHandlers, signal: AbortSignal): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;
  const at = (event: MouseEvent): [number, number] => {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  };
  on(
    plot,
    "pointerdown",
    (event) => {
      if (event.button !== 0) return;
      if (pointers.size === 0) moved = 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    signal,
  );
  on(
    plot,
    "pointermove",
    (event) => {
      const before = pointers.get(event.pointerId);
      if (!before || event.buttons === 0) {
        pointers.delete(event.pointerId);
        if (event.pointerType !== "touch") handlers.hover(...at(event));
        return;
      }
      const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
      moved = Math.max(moved, Math.hypot(dx, dy));
      if (moved < DRAG_PX) return;
      plot.setPointerCapture(event.pointerId);
      const apart = spread();
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (pointers.size === 2) {
        moved = Infinity;
        const middle = [...pointers.values()].reduce(
          (sum, { x, y }) => ({ x: sum.x + x / 2, y: sum.y + y / 2 }),
          { x: 0, y: 0 },
        );
        const box = plot.getBoundingClientRect();
        if (apart > 0) handlers.zoomAt(spread() / apart, middle.x - box.left, middle.y - box.top);
        handlers.pan(dx / 2, dy / 2);
      } else {
        moved = Infinity;
        handlers.pan(dx, dy);
      }
    },
    signal,
  );
  const up = (event: PointerEvent) => pointers.delete(event.pointerId);
  on(plot, "pointerup", up, signal);
  on(plot, "pointercancel", up, signal);
  on(plot, "pointerleave", () => handlers.leave(), signal);
  on(
    plot,
    "click",
    (event) => {
      if (moved >= DRAG_PX || event.detail > 1) return;
      handlers.pinAt(...at(event), event.shiftKey);
    },
    signal,
  );
  on(
    plot,
    "dblclick",
    (event) => {
      event.preventDefault();
      handlers.unpinClick();
      handlers.zoomAt(2, ...at(event));
    },
    signal,
  );
  on(
    plot,
    "wheel",
    (event) => {
      // The plain wheel scrolls the page; trackpads pinch by a wheel with Ctrl.
      if (!event.ctrlKey && !event.metaKey && !event.altKey) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 18 : 1;
      const delta = Math.max(-240, Math.min(240, (event.deltaY || event.deltaX) * lines));
      handlers.zoomAt(
        Math.exp(-delta * WHEEL * (event.ctrlKey && Math.abs(delta) < 40 ? 4 : 1)),
        ...at(event),
      );
    },
    signal,
    { passive: false },
  );
  on(
    plot,
    "keydown",
    (event) => {
      if (!handlers.key(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    signal,
  );
}

export function listenAxis(
  element: HTMLElement,
  side: Side,
  handlers: AxisHandlers,
  signal: AbortSignal,
): void {
  const positionOf = (event: Event): number | null => {
    const token = (event.target as Element | null)?.closest<HTMLElement>("[data-position]");
    return token ? Number(token.dataset.position) : null;
  };
  on(
    element,
    "pointerover",
    (event) => {
      const position = positionOf(event);
      if (position !== null) handlers.hoverToken(side, position);
    },
    signal,
  );
  on(element, "pointerleave", () => handlers.leave(), signal);
  on(
    element,
    "click",
    (event) => {
      const position = positionOf(event);
      if (position !== null)
        handlers.pinToken(side, position, event.shiftKey || event.metaKey || event.ctrlKey);
    },
    signal,
  );
  on(
    element,
    "focusin",
    (event) => {
      const position = positionOf(event);
      if (position !== null && (event.target as Element).matches(":focus-visible"))
        handlers.reached(side, position);
    },
    signal,
  );
  on(element, "focusout", () => handlers.leave(), signal);
  on(
    element,
    "keydown",
    (event) => {
      const place = handlers.place(side);
      const action = actionOf(event, place);
      if (!action || action.kind === "clear") return;
      event.preventDefault();
      if (action.kind === "pin") handlers.pinToken(side, place.index, action.add);
      else if (action.kind === "move") handlers.goTo(side, action.index);
      else {
        const other = side === "query" ? "key" : "query";
        const { count, index } = handlers.place(other);
        if (count > 0) handlers.goTo(other, index);
      }
    },
    signal,
  );
}
