"use strict";
// Says the values of a chart where the pointer or the finger is. Without it the page says the same in pictures and tables.
for (const plot of document.querySelectorAll(".plot[data-hover]")) {
  const { s: seconds, t: times, r: rows } = JSON.parse(plot.dataset.hover);
  const columns = rows.length ? rows[0][1].length : 0;
  const line = document.createElement("i");
  const tip = document.createElement("div");
  line.className = "cursor";
  tip.className = "tip";
  line.hidden = tip.hidden = true;
  plot.append(line, tip);

  const digits = (n) => (n >= 100 || Number.isInteger(n) ? Math.round(n).toLocaleString("en") : n.toPrecision(3));
  const time = (us) => (us >= 1e6 ? digits(us / 1e6) + " s" : us >= 1e3 ? digits(us / 1e3) + " ms" : digits(us) + " µs");
  const two = (n) => String(n).padStart(2, "0");
  const clock = (at) => {
    const [h, m, s] = [Math.floor(at / 3600), Math.floor(at / 60) % 60, Math.floor(at % 60)];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  const show = (event) => {
    const box = plot.getBoundingClientRect();
    const column = Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns)));
    if (columns === 0) return;
    const at = ((column + 0.5) / columns) * 100;
    line.style.left = at + "%";
    tip.replaceChildren();
    const add = (name, value) => {
      const row = document.createElement("p");
      const label = document.createElement("span");
      label.textContent = name;
      row.append(label, value);
      tip.append(row);
    };
    add("at", clock(column * seconds));
    for (const [name, values] of rows) {
      const value = values[column];
      if (value !== undefined) add(name, value === null ? "–" : times ? time(value) : digits(value));
    }
    tip.style.left = at < 50 ? at + "%" : "auto";
    tip.style.right = at < 50 ? "auto" : 100 - at + "%";
    line.hidden = tip.hidden = false;
  };
  const hide = () => (line.hidden = tip.hidden = true);
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", hide);
}
