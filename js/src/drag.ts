/** Dragging on a map of the whole, which moves what is in sight. */

import { on } from "./lifetime.ts";

/** Tells where a pressed pointer is, in shares of the element's width and height. */
export function onDrag(
  element: HTMLElement,
  moved: (x: number, y: number) => void,
  signal: AbortSignal,
): void {
  const drag = (event: PointerEvent) => {
    if (event.buttons === 0) return;
    event.preventDefault();
    const box = element.getBoundingClientRect();
    moved((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  on(
    element,
    "pointerdown",
    (event) => {
      element.setPointerCapture(event.pointerId);
      drag(event);
    },
    signal,
  );
  on(element, "pointermove", drag, signal);
}
