// The log of a job as it is written: polls with `after`, appends, follows. `data-log` is the address, `data-after` the number of
// the last line that the server has put on the page.
//
// What is new is shown first. Where a slow or cut connection has left the page far behind, it goes on near the end, and in the place
// of the lines between stands a gap that is filled as soon as there is time; one of more lines than the page holds leads to them.

import { getJson, poll } from "./live.js";

const MOST_LINES = 5000;
const NEAR_END = 500;
const MOST_AT_ONCE = 2000;
const FEWEST_AT_ONCE = 50;
const ANSWER_MS = 10000;
const QUICK_MS = 2000;

function lineElement({ number, text }) {
  const item = document.createElement("li");
  item.dataset.n = number;
  item.append(Object.assign(document.createElement("span"), { textContent: text }));
  return item;
}

function gapElement(words) {
  const item = document.createElement("li");
  item.className = "gap";
  item.dataset.n = "…";
  item.append(Object.assign(document.createElement("span"), { textContent: words }));
  return item;
}

function between(from, to) {
  return from === to ? `line ${from}` : `lines ${from} to ${to}`;
}

function missing([from, to]) {
  return gapElement(`${between(from, to)} ${from === to ? "is" : "are"} missing`);
}

function entries(answer) {
  const numbered = answer.lines.map((line) => [line.number, lineElement(line)]);
  const gaps = answer.gaps.map((gap) => [gap[0], missing(gap)]);
  return [...numbered, ...gaps].sort((one, other) => one[0] - other[0]).map(([, element]) => element);
}

// Lines that were left out so that newer ones could be shown.
class Hole {
  constructor(from, to, attempt) {
    Object.assign(this, { from, to, element: gapElement("") });
    this.fits = to - from < MOST_LINES - 2 * NEAR_END;
    this.tell(attempt);
  }

  tell(attempt) {
    const words = `${between(this.from, this.to)} came meanwhile`;
    const span = this.element.firstElementChild;
    if (this.fits) {
      span.textContent = `${words}, and follow here`;
      return;
    }
    const link = Object.assign(document.createElement("a"), { textContent: "show them", href: `?attempt=${attempt}&line=${this.from}#log` });
    span.replaceChildren(`${words}: `, link);
  }
}

function follow(box) {
  const list = box.querySelector("ol");
  const empty = box.querySelector(".log-empty");
  const switcher = document.getElementById("follow");
  let after = Number(box.dataset.after);
  let attempt = Number(box.dataset.attempt);
  let limit = MOST_AT_ONCE;
  let holes = [];

  const toEnd = () => { box.scrollTop = box.scrollHeight; };
  const setLive = () => box.setAttribute("aria-live", switcher?.checked ? "polite" : "off");
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  switcher?.addEventListener("change", () => { setLive(); if (switcher.checked) toEnd(); });
  // Scrolling up is reading: stop following; back at the end, follow again.
  box.addEventListener("scroll", () => { if (switcher && switcher.checked !== atEnd()) { switcher.checked = atEnd(); setLive(); } });
  setLive();
  if (switcher?.checked || box.dataset.end === "true") toEnd();
  if (box.dataset.complete === "true") return;

  const fewer = () => Math.max(FEWEST_AT_ONCE, Math.floor(limit / 2));

  // So few lines at once that an answer comes soon, however slow the connection.
  async function ask(from, most, ofAttempt) {
    const begun = performance.now();
    try {
      const named = ofAttempt ? `&attempt=${ofAttempt}` : "";
      const answer = JSON.parse(await getJson(`${box.dataset.log}?after=${from}&limit=${most}${named}`, ANSWER_MS));
      limit = performance.now() - begun < QUICK_MS ? Math.min(MOST_AT_ONCE, limit * 2) : fewer();
      return answer;
    } catch (error) {
      limit = fewer();
      throw error;
    }
  }

  function show(elements, put) {
    const following = switcher?.checked ?? false;
    const before = box.scrollHeight;
    put(elements);
    while (list.children.length > MOST_LINES) list.firstElementChild.remove();
    holes = holes.filter((hole) => hole.element.isConnected);
    if (empty && elements.length) empty.hidden = true;
    if (following) toEnd();
    else if (put !== append) box.scrollTop += box.scrollHeight - before;
  }

  const append = (elements) => list.append(...elements);

  async function fill(hole) {
    const answer = await ask(hole.from - 1, Math.min(limit, hole.to - hole.from + 1), attempt);
    answer.lines = answer.lines.filter((line) => line.number <= hole.to);
    answer.gaps = answer.gaps.filter((gap) => gap[0] <= hole.to).map((gap) => [gap[0], Math.min(gap[1], hole.to)]);
    const moved = answer.next >= hole.from;
    hole.from = answer.next + 1;
    show(entries(answer), (elements) => hole.element.before(...elements));
    if (hole.from > hole.to) {
      hole.element.remove();
      holes = holes.filter((one) => one !== hole);
    } else {
      hole.tell(attempt);
    }
    return moved;
  }

  poll(async () => {
    const answer = await ask(after, limit, box.dataset.pinned === "true" ? attempt : 0);
    if (answer.attempt !== attempt) {
      // The job is tried again: its log begins anew.
      attempt = answer.attempt;
      const restart = after !== 0;
      after = 0;
      holes = [];
      list.replaceChildren();
      if (restart) return "more";
    }
    if (answer.lines.length || answer.gaps.length) show(entries(answer), append);
    const moved = answer.next > after;
    after = answer.next;
    if (moved && answer.newest - after > limit) {
      const hole = new Hole(after + 1, answer.newest - NEAR_END, attempt);
      after = hole.to;
      holes.push(hole);
      show([hole.element], append);
      return "more";
    }
    if (moved && answer.newest > after) return "more";
    const open = holes.find((hole) => hole.fits);
    if (open && (await fill(open))) return "more";
    if (answer.complete) {
      if (empty && !list.children.length) empty.textContent = "The app wrote nothing.";
      return box.dataset.pinned === "true" || document.getElementById("main").dataset.live === undefined ? "done" : "";
    }
    return "";
  });
}

export function followLogs() {
  for (const box of document.querySelectorAll("[data-log]")) follow(box);
}
