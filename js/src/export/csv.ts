/** Numbers as a table for spreadsheets and pandas. */

/** One weight of a selection: the row of Python's `selection()`. */
export interface Row {
  readonly layer: number;
  /** Number of the head; "mean" or "max" where heads are combined. */
  readonly head: number | string;
  readonly query: number;
  readonly queryLabel: string;
  readonly key: number;
  readonly keyLabel: string;
  readonly weight: number;
}

const HEADER = "layer,head,query,query_label,key,key_label,weight";

/**
 * Writes rows as CSV (RFC 4180): a header line, fields quoted where they need it, CRLF line ends.
 *
 * Weights are the shortest decimals that read back as the same float32; NaN and infinities read NaN,
 * Infinity and -Infinity. Labels are written exactly, also where a spreadsheet would take them for a
 * formula (`=`, `+`, `-`, `@`): tokens are data, and a file read back must hold the same tokens.
 */
export function toCsv(rows: Iterable<Row>): string {
  const lines = [HEADER];
  for (const { layer, head, query, queryLabel, key, keyLabel, weight } of rows) {
    const fields = [layer, head, query, quoted(queryLabel), key, quoted(keyLabel), shortest(weight)];
    lines.push(fields.join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

// Readers disagree on spaces around fields and on empty ones, so those are quoted as well.
const quoted = (text: string): string =>
  text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function shortest(weight: number): string {
  if (!Number.isFinite(weight)) return String(weight);
  const single = Math.fround(weight);
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(single.toPrecision(digits)));
    if (Math.fround(Number(text)) === single) return text;
  }
  return String(Number(single.toPrecision(9)));
}
