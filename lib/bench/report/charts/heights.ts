/** Heights of the charts in pixels, known before they are drawn: nothing of the page moves when they are. */
import type { BarChart } from './bars.js';
import type { Timeline } from './timeline.js';

export const throughputHeight = 380;
export const lossHeight = 360;
export const sweepHeight = 300;

/** Of a stager thread, and of a place in the device queue. */
const threadHeight = 36;
export const requestHeight = 14;
/** A thread is that many places high, and so far apart from the queue. */
export const threadUnits = threadHeight / requestHeight;
export const gapUnits = 0.8;

export const barHeight = 40;

export const barsHeight = ({ bars }: BarChart): number => 82 + bars.length * barHeight;

export const timelineUnits = ({ threads, depth }: Timeline): number => threads * threadUnits + gapUnits + depth;

export const timelineHeight = (timeline: Timeline): number => Math.round(150 + timelineUnits(timeline) * requestHeight);
