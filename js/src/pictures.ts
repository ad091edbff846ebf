/** The images a map lies on, decoded beside the page's main thread. */

import { toBytes } from "./codec.ts";
import type { ImageSize } from "./content.ts";
import { messageOf } from "./protocol.ts";

/** A copy of an image as Python sends it; null for one that had no room. See `copies.py`. */
type WireImage = { readonly type: string; readonly data: unknown } | null;

/** Width and height are those of the original image. */
export interface Picture extends ImageSize {
  /** Undefined until it is decoded. */
  readonly source: ImageBitmap | undefined;
  /** Why it can't be shown. */
  readonly failed?: string;
}

export class Pictures {
  readonly #held = new Map<string, Picture>();
  readonly #notify: () => void;
  #ended = false;

  constructor(signal: AbortSignal, notify: () => void) {
    this.#notify = notify;
    signal.addEventListener("abort", () => {
      this.#ended = true;
      this.update({}, {});
    });
  }

  get(id: string): Picture | undefined {
    return this.#held.get(id);
  }

  /** Hold these images and no others; what has not come yet may come with a later call. */
  update(sizes: Readonly<Record<string, ImageSize>>, images: unknown): void {
    for (const [id, { source }] of this.#held) {
      if (sizes[id]) continue;
      this.#held.delete(id);
      source?.close();
    }
    for (const [id, size] of Object.entries(sizes)) {
      const image = ((images ?? {}) as Record<string, WireImage>)[id];
      if (this.#held.has(id) || image === undefined) continue;
      const picture = { ...size, source: undefined };
      this.#held.set(id, image ? picture : { ...picture, failed: "There was no room for it." });
      if (image) void this.#decode(id, picture, image);
    }
  }

  async #decode(id: string, picture: Picture, { type, data }: NonNullable<WireImage>): Promise<void> {
    let decoded: Picture;
    try {
      // From bytes, not from an address: strict pages forbid those.
      decoded = { ...picture, source: await createImageBitmap(new Blob([toBytes(data)], { type })) };
    } catch (error) {
      decoded = { ...picture, failed: `The image can't be decoded: ${messageOf(error)}` };
    }
    if (this.#ended || this.#held.get(id) !== picture) {
      decoded.source?.close();
      return;
    }
    this.#held.set(id, decoded);
    this.#notify();
  }
}
