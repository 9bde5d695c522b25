// A browser walks through the form, signing and verification; axe judges every page, and each is kept as a picture.
//
//     node walk.mjs PARAPHE FOLDER   (the program; where the pictures go)
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { form } from "./form.mjs";
import { browser, service } from "./lib.mjs";

const [program, pictures] = process.argv.slice(2);
const fixtures = join(dirname(fileURLToPath(import.meta.url)), "../fixtures/good");
const server = service(program);
const { main, open, folder, run } = server;
const fixture = join(fixtures, "cai/own-script-vocalised-arabic.json");
const id = run("issue", fixture).match(/[0-9a-f-]{36}/)[0];
const reference = JSON.parse(readFileSync(fixture, "utf8")).reference;
// The same contract for each way not to sign it.
const ways = ["mistake", "unable", "later", "leave", "refuse"];
const contracts = {};
for (const [index, way] of ways.entries()) {
  const data = join(folder, `${way}.json`);
  const contract = JSON.parse(readFileSync(fixture, "utf8"));
  writeFileSync(data, JSON.stringify({ ...contract, reference: `${reference.slice(0, -1)}${index + 4}` }));
  contracts[way] = run("issue", data).match(/[0-9a-f-]{36}/)[0];
}
await server.start();
const { context, look, faults, close } = await browser(pictures);

/** Opens the tablet of a contract by a code from the agent's screen. */
async function sit(agent, id) {
  await agent.goto(`http://${main}/dossiers/${id}`);
  await agent.click("text=Signer sur la tablette");
  const code = await agent.locator(".digits").innerText();
  const [, tablet] = await context();
  await tablet.goto(`http://${main}/tablette`);
  await tablet.fill("#code", code);
  await tablet.click("button");
  await tablet.waitForSelector("[data-step=welcome]");
  return tablet;
}

async function verify(language, name, bytes) {
  const [own, page] = await context({ locale: language, javaScriptEnabled: true });
  await page.goto(`http://${open}/v/`);
  await page.setInputFiles("#file", { name: "file.pdf", mimeType: "application/pdf", buffer: bytes });
  await page.click("form button");
  const said = await page.locator(".finding").getAttribute("class");
  const text = await page.locator(".finding h2").innerText();
  await look(page, `file-${name}-${language}`);
  await own.close();
  return [said, text];
}

