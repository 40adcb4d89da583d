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
    /// It has a `Transfer-Encoding` field, which neither end here uses.
    pub(crate) is_coded: bool,
    /// `Connection: close`.
    pub(crate) closes: bool,
}

/// `None` while the empty line is missing.
pub(crate) fn read_head(bytes: &[u8]) -> Option<Head> {
    let mut head = Head {
        bytes: 0,
        content_length: None,
        is_coded: false,
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
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_coded = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.closes = value.eq_ignore_ascii_case(b"close");
        }
    }
}
