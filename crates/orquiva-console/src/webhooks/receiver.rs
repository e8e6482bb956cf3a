//! A receiver that checks signatures, ready to be copied: it runs as it is shown.

use orquiva_core::Language;
use url::Url;

/// A receiver for one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    port: u16,
    secret: String,
    language: Language,
}

impl Receiver {
    /// For an endpoint at `url`: one on this very machine listens where it is.
    pub(crate) fn of(url: &str, secret: &str, language: Language) -> Self {
        let parsed = Url::parse(url).ok();
        let is_local = |url: &&Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let port = parsed.as_ref().filter(is_local).and_then(Url::port).unwrap_or(3000);
        Self { port, secret: secret.to_owned(), language }
    }

    /// For Node 18 or newer, without further packages.
    pub(crate) fn node(&self) -> String {
        let Self { port, secret, language } = self;
        let raw = language.pick("los bytes tal como llegaron", "the bytes as they came");
        let repeat =
            language.pick("si event.id ya llegó antes, no haga nada", "if event.id came before, do nothing");
        format!(
            r#"// node receiver.mjs
import {{ createHmac, timingSafeEqual }} from "node:crypto";
import {{ createServer }} from "node:http";
import {{ buffer }} from "node:stream/consumers";

const secret = "{secret}";

function verify(rawBody, header) {{
  const parts = String(header).split(",").map((part) => part.split("="));
  const t = parts.find(([name]) => name === "t")?.[1];
  if (!t || !(Math.abs(Date.now() / 1000 - Number(t)) <= 300)) return false;
  const expected = createHmac("sha256", secret).update(`${{t}}.`).update(rawBody).digest();
  return parts.some(([name, hex]) => {{
    const given = Buffer.from(name === "v1" ? hex ?? "" : "", "hex");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }});
}}

createServer(async (request, response) => {{
  const rawBody = await buffer(request); // {raw}
  if (!verify(rawBody, request.headers["x-orq-signature"])) return response.writeHead(401).end();
  const event = JSON.parse(rawBody); // {repeat}
  console.log(event.type, event.id);
  response.writeHead(204).end();
}}).listen({port});"#
        )
    }

    /// For Python 3, without further packages.
    pub(crate) fn python(&self) -> String {
        let Self { port, secret, language } = self;
        let raw = language.pick("los bytes como llegaron", "the bytes as they came");
        let repeat = language.pick(
            "si event[\"id\"] ya llegó antes, no haga nada",
            "if event[\"id\"] came before, do nothing",
        );
        format!(
            r#"# python3 receiver.py
import hashlib, hmac, json, time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = b"{secret}"

def verify(raw_body, header):
    parts = [part.partition("=")[::2] for part in header.split(",")]
    t = next((value for name, value in parts if name == "t"), "")
    if not t.isdigit() or abs(time.time() - int(t)) > 300:
        return False
    expected = hmac.new(SECRET, t.encode() + b"." + raw_body, hashlib.sha256).hexdigest()
    return any(name == "v1" and hmac.compare_digest(value.encode(), expected.encode()) for name, value in parts)

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        raw_body = self.rfile.read(int(self.headers["content-length"]))  # {raw}
        if not verify(raw_body, self.headers.get("x-orq-signature", "")):
            self.send_response(401)
            return self.end_headers()
        event = json.loads(raw_body)  # {repeat}
        print(event["type"], event["id"], flush=True)
        self.send_response(204)
        self.end_headers()

HTTPServer(("", {port}), Receiver).serve_forever()"#
        )
    }
}
