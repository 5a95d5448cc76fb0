const light = `
  --page: #f4f6f8; --surface: #ffffff; --ink: #17212b; --muted: #5a6672; --grid: #e1e6eb; --shade: rgb(90 102 114 / 14%);
  --ours: #0b5cad; --ours-soft: #9cc8f0; --limit: #46525f; --limit-soft: #c3ccd5; --rival: #c9780a; --rival-soft: #f5cf92;
  --alert: #b3261e;`;

const dark = `
  --page: #0e1318; --surface: #161d24; --ink: #e7ecf1; --muted: #9aa6b2; --grid: #2a343e; --shade: rgb(154 166 178 / 18%);
  --ours: #58aaff; --ours-soft: #2c659c; --limit: #aeb9c4; --limit-soft: #4a5662; --rival: #f0a63a; --rival-soft: #8a6118;
  --alert: #ff8a80;`;

/** The colours by name, as properties; `dark` where the reader prefers it. Paper is light. */
export const colours = `:root {${light} color-scheme: light; }
@media screen and (prefers-color-scheme: dark) { :root {${dark} color-scheme: dark; } }`;

export const style = `${colours}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 12px; }
h3 { font-size: 15px; margin: 24px 0 8px; }
p { margin: 0 0 10px; max-width: 78ch; overflow-wrap: anywhere; }
.lead, .note, figcaption { color: var(--muted); }
.note, figcaption { font-size: 13px; }
ol.findings + .note { margin-top: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0; padding: 0; }
.tiles div { background: var(--surface); border: 1px solid var(--grid); border-radius: 8px; padding: 12px 14px; }
.tiles dt { font-size: 13px; color: var(--muted); }
.tiles dd { margin: 0; font-size: 24px; font-weight: 600; line-height: 1.3; }
.tiles dd small { display: block; font-size: 12px; font-weight: 400; color: var(--muted); }
ol.findings { margin: 0; padding: 16px 20px 16px 40px; background: var(--surface); border: 1px solid var(--grid); border-left: 4px solid var(--ours); border-radius: 8px; }
ol.findings li { margin: 4px 0; overflow-wrap: anywhere; }
figure { margin: 0 0 20px; padding: 16px 16px 10px; background: var(--surface); border: 1px solid var(--grid); border-radius: 8px; }
figure h3 { margin: 0 0 2px; }
figcaption { margin: 0 0 10px; max-width: 90ch; }
.chart { width: 100%; overflow: hidden; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 0 20px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 8px; padding: 0; list-style: none; font-size: 13px; }
.key span { display: inline-block; width: 18px; height: 10px; margin-right: 6px; }
.key .ours { background: var(--ours); } .key .limit { background: var(--limit); } .key .rival { background: var(--rival); }
.key .soft { background: var(--ours-soft); border: 1px solid var(--ours); }
.scroll { overflow-x: auto; background: var(--surface); border: 1px solid var(--grid); border-radius: 8px; margin: 0 0 16px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { padding: 6px 12px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); }
tbody:last-child tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-weight: 500; white-space: nowrap; border-bottom: 1px solid var(--muted); }
th[scope=rowgroup] { background: var(--page); font-weight: 600; }
th[scope=row] { font-weight: 400; }
tr.ours > * { font-weight: 600; background: var(--shade); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
small, .range { color: var(--muted); font-weight: 400; font-size: 12px; }
th small, .number .range { display: block; }
ul.note { margin: 0 0 16px; padding-left: 20px; }
table.facts th { white-space: nowrap; color: var(--muted); width: 1%; }
table.facts td, code { overflow-wrap: anywhere; }
code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0 0 16px; padding: 12px 14px; overflow-x: auto; background: var(--surface); border: 1px solid var(--grid); border-radius: 8px; }
summary { cursor: pointer; margin: 8px 0 12px; color: var(--ours); }
label.choose { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin: 0 0 12px; }
select { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--muted); border-radius: 6px; padding: 4px 8px; }
:focus-visible { outline: 2px solid var(--ours); outline-offset: 2px; }
footer { margin-top: 40px; color: var(--muted); font-size: 13px; }
@media (max-width: 560px) {
  main { padding: 20px 12px 32px; }
  figure { padding: 12px 8px 6px; }
  h1 { font-size: 21px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .tiles dd { font-size: 20px; }
}
@page { margin: 14mm 12mm; }
@media print {
  body { background: #fff; font-size: 12px; }
  main { max-width: none; padding: 0; }
  h1 { font-size: 20px; } h2 { font-size: 15px; margin-top: 22px; } h2, h3, summary, label.choose { break-after: avoid; }
  figure, .tiles, tr, ol.findings { break-inside: avoid; }
  figure { border: 0; padding: 0; }
  .chart { height: auto !important; }
  .chart > div, .chart svg { position: static !important; width: 100% !important; height: auto !important; }
  .tiles { grid-template-columns: repeat(5, 1fr); gap: 6px; margin: 12px 0; } .tiles div { padding: 6px 8px; } .tiles dd { font-size: 15px; }
  .tiles dt, .tiles dd small, .note, figcaption, .key { font-size: 10px; }
  small, .range { font-size: 8px; }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 9.5px; } th, td { padding: 2px 5px; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  summary { display: none; }
  select { border: 0; padding: 0; appearance: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
