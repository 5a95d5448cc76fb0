/** What the pages of a run and of a sweep have in common. */
import type { BenchResult, TuneResult } from '../../result.js';
import { conditionFacts } from '../conditions.js';
import { sizeIn } from '../../../cli/text.js';
import { html, type Markup } from './markup.js';
import { tableMarkup } from './table.js';

type Result = BenchResult | TuneResult;

export function findingsSection(findings: readonly string[]): Markup {
  return findings.length === 0
    ? html``
    : html`<h2>Findings</h2>
        <ol class="findings">
          ${findings.map((finding) => html`<li>${finding}</li>`)}
        </ol> `;
}

export function remarks({ target }: Result): Markup {
  return html`${target.remarks.map((remark) => html`<p class="note">${remark}</p> `)}`;
}

/** All conditions, versions one by one, and what was saved: whoever reads the page alone can repeat the run. */
export function conditionsSection(result: Result, title: string): Markup {
  const facts = conditionFacts(result).filter(([key]) => key !== 'versions');
  const versions = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
  return html`<h2>${title}</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      <table class="facts">
        <tbody>
          ${[...facts, ['versions', versions] as const].map(
            ([key, lines]) =>
              html`<tr>
                <th scope="row">${key}</th>
                <td>${lines.map((line, index) => html`${index === 0 ? undefined : html`<br />`}${line}`)}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
    ${mixTable(result)}`;
}

function mixTable({ workload }: Result): Markup {
  if (workload.mix.length === 0) return html``;
  return html`<h3>What was saved</h3>
    ${tableMarkup(
      'Tensors by group and dtype',
      [
        { title: 'group', cell: ({ group }) => group },
        { title: 'dtype', cell: ({ dtype }) => dtype },
        { title: 'tensors', number: true, cell: ({ tensors }) => tensors.toLocaleString('en') },
        { title: 'bytes', number: true, cell: ({ bytes }) => sizeIn(bytes) },
      ],
      [{ rows: workload.mix }],
    )}`;
}
