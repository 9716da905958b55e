/** How numbers and times look. `null` is a dash everywhere: nothing has traded yet. */

const DASH = "–";
const MINUS = "\u2212"; // as wide as the plus, unlike a hyphen

const formats = new Map(); // making an Intl.NumberFormat costs a thousand times what using it does

function fixed(decimals) {
  if (!formats.has(decimals)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    formats.set(decimals, new Intl.NumberFormat("en-US", digits));
  }
  return formats.get(decimals);
}

/** How many decimals a price with this tick size needs: 0.01 needs 2, 0.125 needs 3. */
export function decimalsOf(tickSize) {
  for (let decimals = 0; decimals < 8; decimals++) {
    const scaled = tickSize * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return decimals;
  }
  return 8;
}

export const price = (value, decimals) => (value == null ? DASH : fixed(decimals).format(value));

export const whole = (value) => (value == null ? DASH : fixed(0).format(value));

export function signed(value, decimals) {
  if (value == null) return DASH;
  const text = fixed(decimals).format(Math.abs(value));
  if (!/[1-9]/.test(text)) return text; // no "−0.00"
  return (value > 0 ? "+" : MINUS) + text;
}

export const percent = (value) => (value == null ? DASH : `${signed(value, 2)}%`);

/** 1,234 stays; 1,234,567 becomes 1.23M: a column of volumes is read by size, not by digit. */
export function compact(value) {
  if (value == null) return DASH;
  for (const [unit, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e5, "K"]]) {
    if (value < unit) continue;
    const scaled = value / (letter === "K" ? 1e3 : unit);
    return fixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0).format(scaled) + letter;
  }
  return fixed(0).format(value);
}

const two = (number) => String(number).padStart(2, "0");

export function clock(time, { seconds = true, millis = false } = {}) {
  const at = new Date(time);
  let text = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (seconds) text += `:${two(at.getSeconds())}`;
  if (millis) text += `.${String(at.getMilliseconds()).padStart(3, "0")}`;
  return text;
}

export function day(time) {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

export const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "flat");

/** A part of an address as it is meant; one that means nothing stays as it is. */
export function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
