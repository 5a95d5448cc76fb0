const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;

interface Getters {
  readonly buffer: (view: ArrayBufferView) => ArrayBufferLike;
  readonly byteOffset: (view: ArrayBufferView) => number;
  readonly byteLength: (view: ArrayBufferView) => number;
}

/** What the engine itself tells of a view, whatever a subclass, or a property of the view's own, says instead. */
function getterOf(prototype: object, name: PropertyKey): (view: ArrayBufferView) => unknown {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name) as { get: () => unknown };
  return Function.prototype.call.bind(get);
}

function gettersOf(prototype: object): Getters {
  return {
    buffer: getterOf(prototype, 'buffer') as Getters['buffer'],
    byteOffset: getterOf(prototype, 'byteOffset') as Getters['byteOffset'],
    byteLength: getterOf(prototype, 'byteLength') as Getters['byteLength'],
  };
}

const ofTypedArrays = gettersOf(typedArrayPrototype);
const ofDataViews = gettersOf(DataView.prototype);
const tagOf = getterOf(typedArrayPrototype, Symbol.toStringTag) as (view: ArrayBufferView) => string | undefined;
const lengthOf = getterOf(typedArrayPrototype, 'length') as (view: ArrayBufferView) => number;

/** The class of a view as the engine knows it, subclasses (`Buffer`) and other realms included. */
export function viewClass(view: ArrayBufferView): string {
  return tagOf(view) ?? 'DataView';
}

const gettersFor = (view: ArrayBufferView): Getters => (tagOf(view) === undefined ? ofDataViews : ofTypedArrays);

export function viewBuffer(view: ArrayBufferView): ArrayBufferLike {
  return gettersFor(view).buffer(view);
}

export interface ViewRange {
  readonly offset: number;
  readonly bytes: number;
}

/** Where a view lies in its buffer; `undefined` for a `DataView` that has lost its memory, where others tell of 0 bytes. */
export function viewRange(view: ArrayBufferView): ViewRange | undefined {
  const { byteOffset, byteLength } = gettersFor(view);
  try {
    return { offset: byteOffset(view), bytes: byteLength(view) };
  } catch {
    return undefined;
  }
}

/** Elements of a typed array. */
export function elementsOf(view: ArrayBufferView): number {
  return lengthOf(view);
}
