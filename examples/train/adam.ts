/** A weight and Adam's two moments of it. Arrays are never written again once made: a step makes new ones. */
export interface Slot {
  weight: Float32Array;
  expAvg: Float32Array;
  expAvgSq: Float32Array;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** `step` counts from 1. */
export function adamStep(slot: Slot, gradient: Float32Array, learningRate: number, step: number): Slot {
  const length = gradient.length;
  const next = {
    weight: new Float32Array(length),
    expAvg: new Float32Array(length),
    expAvgSq: new Float32Array(length),
  };
  const rate = (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
  for (let index = 0; index < length; index++) {
    const slope = gradient[index]!;
    const mean = beta1 * slot.expAvg[index]! + (1 - beta1) * slope;
    const square = beta2 * slot.expAvgSq[index]! + (1 - beta2) * slope * slope;
    next.expAvg[index] = mean;
    next.expAvgSq[index] = square;
    next.weight[index] = slot.weight[index]! - (rate * mean) / (Math.sqrt(square) + epsilon);
  }
  return next;
}
