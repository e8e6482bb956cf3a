//! A stream of Server-Sent Events as a client reads it.

use axum::body::Body;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::harness::Caller;

/// A stream of Server-Sent Events.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Body,
    ahead: Vec<Block>,
}

/// One block of a stream: `id`, `event` and `data`, each if it was there, and whether there was a comment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Option<i64>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<Value>,
    pub(crate) comment: bool,
}

impl Caller<'_> {
    /// Opens a stream, and reads the block that it begins with.
    pub(crate) async fn listen(&self, path: &str, last: Option<&str>) -> (Stream, Block) {
        let mut request = self.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.orq.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let mut stream =
            Stream { status: parts.status.as_u16(), headers: parts.headers, body, ahead: Vec::new() };
        assert_eq!(stream.status, 200, "{:?}", stream.body.collect().await);
        stream.ahead = stream.blocks().await.unwrap();
        let first = stream.ahead.remove(0);
        (stream, first)
    }
}

impl Stream {
    /// The next blocks, at least one; nothing once the stream has ended.
    pub(crate) async fn blocks(&mut self) -> Option<Vec<Block>> {
        if !self.ahead.is_empty() {
            return Some(std::mem::take(&mut self.ahead));
        }
        let patience = std::time::Duration::from_secs(20);
        let frame =
            tokio::time::timeout(patience, self.body.frame()).await.expect("the stream says something");
        let bytes = frame?.unwrap().into_data().unwrap();
        let text = str::from_utf8(&bytes).unwrap().strip_suffix("\n\n").expect("whole blocks").to_owned();
        Some(text.split("\n\n").map(block).collect())
    }

    /// The next blocks, if there are any at this moment.
    pub(crate) async fn blocks_now(&mut self) -> Option<Vec<Block>> {
        let soon = std::time::Duration::from_millis(50);
        tokio::time::timeout(soon, self.blocks()).await.ok().flatten()
    }
}

fn block(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.lines() {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("id", id) => block.id = Some(id.parse().unwrap()),
            ("event", event) => block.event = Some(event.to_owned()),
            ("data", data) => block.data = Some(serde_json::from_str(data).unwrap()),
            ("retry", millis) => assert_eq!(millis, "2000"),
            ("", _) => block.comment = true,
            (other, _) => panic!("`{other}` is no field of an event"),
        }
    }
    block
}
