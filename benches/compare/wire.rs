//! As much of HTTP/1.1 as `origin` and `load` need to find where a message ends.
//!
//! Not a parser for the open network: both ends are ours, and the proxy in between writes proper
//! messages. Anything unexpected is counted as a failure, never guessed.

/// The end of a head, and its framing fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// With the empty line.
    pub(crate) bytes: usize,
    pub(crate) content_length: Option<u64>,
    /// It has a `Transfer-Encoding` field: the proxies write chunks when they compress, and neither
    /// end here does.
    pub(crate) is_chunked: bool,
    /// It has a `Content-Encoding` field.
    pub(crate) has_content_coding: bool,
    /// `Connection: close`.
    pub(crate) closes: bool,
}

/// `None` while the empty line is missing.
pub(crate) fn read_head(bytes: &[u8]) -> Option<Head> {
    let mut head = Head {
        bytes: 0,
        content_length: None,
        is_chunked: false,
        has_content_coding: false,
        closes: false,
    };
    loop {
        let rest = &bytes[head.bytes..];
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        head.bytes += end + 1;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        match line.first() {
            None => return Some(head),
            Some(b'c' | b'C' | b't' | b'T') => head.note(line),
            Some(_) => {}
        }
    }
}

/// The three digits of a response's status line; 0 when there are none.
pub(crate) fn status(head: &[u8]) -> u16 {
    head.get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

impl Head {
    fn note(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length = std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            self.has_content_coding = true;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.closes = value.eq_ignore_ascii_case(b"close");
        }
    }
}

/// Where a reader of chunks is, of which it needs the end alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunks {
    step: ChunkStep,
    /// Of the chunk, or of its size while the digits come.
    left: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkStep {
    /// Digits, up to the line's end.
    #[default]
    Size,
    Data,
    /// The line's end after the data.
    AfterData,
    /// The line's end after the last chunk; trailers are unexpected.
    Last,
}

impl Chunks {
    /// Whether `bytes` end the body; `None`: they are no chunks, or more follows the last one.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Option<bool> {
        while let [byte, rest @ ..] = bytes {
            match self.step {
                ChunkStep::Data => {
                    let here = usize::try_from(self.left).unwrap_or(usize::MAX);
                    let here = here.min(bytes.len());
                    self.left -= here as u64;
                    bytes = &bytes[here..];
                    if self.left == 0 {
                        self.step = ChunkStep::AfterData;
                    }
                    continue;
                }
                ChunkStep::Size if *byte == b'\n' => {
                    self.step = match self.left {
                        0 => ChunkStep::Last,
                        _ => ChunkStep::Data,
                    };
                }
                ChunkStep::Size if *byte == b'\r' => {}
                ChunkStep::Size => {
                    let digit = char::from(*byte).to_digit(16)?;
                    self.left = self.left * 16 + u64::from(digit);
                }
                ChunkStep::AfterData if *byte == b'\n' => self.step = ChunkStep::Size,
                ChunkStep::Last if *byte == b'\n' => return rest.is_empty().then_some(true),
                ChunkStep::AfterData | ChunkStep::Last if *byte == b'\r' => {}
                ChunkStep::AfterData | ChunkStep::Last => return None,
            }
            bytes = rest;
        }
        Some(false)
    }
}
