import { formats, whyNot } from './power/disk.js';
import { powerTrial } from './power/trial.js';
import type { SoakClass } from './soak_class.js';

/** Room for every flush boundary of most runs. */
const images = 160;

const able = formats.filter((format) => whyNot(format) === undefined);

export const soak: SoakClass = {
  name: 'power',
  about: 'The power goes at any moment of a run: what was told as published is there, and what is listed is whole.',
  cases: { count: images, called: 'disk images' },
  whyNot: () => (able.length > 0 ? undefined : whyNot(formats[0]!)),
  trial: (seed, folder) => powerTrial({ seed, folder, format: able[seed % able.length]!, images }),
};
