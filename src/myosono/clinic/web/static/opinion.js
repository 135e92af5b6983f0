// The physician's reading: a draft that saves itself, a signature that asks first, an amendment with its reason.

import { notify, request } from "./http.js";
import { t } from "./i18n.js";

const form = document.getElementById("opinion");
const state = document.getElementById("draft-state");
const failure = document.getElementById("opinion-error");
const dialog = document.getElementById("sign-dialog");
const start = document.getElementById("amend-start");
const discard = document.getElementById("discard");
const study = form.dataset.study;
const amends = form.dataset.amends;
const address = `/api/v1/studies/${study}/opinion`;
const diagnosis = form.elements.diagnosis;
let timer = null;
let saving = Promise.resolve();
let leaving = false;
let seenAtOpening = "";
let unsaved = false; // something was typed that no answer of the server covers yet

start?.addEventListener("click", () => {
  form.hidden = false;
  start.setAttribute("aria-expanded", "true");
  start.hidden = true;
  diagnosis.focus();
});

function values() {
  const heckmatt = {};
  for (const choice of form.querySelectorAll("select[data-site]")) {
    if (choice.value) heckmatt[choice.dataset.site] = Number(choice.value);
  }
  const agrees = { yes: true, no: false }[form.elements.agrees.value] ?? null;
  return { agrees, diagnosis: diagnosis.value, heckmatt, notes: form.elements.notes.value };
}

function fail(text) {
  failure.textContent = text;
  failure.hidden = !text;
}

// Agreeing and the diagnosis say the same thing twice: the one that was touched last leads.
form.addEventListener("change", (event) => {
  const label = form.dataset.label;
  if (event.target.name === "agrees" && event.target.value === "yes") diagnosis.value = label;
  if (event.target.name === "agrees" && event.target.value === "no" && diagnosis.value === label) diagnosis.value = "";
  if (event.target === diagnosis && label && diagnosis.value) {
    form.elements.agrees.value = diagnosis.value === label ? "yes" : "no";
  }
});

async function save() {
  clearTimeout(timer);
  timer = null;
  if (amends) return;
  state.textContent = t("Saving");
  try {
    await request(address, { method: "PUT", json: values() });
    unsaved = timer !== null; // typed meanwhile: the next save is due
    if (!unsaved) state.textContent = t("Draft saved");
    discard.hidden = false;
    fail("");
  } catch (error) {
    state.textContent = t("Not saved");
    fail(words(error));
    throw error;
  }
}

function words(error) {
  return error.status === 401 ? t("You are signed out. Copy what you have written before you load the page again.") : error.message;
}

/** Save soon; an amendment is kept nowhere before it is signed, so that leaving the page must ask. */
function saveSoon() {
  if (amends) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    saving = saving.catch(() => {}).then(save).catch(() => {});
  }, 900);
}

form.addEventListener("input", () => {
  unsaved = true;
  state.textContent = t("Not saved yet");
  saveSoon();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  fail("");
  const said = values();
  if (!said.diagnosis) {
    fail(t("Choose a diagnosis before you sign."));
    diagnosis.focus();
    return;
  }
  clearTimeout(timer);
  timer = null;
  await saving;
  const chosen = diagnosis.selectedOptions[0].textContent;
  document.getElementById("sign-summary").textContent = t("Diagnosis: {diagnosis}. Heckmatt grades: {n}.", { diagnosis: chosen, n: Object.keys(said.heckmatt).length });
  seenAtOpening = document.querySelector("[data-seen]").dataset.seen;
  dialog.returnValue = "";
  dialog.showModal();
  const decide = () => {
    if (dialog.returnValue === "sign") sign(said);
    else if (unsaved) saveSoon();
  };
  dialog.addEventListener("close", decide, { once: true });
});

async function sign(said) {
  const json = { ...said, seen_answer: form.dataset.answer, seen: seenAtOpening };
  try {
    leaving = true;
    if (amends) await request(`/api/v1/opinions/${amends}/amend`, { method: "POST", json: { ...json, reason: form.elements.reason.value } });
    else await request(`${address}/sign`, { method: "POST", json });
    location.reload();
  } catch (error) {
    leaving = false;
    fail(words(error));
  }
}

discard?.addEventListener("click", async () => {
  if (!globalThis.confirm(t("Discard this draft?"))) return;
  clearTimeout(timer);
  timer = null;
  await saving;
  try {
    await request(address, { method: "DELETE" });
    leaving = true;
    location.reload();
  } catch (error) {
    fail(error.message);
  }
});

document.addEventListener("study-signed", () => {
  if (!leaving) notify(t("This study was signed or amended. Load the page again to see it."), "info");
});

addEventListener("beforeunload", (event) => {
  if (unsaved && !leaving) event.preventDefault();
});

document.addEventListener("signed-out", (event) => {
  if (unsaved) event.preventDefault();
});
