// Asks mail and calendar programs that are not ours whether messages are what they claim to be.
//
//   node tests/judges/node/mail.mjs FOLDER: every NAME.eml of the folder must be read as NAME.json says by mailparser, its DKIM signature
//   must verify with mailauth under the record in dkim.txt, and node-ical must read its calendar. With --broken first,
//   each message, changed in one place, must be refused.
//
// The last line is `N passed, N failed`. Exits with 1 when any failed or nothing was there to judge.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { simpleParser } from "mailparser";
import ical from "node-ical";

const red = process.argv[2] === "--broken";
const folder = process.argv.at(-1);
const record = readFileSync(join(folder, "dkim.txt"), "utf8");

const resolver = async (name, type) => {
  if (type === "TXT" && name === "paraphe._domainkey.example.org") return [[record]];
  throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
};

async function complaints(raw, wanted) {
  const found = [];
  const say = (right, what) => right || found.push(what);
  const { results } = await dkimVerify(raw, { resolver });
  say(results.length === 1 && results[0].status.result === "pass", `mailauth: ${JSON.stringify(results[0]?.status)}`);
  const mail = await simpleParser(raw);
  say(mail.subject.endsWith(wanted.reference), `subject: ${mail.subject}`);
  say(mail.messageId === wanted.message_id, `message-id: ${mail.messageId}`);
  say(mail.to.value[0].address === wanted.to, "to");
  say(mail.from.text === mail.replyTo.text, "from and reply-to");
  say(mail.text.includes(wanted.reference) && mail.html.includes(wanted.reference), "text");
  const file = mail.attachments.find((it) => it.contentType === "application/pdf");
  say(file?.filename === `${wanted.stem}.pdf`, `name: ${file?.filename}`);
  say(file?.content.toString("latin1") === wanted.file, "the file is not the file");
  const calendars = mail.attachments.filter((it) => it.contentType === "text/calendar");
  const inline = raw.toString().split("text/calendar").length - 1;
  say(inline === (wanted.events.length ? 2 : 0), `${inline} calendars`);
  for (const calendar of calendars) {
    const events = Object.values(ical.sync.parseICS(calendar.content.toString())).filter((it) => it.type === "VEVENT");
    const read = events.map((it) => ({ uid: it.uid, start: it.start.toISOString().replace(".000", ""), end: it.end.toISOString().replace(".000", "") }));
    say(JSON.stringify(read) === JSON.stringify(wanted.events), `node-ical: ${JSON.stringify(read)}`);
  }
  return found;
}

function* changed(raw) {
  const text = raw.toString("latin1");
  const bytes = (it) => Buffer.from(it, "latin1");
  yield ["a word of the subject", bytes(text.replace("votre", "notre"))];
  yield ["a second sender", bytes("From: a@example.com\r\n" + text)];
  yield ["a line more", bytes(text + "more\r\n")];
}

let passed = 0;
let failed = 0;
for (const name of readdirSync(folder).filter((it) => it.endsWith(".eml")).sort()) {
  const raw = readFileSync(join(folder, name));
  const wanted = JSON.parse(readFileSync(join(folder, name.replace(/eml$/, "json")), "utf8"));
  for (const [what, message] of red ? changed(raw) : [["", raw]]) {
    const found = await complaints(message, wanted);
    const good = found.length > 0 === red;
    good ? passed++ : failed++;
    console.log(`${good ? "ok  " : "FAIL"} ${name} ${what} ${found.join("; ")}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
