// What every page does: change the light without loading anew, close menus, ask before what cannot be taken back.

import { request } from "./http.js";

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const theme = button.dataset.themeChoice;
    document.documentElement.dataset.theme = theme;
    for (const other of document.querySelectorAll("[data-theme-choice]")) {
      if (other === button) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    }
    const body = new URLSearchParams({ theme });
    // Only the cookie of the answer matters; the page it leads to is not needed.
    request("/preferences", { method: "POST", body }).catch(() => button.form.submit());
  });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!globalThis.confirm(form.dataset.confirm)) event.preventDefault();
  });
}
