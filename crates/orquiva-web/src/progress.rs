//! A connection that ends when its other end stops reading. TCP alone would keep it, and the answer in it, for many
//! minutes. Who reads slowly, or a stream in which nothing happens, is let be.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long what was written may wait without a byte of it being taken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, and until when it has to go on.
pub(crate) struct Progress<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be taken.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Progress<S> {
    /// Watches over `stream`.
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, patience: PATIENCE, stuck: None }
    }

    /// Passes on how a writing went; once nothing has gone on for too long, it has failed.
    fn judge<T>(&mut self, went: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if went.is_ready() {
            self.stuck = None;
            return went;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end has stopped reading")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(went, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(went, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn who_stops_reading_is_let_go_and_who_reads_is_not() {
        let (near, mut far) = duplex(64);
        let mut near = Progress::of(near);
        let (sent, read) = tokio::join!(near.write_all(&[7; 640]), async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
                far.read_exact(&mut [0; 64]).await.expect("the connection lives on");
            }
        });
        assert_eq!((sent.expect("a slow reader gets everything"), read), ((), ()));
        assert!(near.stuck.is_none(), "nothing waits, so nothing runs out");

        near.patience = Duration::from_millis(1);
        near.write_all(&[7; 64]).await.expect("as much as waits on the way");
        let refused = near.write_all(&[7; 1]).await.expect_err("nobody reads");
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }
}
