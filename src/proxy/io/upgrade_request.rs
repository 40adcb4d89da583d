//! A request for an upgrade, and whether a server has accepted it.

use http::{HeaderValue, Response, StatusCode, Version, header};

use crate::wire::websocket::Key;

/// The upgrade that a request asks for.
#[derive(Debug)]
pub struct UpgradeRequest {
    /// The token of `Upgrade` or `:protocol`, as sent to the server.
    pub protocol: HeaderValue,
    /// How the server proves that it accepts WebSocket.
    pub proof: Proof,
}

/// The key of WebSocket's opening handshake: an HTTP/1 server answers it, an HTTP/2 server never
/// sees it (RFC 8441 §5).
#[derive(Debug)]
pub enum Proof {
    /// The protocol has none.
    NotNeeded,
    /// The client's own key. The client checks the answer to it.
    Clients(Key),
    /// The client's field is invalid.
    Malformed,
    /// Made here, for an HTTP/2 client.
    Ours(Key),
}

impl UpgradeRequest {
    /// Whether `response` switches to this protocol and no other: by a 101 (RFC 9110 §15.2.2), in
    /// HTTP/2 by any 2xx (RFC 8441 §5).
    pub fn is_agreed_in<B>(&self, response: &Response<B>) -> bool {
        if response.version() == Version::HTTP_2 {
            return response.status().is_success();
        }
        let headers = response.headers();
        let mut protocols = headers.get_all(header::UPGRADE).iter();
        let is_the_same = |value: &HeaderValue| {
            let wanted = self.protocol.as_bytes();
            value.as_bytes().trim_ascii().eq_ignore_ascii_case(wanted)
        };
        response.status() == StatusCode::SWITCHING_PROTOCOLS
            && response.version() == Version::HTTP_11
            && protocols.next().is_some_and(is_the_same)
            && protocols.next().is_none()
            && self.is_key_answered(headers.get(header::SEC_WEBSOCKET_ACCEPT))
    }

    fn is_key_answered(&self, accept: Option<&HeaderValue>) -> bool {
        let Proof::Ours(key) = &self.proof else {
            return true;
        };
        accept.is_some_and(|accept| key.is_answered_by(accept.as_bytes().trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_agreed(proof: Proof, fields: &[(&str, &str)]) -> bool {
        let mut response = Response::builder().status(101);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let protocol = HeaderValue::from_static("websocket");
        let response = response.body(()).expect("a response");
        UpgradeRequest { protocol, proof }.is_agreed_in(&response)
    }

    #[test]
    fn a_server_agrees_by_naming_the_protocol_alone() {
        assert!(is_agreed(Proof::NotNeeded, &[("upgrade", "websocket")]));
        assert!(is_agreed(Proof::NotNeeded, &[("upgrade", "WebSocket")]));
        for bad in ["h2c", "websocket, h2c", "", "websocket/2"] {
            assert!(!is_agreed(Proof::NotNeeded, &[("upgrade", bad)]), "{bad}");
        }
        assert!(!is_agreed(Proof::NotNeeded, &[]));
        let two = [("upgrade", "websocket"), ("upgrade", "websocket")];
        assert!(!is_agreed(Proof::NotNeeded, &two));
    }

    #[test]
    fn the_answer_must_match_our_key() {
        let key = || Proof::Ours(Key::made([0, 0]));
        // Of 24 letters `A` and `=`, by the rule of RFC 6455 §4.2.2.
        let answer = "ICX+Yqv66kxgM0FcWaLWlFLwTAI=";
        let upgrade = ("upgrade", "websocket");
        assert!(is_agreed(
            key(),
            &[upgrade, ("sec-websocket-accept", answer)]
        ));
        assert!(!is_agreed(key(), &[upgrade]));
        let wrong = ("sec-websocket-accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAJ=");
        assert!(!is_agreed(key(), &[upgrade, wrong]));
    }

    #[test]
    fn a_server_of_http_2_agrees_by_success() {
        let is_agreed = |status: u16| {
            let mut response = Response::new(());
            *response.version_mut() = Version::HTTP_2;
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            let protocol = HeaderValue::from_static("websocket");
            let proof = Proof::Ours(Key::made([0, 0]));
            UpgradeRequest { protocol, proof }.is_agreed_in(&response)
        };
        assert!(is_agreed(200) && is_agreed(204));
        assert!(!is_agreed(101) && !is_agreed(302) && !is_agreed(403));
    }
}
