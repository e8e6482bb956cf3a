//! Server-Sent Events, taken apart as they come.

/// One event of a stream: whatever of it was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Where to go on from.
    pub(super) id: Option<i64>,
    /// The type.
    pub(super) event: Option<String>,
    /// The event itself.
    pub(super) data: Option<String>,
}

/// What has come and is no whole block yet.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<u8>);

impl Blocks {
    /// Takes what came, and gives the blocks that are whole by now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Block> {
        self.0.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(end) = self.0.windows(2).position(|two| two == b"\n\n") {
            let text: Vec<u8> = self.0.drain(..end + 2).collect();
            whole.push(block(&String::from_utf8_lossy(&text)));
        }
        whole
    }
}

fn block(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => block.id = value.parse().ok(),
            "event" => block.event = Some(value.to_owned()),
            "data" => block.data = Some(value.to_owned()),
            _ => {} // a comment, or when to come back
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_however_they_are_cut() {
        let stream = "retry: 2000\nid: 1\n\n:\n\nid: 2\nevent: employee.created\ndata: {\"é\": 1}\n\nid: 3";
        let event = Block {
            id: Some(2),
            event: Some("employee.created".to_owned()),
            data: Some("{\"é\": 1}".to_owned()),
        };
        let whole = [Block { id: Some(1), ..Block::default() }, Block::default(), event];
        for size in 1..stream.len() {
            let mut blocks = Blocks::default();
            let found: Vec<_> = stream.as_bytes().chunks(size).flat_map(|piece| blocks.take(piece)).collect();
            assert_eq!(found, whole, "in pieces of {size}");
        }
    }
}
