//! A client whose ClientHello is late.

use std::fs;
use std::time::Duration;

use evenkeel::base::clock;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

use crate::fixture::{Fixture, PROXY};

const CERTIFICATE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/sim-hello.pem");

/// Passes one name on and terminates TLS for the others, with the default handshake timeout.
const FRONTEND: &str = concat!(
    "[frontend.tls]\nlisten = \"0.0.0.0:443\"\nbackend = \"app\"\n",
    "tls = \"",
    env!("CARGO_TARGET_TMPDIR"),
    "/sim-hello.pem\"\n",
    "passthrough = [{ sni = \"other.test\", backend = \"app\" }]\n",
);

/// The default of `timeout.handshake`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The beginning of a record with a ClientHello of 512 bytes.
const HALF_A_HELLO: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];

#[test]
fn looking_for_a_name_and_the_handshake_after_it_have_one_deadline() {
    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["a.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&pair).expect("a certificate");
    let text = certificate.pem() + &pair.serialize_pem();
    fs::write(CERTIFICATE, text).expect("a folder of our own");
    Fixture::new(51, 1).rest(FRONTEND).play(|stage| async move {
        stage.ready().await;
        let mut stream = TcpStream::connect((PROXY, 443)).await.expect("it listens");
        let began = clock::now();
        let (first, second) = HALF_A_HELLO.split_at(4);
        stream.write_all(first).await.expect("it takes bytes");
        clock::sleep(TIMEOUT * 9 / 10).await;
        stream.write_all(second).await.expect("it takes bytes");
        // Its bytes do not matter here, only when it ends.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let took = clock::now() - began;
        assert!(took >= TIMEOUT - TIMEOUT / 10, "{took:?}");
        assert!(took < TIMEOUT + TIMEOUT / 10, "{took:?}");
        let late = "evenkeel_tls_handshake_failures_total{frontend=\"tls\",reason=\"timeout\"}";
        assert_eq!(stage.metric(late).await, "1");
    });
}
