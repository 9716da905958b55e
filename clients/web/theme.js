/** The style sheet's colours, for what is drawn on canvases: one place says what they are. */

const NAMES = ["up", "down", "flat", "text", "dim", "line", "panel", "accent"];

/** @type {Record<string, string>} */
export const colours = {};

function read() {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) colours[name] = style.getPropertyValue(`--${name}`).trim();
}

/** Reads them now and whenever the user goes from light to dark or back. */
export function followTheme(changed) {
  read();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    read();
    changed();
  });
}
