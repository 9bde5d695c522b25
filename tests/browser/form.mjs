// The agent's form: from the day's appointments to an issued contract, with the mouse, with the keyboard alone, and
// across the end of a session.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Walks; `run` is the program, `look` judges a page and takes its picture. */
export async function form({ agent, context, main, folder, run, look }) {
  const example = (kind) => JSON.parse(run("schema", kind, "--example"));
  const contract = { ...example("cai"), reference: "CAI-069-WALK" };
  const letter = { ...example("convocation"), step: "contract_signing" };
  const file = join(folder, "letter.json");
  writeFileSync(file, JSON.stringify(letter));
  run("issue", file);

  await agent.goto(`http://${main}/?jour=2031-01-01`);
  await look(agent, "today-empty");
  await agent.goto(`http://${main}/?jour=${letter.appointment.sessions[0].date}`);
  assert.match(await agent.locator(".visitors li").innerText(), /SPECIMEN Amina[^]*signature du contrat[^]*العربية/);
  await look(agent, "today");
  await agent.goto(`http://${main}/dossiers/nouveau`);
  await look(agent, "kinds");
  await courses({ agent, main, look, contract });

  await agent.goto(`http://${main}/?jour=${letter.appointment.sessions[0].date}`);
  await agent.click("text=Nouveau contrat");
  assert.equal(await agent.inputValue("#c-language"), "ar");
  assert.equal(await agent.locator("#c-language option:checked").innerText(), "العربية (arabe)");
  await fill({ agent, look, contract });
  await choose({ agent, look });
  await agent.waitForSelector("#image:not([hidden])");
  await agent.locator("#image").evaluate((it) => it.decode());
  assert.match(await agent.locator("#folio").innerText(), /^Page 1 sur \d+$/);
  assert.match(await agent.locator("#texte").textContent(), /SPECIMEN/);
  await look(agent, "form-preview");
  await agent.click("#apres");
  await agent.waitForFunction(() => document.getElementById("image").alt.startsWith("Page 2"));
  await ended({ agent, context, look });
  await agent.click("button[value=emettre]");
  await agent.waitForURL(/\/dossiers\/[0-9a-f-]{36}$/);
  assert.equal(await agent.locator(".state").first().innerText(), "À signer");
  await look(agent, "issued");
  await agent.click("text=Corriger");
  assert.equal(await agent.inputValue("#c-replaces-reference"), contract.reference);
  assert.equal(await agent.locator(".chosen").count(), 3, "the seats go over to the new contract");
  await look(agent, "form-correction");
  await keyboard({ agent, main, look });
}

/** A table of courses: a faulty one is told, a sound one is there. */
async function courses({ agent, main, look, contract }) {
  const head = "Session;Formation;Centre;Date;Début;Fin;Jours;Dernier jour;Places";
  const { civic_training: civic, language_training: french, skills_review: review } = contract.trainings;
  const { first, last, start, end } = french.appointment.weekly;
  const rows = [
    ...civic.sessions.map((it) => `FC-1;formation civique;specimen-part-dieu;${it.date};${it.start};${it.end};;;12`),
    `FL-1;formation de français;specimen-gerland;${first};${start};${end};lundi, jeudi;${last};8`,
    ...review.appointment.sessions.map((it) => `BC-1;bilan de compétences professionnelles;specimen-gerland;${it.date};${it.start};${it.end};;;1`),
  ];
  const send = async (lines) => {
    await agent.setInputFiles("#table", { name: "sessions.csv", mimeType: "text/csv", buffer: Buffer.from([head, ...lines].join("\r\n")) });
    await agent.click("main form button");
  };
  await agent.goto(`http://${main}/seances`);
  await send([...rows, "FC-2;formation civique;nulle part;demain;9:00;8:00;;;0"]);
  assert.match(await agent.locator(".finding").innerText(), /Ligne 6, « Centre »/);
  await look(agent, "courses-refused");
  await send(rows);
  await agent.waitForSelector(".courses li");
  assert.equal(await agent.locator(".courses li").count(), 3);
  await look(agent, "courses");
}

