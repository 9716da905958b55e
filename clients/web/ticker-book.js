/**
 * A symbol's book, put together from the events of the channel `depth`, and checked. No I/O.
 *
 *     const book = new OrderBook();
 *     client.addEventListener("depth", ({ detail }) => detail.symbol === "AAPL" && book.apply(detail));
 *     await client.subscribe("AAPL", { channels: ["depth"] });
 *
 * @typedef {[price: number, size: number]} Level
 * @typedef {{symbol: string, seq: number, time: number, bids: Level[], asks: Level[], checksum: number,
 *   snapshot?: boolean, tick_size?: number, merged?: number}} Depth
 */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** CRC-32 of a text of ASCII, as in zlib. */
export function crc32(text) {
  let sum = 0xffffffff;
  for (let i = 0; i < text.length; i++) sum = TABLE[(sum ^ text.charCodeAt(i)) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** Empty until it was given a snapshot. */
export class OrderBook {
  /** That of the newest event applied; null until there was one, and after a failure. @type {?number} */
  seq = null;

  #tickSize = 0;
  #sides = [new Map(), new Map()]; // price in ticks -> level: floats of one price may differ

  /** The highest price first. @returns {Level[]} */
  get bids() {
    return this.#side(0).map(([, level]) => level);
  }

  /** The lowest price first. @returns {Level[]} */
  get asks() {
    return this.#side(1).map(([, level]) => level);
  }

  /**
   * Takes the next event of the symbol.
   *
   * Throws where it doesn't follow on the one before, or where the book isn't what the server's is;
   * then the book is empty until a snapshot comes: subscribe again.
   *
   * @param {Depth} event
   */
  apply({ symbol, seq, bids, asks, checksum, snapshot, tick_size }) {
    if (snapshot) {
      this.#clear();
      this.#tickSize = tick_size;
    } else if (this.seq === null || seq !== this.seq + 1) {
      throw this.#failure(`${symbol}: event ${seq} doesn't follow on ${this.seq}`);
    }
    this.#change(0, bids);
    this.#change(1, asks);
    const own = this.checksum();
    if (own !== checksum) {
      throw this.#failure(`${symbol}: the checksum at event ${seq} is ${own}, not ${checksum}`);
    }
    this.seq = seq;
  }

  /** CRC-32 of ticks and sizes, bids and then asks, the best first, with commas between. */
  checksum() {
    const levels = [...this.#side(0), ...this.#side(1)];
    return crc32(levels.map(([tick, [, size]]) => `${tick},${size}`).join());
  }

  #change(side, levels) {
    for (const level of levels) {
      const tick = Math.round(level[0] / this.#tickSize);
      if (level[1]) this.#sides[side].set(tick, level);
      else this.#sides[side].delete(tick);
    }
  }

  /** Ticks and levels, the best first. */
  #side(side) {
    return [...this.#sides[side]].sort(([a], [b]) => (side ? a - b : b - a));
  }

  #clear() {
    this.seq = null;
    for (const side of this.#sides) side.clear();
  }

  #failure(text) {
    this.#clear();
    return new Error(text);
  }
}
