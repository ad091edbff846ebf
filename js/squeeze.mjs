/**
 * Squeezes a text into four fifths of what deflate makes of it. A model guesses every bit from what followed the
 * same one, two and three bytes before, the same beginning of a word, and the longest stretch that is repeated;
 * arithmetic coding then spends the fewer bits the better the guess was. Context mixing: M. Mahoney, "Adaptive
 * weighing of context models for lossless data compression" (2005). A byte takes about 1 µs in either direction.
 *
 * `modelled` and `expanded` go into the packed module as text and need nothing around them. All engines compute
 * them alike: in integers, and in doubles by the four operations.
 */

/**
 * Makes bytes of the bits that `next` returns; each is asked for with the chance that it is 1.
 *
 * @param {number} length
 * @param {(chance: number) => number} next
 */
export function modelled(length, next) {
  const STEPS = 128;
  const MOST = 12 * STEPS;
  const STEP = 1.0078430972064478; // e ** (1 / STEPS)
  const chances = new Float64Array(2 * MOST + 1);
  for (let at = 0, odds = 1; at <= MOST; at++, odds *= STEP) {
    chances[MOST + at] = odds / (1 + odds);
    chances[MOST - at] = 1 / (1 + odds);
  }
  // Of a chance in 1/4096: the logarithm of its odds.
  const logits = new Float64Array(4096);
  for (let chance = 0, at = 0; chance < 4096; chance++) {
    while (chances[at] < (chance + 0.5) / 4096) at++;
    logits[chance] = (at - MOST) / STEPS;
  }

  const COUNT = 4;
  const contexts = new Int32Array(COUNT);
  // What followed: the chance of a 1 in 12 bits, in 4 more how often it was seen; rows of 16 for half a byte.
  const seen = new Uint16Array(1 << 22).fill(0x8000);
  const rates = Float64Array.from({ length: 16 }, (_, times) => 1 / (times + 1.5));
  const rows = new Int32Array(COUNT);
  const cells = new Int32Array(COUNT);
  // Where four bytes last ended, and how often the byte after a stretch of some length was the same again.
  const LONG = 16;
  const ends = new Int32Array(1 << 18);
  const same = new Float64Array(2 * LONG).fill(0.6);
  // Guesses add up as logits, by weights for each place in a byte without a stretch, with a short and a long one.
  const guesses = new Float64Array(COUNT + 1);
  const weights = new Float64Array(3 * 256 * guesses.length).fill(0.3);

  /** @param {number} a @param {number} b @param {number} bits */
  const hash = (a, b, bits) => {
    const mixed = Math.imul(a ^ Math.imul(b, 0x2545f491), 0x2f0b4c47);
    return (mixed ^ (mixed >>> 15)) >>> (32 - bits);
  };
  /** @param {number} byte */
  const inWord = (byte) =>
    (byte > 96 && byte < 123) ||
    (byte > 64 && byte < 91) ||
    (byte > 47 && byte < 58) ||
    byte === 35 ||
    byte === 36;

  const bytes = new Uint8Array(length);
  let from = 0;
  let run = 0;
  for (let at = 0; at < length; at++) {
    const again = run > 0 ? 256 + bytes[from] : 0;
    const stretch = Math.min(run, same.length - 1);
    let node = 1;
    for (let left = 7; left >= 0; left--) {
      if (left === 7 || left === 3) {
        for (let k = 0; k < COUNT; k++) rows[k] = hash(contexts[k], node, 18) << 4;
      }
      const cell = left > 3 ? node : (8 >> left) | (node & ((8 >> left) - 1));
      const repeats = again >> (left + 1) === node;
      const repeated = (again >> left) & 1;
      const first = guesses.length * (node + (repeats ? (run < LONG ? 256 : 512) : 0));
      guesses[COUNT] = repeats ? logits[Math.floor(4096 * same[stretch])] * (2 * repeated - 1) : 0;
      let sum = guesses[COUNT] * weights[first + COUNT];
      for (let k = 0; k < COUNT; k++) {
        cells[k] = rows[k] + cell;
        const known = seen[cells[k]];
        guesses[k] = known & 15 ? logits[known >> 4] : 0;
        sum += guesses[k] * weights[first + k];
      }
      const chance = chances[Math.min(2 * MOST, Math.max(0, MOST + Math.floor(sum * STEPS + 0.5)))];

      const bit = next(chance);
      const missed = (bit - chance) * 0.006;
      for (let k = 0; k <= COUNT; k++) weights[first + k] += missed * guesses[k];
      for (let k = 0; k < COUNT; k++) {
        const known = seen[cells[k]];
        const times = known & 15;
        const before = known >> 4;
        const now = before + (4095 * bit - before) * rates[times] + 0.5;
        seen[cells[k]] = (now << 4) | (times < 15 ? times + 1 : 15);
      }
      if (repeats) same[stretch] += ((bit === repeated ? 0.9999 : 0) - same[stretch]) * 0.02;
      node = 2 * node + bit;
    }

    const byte = node & 255;
    bytes[at] = byte;
    const two = at > 0 ? (bytes[at - 1] << 8) | byte : byte;
    const three = at > 1 ? (bytes[at - 2] << 16) | two : two;
    contexts[0] = 1 + byte;
    contexts[1] = 0x10000 | two;
    contexts[2] = 0x1000000 | three;
    contexts[3] = inWord(byte) ? Math.imul(contexts[3] + byte + 1, 0x2f0b4c47) : 0;
    if (run > 0 && bytes[from] === byte) run++;
    else run = 0;
    from++;
    if (at < 3) continue;
    const end = hash(contexts[2], bytes[at - 3], 18);
    if (run === 0) {
      from = ends[end];
      while (run < from && run < same.length && bytes[from - 1 - run] === bytes[at - run]) run++;
    }
    ends[end] = at + 1;
  }
  return bytes;
}

/**
 * @param {ArrayLike<number>} squeezed - as `squeezed` returns it.
 * @param {number} length - of the bytes that it was made from.
 */
export function expanded(squeezed, length) {
  let low = 0;
  let high = 0xffffffff;
  let value = 0;
  let at = 0;
  for (; at < 4; at++) value = value * 256 + (squeezed[at] ?? 0);
  return modelled(length, (chance) => {
    const middle = low + Math.floor((high - low) * chance);
    const bit = value <= middle ? 1 : 0;
    if (bit) high = middle;
    else low = middle + 1;
    while ((low ^ high) >>> 24 === 0) {
      low = (low << 8) >>> 0;
      high = ((high << 8) | 255) >>> 0;
      value = ((value << 8) | squeezed[at++]) >>> 0;
    }
    return bit;
  });
}

/** @param {Uint8Array} bytes */
export function squeezed(bytes) {
  /** @type {number[]} */
  const written = [];
  let low = 0;
  let high = 0xffffffff;
  let at = 0;
  modelled(bytes.length, (chance) => {
    const bit = ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    at++;
    const middle = low + Math.floor((high - low) * chance);
    if (bit) high = middle;
    else low = middle + 1;
    while ((low ^ high) >>> 24 === 0) {
      written.push(high >>> 24);
      low = (low << 8) >>> 0;
      high = ((high << 8) | 255) >>> 0;
    }
    return bit;
  });
  return Uint8Array.from([...written, high >>> 24, (high >>> 16) & 255, (high >>> 8) & 255, high & 255]);
}
