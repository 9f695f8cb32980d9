"use strict";
// What the page does beyond showing: themes, one organization at a time, the matrix, the picture of groups.
// Texts come from outside: they are set as text, never as HTML. Nothing is requested and nothing is kept.

const ROLES = [[4, "A", "admin"], [2, "C", "contributor"], [1, "V", "viewer"]];
const AT_ONCE = 100; // rows that are there before the next frame, and those of each later piece
const MOST = 20000; // rows on the screen; print has all

const DATA = JSON.parse(document.getElementById("data").textContent);
const PATIENCE = window.requestIdleCallback ? { timeout: 100 } : 20;
const later = window.requestIdleCallback || setTimeout;
const forget = window.cancelIdleCallback || clearTimeout;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function named(bits) {
  return ROLES.filter(([bit]) => bits & bit).map(([, , word]) => word).join(" + ") || "nothing";
}

function chips(bits) {
  const held = ROLES.filter(([bit]) => bits & bit);
  return held.length ? held.map(([, letter, word]) => element("i", { className: "chip " + word }, letter)) : ["–"];
}

function counted(number, noun, nouns) {
  return number.toLocaleString("en") + " " + (number === 1 ? noun : nouns);
}

// Themes

function themes() {
  const button = document.getElementById("theme");
  const order = ["automatic", "light", "dark"];
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(button.lastElementChild.textContent) + 1) % order.length];
    button.lastElementChild.textContent = next;
    if (next === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
  });
}

// Why somebody has what they have

