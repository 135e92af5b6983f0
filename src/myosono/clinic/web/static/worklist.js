// The worklist: filters without a reload, live rows, keys. Uploads are in upload.js.

import { calmly, listen, shownIn } from "./live.js";
import "./upload.js";

const table = document.getElementById("worklist-table");
const filters = document.getElementById("filters");
const changed = new Set();
let address = location.pathname + location.search;
let loads = 0;

/**
 * Put the table of an address in place, keeping the row that the keys are on.
 *
 * Answers may overtake each other: one that a later load was asked for meanwhile is dropped. The address holds from the
 * beginning, so that a refresh which comes before the answer asks for the same.
 */
async function load(wanted, { push = false } = {}) {
  loads += 1;
  const number = loads;
  address = wanted;
  if (push) history.pushState(null, "", wanted);
  const query = wanted.includes("?") ? wanted.slice(wanted.indexOf("?")) : "";
  const answer = await fetch(`/worklist/table${query}`, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 401) return location.reload();
  if (!answer.ok) return undefined;
  const html = await answer.text();
  if (number !== loads) return undefined;
  const current = currentRow()?.dataset.study;
  const scroll = table.querySelector(".table-scroll")?.scrollLeft ?? 0;
  table.innerHTML = html;
  const scroller = table.querySelector(".table-scroll");
  if (scroller) scroller.scrollLeft = scroll;
  if (current) mark(table.querySelector(`tr[data-study="${current}"]`));
  for (const study of changed) table.querySelector(`tr[data-study="${study}"]`)?.classList.add("fresh");
  changed.clear();
  return undefined;
}

const refresh = calmly(() => load(address).catch(() => {}), 700);

function filterAddress() {
  const found = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) if (value) found.set(name, value);
  const query = found.toString();
  return query ? `/?${query}` : "/";
}

const search = calmly(() => load(filterAddress(), { push: true }).catch(() => {}), 250);
filters.addEventListener("input", search);
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});

table.addEventListener("click", (event) => {
  const link = event.target.closest("th a, .pagination a, .empty a");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    const query = new URL(link.href).searchParams;
    for (const name of ["order", "descending"]) if (query.has(name)) filters.elements[name].value = query.get(name);
    if (link.closest(".empty")) filters.querySelectorAll("input:not([type=hidden]), select").forEach((field) => (field.value = ""));
    load(link.pathname + link.search, { push: true });
    return;
  }
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button") && !getSelection().toString()) open(row, event);
});

function open(row, event) {
  if (event?.ctrlKey || event?.metaKey) globalThis.open(row.dataset.href, "_blank", "noopener");
  else location.assign(row.dataset.href);
}

const rows = () => [...table.querySelectorAll("tr[data-href]")];
const currentRow = () => table.querySelector("tr.current");

function mark(row) {
  if (!row) return;
  currentRow()?.classList.remove("current");
  row.classList.add("current");
}

function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(currentRow());
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  mark(next);
  next.querySelector(".row-link").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("text").select();
  } else if (event.key === "j" || event.key === "ArrowDown") {
    event.preventDefault();
    move(1);
  } else if (event.key === "k" || event.key === "ArrowUp") {
    event.preventDefault();
    move(-1);
  } else if (event.key === "Enter" && currentRow() && !event.target.closest("a, button, summary")) {
    open(currentRow(), event);
  }
});

addEventListener("popstate", () => location.reload());

const note = (data) => {
  if (data.study) changed.add(String(data.study));
  refresh();
};
listen(
  table.querySelector("[data-newest]").dataset.newest,
  { study: note, image: note, signed: note, reload: () => location.reload() },
  shownIn(document.getElementById("live")),
);
