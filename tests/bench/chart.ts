/** A bar chart as SVG, on a scale of powers of ten: pure. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly isOurs: boolean;
}

export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const LABELS = 250;
const PLOT = 420;
const ROW = 20;
const HEAD = 56;

/** @param unit Of the values, for people. Works on light and dark pages. */
export function renderChart(title: string, unit: string, groups: readonly Group[]): string {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const decades = Math.max(1, Math.round(Math.log10(high / low)));
  const at = (value: number) => LABELS + (PLOT * Math.log10(value / low)) / decades;
  const parts: string[] = [];
  let y = HEAD;
  for (const { title: name, bars } of groups) {
    parts.push(text(10, y + 14, name, 'font-weight="bold"'));
    y += ROW;
    for (const { label, value, isOurs } of bars) {
      const end = Math.max(at(value), LABELS + 2);
      parts.push(
        text(LABELS - 8, y + 14, label, 'text-anchor="end"'),
        `<rect x="${LABELS}" y="${y + 3}" width="${(end - LABELS).toFixed(1)}" height="${ROW - 6}" fill="${isOurs ? '#1f77b4' : '#9aa5b1'}"/>`,
        text(end + 6, y + 14, shown(value), ''),
      );
      y += ROW;
    }
    y += ROW / 2;
  }
  const lines = Array.from({ length: decades + 1 }, (_, n) => low * 10 ** n).map((value) => {
    const x = at(value).toFixed(1);
    return `<line x1="${x}" x2="${x}" y1="${HEAD - 8}" y2="${y - 6}" stroke="#888" stroke-opacity="0.35"/>${text(Number(x), HEAD - 12, shown(value), 'text-anchor="middle" fill-opacity="0.7"')}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABELS + PLOT + 80} ${y}" font-family="sans-serif" font-size="12" role="img">
<title>${escapeXml(title)}</title>
<style>text{fill:#24292f}@media(prefers-color-scheme:dark){text{fill:#d0d7de}}</style>
${text(10, 18, `${title} (${unit}; each line is ten times the one before)`, 'font-size="14"')}
${lines.join('\n')}
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escapeXml(content)}</text>`;
}

function shown(value: number): string {
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : String(Number(value.toPrecision(2)));
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
