//! The load: kept-alive connections that send prepared requests and check every answer. It speaks just enough
//! HTTP/1.1 to be cheap, because it shares the machine with what it measures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::machine::now;

/// Clients that send at the same time.
pub(crate) const CLIENTS: usize = 64;

/// Writes the next request of a client into the buffer.
pub(crate) type Fill = Arc<dyn Fn(usize, &mut Vec<u8>) + Send + Sync>;

/// A closed loop: each client sends its next request when the last one is answered.
pub(crate) struct Load {
    /// The server.
    pub(crate) at: SocketAddr,
    /// For how long.
    pub(crate) time: Duration,
    /// Most requests; `u64::MAX` for no bound.
    pub(crate) most: u64,
    /// The status of a good answer.
    pub(crate) expect: u16,
    /// The requests.
    pub(crate) fill: Fill,
}

/// What came of a load; every answer was a good one.
pub(crate) struct Done {
    pub(crate) answers: u64,
    pub(crate) start: Instant,
    pub(crate) time: Duration,
    /// Of each answer, in microseconds, sorted.
    pub(crate) latencies: Vec<u32>,
}

impl Load {
    /// Runs with [`CLIENTS`] clients. One answer that is not the expected one fails the whole run.
    pub(crate) async fn run(self) -> anyhow::Result<Done> {
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            connections.push(Connection::open(self.at).await?);
        }
        let taken = Arc::new(AtomicU64::new(0));
        let start = now();
        let load = Arc::new(self);
        let mut clients = JoinSet::new();
        for (index, connection) in connections.into_iter().enumerate() {
            clients.spawn(client(load.clone(), connection, index, taken.clone(), start + load.time));
        }
        let mut latencies = Vec::new();
        let mut refused: BTreeMap<u16, (u64, String)> = BTreeMap::new();
        while let Some(ended) = clients.join_next().await {
            let (times, wrong) = ended??;
            latencies.extend(times);
            for (status, body) in wrong {
                refused.entry(status).or_insert((0, body)).0 += 1;
            }
        }
        let time = start.elapsed();
        let answers = latencies.len() as u64;
        for (status, (count, first)) in &refused {
            eprintln!("  {count} answers were {status}, the first: {first}");
        }
        let wrong: u64 = refused.values().map(|(count, _)| count).sum();
        ensure!(wrong == 0, "{wrong} of {} answers were not {}", wrong + answers, load.expect);
        ensure!(answers > 0, "nothing was answered");
        latencies.sort_unstable();
        Ok(Done { answers, start, time, latencies })
    }
}

type Ended = (Vec<u32>, Vec<(u16, String)>);

async fn client(
    load: Arc<Load>,
    mut connection: Connection,
    index: usize,
    taken: Arc<AtomicU64>,
    until: Instant,
) -> anyhow::Result<Ended> {
    let (mut times, mut wrong, mut request) = (Vec::new(), Vec::new(), Vec::with_capacity(2048));
    loop {
        let sent = now();
        if sent >= until || taken.fetch_add(1, Ordering::Relaxed) >= load.most {
            return Ok((times, wrong));
        }
        request.clear();
        (load.fill)(index, &mut request);
        let status = connection.exchange(&request).await?;
        match status == load.expect {
            true => times.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX)),
            false => wrong.push((status, connection.body().into_owned())),
        }
    }
}

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: Range<usize>,
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "the load goes to servers that this program started")]
    pub(crate) async fn open(at: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(at).await.with_context(|| format!("nobody listens on {at}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024), body: 0..0 })
    }

    /// Sends a request and reads the whole answer; returns its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if self.buffer.capacity() - self.buffer.len() < 4096 {
                self.buffer.reserve(self.buffer.len());
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection in the middle of an answer");
            if head.is_none() {
                head = read_head(&self.buffer)?;
            }
            if let Some((status, body)) = &head
                && self.buffer.len() >= body.end
            {
                ensure!(self.buffer.len() == body.end, "the server sent more than its answer");
                self.body = body.clone();
                return Ok(*status);
            }
        }
    }

    /// Sends a request whose answer has to have the status `expect`; returns its body as JSON.
    pub(crate) async fn call(&mut self, request: &[u8], expect: u16) -> anyhow::Result<serde_json::Value> {
        let status = self.exchange(request).await?;
        if status != expect {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            bail!("{} was answered with {status}: {}", String::from_utf8_lossy(line), self.body());
        }
        Ok(serde_json::from_slice(&self.buffer[self.body.clone()])?)
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.buffer[self.body.clone()])
    }

    /// The last header of this name in the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(self.buffer.get(..self.body.start)?).ok()?;
        let headers = head.split("\r\n").filter_map(|line| line.split_once(": "));
        headers.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).last()
    }

    /// Its length.
    pub(crate) fn body_length(&self) -> usize {
        self.body.len()
    }
}

/// Reads status and place of the body, once the head is complete.
fn read_head(bytes: &[u8]) -> anyhow::Result<Option<(u16, Range<usize>)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).context("an answer's head is not text")?;
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).context("an answer has no status")?;
    let length = head.split("\r\n").skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => bail!("an answer does not tell its length: {head}"),
    };
    Ok(Some((status, end + 4..end + 4 + length)))
}

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, token: &str, kind: &str, body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    if !token.is_empty() {
        text.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if !kind.is_empty() {
        text.push_str(&format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Hires of one company; each has a number of its own, which its e-mail and its idempotency key carry.
pub(crate) struct Hires {
    token: String,
    head: Vec<u8>,
}

impl Hires {
    pub(crate) fn of(token: &str) -> Self {
        let mut length = Vec::new();
        hire(0, &mut length);
        let head = format!(
            "POST /v1/employees HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nidempotency-key: hire-",
            length.len()
        );
        Self { token: token.to_owned(), head: head.into_bytes() }
    }

    /// All of these numbers in one request, under the key of the first.
    pub(crate) fn batch(&self, numbers: &[u64]) -> Vec<u8> {
        let mut body = br#"{"items":["#.to_vec();
        for (index, number) in numbers.iter().enumerate() {
            body.extend_from_slice(if index == 0 { br#"{"data":"# } else { br#",{"data":"# });
            hire(*number, &mut body);
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        let head = format!(
            "POST /v1/employees/batch HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nidempotency-key: batch-{}\r\n\r\n",
            self.token,
            body.len(),
            numbers.first().copied().unwrap_or_default(),
        );
        [head.into_bytes(), body].concat()
    }

    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(format!("{number:031}\r\n\r\n").as_bytes());
        hire(number, out);
    }
}

const BEFORE_NUMBER: &str = r#""email":"ana.ruiz."#;

fn hire(number: u64, out: &mut Vec<u8>) {
    let [name, rest] = [
        r#"{"fullName":"Ana Ruiz Gómez","#,
        r#"@example.com","department":"Ventas","jobTitle":"Comercial","startDate":"2026-01-12"}"#,
    ];
    for part in [name, BEFORE_NUMBER, &format!("{number:012}"), rest] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The number of the hire that a webhook's body tells of.
pub(crate) fn number_in(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(BEFORE_NUMBER)?;
    rest.get(..12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y\r\n\r\nok";
        assert_eq!(read_head(&text[..30]).expect("a beginning"), None);
        let (status, body) = read_head(text).expect("an answer").expect("a whole one");
        assert_eq!((status, &text[body]), (201, &b"ok"[..]));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_hire_tells_its_length_and_its_number() {
        let mut out = Vec::new();
        Hires::of("token").write(42, &mut out);
        let text = String::from_utf8(out).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        assert_eq!(number_in(body.as_bytes()), Some(42));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
