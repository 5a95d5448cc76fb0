type Listener = () => void;

/** Of each signal that somebody waits for. */
const listenersOf = new WeakMap<AbortSignal, Set<Listener>>();

function callAll(this: AbortSignal): void {
  for (const listener of listenersOf.get(this) ?? []) listener();
}

/**
 * Calls a function when a signal is aborted, until {@link forgetAbort}. However many wait for one signal, it has one
 * listener of ours: Node 20 warns of a leak where there are more than ten.
 */
export function onAbort(signal: AbortSignal | undefined, listener: Listener): void {
  if (signal === undefined) return;
  let listeners = listenersOf.get(signal);
  if (listeners === undefined) {
    listeners = new Set();
    listenersOf.set(signal, listeners);
    signal.addEventListener('abort', callAll);
  }
  listeners.add(listener);
}

/** Takes back an {@link onAbort}; the last one leaves no trace on the signal. */
export function forgetAbort(signal: AbortSignal | undefined, listener: Listener): void {
  const listeners = signal && listenersOf.get(signal);
  if (!listeners?.delete(listener) || listeners.size > 0) return;
  listenersOf.delete(signal!);
  signal!.removeEventListener('abort', callAll);
}
