/** The few things that the page does to its document. Text is only ever set as text. */

type Child = Node | string;

/** A new element. `properties` are attributes; a `class` without a value is left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The element of the frame with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Only what differs is written: the browser lays out nothing for the rest, and a selection stays. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Remembered for this origin, where the browser allows it. */
export const memory = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`slipway.${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string | null): void {
    try {
      if (value === null) localStorage.removeItem(`slipway.${key}`);
      else localStorage.setItem(`slipway.${key}`, value);
    } catch {
      // Then it holds until the page is left.
    }
  },
};
