/** The bars of one symbol and interval: history, the server's own, and the one under way. */
import { moves } from "./conditions.js";

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const KEPT = 1_500;

/** "5m" is 300,000 milliseconds. */
function millisOf(interval) {
  return parseInt(interval, 10) * UNITS[interval.at(-1)];
}

export class Bars {
  /** @type {{time: number, open: number, high: number, low: number, close: number,
   *   volume: number}[]} */
  list = [];

  constructor(interval) {
    this.interval = interval;
    this.step = millisOf(interval);
  }

  /** Puts history in place. Trades that came while it was on its way may have opened newer bars. */
  load(bars) {
    const end = bars.at(-1)?.time ?? -Infinity;
    this.list = [...bars, ...this.list.filter(({ time }) => time > end)].slice(-KEPT);
  }

  /**
   * Carries the bar under way along. Its volume can be a few trades off, until the server sends
   * the finished bar, which replaces it.
   */
  trade(trade) {
    const { open, high, low, close, volume } = moves(trade);
    const start = this.#startOf(trade.time);
    const bar = this.list.at(-1);
    if (!bar || start > bar.time) {
      if (close !== null) this.#append({ time: start, open, high, low, close, volume });
    } else if (start === bar.time) {
      bar.high = Math.max(bar.high, high ?? bar.high);
      bar.low = Math.min(bar.low, low ?? bar.low);
      bar.close = close ?? bar.close;
      bar.volume += volume;
    }
  }

  /** The server's finished bar: it is right, whatever was made of the trades. */
  bar(event) {
    const at = this.list.findLastIndex(({ time }) => time <= event.time);
    if (at >= 0 && this.list[at].time === event.time) this.list[at] = { ...event };
    else if (at === this.list.length - 1) this.#append({ ...event });
  }

  #append(bar) {
    this.list.push(bar);
    if (this.list.length > KEPT) this.list.shift();
  }

  /** Counted from the newest bar: a trading day doesn't begin at midnight in Greenwich. */
  #startOf(time) {
    const newest = this.list.at(-1)?.time ?? 0;
    return newest + Math.floor((time - newest) / this.step) * this.step;
  }
}
