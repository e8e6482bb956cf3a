//! How a receiver can misbehave, and what it sends when it does.

/// How a receiver misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes no connection: its queue is full.
    NeverAccepts,
    /// Closes each connection at once.
    ClosesAtOnce,
    /// Takes the request and never answers.
    NeverAnswers,
    /// Sends the head of its answer bit by bit, without end.
    DripsHead,
    /// Sends a good head at once, and then its body bit by bit.
    DripsBody,
    /// Says again and again that an answer will come.
    KeepsPromising,
    /// Sends a good answer whose body never ends, as fast as it is taken.
    EndlessBody,
    /// Sends a good answer that unpacks to 150 times its length.
    GzipBomb,
    /// Sends one header of a mebibyte.
    HugeHeader,
    /// Sends a thousand headers.
    ManyHeaders,
    /// Reads the request, then resets the connection.
    ResetsBeforeHead,
    /// Resets it in the middle of the head.
    ResetsInHead,
    /// Resets it in the middle of the body.
    ResetsInBody,
    /// Answers in the words of another protocol.
    SpeaksNoHttp,
    /// Sends whoever comes to the metadata service of a cloud.
    RedirectsInside,
    /// Answers 410.
    Gone,
    /// Answers 429 with `Retry-After`: an hour.
    Busy,
    /// Answers 500 and 204 in turn, each on a connection of its own.
    Flaps,
    /// Takes the connection and says nothing about TLS.
    SilentTls,
    /// Speaks TLS 1.1 at most.
    OldTls,
    /// Speaks plain HTTP where TLS is expected.
    PlainTls,
    /// Has a certificate that it signed itself.
    SelfSigned,
    /// Has a certificate that has expired.
    Expired,
    /// Has a certificate for another name.
    WrongName,
}

/// Whether a receiver goes on after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    Reset,
    KeepOpen,
    /// Sends this again and again: as fast as it is taken, or slowly.
    Repeat(&'static [u8], bool),
}

impl Manner {
    /// Every one.
    pub const ALL: &[Self] = &[
        Self::NeverAccepts,
        Self::ClosesAtOnce,
        Self::NeverAnswers,
        Self::DripsHead,
        Self::DripsBody,
        Self::KeepsPromising,
        Self::EndlessBody,
        Self::GzipBomb,
        Self::HugeHeader,
        Self::ManyHeaders,
        Self::ResetsBeforeHead,
        Self::ResetsInHead,
        Self::ResetsInBody,
        Self::SpeaksNoHttp,
        Self::RedirectsInside,
        Self::Gone,
        Self::Busy,
        Self::Flaps,
        Self::SilentTls,
        Self::OldTls,
        Self::PlainTls,
        Self::SelfSigned,
        Self::Expired,
        Self::WrongName,
    ];

    /// Whether it is reached by `https`.
    pub fn is_secure(self) -> bool {
        use Manner::{Expired, OldTls, PlainTls, SelfSigned, SilentTls, WrongName};
        matches!(self, SilentTls | OldTls | PlainTls | SelfSigned | Expired | WrongName)
    }

    /// What it answers to its request number `turn`, and what it does then.
    pub(crate) fn answer(self, turn: u64) -> (Vec<u8>, Then) {
        let (text, then) = match self {
            Self::NeverAnswers => ("", Then::KeepOpen),
            Self::DripsHead => ("HTTP/1.1 200 OK\r\n", Then::Repeat(b"x: y\r\n", false)),
            Self::DripsBody => {
                ("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", Then::Repeat(b"x", false))
            }
            Self::KeepsPromising => ("", Then::Repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", false)),
            Self::EndlessBody => ("HTTP/1.1 200 OK\r\n\r\n", Then::Repeat(&[b'x'; 16 * 1024], true)),
            Self::GzipBomb => return (bomb(), Then::KeepOpen),
            Self::HugeHeader => ("HTTP/1.1 200 OK\r\nx: ", Then::Repeat(&[b'y'; 16 * 1024], true)),
            Self::ManyHeaders => return (many_headers(), Then::KeepOpen),
            Self::ResetsBeforeHead => ("", Then::Reset),
            Self::ResetsInHead => ("HTTP/1.1 200 OK\r\ncontent-le", Then::Reset),
            Self::ResetsInBody => ("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf of", Then::Reset),
            Self::SpeaksNoHttp => ("SSH-2.0-OpenSSH_9.9\r\n", Then::KeepOpen),
            Self::RedirectsInside => (
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest/meta-data/\r\n\
                 content-length: 0\r\n\r\n",
                Then::KeepOpen,
            ),
            Self::Gone => ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen),
            Self::Busy => (
                "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n",
                Then::KeepOpen,
            ),
            Self::Flaps if turn.is_multiple_of(2) => (
                "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                Then::Close,
            ),
            Self::Flaps => ("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", Then::Close),
            Self::PlainTls => ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Then::Close),
            Self::SelfSigned | Self::Expired | Self::WrongName => {
                ("HTTP/1.1 204 No Content\r\n\r\n", Then::KeepOpen) // to whom it should not have got
            }
            Self::NeverAccepts | Self::ClosesAtOnce | Self::SilentTls | Self::OldTls => ("", Then::Close),
        };
        (text.as_bytes().to_vec(), then)
    }
}

fn many_headers() -> Vec<u8> {
    let mut head = String::from("HTTP/1.1 200 OK\r\n");
    for number in 0..1000 {
        head.push_str(&format!("x-{number}: y\r\n"));
    }
    head.push_str("content-length: 0\r\n\r\n");
    head.into_bytes()
}

/// A body of 48 KiB in gzip (RFC 1951, RFC 1952) that is seven mebibytes of nothing: a zero, and then again and again
/// "258 bytes as the last one", of 13 bits.
fn bomb() -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |code: u32, length: u32, most_first: bool| {
        for at in 0..length {
            let bit = if most_first { code >> (length - 1 - at) } else { code >> at } & 1;
            bits |= bit << count;
            count += 1;
            if count == 8 {
                packed.push(bits as u8);
                (bits, count) = (0, 0);
            }
        }
    };
    put(0b011, 3, false); // the last block, with the fixed codes
    put(0b0011_0000, 8, true); // a zero
    for _ in 0..30_000 {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 7, true); // its end
    put(0, 7, false);
    packed.extend([0; 8]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n";
    [format!("{head}content-length: {}\r\n\r\n", packed.len()).into_bytes(), packed].concat()
}
