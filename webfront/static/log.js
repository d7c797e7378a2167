// The log of a job as it is written: polls with `after`, appends, follows. `data-log` is the address, `data-after` the number of
// the last line that the server has put on the page.

import { getJson, poll } from "./live.js";

const MOST_LINES = 5000;

function lineElement({ number, text }) {
  const item = document.createElement("li");
  item.dataset.n = number;
  item.append(Object.assign(document.createElement("span"), { textContent: text }));
  return item;
}

function gapElement([from, to]) {
  const item = document.createElement("li");
  item.className = "gap";
  item.dataset.n = "…";
  const words = from === to ? `line ${from} is missing` : `lines ${from} to ${to} are missing`;
  item.append(Object.assign(document.createElement("span"), { textContent: words }));
  return item;
}

function entries(answer) {
  const numbered = answer.lines.map((line) => [line.number, lineElement(line)]);
  const gaps = answer.gaps.map((gap) => [gap[0], gapElement(gap)]);
  return [...numbered, ...gaps].sort((one, other) => one[0] - other[0]).map(([, element]) => element);
}

function follow(box) {
  const list = box.querySelector("ol");
  const empty = box.querySelector(".log-empty");
  const switcher = document.getElementById("follow");
  let after = Number(box.dataset.after);
  let attempt = Number(box.dataset.attempt);

  const toEnd = () => { box.scrollTop = box.scrollHeight; };
  const setLive = () => box.setAttribute("aria-live", switcher?.checked ? "polite" : "off");
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  switcher?.addEventListener("change", () => { setLive(); if (switcher.checked) toEnd(); });
  // Scrolling up is reading: stop following; back at the end, follow again.
  box.addEventListener("scroll", () => { if (switcher && switcher.checked !== atEnd()) { switcher.checked = atEnd(); setLive(); } });
  setLive();
  if (switcher?.checked) toEnd();
  if (box.dataset.complete === "true") return;

  poll(async () => {
    const pinned = box.dataset.pinned === "true" ? `&attempt=${attempt}` : "";
    const answer = JSON.parse(await getJson(`${box.dataset.log}?after=${after}${pinned}`));
    if (answer.attempt !== attempt) {
      // The job is tried again: its log begins anew.
      attempt = answer.attempt;
      const restart = after !== 0;
      after = 0;
      list.replaceChildren();
      if (restart) return "more";
    }
    if (answer.lines.length || answer.gaps.length) {
      const following = switcher?.checked ?? false;
      list.append(...entries(answer));
      while (list.children.length > MOST_LINES) list.firstElementChild.remove();
      if (empty) empty.hidden = true;
      if (following) toEnd();
    }
    after = answer.next;
    if (answer.complete) {
      if (empty && !list.children.length) empty.textContent = "The app wrote nothing.";
      return box.dataset.pinned === "true" || document.getElementById("main").dataset.live === undefined ? "done" : "";
    }
    return answer.lines.length >= 1000 ? "more" : "";
  });
}

export function followLogs() {
  for (const box of document.querySelectorAll("[data-log]")) follow(box);
}
