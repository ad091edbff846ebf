/** What `export/page.py` deflates, back to bytes. */

/**
 * Deflated bytes in base64 to the bytes of numbers of `size` bytes each, which are stored as planes of equal
 * significance: such bytes are alike and deflate better.
 */
export async function inflate(text: string, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (size === 1) return planes;
  const bytes = new Uint8Array(planes.length);
  const count = planes.length / size;
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) bytes[i * size + plane] = planes[plane * count + i] as number;
  }
  return bytes;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  return native
    ? native.call(Uint8Array, text)
    : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
