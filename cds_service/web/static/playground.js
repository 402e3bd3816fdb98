// The playground answers at once: a change sends its form, and the answer takes the place of the old
// one. Everything but answering a card works without this script.
"use strict";

const REPLACED = ["answer", "what-if", "reasons"];
let latest = 0;
let soon = 0;

function enhance() {
  for (const hidden of document.querySelectorAll("[data-copy], [data-accept], .override")) hidden.hidden = false;
}

// A key that changes a field may send the form too: both are one change. The form may have been
// replaced since, with what was entered.
function play() {
  clearTimeout(soon);
  soon = setTimeout(() => send(document.getElementById("what-if")), 0);
}

async function send(form) {
  const number = ++latest;
  const sent = new FormData(form);
  let text;
  try {
    text = await (await fetch(form.action, { method: "POST", body: sent })).text();
  } catch {
    form.submit(); // the browser says what is wrong with the connection
    return;
  }
  if (number !== latest) return; // a later change is on its way
  show(new DOMParser().parseFromString(text, "text/html"), sent);
}

// The parts of a page in place of ours. Open details stay open, and the focus stays where it is.
// What was sent stands in the page; only what was entered since then is put in again.
function show(page, sent) {
  const open = [...document.querySelectorAll("details[id]")].filter((each) => each.open).map((each) => each.id);
  const closed = [...document.querySelectorAll("details[id]")].filter((each) => !each.open).map((each) => each.id);
  const focused = document.activeElement;
  const fields = document.getElementById("what-if")?.elements;
  const since = ["test", "test-value", focused?.name]
    .map((name) => name && fields?.[name])
    .filter((field) => field?.matches?.("select, input:not([type=checkbox])") && field.value !== sent.get(field.name))
    .map((field) => [field.name, field.value]);
  document.getElementById("problem")?.remove();
  const problem = page.getElementById("problem");
  if (problem) {
    document.querySelector(".bar").before(problem);
  }
  for (const id of REPLACED) {
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (fresh && old) old.replaceWith(fresh);
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const id of closed) document.getElementById(id)?.removeAttribute("open");
  for (const [name, value] of since) {
    const field = document.getElementById("what-if").elements[name];
    if (field) field.value = value;
  }
  const again = focused && focused.id && document.getElementById(focused.id);
  if (problem) problem.focus();
  else if (again) again.focus({ preventScroll: true });
  enhance();
}

// What an EHR does: the call, then the feedback. Only then does the service know the card.
async function answer(card, entry) {
  const texts = document.getElementById("answer").dataset;
  const said = card.querySelector(".sent");
  said.textContent = texts.sending;
  const call = document.getElementById("raw-request").textContent;
  const first = await post(texts.service, call);
  if (first.status !== 200) return refuse(said, texts, first.status);
  const cards = (await first.json()).cards;
  if (!cards.some((each) => each.uuid === card.dataset.card)) {
    said.textContent = texts.before;
    return;
  }
  const feedback = { card: card.dataset.card, outcomeTimestamp: new Date().toISOString(), ...entry };
  const sent = await post(`${texts.service}/feedback`, JSON.stringify({ feedback: [feedback] }));
  if (!sent.ok) return refuse(said, texts, sent.status);
  const again = await post(texts.service, call);
  said.textContent = texts.kept.replace("{count}", (await again.json()).cards.length);
  card.classList.add("is-answered");
}

function post(address, body) {
  const language = document.getElementById("answer").dataset.language;
  return fetch(address, { method: "POST", body, headers: { "Content-Type": "application/json", "Accept-Language": language } });
}

// Without https there may be no clipboard; then the text is selected, to be copied by hand.
function copy(button, text) {
  getSelection().selectAllChildren(text);
  if (!navigator.clipboard) return;
  navigator.clipboard.writeText(text.textContent);
  button.textContent = document.getElementById("answer").dataset.copied;
}

function refuse(said, texts, status) {
  said.textContent = texts.refused.replace("{status}", status);
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.id !== "what-if") return;
  // Another person or language is another page; it has the changes that still belong to it.
  if (["person", "language"].includes(event.target.name)) return form.submit();
  // A test needs a value of its own: one that was typed for another test is not its value.
  if (event.target.name === "test") {
    form.elements["test-value"].value = "";
    return form.elements["test-value"].focus();
  }
  if (event.target.name === "test-value" && !form.elements.test.value) return;
  play();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id === "what-if" && document.getElementById("answer")) {
    event.preventDefault();
    play();
  } else if (form.matches(".override")) {
    event.preventDefault();
    const chosen = form.elements.reason.selectedOptions[0];
    const reason = { code: chosen.value, system: chosen.dataset.system };
    answer(form.closest(".card"), { outcome: "overridden", overrideReason: { reason } });
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) {
    copy(button, document.getElementById(button.dataset.copy));
  } else if (button?.dataset.accept) {
    const acceptedSuggestions = [{ id: button.dataset.accept }];
    answer(button.closest(".card"), { outcome: "accepted", acceptedSuggestions });
  }
  // A link to a rule opens the groups that it is in.
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  for (let each = target; each; each = each.parentElement) if (each.matches("details")) each.open = true;
  const inner = target && target.querySelector("details");
  if (inner) inner.open = true;
});

enhance();
