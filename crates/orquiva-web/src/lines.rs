//! A long answer in parts: it is made no faster than it is read, and a reader who stops reading is let go.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use orquiva_store::StoreError;
use tokio::sync::mpsc;

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A part that is not taken within this time is the last.
    pub part: Duration,
    /// The whole.
    pub whole: Duration,
}

/// Why an answer ended too early.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    /// Nobody reads it any more.
    #[error("its reader went away")]
    Gone,
    /// Its patience ended.
    #[error("its reader was too slow")]
    Slow,
    /// What it was made of could not be read.
    #[error("its source failed")]
    Source(#[from] StoreError),
}

/// Takes the parts of an answer, one after the other.
pub struct Parts {
    sender: mpsc::Sender<Option<Bytes>>,
    patience: Duration,
}

impl Parts {
    /// Hands on the next part once the last one was taken.
    pub async fn put(&self, part: impl Into<Bytes>) -> Result<(), BrokenOff> {
        self.send(Some(part.into())).await
    }

    async fn send(&self, part: Option<Bytes>) -> Result<(), BrokenOff> {
        let sent = tokio::time::timeout(self.patience, self.sender.send(part)).await;
        sent.map_err(|_| BrokenOff::Slow)?.map_err(|_| BrokenOff::Gone)
    }
}

/// The body of an answer in parts. It ends well only if its maker was done: one that broke off breaks off the
/// transfer, so that nobody takes a part for the whole.
pub struct Lines(mpsc::Receiver<Option<Bytes>>);

/// Starts `make` and gives the body of what it puts. What it holds is let go when it is done or the patience ends.
pub fn stream<R>(patience: Patience, make: impl FnOnce(Parts) -> R + Send + 'static) -> Lines
where
    R: Future<Output = Result<Parts, BrokenOff>> + Send,
{
    let (sender, lines) = mpsc::channel(1);
    let parts = Parts { sender, patience: patience.part };
    tokio::spawn(async move {
        let making = async { make(parts).await?.send(None).await };
        let made = tokio::time::timeout(patience.whole, making).await.unwrap_or(Err(BrokenOff::Slow));
        match made {
            Ok(()) | Err(BrokenOff::Gone) => {}
            Err(cause @ (BrokenOff::Slow | BrokenOff::Source(_))) => {
                tracing::warn!(%cause, "a long answer broke off");
            }
        }
    });
    Lines(lines)
}

impl Body for Lines {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match ready!(self.0.poll_recv(context)) {
            Some(Some(part)) => Some(Ok(Frame::data(part))),
            Some(None) => None,
            None => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_was_made_whole_ends_well() {
        let lines = stream(Patience { part: LONG, whole: LONG }, async |parts: Parts| {
            for number in 0..5 {
                parts.put(format!("{number}\n")).await?;
            }
            Ok(parts)
        });
        let whole = lines.collect().await.expect("it ends well").to_bytes();
        assert_eq!(whole, "0\n1\n2\n3\n4\n");
    }

    #[tokio::test]
    async fn what_broke_off_is_never_taken_for_the_whole() {
        let failing = stream(Patience { part: LONG, whole: LONG }, async |parts: Parts| {
            parts.put("0\n").await?;
            Err(StoreError::Unavailable("gone".to_owned()).into())
        });
        assert!(failing.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_reader_who_stops_reading_is_let_go() {
        for patience in [
            Patience { part: Duration::from_millis(1), whole: LONG },
            Patience { part: LONG, whole: Duration::from_millis(1) },
        ] {
            let (held, mut released) = mpsc::channel::<()>(1);
            let mut lines = stream(patience, async move |parts: Parts| {
                let _held = held;
                loop {
                    parts.put("a line\n").await?;
                }
            });
            assert_eq!(released.recv().await, None, "what the maker holds is let go");
            assert!(lines.frame().await.expect("a part that was ready").is_ok());
            assert!(lines.frame().await.expect("the end is told").is_err());
        }
    }
}
