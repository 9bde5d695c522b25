// The tablet: one section at a time; what is drawn stays here until the service has kept it.
import SignaturePad from "/files/vendor/signature_pad.js";

const ALONE = 4 * 60_000; // how long nobody may touch it before it asks
const ANSWER = 60_000; // how long it then waits
const main = document.querySelector("main");
const steps = new Map([...main.querySelectorAll("[data-step]")].map((it) => [it.dataset.step, it]));
const count = Number(main.dataset.pages);
const pages = new Array(count).fill(null);
const pending = `pending ${main.dataset.reference}`;
const canvas = document.getElementById("pad");
const pad = new SignaturePad(canvas, { penColor: "#12224a", minWidth: 1, maxWidth: 3 });
let interpreter = "";
let over = false;

function show(name) {
  for (const [key, step] of steps) step.hidden = key !== name;
  const step = steps.get(name);
  window.scrollTo(0, 0);
  step.querySelector("h1").focus({ preventScroll: true });
  if (name === "sign") fit();
  if ("last" in step.dataset) finish();
}

// After the last word nothing of the contract stays in the page.
function finish() {
  over = true;
  sessionStorage.removeItem(pending);
  for (const step of steps.values()) if (!("last" in step.dataset)) step.replaceChildren();
}

// As many pixels as the screen has; what was drawn is drawn again, smaller or larger with the field.
let drawnOn = 0;
function fit() {
  const ratio = Math.max(window.devicePixelRatio || 1, 1);
  const { width, height } = canvas.getBoundingClientRect();
  if (!width) return;
  const scale = drawnOn ? width / drawnOn : 1;
  const drawn = pad.toData();
  for (const it of drawn.flatMap((line) => line.points)) Object.assign(it, { x: it.x * scale, y: it.y * scale });
  drawnOn = width;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.getContext("2d").scale(ratio, ratio);
  pad.clear();
  pad.fromData(drawn);
}

function strokes() {
  const { width, height } = canvas.getBoundingClientRect();
  const within = (it, most) => Math.min(Math.max(it, 0), most);
  const lines = pad.toData().map((line) => line.points.map((it) => [within(it.x, width), within(it.y, height)]));
  return { width, height, lines };
}

async function send(decision) {
  show("sending");
  const body = JSON.stringify(decision);
  sessionStorage.setItem(pending, body);
  const offline = main.querySelector("[data-offline]");
  for (let wait = 2_000; ; wait = Math.min(wait * 2, 15_000)) {
    let answer = null;
    try {
      answer = await fetch("/tablette/acte", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    } catch {
      answer = null;
    }
    if (answer && answer.status < 500 && answer.status !== 408 && answer.status !== 429) return settled(decision, answer);
    offline.hidden = false;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      window.addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}

async function settled(decision, answer) {
  if (answer.status === 401) return show("ended");
  if (answer.status === 409 || answer.status === 412) return show("replaced");
  if (!answer.ok) return show("failed");
  const { complete, waiting } = await answer.json();
  if (decision.act !== "sign") return show(decision.act === "leave" ? "ended" : `${decision.act}-done`);
  main.querySelector("[data-waiting]").replaceChildren(...waiting.map((words) => {
    const it = document.createElement("p");
    it.textContent = words;
    return it;
  }));
  show(complete ? "complete" : "done");
  fetch("/tablette/acte", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: '{"act":"leave"}', keepalive: true,
  }).catch(() => {});
}

function confirm(step, next) {
  const number = Number(step.dataset.step.split("-")[1]);
  const chosen = step.querySelector("input[type=radio]:checked");
  const named = step.querySelector("input[type=text]");
  const error = step.querySelector(".error");
  const missing = document.getElementById("missing").dataset;
  error.textContent = "";
  if (!chosen) {
    error.textContent = missing.read;
    return step.querySelector("input[type=radio]").focus();
  }
  if (chosen.value === "heard") {
    if (!named.value.trim()) {
      error.textContent = missing.interpreter;
      return named.focus();
    }
    interpreter = named.value.trim();
  }
  pages[number - 1] = chosen.value;
  const following = steps.get(next).querySelector("[data-interpreter] input");
  if (following && !following.value) following.value = interpreter;
  show(next);
}

main.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { go, confirm: next, act } = button.dataset;
  if (go) show(go);
  if (next) confirm(button.closest("[data-step]"), next);
  if (act) send({ act });
});

main.addEventListener("change", (event) => {
  if (event.target.type !== "radio") return;
  const step = event.target.closest("[data-step]");
  step.querySelector("[data-interpreter]").hidden = event.target.value !== "heard";
  step.querySelector(".error").textContent = "";
});

document.getElementById("clear").addEventListener("click", () => pad.clear());
document.getElementById("send").addEventListener("click", () => {
  const error = steps.get("sign").querySelector(".error");
  error.textContent = pad.isEmpty() ? error.dataset.empty : "";
  if (pad.isEmpty()) return;
  const gap = pages.indexOf(null);
  if (gap >= 0) return show(`page-${gap + 1}`);
  send({ act: "sign", strokes: strokes(), pages, interpreter: interpreter || null });
});
document.getElementById("retry").addEventListener("click", () => show("sign"));
window.addEventListener("resize", () => { if (!steps.get("sign").hidden) fit(); });

// Nobody there: it asks, then closes.
const still = document.getElementById("still");
let timer;
function touched() {
  clearTimeout(timer);
  if (!over && !still.open) timer = setTimeout(ask, ALONE);
}
function ask() {
  if (over || !steps.get("sending").hidden) return touched();
  still.showModal();
  timer = setTimeout(() => { still.close(); send({ act: "leave" }); }, ANSWER);
}
document.getElementById("stay").addEventListener("click", () => still.close());
still.addEventListener("close", touched);
for (const kind of ["pointerdown", "keydown", "scroll"]) window.addEventListener(kind, touched, { passive: true });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
touched();

const kept = sessionStorage.getItem(pending);
if (kept) send(JSON.parse(kept));
else if (main.dataset.start !== "welcome") show(main.dataset.start);
