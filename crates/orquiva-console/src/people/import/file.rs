//! A file of comma-separated values as spreadsheets write them: how it is encoded, what parts its cells, its rows.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How much of a file is looked at to guess what parts its cells.
const SAMPLE: usize = 64 * 1024;

/// What may part cells.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) encoding: &'static Encoding,
    pub(super) separator: u8,
}

impl Shape {
    /// The most likely one.
    pub(super) fn guess(bytes: &[u8]) -> Self {
        let encoding = encoding(bytes);
        let sample = &bytes[..bytes.len().min(SAMPLE)];
        let score = |separator: &u8| {
            let mut rows = rows(sample, Self { encoding, separator: *separator });
            let mut widths = Vec::new();
            let mut row = csv::StringRecord::new();
            while widths.len() < 30 && rows.read_record(&mut row).unwrap_or(false) {
                widths.push(row.len());
            }
            if sample.len() < bytes.len() {
                widths.pop(); // it may be cut
            }
            let first = widths.first().copied().unwrap_or(0);
            let same = widths.iter().filter(|width| **width == first).count();
            // Columns count, and more so if every row has them.
            if first < 2 { (0, 0) } else { (same * 100 / widths.len(), first) }
        };
        let separator = SEPARATORS.into_iter().rev().max_by_key(score).unwrap_or(b',');
        Self { encoding, separator }
    }
}

fn encoding(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let nothing = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let many = sample.len() / 8;
    match (nothing(0), nothing(1)) {
        (_, low) if low > many && sample.len() > 3 => UTF_16LE,
        (high, _) if high > many && sample.len() > 3 => UTF_16BE,
        _ if std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => WINDOWS_1252,
    }
}

/// The rows of a file, one after the other.
pub(super) fn rows(bytes: &[u8], shape: Shape) -> csv::Reader<Decoding<'_>> {
    let decoding = Decoding { decoder: shape.encoding.new_decoder(), left: bytes, done: false };
    csv::ReaderBuilder::new()
        .delimiter(shape.separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(decoding)
}

/// A file as UTF-8, a little at a time. What is no text in its encoding is replaced.
pub(super) struct Decoding<'b> {
    decoder: Decoder,
    left: &'b [u8],
    done: bool,
}

impl Read for Decoding<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.len() < 16 {
            return Err(io::Error::other("the room for what is decoded is too small"));
        }
        while !self.done {
            let (result, read, written, _) = self.decoder.decode_to_utf8(self.left, into, true);
            self.left = &self.left[read..];
            self.done = result == encoding_rs::CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, u8, Vec<Vec<String>>) {
        let shape = Shape::guess(bytes);
        let rows = rows(bytes, shape).into_records().map(|row| row.expect("a row"));
        let cells = rows.map(|row| row.iter().map(str::to_owned).collect()).collect();
        (shape.encoding.name().to_owned(), shape.separator, cells)
    }

    #[test]
    fn files_are_read_as_spreadsheets_write_them() {
        let text = "Nombre;Correo;Nota\r\n\"Núñez; Ana\";ana@acme.es;\"dos\r\nlíneas\"\r\n=1+1;b@acme.es;\"la \"\"jefa\"\"\"\r\n";
        let cells: Vec<Vec<String>> = vec![
            vec!["Nombre".into(), "Correo".into(), "Nota".into()],
            vec!["Núñez; Ana".into(), "ana@acme.es".into(), "dos\r\nlíneas".into()],
            vec!["=1+1".into(), "b@acme.es".into(), "la \"jefa\"".into()],
        ];
        let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let latin: Vec<u8> = text.chars().map(|letter| letter as u32 as u8).collect();
        for (bytes, encoding) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), "UTF-8"),
            (latin, "windows-1252"),
            (wide(u16::to_le_bytes), "UTF-16LE"),
            ([&b"\xFE\xFF"[..], &wide(u16::to_be_bytes)].concat(), "UTF-16BE"),
        ] {
            assert_eq!(read(&bytes), (encoding.to_owned(), b';', cells.clone()), "{encoding}");
        }
        assert_eq!(read(b"a,b\n1,2\n").1, b',');
        assert_eq!(read(b"a\tb\n1\t2;3,4\n").1, b'\t');
        assert_eq!(read(b"").2, Vec::<Vec<String>>::new());
        read(b"\xFF\xFE\x00");
        read(&[0xFF; 300]);
    }
}
