"use strict";
// Keeps the list up to date: the same page is asked for again, and its list takes the old one's place.
const SECONDS = 5;
const fresh = document.getElementById("fresh");
let since = new Date();
let asking = false;

function say(text, stale) {
  fresh.textContent = text;
  fresh.classList.toggle("stale", stale);
}

function focused() {
  const link = document.activeElement;
  return link && link.closest("#queue") ? [link.getAttribute("href"), link.textContent] : null;
}

function focusAgain(where, list) {
  const links = [...list.querySelectorAll("a")];
  const link = links.find((one) => one.getAttribute("href") === where[0] && one.textContent === where[1]);
  if (link) link.focus({ preventScroll: true });
}

async function renew() {
  if (document.hidden || asking) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    const list = new DOMParser().parseFromString(text, "text/html").getElementById("queue");
    if (!list) throw new Error("no list");
    const old = document.getElementById("queue");
    if (!old.isEqualNode(list)) {
      const where = focused();
      old.replaceWith(list);
      if (where) focusAgain(where, list);
    }
    since = new Date();
    say("", false);
  } catch (error) {
    say(`not up to date: the server has not answered since ${since.toLocaleTimeString()}`, true);
  } finally {
    asking = false;
  }
}

setInterval(renew, 1000 * SECONDS);
document.addEventListener("visibilitychange", renew);
