//! Lines of HAProxy and nginx as addresses: what the message suggests instead is valid and means
//! the same.

use super::{BASE, errors, load, plan};
use crate::plan::{Own, ProxyProtocol, ProxyVersion};

/// The first text in backticks after `write `.
#[track_caller]
fn advice(said: &str) -> String {
    let (_, rest) = said.split_once("write `").expect(said);
    let (advice, _) = rest.split_once('`').expect(said);
    advice.to_owned()
}

#[test]
fn only_the_address_whose_line_has_tls_gets_tls() {
    let with = |item: &str| BASE.replace("\"127.0.0.1:8080\"", &format!("[\":80\", {item}]"));
    let said = errors(&with("\":443 ssl crt /etc/certs\""));
    let advice = advice(&said);
    assert_eq!(
        advice, r#"{ address = ":443", tls = "/etc/certs" }"#,
        "{said}"
    );
    let frontend = &plan(&with(&advice)).frontends[0];
    for bind in &frontend.binds {
        let is_tls_port = bind.addr.to_string().ends_with(":443");
        assert_eq!(bind.tls.is_some(), is_tls_port, "{bind:?}");
    }
}

#[test]
fn the_help_for_a_bind_line_is_valid() {
    let with = |item: &str| BASE.replace("\"127.0.0.1:8080\"", &format!("[{item}]"));
    for line in [
        ":443 ssl crt /a verify required ca-file /b crl-file /c alpn h2,http/1.1",
        ":443 ssl crt /a crt /b strict-sni ssl-min-ver TLSv1.2 accept-proxy maxconn 5",
        ":80,:81 accept-proxy",
        "[::]:443 v4v6 ssl",
        "443 ssl http2 reuseport",
        "https://:443",
        "http://:80",
        "/run/app.sock mode 660",
    ] {
        let said = errors(&with(&format!("{line:?}")));
        plan(&with(&advice(&said)));
    }
    let text = with(r#"{ address = ":81", proxy_protocol = "required" }"#);
    let header = &plan(&text).frontends[0].binds[0].proxy_protocol;
    assert_ne!(*header, ProxyProtocol::Off);
}

#[test]
fn the_help_for_a_server_line_is_valid() {
    let with = |item: &str| {
        format!(
            "{}health = {{ path = \"/up\", host = \"a.test\" }}\n",
            BASE.replace("\"10.0.0.1:80\"", item)
        )
    };
    for line in [
        "10.0.0.1:443 check ssl verify none check-sni a.test",
        "web1 10.0.0.1:443 ssl ca-file /a verify required sni str(a.test) crt /b",
        "10.0.0.1:80 weight 3 maxconn 20 check inter 2000 rise 2 fall 3 backup port 81",
        "10.0.0.1:80 send-proxy-v2-ssl no-check-ssl disabled",
        "10.0.0.1:80 weight=5 max_fails=3 fail_timeout=10s",
        "https://10.0.0.2:443",
        "http://10.0.0.2/api",
    ] {
        let said = errors(&with(&format!("{line:?}")));
        let advice = advice(&said);
        assert!(
            load(&with(&advice)).is_ok(),
            "{said}\n{}",
            errors(&with(&advice))
        );
    }
    let server = |item: &str| plan(&with(item)).backends[0].servers[0].clone();
    let advised = |line: &str| server(&advice(&errors(&with(&format!("{line:?}")))));
    let https = advised("https://10.0.0.2:443");
    assert!(matches!(https.own.tls, Own::On(_)), "never in the clear");
    let header = advised("10.0.0.1:80 send-proxy").own.send_proxy;
    let is_version_1 = matches!(&header, Own::On(how) if how.version == ProxyVersion::V1);
    assert!(is_version_1, "{header:?}");
}

#[test]
fn in_a_table_the_keys_are_beside_the_address() {
    let said = errors(&BASE.replace("\"10.0.0.1:80\"", "{ address = \"https://10.0.0.1:443\" }"));
    assert!(
        said.contains("write `address = \"10.0.0.1:443\"` and `tls = true`"),
        "{said}"
    );
    let said = errors(&BASE.replace("\"127.0.0.1:8080\"", "{ address = \":443 ssl crt /a\" }"));
    assert!(
        said.contains("write `address = \":443\"` and `tls = \"/a\"`"),
        "{said}"
    );
    let said = errors(&format!("{BASE}[admin]\nlisten = \"127.0.0.1:9900 ssl\"\n"));
    assert!(
        said.contains("write the address alone: `\"127.0.0.1:9900\"`"),
        "{said}"
    );
}
