/** A line of a plot: its points go from left to right. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A plot of lines over a logarithmic x. */
export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** How an x is written. */
  readonly label: (x: number) => string;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 400, 70, 20, 78, 56];
/** Told apart also without colour vision: https://jfly.uni-koeln.de/color/ */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];

/** Draws a plot as SVG, readable on light and on dark pages. */
export function draw({ title, x, y, lines, label }: Plot): string {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const step = niceStep(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value))));
  const top =
    step * Math.ceil(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value))) / step);
  const [low, high] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 1)];
  const px = (at: number) =>
    LEFT + 12 + ((WIDTH - LEFT - RIGHT - 24) * (Math.log(at) - low)) / (high - low || 1);
  const py = (value: number) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;

  const rows = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  const grid = rows.map(
    (value) =>
      `<path class="grid" d="M${LEFT} ${py(value)}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${py(value) + 4}" text-anchor="end">${trim(value)}</text>`,
  );
  const ticks = xs.map(
    (at) =>
      `<path class="grid" d="M${px(at).toFixed(1)} ${HEIGHT - BOTTOM}v5"/><text x="${px(at).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${label(at)}</text>`,
  );
  const drawn = lines.map(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points
      .map(([at, value], n) => `${n === 0 ? 'M' : 'L'}${px(at).toFixed(1)} ${py(value).toFixed(1)}`)
      .join('');
    const dots = points.map(
      ([at, value]) =>
        `<circle cx="${px(at).toFixed(1)}" cy="${py(value).toFixed(1)}" r="3.5" fill="${colour}"><title>${escape(name)}, ${label(at)}: ${trim(value)}</title></circle>`,
    );
    const [keyX, keyY] = [LEFT + (i % 3) * 225, 44 + 18 * Math.floor(i / 3)];
    return [
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>${dots.join('')}`,
      `<path d="M${keyX} ${keyY}h22" stroke="${colour}" stroke-width="2.5"/><text x="${keyX + 28}" y="${keyY + 4}">${escape(name)}</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.grid{stroke:#d0d7de;fill:none}</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#fff"/>
<text class="title" x="${LEFT}" y="24">${escape(title)}</text>
${grid.join('\n')}
${ticks.join('\n')}
${drawn.join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escape(x)}</text>
<text transform="translate(18 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>
</svg>
`;
}

/** A step of 1, 2 or 5 times a power of ten that gives four to eight lines. */
function niceStep(top: number): number {
  const power = 10 ** Math.floor(Math.log10(top || 1));
  const step = [0.1, 0.2, 0.5, 1, 2].find((factor) => top / (factor * power) <= 7) ?? 2;
  return step * power;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
