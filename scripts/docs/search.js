// The search: all words must be on a section, as beginnings of its words; headings count more. `slipwayIndex` is a list of
// [page, title, anchor, heading, text], which search-index.js holds, so that it works from a disk as well.
(() => {
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const entries = globalThis.slipwayIndex ?? [];
  let chosen = -1;

  function find(query) {
    const words = query
      .toLowerCase()
      .split(/[^\p{L}\p{N}_]+/u)
      .filter(Boolean);
    if (words.length === 0) return [];
    const scored = [];
    for (const entry of entries) {
      const [, title, , heading, text] = entry;
      const head = `${title} ${heading}`.toLowerCase();
      const body = text.toLowerCase();
      let score = 0;
      for (const word of words) {
        const begins = new RegExp(`(^|[^\\p{L}\\p{N}_])${word}`, "u");
        const here = (begins.test(head) ? 10 : 0) + (begins.test(body) ? 1 : 0) + (body.includes(word) ? 0.5 : 0);
        if (here === 0) {
          score = 0;
          break;
        }
        score += here;
      }
      if (score > 0) scored.push({ score, entry });
    }
    return scored
      .sort((a, b) => b.score - a.score)
      .slice(0, 12)
      .map(({ entry }) => entry);
  }

  function excerpt(text, query) {
    const word =
      query
        .toLowerCase()
        .split(/[^\p{L}\p{N}_]+/u)
        .find(Boolean) ?? "";
    const at = Math.max(0, text.toLowerCase().indexOf(word) - 40);
    return (at > 0 ? "…" : "") + text.slice(at, at + 120) + (text.length > at + 120 ? "…" : "");
  }

  function show() {
    const results = find(input.value);
    chosen = -1;
    list.replaceChildren(
      ...results.map(([page, title, anchor, heading, text], index) => {
        const item = document.createElement("li");
        item.setAttribute("role", "option");
        item.id = `found-${index}`;
        const link = document.createElement("a");
        link.href = anchor === "" ? page : `${page}#${anchor}`;
        link.tabIndex = -1;
        const name = document.createElement("b");
        name.textContent = heading === "" || heading === title ? title : `${title} · ${heading}`;
        const words = document.createElement("small");
        words.textContent = excerpt(text, input.value);
        link.append(name, words);
        item.append(link);
        return item;
      }),
    );
    if (input.value !== "" && results.length === 0) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = "Nothing found.";
      list.append(none);
    }
    list.hidden = input.value === "";
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function choose(step) {
    const items = [...list.querySelectorAll('[role="option"]')];
    if (items.length === 0) return;
    items[chosen]?.removeAttribute("aria-selected");
    chosen = (chosen + step + items.length) % items.length;
    items[chosen].setAttribute("aria-selected", "true");
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const items = list.querySelectorAll('[role="option"] a');
      items[Math.max(0, chosen)]?.click();
    } else if (event.key === "Escape") {
      input.value = "";
      show();
      input.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea")) return;
    event.preventDefault();
    input.focus();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".search")) list.hidden = true;
  });
})();
