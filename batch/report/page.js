
"use strict";
// Only comfort: without a script the page is complete.
for (const input of document.querySelectorAll("[data-filters]")) {
  const sets = [...document.getElementById(input.dataset.filters).tBodies];
  const texts = sets.map((set) => set.textContent.toLowerCase());
  const status = document.getElementById("filtered");
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    sets.forEach((set, number) => {
      set.hidden = !texts[number].includes(wanted);
      shown += set.hidden ? 0 : 1;
    });
    status.textContent = wanted ? `${shown} of ${sets.length} sets` : "";
  });
  input.parentElement.hidden = false;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((a, b) => value(a, column).localeCompare(value(b, column), undefined, { numeric: true }));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
