// Relative times and running durations, kept fresh. The words match those of webfront/pages/rendering.py.

const UNITS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

// The server's clock is the one that counts: a phone's may be minutes off.
const served = Number(document.documentElement.dataset.now);
const offset = served ? served * 1000 - Date.now() : 0;

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "medium" });
const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const toTheMillisecond = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});

export function now() {
  return Date.now() + offset;
}

function relative(seconds) {
  const span = Math.abs(seconds);
  if (span < 5) return "just now";
  const [size, unit] = UNITS.find(([length]) => span >= length);
  const count = Math.floor(span / size);
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, unit, smaller, smallerUnit] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / smaller);
      return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smallerUnit}` : ""}`;
    }
  }
  return `${whole} s`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(element.dateTime);
    write(element, relative((now() - at) / 1000));
    element.title = absolute.format(at);
  }
  for (const element of root.querySelectorAll("time[data-clock]")) {
    const at = Date.parse(element.dateTime);
    write(element, timeOfDay.format(at));
    element.title = absolute.format(at);
  }
  for (const element of root.querySelectorAll("time[data-moment]")) {
    const at = Date.parse(element.dateTime);
    write(element, toTheMillisecond.format(at));
    element.title = absolute.format(at);
  }
  for (const element of root.querySelectorAll("[data-since]")) {
    write(element, duration(now() / 1000 - Number(element.dataset.since)));
  }
}

export function keepTimesFresh() {
  refreshTimes();
  setInterval(() => document.hidden || refreshTimes(), 1000);
}
