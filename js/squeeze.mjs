/**
 * Squeezes the text of a script into seven tenths of what deflate makes of it. A model guesses every bit from
 * what followed in the same place before; arithmetic coding then spends the fewer letters the better the guess
 * was. A place is the beginning of a word, the two symbols before, the kinds of four, or the bracket that is
 * open; and the longest stretch that is repeated goes on as it did. Minified names say little: words of one letter
 * are all one symbol. Context mixing: M. Mahoney, "Adaptive weighing of context models for lossless data
 * compression" (2005). A letter takes about a microsecond in either direction.
 *
 * `modelled` and `expanded` go into the packed module as text and need nothing around them. All engines compute
 * them alike: in integers, and in doubles by the four operations.
 */

/**
 * Makes ASCII codes of the bits that `next` returns; each is asked for with the chance that it is 1.
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

  // What followed in a context: the chance of a 1 in 12 bits, in 4 more how often it was seen; in rows for half a
  // letter that begin with the mark of their owner.
  const ROWS = 18;
  const UNSEEN = 0x8000;
  const OFTEN = 10;
  const seen = new Uint16Array(16 << ROWS);
  const rates = Float64Array.from({ length: OFTEN + 1 }, (_, times) => 1 / (times + 1.1));
  const COUNT = 4;
  const contexts = new Int32Array(COUNT);
  const rows = new Int32Array(COUNT);
  const cells = new Int32Array(COUNT);
  // Where four letters last ended, and how often the letter after a stretch of some length was the same again.
  const LONG = 16;
  const ends = new Int32Array(1 << ROWS);
  const same = new Float64Array(2 * LONG).fill(0.6);
  // Guesses add up as logits, by weights for each place in a letter without a stretch, with a short and a long
  // one, and by weights for the kinds of the last symbols.
  const guesses = new Float64Array(COUNT + 1);
  const KINDS = 12;
  const weights = new Float64Array((3 * 128 + (1 << KINDS)) * guesses.length).fill(0.15);

  const codes = new Uint8Array(length);
  let from = 0;
  let run = 0;
  let kinds = 0;

  /** @param {number} a @param {number} b */
  const hash = (a, b) => {
    const mixed = Math.imul(a ^ Math.imul(b, 0x2545f491), 0x2f0b4c47);
    return mixed ^ (mixed >>> 15);
  };

  /** The row of an owner: of two that may be its own, else the one that was used less. @param {number} owner */
  const rowOf = (owner) => {
    const mark = (owner & 0xffff) | 1;
    const row = (owner >>> (32 - ROWS)) << 4;
    if (seen[row] === mark) return row;
    const other = row ^ 16;
    if (seen[other] === mark) return other;
    const freed = (seen[other + 1] & 15) < (seen[row + 1] & 15) ? other : row;
    seen[freed] = mark;
    for (let cell = freed + 1; cell < freed + 16; cell++) seen[cell] = UNSEEN;
    return freed;
  };

  const letter = () => {
    const again = run > 0 ? 128 + codes[from] : 0;
    const stretch = Math.min(run, same.length - 1);
    let node = 1;
    for (let left = 6; left >= 0; left--) {
      if (left === 6 || left === 3) {
        for (let k = 0; k < COUNT; k++) rows[k] = rowOf(hash(contexts[k] + k, node));
      }
      const cell = left > 3 ? node : (8 >> left) | (node & ((8 >> left) - 1));
      const repeats = again >> (left + 1) === node;
      const repeated = (again >> left) & 1;
      const one = guesses.length * (node + (repeats ? (run < LONG ? 128 : 256) : 0));
      const other = guesses.length * (3 * 128 + kinds);
      guesses[COUNT] = repeats ? logits[Math.floor(4096 * same[stretch])] * (2 * repeated - 1) : 0;
      let sum = guesses[COUNT] * (weights[one + COUNT] + weights[other + COUNT]);
      for (let k = 0; k < COUNT; k++) {
        cells[k] = rows[k] + cell;
        const known = seen[cells[k]];
        guesses[k] = known & 15 ? logits[known >> 4] : 0;
        sum += guesses[k] * (weights[one + k] + weights[other + k]);
      }
      const chance = chances[Math.min(2 * MOST, Math.max(0, MOST + Math.floor(sum * STEPS + 0.5)))];

      const bit = next(chance);
      const missed = (bit - chance) * 0.004;
      weights[one + COUNT] += missed * guesses[COUNT];
      weights[other + COUNT] += missed * guesses[COUNT];
      for (let k = 0; k < COUNT; k++) {
        const change = missed * guesses[k];
        weights[one + k] += change;
        weights[other + k] += change;
        const known = seen[cells[k]];
        const times = known & 15;
        const before = known >> 4;
        const now = before + (4095 * bit - before) * rates[times] + 0.5;
        seen[cells[k]] = (now << 4) | (times < OFTEN ? times + 1 : OFTEN);
      }
      if (repeats) same[stretch] += ((bit === repeated ? 0.9999 : 0) - same[stretch]) * 0.02;
      node = 2 * node + bit;
    }
    return node & 127;
  };

  // A letter that is in no word, a word of one letter, or a longer one with its hash.
  const KIND = 255;
  const symbols = new Int32Array(4);
  /** @param {number} count @param {number} mask */
  const last = (count, mask) => {
    let mixed = 0;
    for (let at = symbols.length - count; at < symbols.length; at++) mixed = hash(mixed, symbols[at] & mask);
    return mixed;
  };
  const IN_WORDS = /[\w$]/;
  const OPENING = /[([{]/;
  const CLOSING = /[)\]}]/;
  const kindOf = Uint8Array.from(
    { length: 128 },
    (_, code) => [IN_WORDS, OPENING, CLOSING].findIndex((kind) => kind.test(String.fromCharCode(code))) + 1,
  );
  const open = [0];
  let word = 0;
  for (let at = 0; at < length; at++) {
    const code = letter();
    codes[at] = code;
    const kind = kindOf[code];
    const longer = word !== 0;
    word = kind === 1 ? hash(word, code) | 1 : 0;
    if (word === 0 || !longer) symbols.copyWithin(0, 1);
    symbols[symbols.length - 1] = word === 0 ? code : longer ? word | KIND : 128;
    if (run > 0 && codes[from] === code) run++;
    else run = 0;
    from++;
    if (at < 3) continue;
    const four = (codes[at - 3] << 21) | (codes[at - 2] << 14) | (codes[at - 1] << 7) | code;
    if (kind === 2) open.push(four);
    if (kind === 3 && open.length > 1) open.pop();
    contexts[0] = word;
    contexts[1] = hash(last(2, -1), code);
    contexts[2] = last(4, KIND);
    contexts[3] = hash(open[open.length - 1], code);
    kinds = last(3, KIND) >>> (32 - KINDS);
    const end = hash(four, 0) >>> (32 - ROWS);
    if (run === 0) {
      from = ends[end];
      while (run < from && run < same.length && codes[from - 1 - run] === codes[at - run]) run++;
    }
    ends[end] = at + 1;
  }
  return codes;
}

