import { readFile, writeFile } from 'node:fs/promises';
import { barCharts, type BarChart } from '../lib/bench/report/charts/bars.js';
import { barsHeight } from '../lib/bench/report/charts/heights.js';
import { colours } from '../lib/bench/report/html/style.js';
import { escaped } from '../lib/bench/report/html/markup.js';
import { barsOption } from '../lib/bench/report/page/bars.js';
import { init } from '../lib/bench/report/page/echarts.js';
import { parseResult } from '../lib/bench/report/read_result.js';
import { digits, rangeText } from '../lib/bench/report/units.js';

const width = 820;

/**
 * Ours against limits and rivals, as an SVG image that reads on light and dark ground: durable GB/s, with the spread of
 * the rounds. It holds its colours itself, so that a README can show it as an image.
 */
export function rivalsChart(chart: BarChart): string {
  const height = barsHeight(chart);
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width, height });
  drawing.setOption(barsOption(chart, { width, height }));
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  const words = chart.bars
    .map(({ label, durable }) => `${label} ${digits(durable.median)} (${rangeText(durable)})`)
    .join(', ');
  const title = escaped(`Durable GB/s of one ${chart.phase}, median and range: ${words}`);
  const ground = '<rect width="100%" height="100%" rx="8" fill="var(--surface)"/>';
  return svg.replace(/^<svg[^>]*>/, (tag) => `${tag}<title>${title}</title><style>${colours}</style>${ground}`);
}

/** Draws the save rows of a result of `snapshard bench --json`. */
export async function benchChart(resultPath: string, imagePath: string): Promise<void> {
  const result = parseResult(await readFile(resultPath, 'utf8'), resultPath);
  const chart =
    result.format === 'snapshard-bench-1' ? barCharts(result).find(({ phase }) => phase === 'save') : undefined;
  if (chart === undefined)
    throw new Error(`${resultPath} has no save to compare: run snapshard bench with limits or rivals`);
  await writeFile(imagePath, `${rivalsChart(chart)}\n`);
  process.stdout.write(`${imagePath}\n`);
}