try {
  const [agentContext, agent] = await context({ locale: "fr" });
  await agent.goto(`http://${main}/`);
  assert.equal(new URL(agent.url()).pathname, "/login");
  await look(agent, "login");
  await agent.goto(server.link);
  await form({ agent, context: agentContext, main, folder, run, look });
  await agent.goto(`http://${main}/dossiers`);
  await look(agent, "list");
  await agent.goto(`http://${main}/dossiers/${id}`);
  await look(agent, "document");
  const file = async () => (await agentContext.request.get(`http://${main}/v1/documents/${id}/file`)).body();
  const presented = await file();
  await agent.click("text=Signer sur la tablette");
  const code = await agent.locator(".digits").innerText();
  await look(agent, "code");

  const [tabletContext, tablet] = await context();
  await tablet.goto(`http://${main}/tablette`);
  await tablet.fill("#code", "00000000");
  await tablet.click("button");
  await tablet.waitForSelector("#wrong");
  await look(tablet, "tablet-code");
  await tablet.fill("#code", code);
  await tablet.click("button");
  await tablet.waitForSelector("[data-step=welcome]");
  assert.equal(await tablet.getAttribute("html", "dir"), "rtl");
  await look(tablet, "tablet-welcome");
  // The tablet opens this contract and nothing else.
  for (const path of [`/dossiers/${id}`, "/"]) {
    const answer = await tabletContext.request.get(`http://${main}${path}`, { maxRedirects: 0 });
    assert.equal(answer.headers().location, "/login", path);
  }
  assert.equal((await tabletContext.request.get(`http://${main}/v1/documents/${id}`)).status(), 401);
  await tablet.click("[data-go=page-1]");
  const count = Number(await tablet.getAttribute("main", "data-pages"));
  for (let number = 1; number <= count; number += 1) {
    const step = tablet.locator(`[data-step=page-${number}]`);
    await step.locator("img").evaluate((it) => it.decode());
    if (number === 1) {
      await step.locator("[data-confirm]").click();
      assert.notEqual(await step.locator(".error").innerText(), "");
      await look(tablet, "tablet-page");
    }
    await step.locator(number === 1 ? "[value=heard]" : "[value=read]").check();
    if (number === 1) await step.locator("input[type=text]").fill("ISM 4711");
    await step.locator("[data-confirm]").click();
  }
  await look(tablet, "tablet-email");
  await tablet.click("[data-step=email] [data-go=sign]");
  await tablet.setViewportSize({ width: 820, height: 1180 });
  const box = await tablet.locator("#pad").boundingBox();
  await tablet.mouse.move(box.x + 80, box.y + 200);
  await tablet.mouse.down();
  for (let i = 0; i < 40; i += 1) await tablet.mouse.move(box.x + 80 + i * 10, box.y + 150 + 80 * Math.sin(i / 3));
  await tablet.mouse.up();
  await look(tablet, "tablet-sign");
  // The network drops, the page is loaded again, the service is killed: the strokes wait, and count once.
  server.kill("SIGKILL");
  await tablet.click("#send");
  await tablet.waitForSelector("[data-offline]:not([hidden])");
  await look(tablet, "tablet-offline");
  await server.start();
  await tablet.waitForSelector("[data-step=done]:not([hidden])", { timeout: 60_000 });
  assert.equal(await tablet.locator("[data-waiting] p").count(), 1, "it says who signs next");
  await look(tablet, "tablet-done");
  await tablet.reload();
  assert.equal(await tablet.locator("[data-step]").count(), 0, "the contract is shown no more");

  // Whoever does not sign: each way out is a screen that gives the tablet back, and is recorded.
  for (const way of ways) {
    const another = await sit(agent, contracts[way]);
    if (way === "leave") {
      await another.clock.install();
      await another.reload();
      await another.clock.fastForward(4 * 60_000 + 1_000);
      await another.waitForSelector("#still[open]");
      await look(another, "tablet-timeout");
      await another.clock.fastForward(61_000);
      await another.waitForSelector("[data-step=ended]:not([hidden])");
    } else {
      await another.click("[data-go=page-1]");
      if (way === "mistake") await another.click("[data-step=page-1] [data-go=mistake]");
      else await another.locator(`[data-step=sign] [data-go=${way}]`).evaluate((it) => it.click());
      await look(another, `tablet-${way}`);
      await another.click(`[data-act=${way}]`);
      await another.waitForSelector(`[data-step=${way}-done]:not([hidden])`);
    }
    await look(another, `tablet-${way}-done`);
    assert.notEqual(await another.locator("[data-last]:not([hidden]) .strong").innerText(), "");
    await another.context().close();
  }
  for (const [way, state] of [["refuse", "refused"], ["later", "presented"]]) {
    const answer = await agentContext.request.get(`http://${main}/v1/documents/${contracts[way]}`);
    assert.equal((await answer.json()).state, state);
  }

  await agent.goto(`http://${main}/dossiers/${id}`);
  assert.equal(await agent.locator(".state").first().innerText(), "Signé en partie");
  await look(agent, "document-signed");
  const held = await (await agentContext.request.get(`http://${main}/v1/documents/${id}`)).json();
  assert.equal(held.versions.length, 2, "signed once");
  await agent.goto(`http://${main}/accessibilite`);
  await look(agent, "accessibility");

  const signed = await file();
  const forged = Buffer.from(signed);
  forged[forged.length >> 1] ^= 1;
  for (const language of ["fr", "ar"]) {
    assert.match((await verify(language, "signed", signed))[0], /mind/);
    assert.match((await verify(language, "forged", forged))[0], /bad/);
    assert.match((await verify(language, "foreign", Buffer.from("%PDF-1.7\nnothing\n")))[0], /mind/);
    const [own, page] = await context({ locale: language, javaScriptEnabled: true });
    await page.goto(`http://${open}/v/${encodeURIComponent(reference)}`);
    assert.equal(await page.locator(".finding dd").count(), 2);
    await look(page, `paper-${language}`);
    assert.equal((await page.goto(`http://${open}/v/nobody-has-this`)).status(), 404);
    await look(page, `paper-unknown-${language}`);
    await own.close();
  }
  assert.match((await verify("fr", "presented", presented))[0], /mind/);
  assert.deepEqual([...new Set(faults)], []);
  console.log("walked: no fault");
} finally {
  await close();
  await server.remove();
}
