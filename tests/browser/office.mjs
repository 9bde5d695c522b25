// A browser walks through the office's day: a list of 500 rows, mails that did not arrive, the State's signatures by
// certificate, the help, and a document opened by its link. Axe judges every page, and each is kept as a picture.
//
//     node office.mjs PARAPHE FOLDER   (the program; where the pictures go)
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { browser, service } from "./lib.mjs";

const [program, pictures] = process.argv.slice(2);
const server = service(program, (open, folder) => `
[mail.link]
address = "http://${open}/d/"
kinds = ["cai"]
[seal.authority]
module = "/usr/lib/softhsm/libsofthsm2.so"
token = "prefecture"
key = "delegation"
certificate_file = "${folder}/k.crt"
`);
const { main, open, folder } = server;
const file = (name, content) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

/** Tuesdays and Wednesdays to come that are no holiday: those that move fall on other days. */
function* days() {
  const holidays = ["01/01", "01/05", "08/05", "14/07", "15/08", "01/11", "11/11", "25/12"];
  const day = new Date(Date.now() + 30 * 86_400_000);
  for (;;) {
    day.setUTCDate(day.getUTCDate() + 1);
    const text = day.toISOString().slice(0, 10).split("-").reverse().join("/");
    if ([2, 3].includes(day.getUTCDay()) && !holidays.includes(text.slice(0, 5))) yield text;
  }
}

/** A list: at 40 rows a day every tenth person has no address, and the rows named have a false one. */
function list(count, faulty = []) {
  const lines = ["Référence;Dossier;Direction;Étape;Langue;Civilité;Nom;Prénoms;Date de naissance;N° étranger;Adresse;Code postale;Ville;Courriel;Date;Début;Fin;Agent;Qualité de l’agent"];
  const languages = ["arabe", "anglais", "français", "turc", "russe"];
  const open = days();
  let day = open.next().value;
  for (let n = 1; n <= count; n += 1) {
    if (n % 40 === 0) day = open.next().value;
    const hour = 9 + (n % 40) % 8;
    const email = faulty.includes(n) ? "specimen@@example" : n % 10 ? `specimen${n}@example.org` : "";
    lines.push([
      `CV-B-${n}`, `D-B-${n}`, "sample", "visite médicale", languages[n % 5], "Madame", "SPECIMEN", "Amina", "17/04/1992",
      String(6_900_000_000 + n), `${n} rue des Lilas`, "69003", "Lyon", email, day, `${hour}h00`, `${hour}h45`,
      "Camille EXEMPLE", "gestionnaire de l’accueil",
    ].join(";"));
  }
  return lines.join("\n");
}

// The key of who signs for the State: in a file, and in a token.
const call = (program, ...args) => execFileSync(program, args, { cwd: folder, stdio: "pipe", env: { ...process.env, ...server.env } });
call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "400", "-subj", "/CN=Claude EXEMPLE", "-keyout", "k.key", "-out", "k.crt");
call("openssl", "pkcs12", "-export", "-inkey", "k.key", "-in", "k.crt", "-passout", "pass:4711", "-out", "k.p12");
mkdirSync(join(folder, "tokens"));
server.env.SOFTHSM2_CONF = file("softhsm2.conf", `directories.tokendir = ${folder}/tokens\n`);
call("softhsm2-util", "--init-token", "--free", "--label", "prefecture", "--pin", "123456", "--so-pin", "567890");
call("softhsm2-util", "--import", "k.key", "--token", "prefecture", "--label", "delegation", "--id", "01", "--pin", "123456");

// Contracts that wait for the State: signed by the person through the API.
const key = server.run("keys", "api", "--name", "walk").match(/paraphe_live_\w+/)[0];
const example = JSON.parse(server.run("schema", "cai", "--example"));
// One letter each to recipients that play their part.
const letter = JSON.parse(server.run("schema", "convocation", "--example"));
for (const [n, name] of ["refused", "bounce", "doubt"].entries()) {
  const data = { ...letter, reference: `CV-S-${n}`, applicant: { ...letter.applicant, email: `${name}@simulator.example` } };
  server.run("issue", file(`letter-${n}.json`, JSON.stringify(data)));
}
await server.start();

