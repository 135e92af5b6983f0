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
    state.textContent = t("Draft saved");
    discard.hidden = false;
    fail("");
  } catch (error) {
    state.textContent = t("Not saved");
    fail(error.message);
    throw error;
  }
}

form.addEventListener("input", () => {
  if (amends) return;
  state.textContent = t("Not saved yet");
  clearTimeout(timer);
  timer = setTimeout(() => {
    saving = saving.catch(() => {}).then(save).catch(() => {});
  }, 900);
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
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", () => dialog.returnValue === "sign" && sign(said), { once: true });
});

async function sign(said) {
  const json = { ...said, seen_answer: form.dataset.answer };
  try {
    leaving = true;
    if (amends) await request(`/api/v1/opinions/${amends}/amend`, { method: "POST", json: { ...json, reason: form.elements.reason.value } });
    else await request(`${address}/sign`, { method: "POST", json });
    location.reload();
  } catch (error) {
    leaving = false;
    fail(error.message);
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
  if (timer !== null && !leaving) event.preventDefault();
});
