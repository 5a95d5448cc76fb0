/** What trials counted, by what it is; the runner adds it up and prints it. */
export type SoakTally = Readonly<Record<string, number>>;

/** A class of faults: a trial is decided by its seed alone, as far as the machine allows, and throws what it finds. */
export interface SoakClass {
  /** Of its module, without `.ts`, and of the option `--class`. */
  readonly name: string;
  /** One line: the fault, and what must hold after it. */
  readonly about: string;
  /** What one trial consists of, where it is more than one case: how many, and what they are called. */
  readonly cases?: { readonly count: number; readonly called: string };
  /** Why it cannot run here; `undefined` where it can. */
  whyNot(): string | undefined;
  /**
   * @param seed an integer from 0 to 2 ** 32 - 1
   * @param folder empty, on a disk, and removed afterwards
   * @throws what is wrong: a finding
   */
  trial(seed: number, folder: string): Promise<void> | Promise<SoakTally>;
}
