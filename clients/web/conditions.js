/** What a trade moves, by the conditions that it has; see the protocol's table. */

const NOT_LAST = new Set("CHIMNPQRTUVWZ47");
const NOT_RANGE = new Set("CHIMNQRTUVW7"); // high and low
const NOT_VOLUME = new Set("MQ");

/**
 * The first, highest, lowest and last price that a trade, with those that it replaces, moves, and the
 * shares that count; a price is null where nothing moves it.
 */
export function moves(trade) {
  const { price, volume, conditions = [] } = trade;
  if (volume !== undefined) {
    const { open, high, low, close = price } = trade;
    return { open, high, low, close, volume };
  }
  const free = (vetoes) => !conditions.some((code) => vetoes.has(code));
  const last = free(NOT_LAST) ? price : null;
  const extreme = free(NOT_RANGE) ? price : null;
  const shares = free(NOT_VOLUME) ? trade.size : 0;
  return { open: last, high: extreme, low: extreme, close: last, volume: shares };
}
