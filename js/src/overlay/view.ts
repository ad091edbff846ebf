/** The overlay view: weights on the image they lie on. Events in, pins out. */

import { h } from "../dom.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import type { Lifetime } from "../lifetime.ts";
import type { Model } from "../model.ts";
import type { Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";

export class OverlayView implements View {
  readonly element = h("div", { class: "stage overlay", "data-view": "overlay" });
  readonly legend = h("div", { class: "legend" });
  readonly options: readonly HTMLElement[] = [];
  readonly help = [];

  constructor(_model: Model, _store: Store, around: Surroundings, lifetime: Lifetime) {
    lifetime.onEnd(() => this.element.remove());
    around.painted();
  }

  set theme(_theme: Theme) {}

  resize(_width: number): void {}

  refresh(): void {}

  zoom(_direction: 1 | -1): void {}

  still(): Part | null {
    return null;
  }

  rows(): Row[] {
    return [];
  }
}
