// The form of a dossier: checked and shown while it is typed. Without this script it works by its buttons alone.
const PAUSE = 500; // how long nobody types before it is checked
const MISSING = new Set(["schema.required", "schema.too_few"]); // what is not there yet is no mistake
const MOST = 12; // how many of the points that remain are listed
const form = () => document.getElementById("dossier");
const byId = (id) => document.getElementById(id);
const touched = new Set(); // fields whose problems are shown; all of them once the form was sent
let all = byId("bilan") !== null;
let page = 1;
let texts = [];
let timer;
let under; // what is under way

byId("apercu").hidden = false;

const fields = (button) => {
  const pairs = new URLSearchParams(new FormData(form()));
  if (button) pairs.set(button.name, button.value);
  return pairs;
};
const post = (path, body, signal) => fetch(path, { method: "POST", body, signal, headers: { "Accept-Language": "fr" } });

function later(wait = PAUSE) {
  clearTimeout(timer);
  timer = setTimeout(check, wait);
}

async function check() {
  under?.abort();
  const { signal } = (under = new AbortController());
  const sent = fields();
  try {
    const answer = await post("/dossiers/nouveau/verification", sent, signal);
    if (answer.status === 401 || answer.status === 403) return ended();
    if (!answer.ok) return say("La vérification attend : le service est occupé.");
    byId("fermee")?.remove();
    const { problems, pages } = await answer.json();
    show(problems);
    texts = pages;
    await turn(sent, signal);
  } catch (error) {
    if (error.name !== "AbortError") say("Le service ne répond pas. Ce que vous tapez reste dans cette page.");
  }
}

function say(text) {
  byId("reste").textContent = text;
}

// The problems of fields that were touched, each beside its field; the others are counted.
function show(problems) {
  for (const it of form().querySelectorAll(".problems")) it.replaceChildren();
  for (const it of form().querySelectorAll("[aria-invalid]")) it.removeAttribute("aria-invalid");
  for (const it of problems) {
    const place = byId(`${it.id}-p`);
    const field = byId(it.id);
    const known = all || (it.field ? touched.has(it.pointer) || touched.has(field?.name) : !MISSING.has(it.code) && touched.size > 0);
    const refuses = it.severity !== "warning";
    if (!place || !(known || (it.field && !MISSING.has(it.code) && field?.value))) continue;
    const line = document.createElement("p");
    line.className = `problem ${it.severity}`;
    line.append(it.message);
    if (it.hint) {
      const hint = document.createElement("span");
      hint.textContent = it.hint;
      line.append(" ", hint);
    }
    if (it.severity === "practice") {
      const button = document.createElement("button");
      Object.assign(button, { className: "link", name: "faire", value: `accepter ${it.code}`, textContent: "Écarter cette règle" });
      line.append(" ", button);
    }
    place.append(line);
    if (it.field && refuses) field?.setAttribute("aria-invalid", "true");
  }
  const left = problems.filter((it) => it.severity !== "warning").length;
  remaining(problems.filter((it) => it.severity !== "warning"));
  say(left === 0 ? "Tout est en ordre." : left === 1 ? "Un point reste à compléter." : `${left} points restent à compléter.`);
  if (all) summary(problems);
}

// A problem in a list, with a link to its field.
function line(problem) {
  const it = document.createElement("li");
  if (problem.id) {
    const link = document.createElement("a");
    link.href = `#${problem.id}`;
    link.textContent = problem.label;
    it.append(link, " : ");
  }
  it.append(problem.message);
  return it;
}

// What was to be mended when the form was sent, as it now stands.
function summary(problems) {
  const list = byId("bilan")?.querySelector("ul");
  if (!list) return;
  byId("bilan").hidden = problems.length === 0;
  list.replaceChildren(...problems.map(line));
}

// What the pages wait for, while there are none.
function remaining(problems) {
  const list = byId("attente").querySelector("ul");
  if (byId("bilan")) return list.replaceChildren();
  const shown = problems.slice(0, MOST).map(line);
  if (problems.length > MOST) shown.push(Object.assign(document.createElement("li"), { textContent: `et ${problems.length - MOST} autres` }));
  list.replaceChildren(...shown);
}

// The page that is looked at, as a picture and as text.
async function turn(sent, signal) {
  const [image, text] = [byId("image"), byId("texte")];
  const count = texts.length;
  byId("attente").hidden = count > 0;
  image.classList.toggle("old", count === 0);
  if (count === 0) return;
  page = Math.min(page, count);
  byId("folio").textContent = `Page ${page} sur ${count}`;
  byId("avant").disabled = page === 1;
  byId("apres").disabled = page === count;
  const answer = await post(`/dossiers/nouveau/apercu/${page}`, sent, signal);
  if (!answer.ok) return;
  const old = image.src;
  image.src = URL.createObjectURL(await answer.blob());
  if (old) URL.revokeObjectURL(old);
  image.alt = `Page ${page} sur ${count}, spécimen. Son texte suit.`;
  image.hidden = text.hidden = byId("pages").hidden = false;
  text.querySelector("div").replaceChildren(...texts[page - 1].map((line) => {
    const it = document.createElement("p");
    it.textContent = line;
    return it;
  }));
}

// The session has ended: what was typed stays here, and is taken up again after the login.
function ended() {
  if (byId("fermee")) return;
  const box = document.createElement("section");
  box.id = "fermee";
  box.className = "finding mind";
  box.setAttribute("role", "alert");
  box.innerHTML = `<h2>Votre session est fermée</h2><p>Rien n’est perdu. <a href="/login" target="_blank" rel="noopener">Connectez-vous dans un autre onglet</a>, puis revenez ici.</p><p><button name="faire" value="reprendre">Reprendre ma saisie</button></p>`;
  document.querySelector(".issue").prepend(box);
  say("");
}

// A button that changes the form: the service makes the new one, and it takes the place of the old.
async function change(button) {
  clearTimeout(timer);
  under?.abort();
  try {
    const answer = await post("/dossiers/nouveau", fields(button));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("dossier");
    if (!fresh) return button.form.requestSubmit(button);
    for (const part of fresh.querySelectorAll("details[id]")) part.open ||= byId(part.id)?.open ?? false;
    form().replaceWith(fresh);
    if (button.value === "verifier") all = true;
    const next = fresh.querySelector("[autofocus]");
    next?.focus();
    next?.scrollIntoView({ block: "center" });
    later(0);
  } catch {
    say("Le service ne répond pas. Ce que vous tapez reste dans cette page.");
  }
}

document.addEventListener("input", (event) => { if (event.target.form === form()) later(); });
document.addEventListener("change", (event) => {
  if (event.target.form !== form()) return;
  touched.add(event.target.name);
  later(0);
});
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target !== form() || !button || ["emettre", "reprendre"].includes(button.value)) return;
  event.preventDefault();
  change(button);
});
for (const [id, step] of [["avant", -1], ["apres", 1]]) {
  byId(id).addEventListener("click", () => {
    page = Math.max(1, page + step);
    under?.abort();
    under = new AbortController();
    turn(fields(), under.signal).catch(() => {});
  });
}
later(0);

// A link to a field opens what it is folded in.
function unfold() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  for (let it = target; it; it = it.parentElement?.closest("details")) if (it.tagName === "DETAILS") it.open = true;
  (target?.tagName === "DETAILS" ? target.querySelector("summary") : target)?.focus();
}
window.addEventListener("hashchange", unfold);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#c-"]');
  if (link && link.hash === location.hash) unfold();
});
