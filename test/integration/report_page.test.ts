import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rivalsChart } from '../../bench/chart.js';
import { barCharts } from '../../lib/bench/report/charts/bars.js';
import { htmlPage } from '../../lib/bench/report/index.js';
import { makeBench } from '../support/bench_fixture.js';
import { chromiumMissing, chromiumPath } from '../support/chromium.js';
import { makeTune } from '../support/tune_fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'snapshard-page-'));
let browser: Browser | undefined;

beforeAll(async () => {
  if (chromiumMissing !== '') return;
  browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  /** Whatever the console said, scripts threw, or the page asked for besides itself. */
  readonly complaints: string[];
}

async function open(content: string, options: BrowserContextOptions = {}, name = 'page.html'): Promise<Opened> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const url = pathToFileURL(path).href;
  const page = await browser!.newPage({ viewport: { width: 1200, height: 900 }, ...options });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (request.url() !== url && request.url() !== 'data:,') complaints.push(request.url());
  });
  await page.goto(url);
  return { page, complaints };
}

/** `kind: marks` of each chart, in the order of the page. */
const drawn = (page: Page): Promise<[string, number][]> =>
  page
    .locator('[data-chart]')
    .evaluateAll((charts) =>
      charts.map((chart): [string, number] => [
        (chart as unknown as { dataset: { chart: string } }).dataset.chart,
        (chart as unknown as { querySelectorAll(selector: string): { length: number } }).querySelectorAll(
          'svg path[d], svg rect',
        ).length,
      ]),
    );

const evaluate = <T>(page: Page, expression: string): Promise<T> => page.evaluate(expression);

const bench = makeBench({ bytesPerRank: 2 ** 29 });
const tune = makeTune();
const content = htmlPage({ bench, tune });
const charts = ['bars', 'bars', 'throughput', 'timeline', 'loss', 'sweep', 'sweep', 'sweep', 'sweep'];

const hostile = `</script></style><script>alert(1)</script><img src="http://example.com/x" onerror="alert(2)">'"&\u202e`;