function why(matrix, person, asked) {
  const dialog = document.getElementById("why");
  const [name, display, marks, ...cells] = person;
  document.getElementById("why-name").replaceChildren(element("bdi", {}, name));
  const about = [display, marks].filter(Boolean).join(" · ");
  const scopes = cells.map((cell, scope) => [cell, scope]).filter(([cell]) => cell);
  scopes.sort(([, one], [, other]) => (other === asked) - (one === asked) || one - other);
  dialog.querySelector(".body").replaceChildren(
    ...(about ? [element("p", { className: "about" }, element("bdi", {}, about))] : []),
    ...scopes.map(([cell, scope]) => told(matrix, matrix.cells[cell], scope, scope === asked)),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

function told(matrix, [live, desired, verdict, reasons, remarks], scope, asked) {
  const change = element("p", { className: "change" }, ...chips(live), " ", named(live));
  if (live !== desired) change.append(" → ", ...chips(desired), " ", named(desired));
  change.append(element("span", { className: "becomes" }, verdict));
  return element(
    "section",
    { className: asked ? "asked" : "" },
    element("h3", {}, element("bdi", {}, matrix.scopes[scope])),
    change,
    element("ul", {}, ...reasons.map((number) => reason(matrix.reasons[number]))),
    ...remarks.map((remark) => element("p", { className: "remark" }, remark)),
  );
}

function reason([bit, standing, what, place, remarks]) {
  return element(
    "li",
    { className: standing === "applies" ? "applies" : "" },
    element("span", { className: "what" }, ...chips(bit), " ", element("bdi", {}, what)),
    element("span", { className: "standing" }, standing),
    element("code", {}, place),
    ...remarks.map((remark) => element("span", { className: "remark" }, remark)),
  );
}

// The matrix of people and scopes

class Matrix {
  constructor(section) {
    this.data = DATA.organizations[section.dataset.organization].matrix;
    this.section = section;
    this.people = this.data.people.map((_, index) => index);
    this.texts = this.data.people.map(([name, display]) => (name + "\n" + display).toLowerCase());
    this.words = this.data.cells.map((cell) => cell[3].map((n) => this.data.reasons[n].slice(2, 4).join("\n")).join("\n").toLowerCase());
    this.templates = this.data.cells.map(Matrix.cell);
    this.sorted = { column: -1, down: false };
    this.pending = 0;
    this.build();
    this.show();
  }

  static cell([live, desired]) {
    const cell = element("td");
    cell.setAttribute("role", "gridcell");
    if (!live && !desired) {
      cell.tabIndex = -1;
      return cell;
    }
    const only = live === desired && ROLES.find(([bit]) => bit === live);
    const button = element("button", { type: "button", tabIndex: -1 });
    if (only) {
      button.append(only[1]);
      button.className = "chip " + only[2];
    } else {
      button.append(...chips(live));
      if (live !== desired) {
        button.append("→", ...chips(desired));
        button.className = "drift";
      }
    }
    button.setAttribute("aria-label", named(live) + (live === desired ? "" : ", should be " + named(desired)));
    cell.append(button);
    return cell;
  }

  build() {
    const tools = this.section.querySelector(".tools");
    tools.hidden = false;
    this.find = tools.querySelector("input[type=search]");
    this.scope = tools.querySelector(".scope");
    this.role = tools.querySelector(".role");
    this.drift = tools.querySelector(".drift");
    this.admins = tools.querySelector(".admins");
    this.count = this.section.querySelector(".count");
    tools.addEventListener("input", () => this.show());
    tools.querySelector(".reset").addEventListener("click", () => this.reset());

    this.head = element("tr");
    this.head.setAttribute("role", "row");
    ["Person", ...this.data.scopes].forEach((title, index) => this.head.append(this.heading(title, index - 1)));
    this.top = element("thead", {}, this.head);
    this.top.setAttribute("role", "rowgroup");
    const caption = "Who has what: people and their role in each scope. Arrow keys move, Enter tells why.";
    this.caption = element("caption", { className: "unseen" }, caption);
    this.sheet = this.section.querySelector(".sheet");
    this.sheet.addEventListener("click", (event) => this.clicked(event));
    this.sheet.addEventListener("keydown", (event) => this.pressed(event));
    this.sheet.addEventListener("focusin", (event) => this.enter(event.target));
    this.stop = this.head.firstElementChild.firstElementChild;
    this.stop.tabIndex = 0;
    addEventListener("beforeprint", () => this.fill(Infinity)); // paper has all rows
  }

  heading(title, column) {
    const cell = element("th", { scope: "col", title }, element("button", { type: "button", tabIndex: -1 }, element("bdi", {}, title)));
    cell.setAttribute("role", "columnheader");
    cell.setAttribute("aria-sort", column < 0 ? "ascending" : "none");
    cell.dataset.column = column;
    return cell;
  }

  reset() {
    this.find.value = this.scope.value = "";
    this.role.value = "7";
    this.drift.checked = this.admins.checked = false;
    this.show();
    this.find.focus();
  }

  // The people who meet all that is asked for, in the order that is asked for.
  matching() {
    const words = this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const reasons = words.map((word) => this.words.map((text) => text.includes(word)));
    const bits = this.admins.checked ? Number(this.role.value) & 4 : Number(this.role.value);
    const only = this.scope.value === "" ? null : Number(this.scope.value);
    const asksCells = bits !== 7 || only !== null || this.drift.checked;
    const cellMeets = this.data.cells.map(
      ([live, desired], number) => number > 0 && ((live | desired) & bits) !== 0 && (!this.drift.checked || live !== desired),
    );
    const found = [];
    for (const index of this.people) {
      const person = this.data.people[index];
      const said = words.every((word, n) => this.texts[index].includes(word) || person.some((cell, c) => c > 2 && reasons[n][cell]));
      if (!said) continue;
      if (asksCells && !(only === null ? person.some((cell, c) => c > 2 && cellMeets[cell]) : cellMeets[person[only + 3]])) continue;
      found.push(index);
    }
    return found;
  }

  show() {
    this.found = this.matching();
    this.rows = 0;
    forget(this.pending);
    this.begin();
    this.fill(AT_ONCE);
    if (!this.table.contains(this.stop)) this.enter(this.head.firstElementChild.firstElementChild);
    this.count.textContent = this.said();
    this.goOn();
  }

  // A new table with the same head. To take thousands of rows away takes long, so that happens later.
  begin() {
    const old = this.table;
    const focused = this.head.contains(document.activeElement) && document.activeElement;
    this.table = element("table", { className: "grid" }, this.caption, this.top);
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-colcount", this.data.scopes.length + 1);
    this.table.setAttribute("aria-rowcount", this.found.length + 1);
    this.table.style.setProperty("--scopes", this.data.scopes.length);
    this.table.classList.toggle("many", this.people.length > AT_ONCE);
    this.sheet.prepend(this.table);
    if (focused) focused.focus();
    this.sheet.scrollTop = 0;
    if (!old) return;
    old.className = "past";
    if (old.rows.length <= AT_ONCE) old.remove();
    else this.discard(old);
  }

  discard(old) {
    later((idle) => {
      do old.tBodies[0].remove();
      while (old.tBodies.length && idle && idle.timeRemaining() > 5);
      if (old.tBodies.length) this.discard(old);
      else old.remove();
    }, PATIENCE);
  }

  said() {
    const all = this.people.length, found = this.found.length;
    if (found === all) return counted(all, "person", "people") + this.cut();
    return found.toLocaleString("en") + " of " + counted(all, "person", "people") + this.cut();
  }

  cut() {
    return this.found.length > MOST ? "; the first " + MOST.toLocaleString("en") + " are here, and all of them on paper" : "";
  }

  // The rest of the rows, a piece at a time, so that the browser's own search finds everybody.
  goOn() {
    if (this.rows >= Math.min(this.found.length, MOST)) return;
    this.pending = later((idle) => {
      do this.fill(this.rows + AT_ONCE);
      while (this.rows < this.found.length && idle && idle.timeRemaining() > 10);
      this.goOn();
    }, PATIENCE);
  }

  fill(until) {
    while (this.rows < Math.min(until, this.found.length)) {
      const body = element("tbody");
      body.setAttribute("role", "rowgroup");
      for (const index of this.found.slice(this.rows, this.rows + AT_ONCE)) body.append(this.row(index, ++this.rows));
      body.style.setProperty("--rows", body.children.length);
      this.table.append(body);
    }
  }

  row(index, position) {
    const [name, display, marks, ...cells] = this.data.people[index];
    const button = element("button", { type: "button", tabIndex: -1, className: "who", dir: "auto" }, name);
    const head = element("th", { scope: "row", title: display ? name + " · " + display : name }, button);
    head.setAttribute("role", "rowheader");
    if (marks) head.append(element("small", {}, marks));
    const row = element("tr", {}, head, ...cells.map((cell) => this.templates[cell].cloneNode(true)));
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", position + 1);
    row.dataset.person = index;
    return row;
  }

  sort(column) {
    const down = this.sorted.column === column ? !this.sorted.down : column >= 0;
    this.sorted = { column, down };
    const rank = (index) => {
      const cell = this.data.cells[this.data.people[index][column + 3]];
      return cell[0] | cell[1];
    };
    this.people = this.data.people.map((_, index) => index);
    if (column < 0 && down) this.people.reverse();
    if (column >= 0) this.people.sort((one, other) => (down ? rank(other) - rank(one) : rank(one) - rank(other)) || one - other);
    for (const cell of this.head.children) {
      const is = Number(cell.dataset.column) === column;
      cell.setAttribute("aria-sort", is ? (down ? "descending" : "ascending") : "none");
    }
    this.show();
  }

  clicked({ target }) {
    const cell = target.closest("th, td");
    if (!cell || !target.closest("button")) return;
    if (cell.parentNode === this.head) this.sort(Number(cell.dataset.column));
    else this.open(cell);
  }

  open(cell) {
    why(this.data, this.data.people[cell.parentNode.dataset.person], cell.cellIndex - 1);
  }

  // One cell at a time can be reached by Tab; arrow keys choose it.
  enter(target) {
    const cell = target.closest("th, td");
    if (!cell || !this.table.contains(cell)) return;
    if (this.stop) this.stop.tabIndex = -1;
    this.stop = cell.querySelector("button") || cell;
    this.stop.tabIndex = 0;
  }

  pressed(event) {
    const cell = event.target.closest("th, td");
    if (!cell || event.altKey || event.metaKey) return;
    const row = cell.parentNode, column = cell.cellIndex, last = row.children.length - 1;
    const rtl = getComputedStyle(this.table).direction === "rtl" ? -1 : 1;
    const to = {
      ArrowDown: () => [this.beyond(row, 1), column],
      ArrowUp: () => [this.beyond(row, -1), column],
      PageDown: () => [this.beyond(row, 20), column],
      PageUp: () => [this.beyond(row, -20), column],
      ArrowRight: () => [row, column + rtl],
      ArrowLeft: () => [row, column - rtl],
      Home: () => [event.ctrlKey ? this.head : row, 0],
      End: () => [event.ctrlKey ? this.beyond(row, Infinity) : row, last],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const [target, at] = to();
    const next = target.children[Math.max(0, Math.min(at, last))];
    (next.querySelector("button") || next).focus();
  }

  // The row so many further down, or the last one on the way.
  beyond(row, steps) {
    if (steps === Infinity) this.fill(Infinity);
    const rows = this.table.rows;
    return rows[Math.max(0, Math.min(row.rowIndex + steps, rows.length - 1))];
  }
}

// How groups lead to roles: what is asked for, and what belongs to what is pointed at

const STEP = 10; // the height of a row in the drawing

class Picture {
  constructor(section) {
    this.figure = section.querySelector(".flow");
    this.svg = this.figure.querySelector(".lines");
    this.groups = [...this.figure.querySelectorAll(".from li")];
    this.scopes = [...this.figure.querySelectorAll(".to li")];
    this.lines = [...this.figure.querySelectorAll(".line")].map((path) => ({
      path,
      group: this.groups[path.dataset.group],
      scope: this.scopes[path.dataset.scope],
      role: path.classList[1],
    }));
    this.count = section.querySelector(".count");
    this.told = section.querySelector(".told");
    this.find = section.querySelector("input");
    this.few = Number(this.figure.dataset.few);
    this.pinned = null;
    this.find.closest(".tools").hidden = false;
    this.find.addEventListener("input", () => this.show());
    for (const item of [...this.groups, ...this.scopes]) {
      const button = item.firstElementChild;
      button.disabled = false;
      item.addEventListener("mouseenter", () => this.light(item));
      item.addEventListener("mouseleave", () => this.light(this.pinned));
      button.addEventListener("focus", () => this.light(item));
      button.addEventListener("blur", () => this.light(this.pinned));
      button.addEventListener("click", () => this.pin(item));
    }
    this.figure.addEventListener("keydown", (event) => this.pressed(event));
    this.show();
  }

  // Those that are asked for, in full; of very many the ones that most people are in.
  show() {
    const words = this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const meets = (item) => words.every((word) => item.textContent.toLowerCase().includes(word));
    const byScope = new Set(this.lines.filter((line) => words.length && meets(line.scope)).map((line) => line.group));
    let found = this.groups.filter((item) => byScope.has(item) || meets(item));
    const all = found.length;
    if (all > this.few) {
      const size = (item) => Number(item.querySelector("small").firstChild.data.replace(/\D/g, ""));
      const few = new Set([...found].sort((one, other) => size(other) - size(one)).slice(0, this.few));
      found = found.filter((item) => few.has(item));
    }
    const shown = new Set(found);
    for (const item of this.groups) item.hidden = !shown.has(item);
    this.draw(found);
    const most = all > found.length ? ", the " + found.length + " with most people in them" : "";
    this.count.textContent = (all ? counted(all, "group", "groups") : "No group") + (words.length ? " for “" + this.find.value.trim() + "”" : "") + most;
    this.pinned = null;
    this.light(null);
  }

  draw(groups) {
    const led = new Set(this.lines.filter((line) => !line.group.hidden).map((line) => line.scope));
    for (const item of this.scopes) item.hidden = !led.has(item);
    const scopes = this.scopes.filter((item) => led.has(item));
    const rows = Math.max(groups.length, scopes.length, 1);
    const height = (place, number) => ((place + 0.5) * rows * STEP) / number;
    const places = new Map(groups.map((item, place) => [item, height(place, groups.length)]));
    scopes.forEach((item, place) => places.set(item, height(place, scopes.length)));
    this.svg.setAttribute("viewBox", "0 0 100 " + rows * STEP);
    this.svg.setAttribute("height", rows * 2 + "em");
    for (const { path, group, scope } of this.lines) {
      const from = places.get(group), to = places.get(scope);
      path.toggleAttribute("hidden", from === undefined);
      if (from !== undefined) path.setAttribute("d", `M0 ${from}C45 ${from} 55 ${to} 100 ${to}`);
    }
  }

  pin(item) {
    for (const one of this.figure.querySelectorAll("[aria-pressed=true]")) one.setAttribute("aria-pressed", "false");
    this.pinned = this.pinned === item ? null : item;
    item.firstElementChild.setAttribute("aria-pressed", String(this.pinned === item));
    this.light(item);
  }

  light(item) {
    this.figure.classList.toggle("some", item !== null);
    const told = new Map();
    for (const one of [...this.groups, ...this.scopes]) one.classList.toggle("lit", one === item);
    for (const { path, group, scope, role } of this.lines) {
      const lit = item !== null && !group.hidden && (group === item || scope === item);
      path.classList.toggle("lit", lit);
      if (!lit) continue;
      const other = group === item ? scope : group;
      other.classList.add("lit");
      const how = role + (group === item ? " in " : " by ");
      told.set(how, [...(told.get(how) || []), other.querySelector("bdi").textContent]);
    }
    const name = item && item.querySelector("bdi").textContent;
    this.told.textContent = item ? name + ": " + ([...told].map(([how, names]) => how + names.join(", ")).join("; ") || "nothing here") : "Point at a group or a scope, or choose one, to see what belongs to it.";
  }

  pressed(event) {
    const item = event.target.closest("li");
    if (!item || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const there = [...item.parentNode.children].filter((one) => !one.hidden);
    const next = there[there.indexOf(item) + (event.key === "ArrowDown" ? 1 : -1)];
    event.preventDefault();
    if (next) next.firstElementChild.focus();
  }
}

// One organization at a time, where there are several

function organizations() {
  const articles = [...document.querySelectorAll(".organization")];
  const links = [...document.querySelectorAll(".organizations a")];
  if (!links.length) return;
  const choose = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const chosen = Math.max(0, articles.findIndex((one) => one.contains(target || null)));
    articles.forEach((one, index) => one.classList.toggle("other", index !== chosen));
    links.forEach((link, index) => (index === chosen ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", choose);
  choose();
}

// On paper everything that is folded away is there

function paper() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}

function dialogs() {
  const dialog = document.getElementById("why");
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest(".close")) dialog.close();
  });
}

themes();
dialogs();
for (const section of document.querySelectorAll("section.matrix")) new Matrix(section);
for (const section of document.querySelectorAll("section.picture:has(.flow)")) new Picture(section);
organizations();
paper();
