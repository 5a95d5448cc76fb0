/** The little of the browser that the page's script uses: the types of all of it would make the package look run there. */
export interface Element {
  readonly clientWidth: number;
  readonly dataset: Readonly<Record<string, string | undefined>>;
  readonly textContent: string | null;
  querySelector(selector: string): Element | null;
  setAttribute(name: string, value: string): void;
}

export interface Choice extends Element {
  readonly value: string;
  addEventListener(event: 'change', listener: () => void): void;
}

export interface Disclosure extends Element {
  open: boolean;
}

interface Document {
  getElementById(id: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
}

interface Observer {
  observe(element: Element): void;
}

interface Window {
  readonly document: Document;
  readonly ResizeObserver: new (listener: (entries: readonly { readonly target: Element }[]) => void) => Observer;
  addEventListener(event: 'beforeprint' | 'afterprint', listener: () => void): void;
}

export const browser = globalThis as unknown as Window;
