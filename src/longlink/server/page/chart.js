// Two small lines of the last two minutes: messages per second and people connected.

import { byId } from "./dom.js";
import { say } from "./strings.js";

const SECONDS = 120;
const HEIGHT = 30;
const QUIET_S = 3; // the server is silent while nothing changes, so an old rate means none
const SUMMARY_S = 10; // the words for screen readers change rarely enough to be read

const round = (rate) => (rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));

/** SVG path data for values over time; `null` leaves a gap. `steps` keeps a value until the next one. */
export function path(values, most, { steps = false, closed = false } = {}) {
  const y = (value) => (HEIGHT - 1.5 - (value / most) * (HEIGHT - 4)).toFixed(1);
  let data = "";
  values.forEach((value, x) => {
    if (value === null) return;
    const starts = x === 0 || values[x - 1] === null;
    if (starts) data += closed ? `M${x} ${HEIGHT}V${y(value)}` : `M${x} ${y(value)}`;
    else data += steps ? `H${x}V${y(value)}` : `L${x} ${y(value)}`;
    const ends = x === values.length - 1 || values[x + 1] === null;
    if (closed && ends) data += `V${HEIGHT}Z`;
  });
  return data;
}

export class Chart {
  #samples = Array(SECONDS).fill(null); // {people, rate} per second, newest last
  #now = null; // what holds until the next event; null while not connected
  #heard = 0;
  #second = Math.floor(Date.now() / 1000);

  constructor() {
    setInterval(() => this.#draw(), 1000);
  }

  /** Takes what the server counted. */
  push({ people, rate }) {
    this.#advance();
    this.#now = { people, rate };
    this.#heard = this.#second;
    this.#samples[SECONDS - 1] = this.#now;
    this.#draw();
  }

  /** Leaves a gap until the next `push`: nothing is known without a connection. */
  pause() {
    this.#advance();
    this.#now = null;
    this.#draw();
  }

  #advance() {
    // Timers of a hidden tab are slow, so time is taken from the clock and not from the number of calls.
    const second = Math.floor(Date.now() / 1000);
    const passed = Math.min(Math.max(second - this.#second, 0), SECONDS);
    for (let step = passed; step > 0; step -= 1) {
      if (this.#now?.rate && second - step - this.#heard >= QUIET_S) this.#now = { ...this.#now, rate: 0 };
      this.#samples.push(this.#now);
    }
    this.#samples.splice(0, passed);
    this.#second = second;
  }

  #draw() {
    this.#advance();
    const rates = this.#samples.map((sample) => sample && sample.rate);
    const people = this.#samples.map((sample) => sample && sample.people);
    const most = { rate: Math.max(0, ...rates), people: Math.max(0, ...people) };
    this.#line("rate", rates, most.rate, false);
    this.#line("present", people, most.people, true);
    say(byId("rate-most"), "most", { count: round(most.rate) });
    say(byId("present-most"), "most", { count: most.people });
    byId("rate").textContent = this.#now ? round(this.#now.rate) : "–";
    byId("present").textContent = this.#now ? this.#now.people : "–";
    if (this.#second % SUMMARY_S === 0) this.#summarize(most);
  }

  #line(name, values, most, steps) {
    const [area, stroke] = byId(`${name}-line`).children;
    const scale = Math.max(most, 1) * 1.05;
    area.setAttribute("d", path(values, scale, { steps, closed: true }));
    stroke.setAttribute("d", path(values, scale, { steps }));
  }

  #summarize(most) {
    const { rate, people } = this.#now ?? { rate: 0, people: 0 };
    const values = { rate: round(rate), rateMost: round(most.rate), people, peopleMost: most.people };
    say(byId("chart-summary"), "chartSummary", values);
  }
}
