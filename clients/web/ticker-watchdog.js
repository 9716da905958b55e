/** Tells when nothing was read for too long. */

const LATE_MS = 1_000; // a timer later than this says that we were asleep, not the server

export class Watchdog {
  #expired;
  #timer;
  #lastRead = 0;

  /** @param {(reason: string) => void} expired */
  constructor(expired) {
    this.#expired = expired;
  }

  /** Something was read. */
  feed() {
    this.#lastRead = performance.now();
  }

  /** From now on a silence may last so long, or for ever if that is 0. */
  watch(limit) {
    clearTimeout(this.#timer);
    if (limit) this.#wait(limit, limit);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** Looks at the clock when the silence could be too long, not at every message. */
  #wait(limit, delay) {
    const due = performance.now() + delay;
    this.#timer = setTimeout(() => {
      const now = performance.now();
      const idle = now - this.#lastRead;
      if (idle < limit) this.#wait(limit, limit - idle);
      // The machine or the page slept: messages may be waiting behind this timer.
      else if (now - due > LATE_MS) this.#wait(limit, LATE_MS);
      else this.#expired(`nothing was read for ${Math.round(idle)} ms`);
    }, delay);
  }
}
