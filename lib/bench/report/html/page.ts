import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { timeText } from '../../../cli/text.js';
import { SnapshardError } from '../../../errors.js';
import type { BenchResult, TuneResult } from '../../result.js';
import { figuresByPhase } from '../figures.js';
import { pageData, type PageData } from '../page_data.js';
import { barsSection, figuresSection, repeatsSection, tiles } from './bench_sections.js';
import { html, jsonMarkup, verbatim, type Markup } from './markup.js';
import { meaningSection, savesSection, sweepSection } from './save_sections.js';
import { conditionsSection, findingsSection, remarks } from './sections.js';
import { style } from './style.js';

export interface Results {
  readonly bench?: BenchResult | undefined;
  readonly tune?: TuneResult | undefined;
}

/** Made by the build, with the parts of ECharts that the charts use. */
const scriptPath = fileURLToPath(new URL('../../../../dist/bench/report/page.js', import.meta.url));

function readScript(): string {
  try {
    return readFileSync(scriptPath, 'utf8').replaceAll('\r\n', '\n');
  } catch (cause) {
    const message = `The script of the page is missing (${scriptPath}). Build it: npm run build:lib.`;
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { cause, path: scriptPath });
  }
}

/** Nothing is loaded, and no script runs but ours, which must stand in its element to the letter. */
function contentPolicy(script: string): string {
  const digest = createHash('sha256').update(script).digest('base64');
  return `default-src 'none'; script-src 'sha256-${digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
}

function benchBody(bench: BenchResult, data: PageData): Markup {
  const phases = figuresByPhase(bench);
  return html`${tiles(phases)}${findingsSection(bench.findings)}${remarks(bench)}
    <h2>Against limits and others</h2>
    ${barsSection(data.bars)}${figuresSection(bench, phases)}${savesSection(data.saves)}${meaningSection(bench.meaning, data.loss)}`;
}

function tuneBody(tune: TuneResult, data: PageData): Markup {
  return html`<h2>The sweep: which options suit this target</h2>
    ${sweepSection(data.sweep, tune.settings.repeat)}
    <h3>Options to use</h3>
    <pre>${JSON.stringify(tune.chosen, undefined, 2)}</pre>
    ${findingsSection(tune.findings)}`;
}

function body({ bench, tune }: Results, data: PageData): Markup {
  const first = (bench ?? tune)!;
  return html`<header>
      <h1>${bench ? 'Checkpoints on' : 'Options for'} ${first.target.path}</h1>
      <p class="lead">
        ${first.workload.label}. ${first.target.fileSystem} on
        ${first.target.source}${first.target.device === undefined ? '' : `, ${first.target.device}`}.
        ${timeText(new Date(first.createdAt))} UTC.
      </p>
    </header>
    <noscript><p class="note">The charts need JavaScript; the tables say the same.</p></noscript>
    ${bench && benchBody(bench, data)}${tune && tuneBody(tune, data)}${bench && conditionsSection(bench, 'Conditions')}${tune && conditionsSection(tune, bench ? 'Conditions of the sweep' : 'Conditions')}${bench && repeatsSection(bench)}
    <footer>Made by snapshard ${first.versions.snapshard ?? ''}: <code>${first.command.join(' ')}</code></footer>`;
}

/**
 * One page that needs no network and no other file: charts, tables and all conditions, for a run, a sweep or both.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for neither; `_NOT_FOUND` where the package was not built
 */
export function htmlPage(results: Results): string {
  const first = results.bench ?? results.tune;
  if (first === undefined) {
    throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', 'Expected a result of bench or tune to make a page of.');
  }
  const data = pageData(results);
  const script = readScript();
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy(script)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="snapshard ${first.versions.snapshard ?? ''}" />
        <link rel="icon" href="data:," />
        <title>Snapshard: checkpoints on ${first.target.path}</title>
        ${verbatim(`<style>${style}</style>`)}
      </head>
      <body>
        <main>${body(results, data)}</main>
        <script type="application/json" id="data">
          ${jsonMarkup(data)}
        </script>
        ${verbatim(`<script>${script}</script>`)}
      </body>
    </html> `.text;
}
