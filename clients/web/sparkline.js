/** A small line of the last hour, or, where there is no history, of the last minute. */

const POINTS = 60;
const FEWEST = 20; // a line of fewer doesn't fill its box: two points are no trend
const MINUTE = 60_000;
const SECOND = 1_000;

/** The last price of each of the newest intervals, in a ring. */
export class Series {
  #values = new Float32Array(POINTS);
  #end = 0; // how many were ever written
  #step = SECOND;
  #slot = -Infinity; // the interval that the newest value belongs to
  version = 0; // goes up with every change

  get length() {
    return Math.min(this.#end, POINTS);
  }

  get step() {
    return this.#step;
  }

  at(index) {
    return this.#values[(this.#end - this.length + index) % POINTS];
  }

  get change() {
    return this.length ? this.at(this.length - 1) - this.at(0) : 0;
  }

  push(time, price) {
    const slot = Math.floor(time / this.#step);
    if (slot < this.#slot) return; // a snapshot that is older than the last trade
    this.version++;
    if (slot > this.#slot) this.#end++;
    this.#slot = slot;
    this.#values[(this.#end - 1) % POINTS] = price;
  }

  /** Puts minutes of history in front. What came in since is at most their last minute. */
  load(bars) {
    const newest = this.length ? this.at(this.length - 1) : null;
    const slot = Math.floor((this.#slot * this.#step) / MINUTE);
    this.#step = MINUTE;
    this.#end = 0;
    this.#slot = -Infinity;
    for (const { time, close } of bars) this.push(time, close);
    if (newest !== null) this.push(slot * MINUTE, newest);
  }
}

/**
 * Fits the canvas to the screen's pixels; returns a context that counts in CSS pixels.
 * The size is an argument, since asking the canvas would lay out the page once for each row.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number}} size
 */
export function contextOf(canvas, { width, height }) {
  const scale = globalThis.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number}} size
 * @param {Series} series
 * @param {string} colour
 */
export function drawSparkline(canvas, size, series, colour) {
  const context = contextOf(canvas, size);
  const { width, height } = size;
  const count = series.length;
  if (count < 2 || !width) return;
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < count; i++) {
    low = Math.min(low, series.at(i));
    high = Math.max(high, series.at(i));
  }
  const span = high - low || 1;
  const slots = Math.max(count, FEWEST);
  const x = (i) => 2 + ((i + slots - count) / (slots - 1)) * (width - 6);
  const y = (value) => height - 3 - ((value - low) / span) * (height - 6);
  context.beginPath();
  for (let i = 0; i < count; i++) context.lineTo(x(i), y(series.at(i)));
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(x(count - 1), height);
  context.lineTo(x(0), height);
  context.globalAlpha = 0.12;
  context.fill();
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(x(count - 1), y(series.at(count - 1)), 2, 0, 2 * Math.PI);
  context.fill();
}
