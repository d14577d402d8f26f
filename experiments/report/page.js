// Tables are sorted by a click on the head of a column: numbers by size, all else as text; what is unknown comes last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => row.cells[column].dataset.value ?? "";
      const numeric = [...body.rows].some((row) => key(row) !== "" && isFinite(key(row)));
      const order = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (!numeric) return one.cells[column].textContent.localeCompare(other.cells[column].textContent);
        if (a === "" || b === "") return (a === "") === (b === "") ? 0 : a === "" ? 2 : -2;
        return Math.sign(Number(a) - Number(b)) || 0;
      };
      const rows = [...body.rows].sort((one, other) => {
        const found = order(one, other);
        return down && Math.abs(found) < 2 ? -found : found;
      });
      body.append(...rows);
    });
    head.append(button);
  });
}
