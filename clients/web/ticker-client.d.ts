/** Types of ticker-client.js, for TypeScript: what the server says is described in PROTOCOL.md. */

export type Channel = "trades" | "quotes" | "bars" | "status" | "depth";
export type Interval = "1s" | "1m" | "5m" | "1h" | "1d";
export type Transport = "websocket" | "sse";
export type MarketStatus =
  | "trading" | "limit_state" | "straddle_state" | "quoting" | "paused" | "halted" | "closed" | "pre_market"
  | "post_market";

/** The price, and the size: in a book 0 where the level is gone. */
export type Level = [price: number, size: number];

export interface Hello {
  type: "hello";
  protocol: number;
  server: string;
  epoch: string;
  seed: number;
  synthetic: boolean;
  symbols: number;
  channels: Channel[];
  intervals: Interval[];
  depth_levels?: number;
  heartbeat_ms: number;
  rules?: "us";
  auth: boolean;
}

/** What every event of the market has. `time` is Unix time in milliseconds, with microseconds after the point. */
export interface MarketEvent {
  symbol: string;
  seq: number;
  time: number;
  /** How many earlier events this one replaces. */
  merged?: number;
}

/** `open`, `high`, `low`, `close` and `volume` are those of all that a merged trade stands for. */
export interface Trade extends MarketEvent {
  type: "trade";
  price: number;
  size: number;
  exchange?: string;
  conditions?: string[];
  open?: number | null;
  high?: number | null;
  low?: number | null;
  close?: number | null;
  volume?: number;
}

export interface Quote extends MarketEvent {
  type: "quote";
  bid: number;
  bid_size: number;
  ask: number;
  ask_size: number;
}

export interface Bar extends MarketEvent {
  type: "bar";
  interval: Interval;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  vwap: number;
  trades: number;
}

export interface Status extends MarketEvent {
  type: "status";
  status: MarketStatus;
  reason: string | null;
  /** When the next regular session opens, outside of one. */
  opens?: number;
}

export interface Depth extends MarketEvent {
  type: "depth";
  bids: Level[];
  asks: Level[];
  checksum: number;
  snapshot?: boolean;
  tick_size?: number;
}

/** The state of a symbol; what isn't known yet is null. */
export interface Snapshot {
  type: "snapshot";
  symbol: string;
  time: number;
  seq: Record<string, number>;
  last: number;
  size: number | null;
  bid: number | null;
  bid_size: number | null;
  ask: number | null;
  ask_size: number | null;
  open: number | null;
  high: number | null;
  low: number | null;
  prev_close: number;
  volume: number;
  status: MarketStatus;
  reason?: string;
  opens?: number;
}

export interface Heartbeat {
  type: "heartbeat";
  time: number;
}

export interface Instrument {
  symbol: string;
  name: string;
  sector: string;
  tick_size: number;
  round_lot: number;
  exchange: string | null;
  tape: "A" | "B" | "C" | null;
}

/** The reply to a subscription, or to its end. */
export interface Subscribed {
  type: "subscribed" | "unsubscribed";
  symbols: string[];
  channels: Channel[];
  interval?: Interval;
  mode?: "all" | "latest";
  max_hz?: number;
}

/** Events that are missing, from the first to the last. */
export interface Gap {
  symbol: string;
  channel: Channel;
  interval?: Interval;
  from: number;
  to: number;
  reason: "too_old" | "ahead" | "slow" | "reconnect" | "lost" | "repeated" | (string & {});
}

/** What became of the connection; `retryAt` as from Date.now(). */
export interface StateDetail {
  state: "connecting" | "live" | "waiting" | "closed";
  attempt: number;
  transport?: Transport;
  retryAt?: number;
  code?: number;
  reason?: string;
}

/** What of the missed events came after a reconnect, and what did not. */
export interface Resumed {
  events: number;
  lost: number;
}

/** An event of the market, or another message of the server; a newer server may have more kinds. */
export type FeedEvent = Trade | Quote | Bar | Status | Depth | Snapshot | Hello | Heartbeat | Subscribed;

/** The `detail` of each event of a client. */
export interface TickerEvents {
  state: StateDetail;
  gap: Gap;
  resumed: Resumed;
  error: TickerError;
  hello: Hello;
  snapshot: Snapshot;
  trade: Trade;
  quote: Quote;
  bar: Bar;
  status: Status;
  depth: Depth;
  heartbeat: Heartbeat;
  subscribed: Subscribed;
  unsubscribed: Subscribed;
}

/** Times are in milliseconds. */
export interface Options {
  symbols?: string | string[];
  channels?: Channel[];
  interval?: Interval;
  token?: string;
  transports?: Transport[];
  fallbackAfter?: number;
  retryWebSocket?: number;
  maxRetryWebSocket?: number;
  minDelay?: number;
  maxDelay?: number;
  random?: () => number;
  later?: (work: () => void, ms: number) => () => void;
  WebSocket?: typeof globalThis.WebSocket;
  fetch?: typeof globalThis.fetch;
}

export interface SubscribeOptions {
  channels?: Channel[];
  interval?: Interval;
  snapshot?: boolean;
  mode?: "all" | "latest";
  max_hz?: number;
}

/** What the server refused, with its `code`; or "connection_lost", "closed", "bad_message". */
export class TickerError extends Error {
  constructor(code: string, message: string);
  code: string;
}

export class TickerClient extends EventTarget {
  constructor(url: string, options?: Options);

  /** Called once for each message of the server, with all its events. */
  onbatch: ((events: FeedEvent[]) => void) | null;
  hello: Hello | null;
  readonly counts: { reconnects: number; resumed: number; lost: number; merged: number };
  get state(): StateDetail;
  get transport(): Transport;

  subscribe(symbols: string | string[], options?: SubscribeOptions): Promise<Subscribed>;
  unsubscribe(
    symbols: string | string[],
    options?: { channels?: Channel[]; interval?: Interval },
  ): Promise<Subscribed>;
  snapshot(symbols: string | string[]): Promise<Snapshot[]>;
  symbols(): Promise<Instrument[]>;
  reconnect(): void;
  close(): void;

  addEventListener<Name extends keyof TickerEvents>(
    type: Name,
    listener: (event: CustomEvent<TickerEvents[Name]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof TickerEvents>(
    type: Name,
    listener: (event: CustomEvent<TickerEvents[Name]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
