/** The session of a market that has them: where it is not the regular one, when that begins. */
const NAMES = { closed: "Closed", pre_market: "Pre-market", post_market: "After hours" };
const MINUTE_MS = 60_000;

const newYork = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** 3 h 12 min; 2 d 14 h; 5 min: as exact as anybody wants to know. */
export function span(ms) {
  const minutes = Math.max(1, Math.ceil(ms / MINUTE_MS));
  const [days, hours, rest] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = days ? [[days, "d"], [hours, "h"]] : [[hours, "h"], [rest, "min"]];
  return parts.filter(([number]) => number).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/**
 * What to say of it: "" in the regular session, and where there are none.
 *
 * @param {{status: string, opens: number} | null} session
 * @param {number | null} now the feed's time, if that is known
 */
export function sessionText(session, now) {
  if (!session) return "";
  const text = `${NAMES[session.status] ?? session.status}: opens ${newYork.format(session.opens)} in New York`;
  return now === null || now >= session.opens ? text : `${text}, in ${span(session.opens - now)}`;
}