/** Types what the letter does not know, and corrects a field that is refused. */
async function fill({ agent, look, contract }) {
  await agent.fill("#c-reference", contract.reference);
  await agent.selectOption("#c-category", contract.category);
  await agent.selectOption("#c-permit", contract.permit);
  await agent.fill("#c-signing-date", contract.signing.date);
  await agent.fill("#c-assessment-date", contract.assessment.date);
  await agent.selectOption("#c-assessment-level_reached", "false");
  await agent.fill("#c-presentation-interpreter", "Nadia EXEMPLE");
  await agent.selectOption("#c-presentation-read", "aloud");
  const number = agent.locator("#c-applicant-foreigner_number");
  await number.fill("69030");
  await number.press("Tab");
  await agent.waitForSelector("#c-applicant-foreigner_number-p .problem");
  assert.equal(await number.getAttribute("aria-invalid"), "true");
  await number.scrollIntoViewIfNeeded();
  await look(agent, "form-problem");
  await number.fill(contract.applicant.foreigner_number);
  await agent.waitForSelector("#c-applicant-foreigner_number-p:empty", { state: "attached" });
}

/** Chooses the sessions of each training. */
async function choose({ agent, look }) {
  const open = async (id) => {
    const summary = agent.locator(`${id} > summary`);
    if (!(await agent.locator(id).evaluate((it) => it.open))) await summary.click();
  };
  const take = async (id, course) => {
    await agent.locator(`${id} button`, { hasText: "Choisir une session" }).first().click();
    await agent.check(`input[value="${course}"]`);
    if (course === "FC-1") await look(agent, "form-sessions");
    await agent.locator(`${id} button`, { hasText: "Valider ce choix" }).click();
    await agent.waitForSelector(`${id} .chosen`);
  };
  await take("#c-trainings-civic_training", "FC-1");
  await open("#c-trainings-language_training");
  await agent.fill("#c-trainings-language_training-hours", "200");
  await open("#c-trainings-language_training-appointment");
  await take("#c-trainings-language_training-appointment", "FL-1");
  await open("#c-trainings-skills_review-appointment");
  await take("#c-trainings-skills_review-appointment", "BC-1");
}

/** The session ends while somebody types: the page says so, and nothing is lost. */
async function ended({ agent, context, look }) {
  const cookies = await context.cookies();
  await context.clearCookies();
  await agent.fill("#c-applicant-given_names", "Amina Zohra");
  await agent.waitForSelector("#fermee");
  await look(agent, "form-ended");
  await context.addCookies(cookies);
  await agent.click("text=Reprendre ma saisie");
  await agent.waitForSelector("#fermee", { state: "detached" });
  assert.equal(await agent.inputValue("#c-applicant-given_names"), "Amina Zohra");
  assert.equal(await agent.locator(".chosen").count(), 3);
}

/** Nothing but the keyboard: every field is reached in the order of the page, seen, and what is wrong leads back to it. */
async function keyboard({ agent, main, look }) {
  await agent.goto(`http://${main}/dossiers/nouveau?type=cai`);
  await agent.setViewportSize({ width: 1280, height: 900 });
  const shown = await agent.evaluate(() => {
    const all = document.querySelectorAll("#dossier :is(input:not([type=hidden]), select, textarea, button, summary, a)");
    return [...all].filter((it) => it.checkVisibility()).length;
  });
  const reached = [];
  for (let presses = 0; presses < shown * 4; presses += 1) {
    await agent.keyboard.press("Tab");
    const at = await agent.evaluate(() => {
      const it = document.activeElement;
      const all = [...document.querySelectorAll("#dossier *")];
      if (!it.closest("#dossier")) return null;
      return { place: all.indexOf(it), seen: getComputedStyle(it).outlineStyle !== "none", name: it.id || it.textContent };
    });
    if (at === null && reached.length > 0) break;
    if (at && at.place !== reached.at(-1)?.place) reached.push(at);
  }
  assert.equal(reached.length, shown, "every control is reached");
  for (const [index, it] of reached.entries()) {
    assert.ok(it.seen, `the focus is seen on ${it.name}`);
    assert.ok(index === 0 || it.place > reached[index - 1].place, `${it.name} comes in its turn`);
  }
  await agent.focus("#c-dossier");
  await agent.keyboard.type("069-2026-1");
  await agent.keyboard.press("Enter");
  await agent.waitForSelector("#bilan");
  assert.equal(await agent.evaluate(() => document.activeElement.id), "bilan", "what is wrong has the focus");
  await look(agent, "form-refused");
  await agent.keyboard.press("Tab");
  await agent.keyboard.press("Enter");
  await agent.waitForFunction(() => document.activeElement.id.startsWith("c-"));
  assert.equal(await agent.inputValue("#c-dossier"), "069-2026-1");
}