async function api(path, body, headers = {}) {
  const answer = await fetch(`http://${main}${path}`, {
    method: body ? "POST" : "GET",
    body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer;
}

async function contract(reference) {
  const { id } = await (await api("/v1/documents", { ...example, reference })).json();
  const pdf = Buffer.from(await (await api(`/v1/documents/${id}/file`)).arrayBuffer());
  await api(`/v1/documents/${id}/signatures`, {
    field: "applicant",
    act: "strokes",
    strokes: { width: 300, height: 100, lines: [[[10, 80], [60, 20], [90, 70]]] },
    evidence: {
      agent: "A-17", language: "fr", presented: "read", device: "tablet 3", signed_at: new Date().toISOString(),
      shown: createHash("sha256").update(pdf).digest("hex"),
    },
  }, { "if-match": '"v1"' });
  return id;
}

const { context, look, faults, close } = await browser(pictures);

/** Reaches an element with the tabulator alone. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((it) => document.activeElement.matches(it), selector)) return;
  }
  throw new Error(`${selector} cannot be reached from the keyboard`);
}

try {
  const [, page] = await context({ locale: "fr" });
  await page.goto(server.link);

  // The list: its columns are said, its faults shown, and it comes back.
  await page.click("nav >> text=Publipostages");
  await look(page, "merges-empty", true);
  await page.setInputFiles("#file", { name: "janvier.csv", mimeType: "text/csv", buffer: Buffer.from(list(500, [7, 77, 177])) });
  await page.click("text=Contrôler la liste");
  const settled = () => page.waitForFunction(() => !document.querySelector("[data-live]"), null, { timeout: 240_000 });
  await settled();
  assert.match(await page.locator(".card.bad").first().innerText(), /Code postale/);
  await look(page, "draft-columns", true);
  await page.click("text=Contrôler de nouveau");
  if (await page.locator("[data-live]").count()) await look(page, "draft-checking", true);
  await settled();
  assert.match(await page.locator(".card.bad h2").innerText(), /3 lignes sont à corriger/);
  assert.match(await page.locator("tbody").first().innerText(), /specimen@@example[\s\S]*8, 78, 178/);
  await look(page, "draft-faulty", true);
  const [back] = await Promise.all([page.waitForEvent("download"), page.click("text=Télécharger la liste à corriger")]);
  assert.match(readFileSync(await back.path(), "utf8"), /Problèmes/);
  // The proof, and a letter to oneself.
  await page.fill("#address", "agent@example.org");
  await page.click("text=M’envoyer cette lettre");
  assert.match(await page.locator("h2").innerText(), /Elle est partie/);
  await look(page, "proof");
  await page.click("text=La liste");
  // From here on with the keyboard alone.
  await tabTo(page, "[name=skip_faulty]");
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/publipostages\/[0-9a-f-]{36}$/, { timeout: 240_000 });
  await look(page, "merge-running", true);
  await tabTo(page, "main .actions button");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".state.paused, .state.done");
  if (await page.locator(".state.paused").count()) {
    await look(page, "merge-paused", true);
    await page.click("text=Reprendre");
  }
  await page.waitForSelector(".state.done", { timeout: 240_000 });
  assert.match(await page.locator("[role=status]").innerText(), /497 courriers établis sur 497/);
  await look(page, "merge-done", true);
  await page.click("text=sans adresse électronique");
  await look(page, "printing", true);
  const sheets = await page.locator("a", { hasText: "Pli" }).first().getAttribute("href");
  const printed = await page.request.get(`http://${main}${sheets}`);
  assert.equal(printed.headers()["content-type"], "application/pdf");

  // Mails that did not arrive.
  await page.click("nav >> text=Envois");
  await page.waitForSelector("h1");
  for (const words of ["Cette adresse n’existe pas", "La boîte est pleine", "peut-être parti"]) {
    assert.match(await page.locator("tbody").innerText(), new RegExp(words));
  }
  await look(page, "deliveries");
  await page.fill("#code", "0A1B2C3D 1 1/1 CV-B-10");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("[role=status]").innerText(), /L’adresse est marquée/);
  await look(page, "returned");
  await page.click("text=Tous les envois");
  await page.click("text=doubt@simulator.example");
  await look(page, "delivery", true);
  await tabTo(page, "main .actions button");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".state.accepted");

  // The half-day's contracts, by one act.
  const ids = [];
  for (let n = 0; n < 4; n += 1) ids.push(await contract(`CAI-B-${n}`));
  await page.click("nav >> text=Signatures");
  assert.equal(await page.locator("[name=contract]").count(), 4);
  const pkcs12 = join(folder, "k.p12");
  await page.setInputFiles("#key", pkcs12);
  await page.fill("#pin", "0000");
  await page.click("text=Signer les contrats cochés");
  assert.match(await page.locator("[role=alert]").innerText(), /Ce code n’ouvre pas la clé/);
  await look(page, "authority", true);
  await page.locator("[name=contract]").last().uncheck();
  await page.setInputFiles("#key", pkcs12);
  await page.fill("#pin", "4711");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=3 contrats signés sur 3");
  await look(page, "authority-signed");
  const states = async () => {
    const all = await Promise.all(ids.map(async (id) => (await api(`/v1/documents/${id}`)).json()));
    return all.map((it) => it.state);
  };
  assert.deepEqual(await states(), ["complete", "complete", "complete", "partly_signed"]);
  // The last one by the token: its PIN alone.
  await page.click("text=1 contrat attend encore");
  await page.fill("#pin", "000000");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("[role=alert]").innerText(), /Ce code n’ouvre pas la clé/);
  await page.fill("#pin", "123456");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=1 contrat signé sur 1");
  assert.equal((await states())[3], "complete");

  // Help, and what is not there.
  await page.click("footer >> text=Aide");
  await look(page, "help", true);
  for (const href of await page.locator("article a").evaluateAll((all) => all.map((it) => it.href))) {
    assert.equal((await page.goto(href)).status(), 200, href);
    await look(page, `help-${href.split("/").pop()}`, true);
  }
  assert.equal((await page.goto(`http://${main}/dossiers/nothing`)).status(), 404);
  await look(page, "refusal");

  // The person opens the contract by the link in the mail, without a script.
  const mails = () => readdirSync(join(folder, "data/mail")).filter((it) => it.endsWith(".eml"));
  const texts = mails().map((it) => readFileSync(join(folder, "data/mail", it), "utf8").replace(/=\r\n/g, ""));
  const link = texts.map((it) => it.match(/\/d\/([0-9a-f]{64})/)?.[1]).find(Boolean);
  const [, reader] = await context({ locale: "ar", javaScriptEnabled: false });
  await reader.goto(`http://${open}/d/${link}`);
  assert.equal(await reader.getAttribute("html", "dir"), "rtl");
  await reader.fill("#reference", "CAI-B-0");
  await reader.fill("#birth", "01/01/1900");
  await reader.click("form button");
  assert.equal(await reader.locator("[role=alert]").count(), 1);
  const references = await Promise.all(["CAI-B-0", "CAI-B-1", "CAI-B-2"].map(async (reference) => {
    const [, [year, month, day]] = [reference, example.applicant.birth.date.split("-")];
    const answer = await reader.request.post(`http://${open}/d/${link}`, { form: { reference, birth: `${day}/${month}/${year}` } });
    return answer.headers()["content-type"];
  }));
  assert.equal(references.filter((it) => it === "application/pdf").length, 1, "one of them is its reference");
  const [, seen] = await context({ locale: "ar" });
  await seen.goto(`http://${open}/d/${link}`);
  await look(seen, "link");
  await seen.fill("#reference", "x");
  await seen.fill("#birth", "x");
  await seen.click("form button");
  await look(seen, "link-wrong");
  assert.deepEqual([...new Set(faults)], []);
  console.log("walked: no fault");
} finally {
  await close();
  await server.remove();
}
