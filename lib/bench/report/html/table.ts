import { html, type Markup } from './markup.js';

export interface HtmlColumn<Row> {
  readonly title: string;
  /** Right-aligned figures. */
  readonly number?: true;
  readonly class?: string;
  readonly cell: (row: Row) => string | Markup;
}

export interface RowGroup<Row> {
  /** Above the rows, across all columns; absent where there is one group only. */
  readonly title?: string;
  readonly rows: readonly Row[];
}

function classOf<Row>(column: HtmlColumn<Row>): string {
  return [column.number ? 'number' : '', column.class ?? ''].filter((name) => name !== '').join(' ');
}

function rowMarkup<Row>(columns: readonly HtmlColumn<Row>[], row: Row, isOurs: boolean): Markup {
  const [first, ...others] = columns;
  return html`<tr class="${isOurs ? 'ours' : ''}">
    <th scope="row" class="${classOf(first!)}">${first!.cell(row)}</th>
    ${others.map((column) => html`<td class="${classOf(column)}">${column.cell(row)}</td>`)}
  </tr> `;
}

/** A table that scrolls by itself where the page is narrower. Columns that are empty in all rows are left out. */
export function tableMarkup<Row>(
  caption: string,
  columns: readonly HtmlColumn<Row>[],
  groups: readonly RowGroup<Row>[],
  isOurs: (row: Row) => boolean = () => false,
): Markup {
  const isEmpty = (cell: string | Markup): boolean => (typeof cell === 'string' ? cell : cell.text) === '';
  const used = columns.filter((column) => groups.some(({ rows }) => rows.some((row) => !isEmpty(column.cell(row)))));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <thead>
        <tr>
          ${used.map((column) => html`<th scope="col" class="${classOf(column)}">${column.title}</th>`)}
        </tr>
      </thead>
      ${groups.map(
        ({ title, rows }) =>
          html`<tbody>
            ${
              title === undefined
                ? undefined
                : html`<tr>
                    <th scope="rowgroup" colspan="${used.length}">${title}</th>
                  </tr> `
            }${rows.map((row) => rowMarkup(used, row, isOurs(row)))}
          </tbody> `,
      )}
    </table>
  </div> `;
}

/** A median, its range in grey beside it. */
export function withRange(median: string, range: string): Markup {
  return median === '' ? html`` : html`${median} <span class="range">${range}</span>`;
}
