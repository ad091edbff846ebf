/**
 * Bands: what is too faint to need its own edges, drawn fast. A band is one faint line, or a block of
 * fog, whose lines run side by side. Its optical depth is spread evenly over its section, and only the
 * changes at both ends of the section are noted: one running sum for all bands gives the depth, so a
 * band costs the same however wide it is.
 */

/** Bands of one head and of about one thickness, in device pixels across the line direction. */
export interface Bands {
  readonly count: number;
  /** Centre at the queries, and how far from there to the centre at the keys. */
  readonly start: Float32Array;
  readonly reach: Float32Array;
  /** Optical depth summed over the section of a level band. */
  readonly mass: Float32Array;
  readonly sections: Sections;
}

/** What gives the sections of bands their width. */
export interface Shape {
  /** Thickness of one line. */
  readonly thickness: number;
  /** Width over which a band's lines leave their queries, and arrive at their keys. */
  readonly atQuery: number;
  readonly atKey: number;
}

/** Sections of bands of one shape at one place along, for reaches of 0, 1, 2 … units. */
export interface Sections {
  readonly shape: Shape;
  readonly unit: number;
  readonly half: Float64Array;
  /** Depth that a unit of mass has in the section. */
  readonly density: Float64Array;
}

const MOST_SECTIONS = 8192;

/**
 * Makes room for the sections of bands that reach as far as `longest`, over `length` pixels along: fine
 * enough that slopes within a unit differ by less than 1/60.
 */
export function createSections(shape: Shape, length: number, longest: number): Sections {
  const unit = Math.max(length / 128, longest / MOST_SECTIONS, 1e-3);
  const count = Math.ceil(longest / unit) + 1;
  return { shape, unit, half: new Float64Array(count), density: new Float64Array(count) };
}

/**
 * Computes the sections of bands that have come `rise` of the way to their keys and rise by `slope` a
 * pixel. What blurs a section adds up as variances: the tilted line, the spread of the tokens at either
 * end, and the climb within the `step` pixels along that the section stands for.
 */
export function setSections(sections: Sections, rise: number, slope: number, step: number): void {
  const { shape, unit, half, density } = sections;
  const spread = (shape.atQuery * (1 - rise)) ** 2 + (shape.atKey * rise) ** 2;
  for (let i = 0; i < half.length; i++) {
    const tilt = (i * unit * slope) ** 2;
    const width = Math.sqrt(shape.thickness ** 2 * (1 + tilt) + spread + tilt * step * step);
    half[i] = width / 2;
    density[i] = Math.sqrt(1 + tilt) / width;
  }
}

/**
 * How the depth changes from each pixel of a column to the next: a band that begins within a pixel inks a
 * part of it, and the rest of the change falls to the next one.
 */
export type Changes = Float64Array;

export const blankChanges = (pixels: number): Changes => new Float64Array(pixels + 2);

/** Notes the changes that `bands` make in a column of pixels. */
export function addBands(bands: Bands, rise: number, changes: Changes): void {
  const { count, start, reach, mass } = bands;
  const { half, density, unit } = bands.sections;
  const pixels = changes.length - 2;
  for (let i = 0; i < count; i++) {
    const run = reach[i] as number;
    const centre = (start[i] as number) + run * rise;
    const section = (Math.abs(run) / unit + 0.5) | 0;
    const side = half[section] as number;
    if (!(centre + side > 0 && centre - side < pixels)) continue;
    const amount = (mass[i] as number) * (density[section] as number);
    const low = Math.max(centre - side, 0);
    const high = Math.min(centre + side, pixels);
    const first = low | 0;
    const last = high | 0;
    const begun = amount * (low - first);
    const ended = amount * (high - last);
    changes[first] = (changes[first] as number) + amount - begun;
    changes[first + 1] = (changes[first + 1] as number) + begun;
    changes[last] = (changes[last] as number) - amount + ended;
    changes[last + 1] = (changes[last + 1] as number) - ended;
  }
}
