/** What a result looks like: on a terminal, as a page, as a trace. */
export { benchTable } from './bench_table.js';
export { compareTable } from './compare_table.js';
export { htmlPage } from './html/page.js';
export { readResult } from './read_result.js';
export { chromeTrace } from './trace/chrome_trace.js';
export { tuneTable } from './tune_table.js';
