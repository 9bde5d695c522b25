// While the page says that something is under way, asks for it again and shows how far it has come.
const every = 1500;

async function look() {
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, next] = [document, page].map((it) => it.querySelector("[data-live]"));
    if (!next) return location.reload();
    // The region itself stays, so that a screen reader hears what changes in it.
    for (const name of ["[role=status]", "progress", ".figures"]) {
      const [old, fresh] = [now, next].map((it) => it.querySelector(name));
      if (!old || !fresh || old.outerHTML === fresh.outerHTML) continue;
      if (old.tagName === "PROGRESS") { if (fresh.hasAttribute("value")) old.value = fresh.value; }
      else old.replaceChildren(...fresh.childNodes);
    }
  } catch {
    // The network is away for a moment: ask again.
  }
  setTimeout(look, every);
}

setTimeout(look, every);
