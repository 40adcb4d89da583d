//! An HTTP/1 message as on the wire.

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The request line or status line.
    pub(crate) start: String,
    /// In their order, names as written.
    pub(crate) fields: Vec<(String, String)>,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
    /// After the last chunk.
    pub(crate) trailers: Vec<(String, String)>,
    /// The head, byte for byte, the empty line included.
    pub(crate) head: String,
}

impl Message {
    /// Takes a head apart.
    pub(super) fn of_head(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        Self {
            start,
            fields: lines.map(field_of_line).collect(),
            head,
            ..Self::default()
        }
    }

    /// Of a response.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).unwrap_or_default();
        status.parse().expect("a status line")
    }

    /// Of a request.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// Of a request.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of the one field of that name.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(
            values.len() <= 1,
            "{name} stands there twice: {}",
            self.head
        );
        values.first().copied()
    }

    /// The values of all fields of that name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(is, _)| is.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body, which is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The reason in an answer of the proxy's own.
    #[track_caller]
    pub(crate) fn reason(&self) -> String {
        let text = self.text();
        let reason = text.lines().find_map(|line| line.strip_prefix("reason: "));
        reason.expect("an answer of the proxy's own").to_owned()
    }
}

/// `Name: value`.
pub(super) fn field_of_line(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim().to_owned())
}
