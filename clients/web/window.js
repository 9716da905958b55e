/** Which bars of a chart are in view: dragged back and forth, zoomed, or the newest as they come. */

const SPACING = { least: 3, most: 28 }; // pixels from one bar to the next
const ZOOM = 1.15;
const SIDEWAYS = 2; // bars, for one turn of a wheel that turns sideways

export class BarWindow {
  /** Pixels from one bar to the next. */
  spacing = 9;

  #list;
  #width;
  #changed;
  #until = null; // the time of the newest bar in view, after somebody went back; null: the newest there is
  #grabbed = null; // where the pointer went down, and how many bars there were up to the newest in view

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{list: () => {time: number}[], width: () => number, changed: () => void}} chart all bars, the pixels
   *   that there are for them, and what is called when others are in view
   */
  constructor(canvas, { list, width, changed }) {
    this.#list = list;
    this.#width = width;
    this.#changed = changed;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#grabbed = { x: event.offsetX, end: this.#end };
    });
    canvas.addEventListener("pointermove", ({ offsetX }) => {
      if (this.#grabbed) this.#goTo(this.#grabbed.end - Math.round((offsetX - this.#grabbed.x) / this.spacing));
    });
    for (const over of ["pointerup", "pointercancel"]) canvas.addEventListener(over, () => { this.#grabbed = null; });
    canvas.addEventListener("dblclick", () => this.#goTo(Infinity));
    canvas.addEventListener("wheel", (event) => this.#turned(event));
    canvas.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** The bars in view, oldest first. */
  get shown() {
    return this.#list().slice(Math.max(0, this.#end - this.#room), this.#end);
  }

  /** Shows the newest bars, and those that come. */
  follow() {
    this.#until = null;
  }

  /** How many bars fit. */
  get #room() {
    return Math.floor(this.#width() / this.spacing);
  }

  /** How many bars there are up to the newest one in view. */
  get #end() {
    const list = this.#list();
    return this.#until === null ? list.length : list.findLastIndex(({ time }) => time <= this.#until) + 1;
  }

  /** Goes to where so many bars end with the newest one in view, as far as there are any. */
  #goTo(end) {
    const list = this.#list();
    const at = Math.max(1, Math.min(list.length, this.#room), end);
    this.#until = at < list.length ? list[at - 1].time : null;
    this.#changed();
  }

  #zoom(factor) {
    this.spacing = Math.min(SPACING.most, Math.max(SPACING.least, this.spacing * factor));
    this.#goTo(this.#end); // what fits now may be more than there is before it
  }

  #turned(event) {
    event.preventDefault();
    const { deltaX, deltaY } = event;
    if (Math.abs(deltaX) > Math.abs(deltaY)) this.#goTo(this.#end + Math.sign(deltaX) * SIDEWAYS);
    else this.#zoom(deltaY < 0 ? ZOOM : 1 / ZOOM);
  }

  #pressed(event) {
    const page = Math.floor(this.#room / 2);
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const zooms = { "+": ZOOM, "-": 1 / ZOOM };
    if (event.key in steps) this.#goTo(this.#end + steps[event.key]);
    else if (event.key in zooms) this.#zoom(zooms[event.key]);
    else return;
    event.preventDefault();
  }
}
