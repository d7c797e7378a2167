// Forms: a second click sends nothing twice, and a form with `data-keep-typed` is sent from the page itself, so that a refusal
// loses neither the chosen file nor what was typed, and a long upload shows how far it is.

import { morph } from "./morph.js";
import { refreshTimes } from "./times.js";

function setBusy(form, busy) {
  for (const button of form.querySelectorAll("button")) button.disabled = busy;
}

function complain(form, words) {
  const place = form.closest("main").querySelector("#problem");
  const note = document.createElement("div");
  note.className = "note bad";
  note.append(Object.assign(document.createElement("strong"), { textContent: words }));
  place.replaceChildren(note);
  place.focus();
}

function showAnswer(form, request) {
  const target = new URL(request.responseURL || form.action);
  if (request.status < 400) {
    location.assign(target);
    return;
  }
  const main = document.getElementById("main");
  const fresh = new DOMParser().parseFromString(request.responseText, "text/html").getElementById("main");
  if (!fresh || !fresh.querySelector("#problem")) {
    const words = fresh?.querySelector("[data-message]")?.textContent.trim();
    complain(form, words || `Skerry answered ${request.status}. Try again.`);
  } else {
    morph(main, fresh);
    refreshTimes(main);
    document.getElementById("problem").focus();
  }
  setBusy(form, false);
}

function send(form, address) {
  const request = new XMLHttpRequest();
  const bar = form.querySelector("progress");
  request.open("POST", address);
  request.setRequestHeader("Accept", "text/html");
  request.setRequestHeader("X-CSRF-Token", document.querySelector("meta[name=csrf-token]").content);
  if (bar) {
    request.upload.addEventListener("progress", (event) => {
      bar.hidden = !event.lengthComputable || event.total < 1e6;
      bar.value = event.loaded / event.total;
    });
  }
  request.addEventListener("loadend", () => { if (bar) bar.hidden = true; });
  request.addEventListener("load", () => showAnswer(form, request));
  request.addEventListener("error", () => {
    setBusy(form, false);
    complain(form, "It could not be sent. If you changed the file since you chose it, choose it again; else look at the connection.");
  });
  request.send(new FormData(form));
  setBusy(form, true);
}

export function keepFormsSafe() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.hasAttribute("data-keep-typed")) {
      event.preventDefault();
      send(form, event.submitter?.hasAttribute("formaction") ? event.submitter.formAction : form.action);
    } else {
      // After the browser has gathered the fields: a disabled button sends nothing of its own.
      setTimeout(() => setBusy(form, true));
    }
  });
  // A page that comes back from the browser's cache must not come back locked.
  addEventListener("pageshow", () => document.querySelectorAll("form[method=post]").forEach((form) => setBusy(form, false)));
}