/**
 * @param {string} squeezed - as `squeezed` returns it.
 * @param {number} length - of the text that it was made from.
 */
export function expanded(squeezed, length) {
  let range = 1;
  let value = 0;
  let at = 0;
  const codes = modelled(length, (chance) => {
    while (range < 92 ** 6) {
      const code = squeezed.charCodeAt(at++);
      range *= 92;
      value = value * 92 + code - 32 - (code > 34) - (code > 60) - (code > 92);
    }
    const ones = Math.floor(range * chance);
    if (value < ones) {
      range = ones;
      return 1;
    }
    value -= ones;
    range -= ones;
    return 0;
  });
  return new TextDecoder().decode(codes);
}

// ASCII from " " on but for `"` and `\`, which JSON escapes, and `<`, which pages do.
const LETTERS = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).filter(
  (letter) => !'"<\\'.includes(letter),
);
const BASE = LETTERS.length;
const LEAST = BASE ** 6;

/** @param {string} text - in ASCII. */
export function squeezed(text) {
  if (/[^\0-\x7f]/.test(text)) throw new RangeError("only ASCII can be squeezed: escape other letters");
  /** @type {number[]} */
  const digits = [];
  let low = 0;
  let range = LEAST;
  const put = () => {
    digits.push(Math.floor(low / LEAST));
    for (let at = digits.length - 1; digits[at] >= BASE; at--) {
      digits[at] -= BASE;
      digits[at - 1]++;
    }
    low = (low % LEAST) * BASE;
  };
  let at = 0;
  modelled(text.length, (chance) => {
    const bit = (text.charCodeAt(Math.floor(at / 7)) >> (6 - (at % 7))) & 1;
    at++;
    for (; range < LEAST; range *= BASE) put();
    const ones = Math.floor(range * chance);
    if (bit) range = ones;
    else {
      low += ones;
      range -= ones;
    }
    return bit;
  });
  for (let left = 0; left < 7; left++) put();
  // The first digit is the 0 of a number below 1.
  return digits
    .slice(1)
    .map((digit) => LETTERS[digit])
    .join("");
}
