/** Types of ticker-book.js, for TypeScript. */
import type { Depth, Level } from "./ticker-client.js";

/** CRC-32 of a text of ASCII, as in zlib. */
export function crc32(text: string): number;

export class OrderBook {
  /** That of the newest event applied; null until there was one, and after a failure. */
  seq: number | null;
  /** The highest price first. */
  get bids(): Level[];
  /** The lowest price first. */
  get asks(): Level[];
  /** Throws where the book is not the server's: subscribe again. */
  apply(event: Depth): void;
  /** CRC-32 of ticks and sizes, as the server makes it. */
  checksum(): number;
}
