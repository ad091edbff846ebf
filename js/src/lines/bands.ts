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

/** Where the depth of a column of pixels changes: pairs of (amount, amount × share of the pixel before it). */
export interface Changes {
  readonly rises: Float64Array;
  readonly falls: Float64Array;
}

export const blankChanges = (pixels: number): Changes => ({
  rises: new Float64Array(2 * (pixels + 1)),
  falls: new Float64Array(2 * (pixels + 1)),
});

/** Notes the changes that `bands` make in a column of pixels. */
export function addBands(bands: Bands, rise: number, changes: Changes): void {
  const { count, start, reach, mass } = bands;
  const { half, density, unit } = bands.sections;
  const { rises, falls } = changes;
  const pixels = rises.length / 2 - 1;
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
    rises[2 * first] = (rises[2 * first] as number) + amount;
    rises[2 * first + 1] = (rises[2 * first + 1] as number) + amount * (low - first);
    falls[2 * last] = (falls[2 * last] as number) + amount;
    falls[2 * last + 1] = (falls[2 * last + 1] as number) + amount * (high - last);
  }
}

/** Adds the noted changes, summed up, to the depth of the column, and forgets them. */
export function settle({ rises, falls }: Changes, depth: Float32Array): void {
  let level = 0;
  let carried = 0;
  for (let pixel = 0; pixel < depth.length; pixel++) {
    const partial = (rises[2 * pixel + 1] as number) - (falls[2 * pixel + 1] as number);
    level += (rises[2 * pixel] as number) - (falls[2 * pixel] as number) - partial + carried;
    carried = partial;
    // Sums of many changes leave a residue of rounding where there is nothing.
    if (level > 1e-9) depth[pixel] = (depth[pixel] as number) + level;
  }
  rises.fill(0);
  falls.fill(0);
}
