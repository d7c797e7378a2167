// Makes one tree like another while keeping what the person has done to it: focus, open details, typed text, scrolling.

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
}

function syncAttributes(from, to) {
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value && !isThePersons(from, name)) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !isThePersons(from, name)) from.removeAttribute(name);
  }
}

function isThePersons(element, attribute) {
  if (attribute === "open") return element.nodeName === "DETAILS";
  if (attribute === "disabled") return element.nodeName === "BUTTON";
  return (attribute === "value" || attribute === "checked") && element.matches("input:not([type=hidden]), textarea, select, option");
}

function findMatch(wanted, cursor, keyed) {
  if (key(wanted)) {
    const known = keyed.get(key(wanted));
    return known && alike(known, wanted) ? known : null;
  }
  for (let candidate = cursor; candidate; candidate = candidate.nextSibling) {
    if (alike(candidate, wanted)) return candidate;
    if (key(candidate)) return null;
  }
  return null;
}

// An element with `data-keep` belongs to a script of its own (the log) and is left as it is.
export function morph(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from.hasAttribute("data-keep")) return;
  syncAttributes(from, to);
  const keyed = new Map([...from.children].filter(key).map((child) => [key(child), child]));
  let cursor = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const match = findMatch(wanted, cursor, keyed);
    if (match === null) {
      from.insertBefore(document.importNode(wanted, true), cursor);
      continue;
    }
    if (match === cursor) cursor = cursor.nextSibling;
    else from.insertBefore(match, cursor);
    morph(match, wanted);
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}
