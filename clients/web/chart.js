/** Candles, or a line, with volume, axes and a crosshair, on one canvas. */
import { clock, compact, day, direction, price } from "./format.js";
import { contextOf } from "./sparkline.js";
import { colours } from "./theme.js";
import { BarWindow } from "./window.js";

const AXIS = { right: 62, bottom: 22, top: 10 };
const VOLUME_SHARE = 0.18;
const TAG = 18; // the height of a price on the axis
const LABEL_WIDTH = 74; // between two times at the bottom
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10080, 43200];
const STEPS = [1, 5, 10, 15, 30].map((s) => s * 1_000).concat(MINUTES.map((m) => m * 60_000));
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';

/** Round numbers between low and high, about `count` of them. */
function ticksOf(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

export class CandleChart {
  /** @type {(bar: object | null) => void} what the crosshair is at; null: nowhere */
  onhover = () => {};
  kind = "candles";
  decimals = 2;
  /** @type {import("./bars.js").Bars | null} */
  bars = null;

  #canvas;
  #size = { width: 0, height: 0 };
  #window; // which bars are in view
  #pointer = null;
  #view = null; // what the last drawing worked out

  constructor(canvas, { changed }) {
    this.#canvas = canvas;
    new ResizeObserver(() => {
      this.#size = { width: canvas.clientWidth, height: canvas.clientHeight };
      changed();
    }).observe(canvas);
    const point = (pointer) => {
      this.#pointer = pointer;
      changed();
    };
    canvas.addEventListener("pointermove", ({ offsetX: x, offsetY: y }) => point({ x, y }));
    canvas.addEventListener("pointerleave", () => point(null));
    const width = () => this.#size.width - AXIS.right;
    this.#window = new BarWindow(canvas, { list: () => this.bars?.list ?? [], width, changed });
  }

  /** Shows the newest bars, and those that come. */
  follow() {
    this.#window.follow();
  }

  draw() {
    if (!this.#size.width) return;
    const context = contextOf(this.#canvas, this.#size);
    context.font = FONT;
    context.textBaseline = "middle";
    this.#view = this.#measure();
    if (this.#view) {
      this.#drawGrid(context, this.#view);
      this.#drawVolume(context, this.#view);
      if (this.kind === "line") this.#drawLine(context, this.#view);
      else this.#drawCandles(context, this.#view);
      this.#drawLast(context, this.#view);
    }
    this.#drawCrosshair(context, this.#view);
  }

  /** Which bars fit, and how prices and times become pixels. */
  #measure() {
    const right = this.#size.width - AXIS.right;
    const bottom = this.#size.height - AXIS.bottom;
    const { shown, spacing } = this.#window;
    if (!shown.length) return null;
    let low = Math.min(...shown.map((bar) => bar.low));
    let high = Math.max(...shown.map((bar) => bar.high));
    const margin = (high - low) * 0.06 || 10 ** -this.decimals * 5;
    low -= margin;
    high += margin;
    const most = Math.max(...shown.map((bar) => bar.volume), 1);
    const floor = bottom - (bottom - AXIS.top) * VOLUME_SHARE; // prices stay above the volume
    return {
      shown, low, high, right, bottom,
      x: (i) => right - (shown.length - i - 0.5) * spacing,
      y: (value) => floor - ((value - low) / (high - low)) * (floor - AXIS.top),
      priceAt: (y) => low + ((floor - y) / (floor - AXIS.top)) * (high - low),
      volume: (value) => (value / most) * (bottom - floor - 4),
      index: (x) => Math.ceil(shown.length - (right - x) / spacing) - 1,
    };
  }

  #drawGrid(context, { shown, low, high, right, bottom, x, y }) {
    context.strokeStyle = colours.line;
    context.fillStyle = colours.dim;
    context.lineWidth = 1;
    context.textAlign = "left";
    for (const value of ticksOf(low, high, this.#size.height / 55)) {
      rule(context, 0, y(value), right, y(value));
      if (Math.abs(y(value) - y(this.bars.list.at(-1).close)) < TAG) continue; // the last price is there
      context.fillText(price(value, this.decimals), right + 8, y(value));
    }
    context.textAlign = "center";
    const step = STEPS.find((s) => (s / this.bars.step) * this.#window.spacing >= LABEL_WIDTH);
    const slot = (time) => Math.floor((time - offsetOf(time)) / (step ?? STEPS.at(-1)));
    for (let i = 1; i < shown.length; i++) {
      if (slot(shown[i].time) === slot(shown[i - 1].time)) continue;
      rule(context, x(i), AXIS.top, x(i), bottom);
      const label = this.#timeLabel(shown[i].time, shown[i - 1].time);
      const half = context.measureText(label).width / 2;
      const at = Math.min(Math.max(x(i), half), this.#size.width - half);
      context.fillText(label, at, bottom + 12);
    }
  }

  #timeLabel(time, before) {
    const newDay = before !== undefined && day(time) !== day(before);
    if (this.bars.step >= 86_400_000 || newDay) return day(time).slice(5);
    return clock(time, { seconds: this.bars.step < 60_000 });
  }

  #drawVolume(context, { shown, bottom, x, volume }) {
    const width = Math.max(1, this.#window.spacing * 0.7);
    context.globalAlpha = 0.28;
    shown.forEach((bar, i) => {
      context.fillStyle = colours[direction(bar.close - bar.open)];
      context.fillRect(x(i) - width / 2, bottom - volume(bar.volume), width, volume(bar.volume));
    });
    context.globalAlpha = 1;
  }

  #drawCandles(context, { shown, x, y }) {
    const width = Math.max(1, Math.round(this.#window.spacing * 0.7));
    shown.forEach(({ open, high, low, close }, i) => {
      const colour = colours[direction(close - open)];
      context.fillStyle = colour;
      context.strokeStyle = colour;
      rule(context, x(i), y(high), x(i), y(low));
      const top = Math.min(y(open), y(close));
      const tall = Math.max(1, Math.abs(y(open) - y(close)));
      context.fillRect(Math.round(x(i) - width / 2), top, width, tall);
    });
  }

  #drawLine(context, { shown, bottom, x, y }) {
    context.strokeStyle = context.fillStyle = colours.accent;
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.beginPath();
    shown.forEach(({ close }, i) => context.lineTo(x(i), y(close)));
    context.stroke();
    context.lineTo(x(shown.length - 1), bottom);
    context.lineTo(x(0), bottom);
    context.globalAlpha = 0.1;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1;
  }

  #drawLast(context, { right, bottom, y }) {
    const { open, close } = this.bars.list.at(-1);
    const at = Math.min(Math.max(y(close), TAG / 2), bottom); // in the past it may be beyond the edge
    const colour = colours[direction(close - open)];
    context.setLineDash([2, 3]);
    context.strokeStyle = colour;
    if (at === y(close)) rule(context, 0, at, right, at);
    context.setLineDash([]);
    this.#drawTag(context, right, at, price(close, this.decimals), colour);
  }

  #drawTag(context, right, y, text, colour) {
    context.fillStyle = colour;
    context.fillRect(right + 1, y - TAG / 2, AXIS.right - 1, TAG);
    context.fillStyle = colours.panel;
    context.textAlign = "left";
    context.fillText(text, right + 8, y + 0.5);
  }

  #drawCrosshair(context, view) {
    const inside = this.#pointer && view && this.#pointer.x < view.right;
    const i = inside ? view.index(this.#pointer.x) : -1;
    this.onhover(view?.shown[i] ?? null);
    if (!inside || !view.shown[i]) return;
    const { y } = this.#pointer;
    context.strokeStyle = colours.dim;
    context.setLineDash([4, 4]);
    rule(context, view.x(i), AXIS.top, view.x(i), view.bottom);
    if (y < view.bottom) rule(context, 0, y, view.right, y);
    context.setLineDash([]);
    const value = price(view.priceAt(y), this.decimals);
    if (y < view.bottom) this.#drawTag(context, view.right, y, value, colours.dim);
  }

  /** The text of a bar, for the legend. */
  describe(bar) {
    const at = this.bars.step >= 86_400_000 ? day(bar.time) : clock(bar.time);
    const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map((value) =>
      price(value, this.decimals),
    );
    const volume = compact(bar.volume);
    return [["", at], ["O", open], ["H", high], ["L", low], ["C", close], ["V", volume]];
  }
}

/** Minutes between here and Greenwich, so that the labels fall on round local times. */
const offsetOf = (time) => new Date(time).getTimezoneOffset() * 60_000;

/** A line one pixel wide: on half coordinates, or it would be two pixels of half the colour. */
function rule(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  context.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
  context.stroke();
}
