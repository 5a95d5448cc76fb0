import { html, type Markup } from './markup.js';

interface Figure {
  readonly chart: 'bars' | 'throughput' | 'timeline' | 'loss' | 'sweep';
  readonly index?: number;
  readonly title: string;
  /** A sentence below the title: what is drawn, and how to read it. */
  readonly caption: string;
  /** What a reader who does not see it should know. */
  readonly summary: string;
  readonly height: number;
  readonly key?: Markup;
}

/** The frame of a chart, as high as it will be. */
export function figureMarkup({ chart, index = 0, title, caption, summary, height, key }: Figure): Markup {
  const id = `${chart}-${index}`;
  return html`<figure aria-labelledby="${id}">
    <h3 id="${id}">${title}</h3>
    <figcaption>${caption}</figcaption>
    ${key}
    <div
      class="chart"
      data-chart="${chart}"
      data-index="${index}"
      data-height="${height}"
      style="height:${height}px"
      role="img"
      aria-label="${summary}"
    ></div>
  </figure> `;
}
