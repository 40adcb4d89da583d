//! `Accept`: whether a client wants JSON (RFC 9110 §12.5.1).

use http::{HeaderMap, header};

use super::accept_encoding::{Weight, parse_weight};

/// Whether the client names a JSON type in `Accept`, and HTML with a lower weight or not at all.
///
/// A range such as `*/*` decides nothing: browsers and `curl` send it too.
pub fn asks_for_json(headers: &HeaderMap) -> bool {
    let (mut json, mut html): (Weight, Weight) = (0, 0);
    let values = headers.get_all(header::ACCEPT).into_iter();
    for item in values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')) {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let best = if is("application/json") || is("application/problem+json") {
            &mut json
        } else if is("text/html") || is("application/xhtml+xml") {
            &mut html
        } else {
            continue;
        };
        let written = parts.find_map(|part| match part {
            [b'q' | b'Q', b'=', weight @ ..] => Some(parse_weight(weight).unwrap_or(0)),
            _ => None,
        });
        *best = (*best).max(written.unwrap_or(1000));
    }
    json > html
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_asks_for_json_by_name_and_more_than_for_html() {
        for (lines, asks) in [
            (&[][..], false),
            (&["*/*"], false),
            (&["application/*"], false),
            (&["application/json"], true),
            (&["Application/Problem+JSON"], true),
            (&["application/json, text/plain, */*"], true),
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                false,
            ),
            (&["text/html", "application/json"], false),
            (&["text/html;q=0.9, application/json"], true),
            (&["text/html;q=0.9, application/json;q=0.5"], false),
            (&["application/json; charset=utf-8 ; q=0.5"], true),
            (&["application/json;q=0"], false),
            (&["application/json;q=x"], false),
            (&["application/jsonp, \u{1}"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                if let Ok(value) = HeaderValue::from_str(line) {
                    headers.append(header::ACCEPT, value);
                }
            }
            assert_eq!(asks_for_json(&headers), asks, "{lines:?}");
        }
    }
}
