// Live pages. `<main data-live="/api/v1/...">` names what to poll, with a space between two; when an answer changes, the page is fetched again and its
// difference applied, so that every word on it is written in one place, the template.

import { morph } from "./morph.js";
import { refreshTimes } from "./times.js";

const INTERVAL_MS = 1000;
const LONGEST_MS = 10000;
const LONGEST_ANSWER_MS = 30000;

export class SignedOut extends Error {}

// Gives up an answer that is not whole after a while: of a connection that was cut nobody tells the browser.
export async function getJson(url, within = LONGEST_ANSWER_MS) {
  const signal = AbortSignal.timeout(within);
  const response = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", signal });
  if (response.status === 401) throw new SignedOut();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}

// Calls `step` about once a second while the page is seen. `step` returns "done" to end and "more" to be called at once;
// a failure is told at the foot of the page, and tried again less and less often.
export function poll(step) {
  let wait = INTERVAL_MS;
  const run = async () => {
    let outcome;
    try {
      outcome = document.hidden ? "" : await step();
      wait = INTERVAL_MS;
      if (!document.hidden) tell("");
    } catch (error) {
      if (error instanceof SignedOut) {
        tell("You are signed out. Load this page again to sign in.");
        return;
      }
      wait = Math.min(wait * 2, LONGEST_MS);
      tell("Skerry does not answer just now: what you see may be old. Trying again.");
    }
    if (outcome !== "done") setTimeout(run, outcome === "more" ? 0 : wait);
  };
  setTimeout(run, INTERVAL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refreshTimes());
}

function tell(words) {
  const place = document.getElementById("stale");
  if (place && place.textContent !== words) place.textContent = words;
}

export async function applyFresh(main) {
  const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(LONGEST_ANSWER_MS) });
  if (!response.ok) throw new Error(`the page answered ${response.status}`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const wanted = fresh.getElementById("main");
  if (!wanted) return;
  morph(main, wanted);
  refreshTimes(main);
  document.title = fresh.title;
}

export function watch() {
  const main = document.getElementById("main");
  if (!main?.dataset.live) return;
  let seen = null;
  poll(async () => {
    if (!main.dataset.live) return "done";
    const answer = (await Promise.all(main.dataset.live.split(" ").map((url) => getJson(url)))).join("\n");
    // The first answer may already be newer than the page.
    if (answer !== seen) await applyFresh(main);
    seen = answer;
    return main.dataset.live ? "" : "done";
  });
}
