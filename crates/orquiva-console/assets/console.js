// The little that pages cannot do without a script: every page works without it, and is nicer with it.
document.documentElement.classList.add("script");

// Moments in the zone of whoever reads them.
const language = document.documentElement.lang;
const format = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime()) && time.dateTime.includes("T")) {
      time.textContent = format.format(at);
      time.title = time.dateTime;
    }
  }
}
localise(document);

// What was just done is not said again on reload.
if (location.search.includes("said=")) {
  const url = new URL(location.href);
  url.searchParams.delete("said");
  history.replaceState(history.state, "", url);
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = copy.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without permission, or not over TLS: mark it, so that the keyboard can copy it.
      getSelection().selectAllChildren(copy.parentElement.querySelector("code"));
      return;
    }
    const label = copy.querySelector(".hidden");
    const before = label.textContent;
    copy.classList.add("copied");
    copy.title = label.textContent = document.body.dataset.copied;
    setTimeout(() => {
      copy.classList.remove("copied");
      copy.title = label.textContent = before;
    }, 1600);
  }
  const menu = event.target.closest("[data-menu]");
  if (menu) {
    const open = menu.closest(".side").classList.toggle("open");
    menu.setAttribute("aria-expanded", String(open));
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The first field that is wrong, or else the first field of a page that is a form.
const wrong = document.querySelector("[aria-invalid=true]");
if (wrong) wrong.focus();

// Fields for day and time are sent in UTC and shown in the zone of whoever reads them.
const pad = (number) => String(number).padStart(2, "0");
for (const field of document.querySelectorAll("input[data-utc]")) {
  const at = field.value && new Date(`${field.value}Z`);
  if (at && !Number.isNaN(at.getTime())) {
    const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
    field.value = `${day}T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`.slice(0, field.value.length);
  }
}
document.addEventListener("formdata", (event) => {
  for (const field of event.target.querySelectorAll("input[data-utc]")) {
    if (field.value) event.formData.set(field.name, new Date(field.value).toISOString().slice(0, field.value.length));
  }
});

// Parts that change by themselves: `data-refresh` says after how many milliseconds the same page is asked for again,
// and the part with the same id is put in its place; `data-from` names another page to ask for. It rests while nobody looks.
for (const part of document.querySelectorAll("[data-refresh]")) refresh(part.id, Number(part.dataset.refresh));
function refresh(id, millis) {
  setTimeout(async () => {
    const part = document.getElementById(id);
    if (!part) return;
    if (!document.hidden && !part.contains(document.activeElement)) {
      try {
        const answer = await fetch(part.dataset.from ?? location.href, { headers: { accept: "text/html" }, redirect: "error" });
        const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
        if (fresh && fresh.innerHTML !== part.dataset.was) {
          part.dataset.was = fresh.innerHTML;
          const open = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
          part.innerHTML = fresh.innerHTML;
          for (const one of part.querySelectorAll("details[id]")) one.open = open.get(one.id) ?? one.open;
          localise(part);
        }
        if (fresh && !fresh.dataset.refresh) return;
      } catch {
        // The server is away: the next time may do.
      }
    }
    refresh(id, millis);
  }, millis);
}

// Passkeys: the browser's answer is put into the form that asked for it.
const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!globalThis.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.dataset.answered) return;
    event.preventDefault();
    event.stopPropagation();
    const fault = form.querySelector("[data-passkey-fault]");
    fault.hidden = true;
    try {
      const { id, response } = form.dataset.passkey === "get" ? await useKey(form) : await makeKey(form);
      const fields = { passkey_id: id, client_data: base64(response.clientDataJSON) };
      if (response.signature) {
        Object.assign(fields, { authenticator_data: base64(response.authenticatorData), signature: base64(response.signature) });
      } else {
        Object.assign(fields, { authenticator_data: base64(response.getAuthenticatorData()), public_key: base64(response.getPublicKey()), algorithm: response.getPublicKeyAlgorithm() });
      }
      for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      form.dataset.answered = "1";
      form.requestSubmit();
    } catch {
      fault.textContent = fault.dataset.text;
      fault.hidden = false;
    }
  });
}
function useKey(form) {
  return navigator.credentials.get({ publicKey: { challenge: bytes(form.dataset.challenge), userVerification: "required" } });
}
function makeKey(form) {
  const { challenge, host, user, userName, email, known } = form.dataset;
  return navigator.credentials.create({
    publicKey: {
      challenge: bytes(challenge),
      rp: { id: host, name: "Orquiva" },
      user: { id: new TextEncoder().encode(user), name: email, displayName: userName },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: known.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytes(id) })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
    },
  });
}
// People by what was typed so far, for fields that name someone.
for (const field of document.querySelectorAll("[data-suggest]")) {
  let asked = "";
  field.addEventListener("input", async () => {
    const q = field.value.trim();
    if (q.length < 2 || q === asked) return;
    asked = q;
    try {
      const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(q)}`, { redirect: "error" });
      const people = answer.ok ? await answer.json() : [];
      if (q !== asked) return;
      field.list.replaceChildren(...people.map(({ email, name }) => Object.assign(document.createElement("option"), { value: email, label: `${name} · ${email}` })));
    } catch {
      // Without suggestions the whole address can be typed.
    }
  });
}
// Charts: what is pointed at, or reached with the arrow keys, is said below.
function read(hit) {
  const reading = document.querySelector(`[data-reading="${hit.ownerSVGElement.dataset.plot}"]`);
  if (reading) reading.textContent = hit.querySelector("title").textContent;
}
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => event.target.matches?.(".hit") && read(event.target));
}
document.addEventListener("keydown", (event) => {
  const hit = event.target;
  if (!hit.matches?.(".hit")) return;
  const all = [...hit.ownerSVGElement.querySelectorAll(".hit")];
  const at = all.indexOf(hit);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined || !all[next]) return;
  event.preventDefault();
  hit.tabIndex = -1;
  all[next].tabIndex = 0;
  all[next].focus();
});