describe.skipIf(chromiumMissing !== '')(
  `the page in a browser${chromiumMissing && ` (skipped: ${chromiumMissing})`}`,
  () => {
    it('draws every chart, with no complaint and no request', async () => {
      const { page, complaints } = await open(content);
      const marks = await drawn(page);
      expect(marks.map(([kind]) => kind)).toEqual(charts);
      expect(marks.every(([, count]) => count >= 10)).toBe(true);
      expect(marks[3]![1]).toBeGreaterThan(4 * 32);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('follows the scheme that the reader prefers', async () => {
      const { page, complaints } = await open(content, { colorScheme: 'dark' });
      const colours = () =>
        evaluate<string[]>(
          page,
          `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
          ...['--ours', '--limit'].map((name) => [...document.querySelectorAll('[data-chart=bars] path, [data-chart=bars] rect')]
            .find((mark) => mark.getAttribute('fill') === 'var(' + name + ')')).map((mark) => getComputedStyle(mark).fill)]`,
        );
      const dark = await colours();
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await colours();
      expect(light.filter((colour, index) => colour === dark[index])).toEqual([]);
      const brightness = (colour: string): number =>
        colour
          .match(/\d+/g)!
          .slice(0, 3)
          .reduce((sum, part) => sum + Number(part), 0);
      expect(brightness(dark[0]!)).toBeLessThan(100);
      expect(brightness(light[0]!)).toBeGreaterThan(700);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('is no wider than a telephone, whose tables scroll', async () => {
      const { page } = await open(content, { viewport: { width: 400, height: 800 } });
      expect(await evaluate<number>(page, 'document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
      expect(
        await evaluate<boolean>(
          page,
          `[...document.querySelectorAll('.scroll')].some((table) => table.scrollWidth > table.clientWidth)`,
        ),
      ).toBe(true);
      const wide = `[...document.querySelectorAll('[data-chart] svg')].filter((svg) => svg.getBoundingClientRect().right > 400).length`;
      expect(await evaluate<number>(page, wide)).toBe(0);
      await page.close();
    });

    it('draws anew at another width, and moves nothing when it draws', async () => {
      const { page } = await open(content);
      const heights = `[...document.querySelectorAll('[data-chart]')].map((chart) => chart.clientHeight).join()`;
      const shift = `new Promise((end) => new PerformanceObserver((list) => end(list.getEntries().length)).observe({ type: 'layout-shift', buffered: true }) ?? setTimeout(() => end(0), 300))`;
      expect(await evaluate<number>(page, shift)).toBe(0);
      const before = await evaluate<string>(page, heights);
      await page.setViewportSize({ width: 700, height: 900 });
      const width = `Number(document.querySelector('[data-chart] svg').getAttribute('width'))`;
      await expect.poll(() => evaluate<number>(page, width)).toBeLessThan(700);
      expect(await evaluate<string>(page, heights)).toBe(before);
      await page.close();
    });

    it('shows the round that is chosen', async () => {
      const { page, complaints } = await open(content);
      const picture = `document.querySelector('[data-chart=throughput] svg').innerHTML`;
      const median = await evaluate<string>(page, picture);
      await page.getByLabel('Save:').selectOption({ label: 'round 1, the slowest' });
      expect(await evaluate<string>(page, picture)).not.toBe(median);
      await page.locator('[data-chart=timeline]').hover();
      await page.locator('[data-chart=throughput]').hover();
      await expect
        .poll(() => page.locator('[data-chart=throughput] svg text', { hasText: 'all ranks: ' }).count())
        .toBeGreaterThan(0);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('prints on white paper, with its charts and all measurements', async () => {
      const { page, complaints } = await open(content, { colorScheme: 'dark' });
      await page.emulateMedia({ media: 'print' });
      expect(await evaluate<string>(page, 'getComputedStyle(document.body).backgroundColor')).toBe(
        'rgb(255, 255, 255)',
      );
      expect(
        await evaluate<string>(page, `getComputedStyle(document.documentElement).getPropertyValue('--ours').trim()`),
      ).toBe('#0b5cad');
      const heights = `[...document.querySelectorAll('[data-chart] svg')].map((svg) => svg.getBoundingClientRect().height)`;
      expect((await evaluate<number[]>(page, heights)).every((height) => height > 100)).toBe(true);
      await page.emulateMedia({ media: null });
      const paper = await page.pdf({ format: 'A4' });
      expect(paper.subarray(0, 5).toString()).toBe('%PDF-');
      // An A4 page that is left out would be some kilobytes less; all measurements fill pages of their own.
      expect(paper.toString('latin1').match(/\/Type \/Page\b/g)!.length).toBeGreaterThanOrEqual(5);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('tells everything in tables where no script runs', async () => {
      const { page } = await open(content, { javaScriptEnabled: false });
      const text = await page.locator('main').innerText();
      for (const words of [
        'torch.save',
        '10.2 min',
        'errors=remount-ro',
        'seed 7',
        '6.18.0',
        'snapshard bench /mnt/nvme',
        'The charts need JavaScript',
        'pip install orbax-checkpoint',
      ]) {
        expect(text).toContain(words);
      }
      expect(await page.locator('table').count()).toBeGreaterThanOrEqual(7);
      await page.close();
    });

    it('has a name for every chart, and figures for who does not see them', async () => {
      const { page } = await open(content);
      const images = await page.getByRole('img').all();
      const labels = await Promise.all(images.map((image) => image.getAttribute('aria-label')));
      expect(labels).toHaveLength(charts.length);
      expect(labels[0]).toMatch(/^raw direct writes [\d.]+ GB\/s, fio .*torch\.save [\d.]+ GB\/s$/);
      expect(new Set(labels.filter((label) => (label ?? '').length > 20)).size).toBe(charts.length);
      await page.close();
    });

    it('runs nothing that a name holds', async () => {
      const result = makeBench({ rounds: 2, bytesPerRank: 2 ** 27 });
      Object.assign(result.target, {
        path: hostile,
        source: hostile,
        device: hostile,
        fileSystem: hostile,
        mountOptions: [hostile],
        remarks: [hostile],
      });
      Object.assign(result.workload, { label: hostile });
      Object.assign(result.versions, { [hostile]: hostile });
      Object.assign(result, { command: [hostile], findings: [hostile] });
      for (const row of result.rows)
        Object.assign(row, { label: `${hostile} {b|c}`, how: hostile, ...(row.missing && { missing: hostile }) });
      const sweep = makeTune();
      for (const point of sweep.points)
        Object.assign(point, { axis: hostile, label: hostile, writer: { [hostile]: hostile } });
      const { page, complaints } = await open(htmlPage({ bench: result, tune: sweep }));
      await page.locator('[data-chart=bars]').first().hover();
      expect(complaints).toEqual([]);
      expect(await page.locator('main img, main script, [onerror]').count()).toBe(0);
      expect(await evaluate<number>(page, 'document.scripts.length')).toBe(2);
      expect(await page.title()).toContain('</script>');
      expect((await drawn(page)).every(([, count]) => count > 0)).toBe(true);
      await page.close();
    });

    it('stands with one of the two alone, and without a trace', async () => {
      const plain = makeBench({ rounds: 1, ranks: 1 });
      for (const { samples } of plain.rows)
        for (const { ranks } of samples) for (const rank of ranks) delete rank.trace;
      delete plain.meaning;
      for (const results of [{ bench: plain }, { tune }, { bench: { ...plain, rows: [] } }]) {
        const { page, complaints } = await open(htmlPage(results));
        expect((await drawn(page)).every(([, count]) => count > 0)).toBe(true);
        expect(complaints).toEqual([]);
        await page.close();
      }
    });

    it('draws the image for the README in both schemes', async () => {
      const result = makeBench({ rounds: 2 });
      result.rows[0]!.label = '<raw> & "direct"';
      const svg = rivalsChart(barCharts(result)[0]!);
      writeFileSync(join(folder, 'rivals.svg'), svg);
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await open('<img src="rivals.svg">', { colorScheme }, `image-${colorScheme}.html`);
        expect(await evaluate<number>(page, 'document.images[0].naturalWidth')).toBe(820);
        writeFileSync(join(folder, `${colorScheme}.png`), await page.screenshot());
        await page.close();
      }
      expect(readFileSync(join(folder, 'light.png')).equals(readFileSync(join(folder, 'dark.png')))).toBe(false);
    });
  },
);

it('is refused where there is nothing to show', () => {
  expect(() => htmlPage({})).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }));
});
