//! Whole answers in files: HAProxy's `errorfile`.
//!
//! It refuses what HAProxy refuses, and statuses
//! that are none.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header};
use httparse::Status;

use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::plan::WholeAnswer;

use super::files;

/// More fields than any error page has.
const MOST_FIELDS: usize = 100;

/// The answer in the file `path` that `setting` names; `None`: there is none, which is reported.
pub(super) fn read(
    setting: Setting<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Arc<WholeAnswer>> {
    let content = files::content(setting, path, report)?;
    match parse(&content) {
        Ok(answer) => Some(Arc::new(answer)),
        Err(error) => {
            let message = format!("`{path}` is not a whole answer: {error}");
            let help = "write `file` for a body without a head";
            report.error(setting.span(), message, help);
            None
        }
    }
}

/// Reads `bytes`, a whole answer.
///
/// # Errors
///
/// What is wrong with it.
fn parse(bytes: &[u8]) -> Result<WholeAnswer, String> {
    if bytes.is_empty() {
        return Err("it is empty, for which HAProxy closes the connection".to_owned());
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Err("its head has no end: an empty line".to_owned()),
        Err(error) => return Err(format!("its head cannot be read: {error}")),
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let Some(status) = status.filter(|status| (200..=599).contains(&status.as_u16())) else {
        return Err("its status is not one from 200 to 599".to_owned());
    };
    let body = &bytes[length..];
    let mut headers = Vec::with_capacity(head.headers.len());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(format!("its field `{}` is not valid", field.name));
        };
        match name {
            header::TRANSFER_ENCODING => {
                return Err("its body has a transfer coding, which it cannot have".to_owned());
            }
            header::CONTENT_LENGTH if value.as_bytes() != body.len().to_string().as_bytes() => {
                let written = String::from_utf8_lossy(value.as_bytes()).into_owned();
                let length = body.len();
                return Err(format!(
                    "its `content-length` is {written}, and its body has {length} bytes"
                ));
            }
            // Evenkeel writes the framing.
            header::CONTENT_LENGTH | header::CONNECTION | header::UPGRADE | header::TE => {}
            name => match name.as_str() {
                "keep-alive" | "proxy-connection" | "http2-settings" => {}
                _ => headers.push((name, value)),
            },
        }
    }
    if matches!(status.as_u16(), 204 | 205 | 304) && !body.is_empty() {
        return Err(format!("an answer with the status {status} has no body"));
    }
    Ok(WholeAnswer {
        status,
        headers,
        body: Arc::from(body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_haproxy_is_an_answer_without_its_framing() {
        let answer = parse(
            b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\
              Content-Type: text/html\r\nContent-Length: 3\r\n\r\nabc",
        );
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let names: Vec<&str> = answer
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["cache-control", "content-type"]);
        assert_eq!(&*answer.body, b"abc");
        // Lines may end without CR, and there may be no reason phrase and no body.
        let answer = parse(b"HTTP/1.1 200\nX-A: b\n\n").expect("an answer");
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.is_empty());
    }

    #[test]
    fn what_haproxy_refuses_is_refused() {
        for (text, message) in [
            (
                "HTTP/1.0 503 A\r\nContent-Length: 5\r\n\r\nabc",
                "`content-length` is 5",
            ),
            (
                "HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\nabc",
                "transfer coding",
            ),
            ("HTTP/1.1 103 A\r\n\r\n", "from 200 to 599"),
            ("HTTP/1.1 204 A\r\n\r\nabc", "has no body"),
            ("HTTP/1.1 503 A\r\nX y\r\n\r\nabc", "cannot be read"),
            ("HTTP/1.1 503 A\r\nX: y\r\n", "no end"),
            ("<html>", "cannot be read"),
            ("", "it is empty"),
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }
}
