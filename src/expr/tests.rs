//! The values of expressions and conditions, written as in a configuration.
//!
//! The examples of `field`, `word` and `regsub` are those of HAProxy's configuration manual.

use http::{HeaderMap, Method, Uri, Version};
use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;
use crate::base::{Peer, TlsKeys, TlsVersion};
use crate::config::written as parse;
use crate::exchange::{ClientCertificate, ClientTls, ProxyFields, RequestId};
use crate::plan::expr::{Converter, Fetch, Kind, Parameter, Type};

/// A request from 192.0.2.7 to 10.0.0.1:8443.
pub(super) struct Asked {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    tls: Option<ClientTls>,
    client: Peer,
    proxy_fields: Option<ProxyFields>,
    session: Variables,
    variables: Variables,
    id: RequestId,
}

impl Asked {
    pub(super) fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.parse().expect("a target"),
            headers: HeaderMap::new(),
            tls: None,
            client: Peer::Ip(([192, 0, 2, 7], 4711).into()),
            proxy_fields: None,
            session: Variables::default(),
            variables: Variables::default(),
            id: RequestId::made(0x0123_4567_89ab_cdef),
        }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, value.parse().expect("a value"));
        self
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            id: &self.id,
            connection: ConnectionFacts {
                client: self.client,
                local: Some(([10, 0, 0, 1], 8443).into()),
                tls: self.tls.as_ref(),
                frontend: "web",
                variables: Some(&self.session),
                tables: None,
                state: None,
                proxy_fields: self.proxy_fields.as_ref(),
                content: None,
                is_local: |ip| ip.is_loopback(),
            },
            request: Some(RequestFacts {
                method: &self.method,
                version: Version::HTTP_11,
                target: &self.target,
                path: self.target.path(),
                also: &[],
                headers: &self.headers,
                body: None,
            }),
            backend: Some("app"),
            response: None,
            variables: Some(&self.variables),
            tracked: None,
        }
    }

    /// The value of an expression as text; `None`: it is absent.
    fn value(&self, expression: &str) -> Option<String> {
        let program = Program::compile(&parse::expression(expression));
        let mut scratch = Scratch::default();
        let value = program.value(&self.facts(), &mut scratch);
        let text = scratch.text_of(value);
        let text = scratch.text(text);
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    }

    #[track_caller]
    fn gives(&self, expression: &str, wanted: impl Into<Option<&'static str>>) {
        assert_eq!(
            self.value(expression).as_deref(),
            wanted.into(),
            "{expression}"
        );
    }

    fn holds(&self, condition: &str) -> bool {
        let condition = Condition::compile(&parse::condition(condition));
        condition.holds(&self.facts(), &mut Scratch::default())
    }

    #[track_caller]
    fn is(&self, condition: &str) {
        assert!(self.holds(condition), "{condition}");
    }

    #[track_caller]
    fn is_not(&self, condition: &str) {
        assert!(!self.holds(condition), "{condition}");
    }
}

#[test]
fn the_connection_is_seen() {
    let mut asked = Asked::get("/");
    asked.gives("src", "192.0.2.7");
    asked.gives("src_port", "4711");
    asked.gives("dst", "10.0.0.1");
    asked.gives("dst_port", "8443");
    asked.gives("fe_name", "web");
    asked.gives("unique-id", "0123456789abcdef");
    asked.gives("ssl_fc", "0");
    asked.gives("ssl_fc_sni", None);
    asked.client = Peer::Unix;
    asked.gives("src", None);
    asked.gives("src_port", None);
}

#[test]
fn the_fields_of_a_proxy_header_are_found_by_their_type() {
    let mut asked = Asked::get("/");
    for absent in ["fc_pp_authority", "fc_pp_unique_id", "fc_pp_tlv(5)"] {
        asked.gives(absent, None);
    }
    let fields: [(u8, &[u8]); 4] = [
        (2, b"a.example"),
        (5, b"id-1"),
        (0xea, b"one"),
        (0xea, b"two"),
    ];
    asked.proxy_fields = ProxyFields::of(fields.into_iter());
    asked.gives("fc_pp_authority", "a.example");
    asked.gives("fc_pp_unique_id", "id-1");
    asked.gives("fc_pp_tlv(UNIQUE_ID)", "id-1");
    asked.gives("fc_pp_tlv(234)", "one");
    asked.gives("fc_pp_tlv(0xEA)", "one");
    asked.gives("fc_pp_tlv(ALPN)", None);
}

#[test]
fn a_client_of_this_machine_is_local() {
    let mut asked = Asked::get("/");
    asked.gives("src_is_local", "0");
    asked.client = Peer::Ip(([127, 0, 0, 1], 4711).into());
    asked.gives("src_is_local", "1");
    asked.client = Peer::Unix;
    asked.gives("src_is_local", "0");
    asked.gives("dst_is_local", "0");
    let mut facts = asked.facts();
    facts.connection.local = Some(([127, 0, 0, 1], 80).into());
    let local = Condition::compile(&parse::condition("dst_is_local"));
    assert!(local.holds(&facts, &mut Scratch::default()));
}

#[test]
fn an_ipv4_client_of_a_socket_for_both_is_one_of_ipv4() {
    let mut asked = Asked::get("/");
    asked.client = Peer::Ip("[::ffff:192.0.2.7]:1".parse().expect("an address"));
    asked.gives("src", "192.0.2.7");
    asked.is(r#"src in ["192.0.2.0/24"]"#);
}

#[test]
fn the_target_is_seen() {
    let asked = Asked::get("/a/b?c=d&e");
    asked.gives("method", "GET");
    asked.gives("path", "/a/b");
    asked.gives("query", "c=d&e");
    asked.gives("pathq", "/a/b?c=d&e");
    asked.gives("url", "/a/b?c=d&e");
    Asked::get("/a").gives("query", None);
    Asked::get("/a?").gives("query", "");
    Asked::get("*").gives("path", None);
    let absolute = Asked::get("https://a.test/b?c");
    absolute.gives("url", "https://a.test/b?c");
    absolute.gives("path", "/b");
}

#[test]
fn a_parameter_is_the_first_of_its_name() {
    let asked = Asked::get("/?a=1&b=%20x&a=2&A=3");
    asked.gives("url_param(a)", "1");
    asked.gives("url_param(b)", "%20x");
    asked.gives("url_param(c)", None);
    asked.gives("url_param(A)", "3");
    asked.gives("url_param(A,,i)", "1");
    asked.gives("url_param", "1");
    asked.is(r#"url_param(a) == "2""#);
    Asked::get("/x;s=5?a=1").gives("url_param(s,;)", "5");
}

#[test]
fn a_field_has_values_on_several_lines_and_between_commas() {
    let asked = Asked::get("/")
        .with("x-list", r#"a, "b,c" ,d"#)
        .with("x-list", "e");
    asked.gives("req.hdr(x-list)", "e");
    asked.gives("req.hdr(x-list,1)", "a");
    asked.gives("req.hdr(x-list,2)", r#""b,c""#);
    asked.gives("hdr(X-List,-2)", "d");
    asked.gives("req.hdr(x-list,5)", None);
    asked.gives("req.hdr(x-list,0)", None);
    asked.gives("req.fhdr(x-list)", "e");
    asked.gives("req.fhdr(x-list,1)", r#"a, "b,c" ,d"#);
    asked.gives("req.hdr_cnt(x-list)", "4");
    asked.gives("req.hdr_cnt(x-none)", "0");
    asked.gives("req.hdr(x-none)", None);
}

#[test]
fn a_condition_looks_at_each_value_unless_one_is_asked_for() {
    let asked = Asked::get("/").with("x-list", "a, b").with("x-list", "c");
    asked.is(r#"req.hdr(x-list) == "a""#);
    asked.is(r#"req.hdr(x-list) == "c""#);
    asked.is_not(r#"req.hdr(x-list,-1) == "a""#);
    asked.is_not(r#"req.hdr(x-list) != "a""#);
    asked.is(r#"req.hdr(x-list) != "d""#);
    asked.is(r#"req.hdr(x-list),upper in ["B"]"#);
}

#[test]
fn a_client_of_tls_is_seen() {
    let mut asked = Asked::get("/");
    for absent in [
        "ssl_fc_alpn",
        "ssl_fc_protocol",
        "ssl_fc_cipher",
        "ssl_fc_alg_keysize",
        "ssl_fc_use_keysize",
        "ssl_c_verify",
        "ssl_c_err",
        "ssl_c_ca_err",
        "ssl_c_ca_err_depth",
    ] {
        asked.gives(absent, None);
    }
    asked.gives("ssl_fc_has_sni", "0");
    asked.tls = Some(ClientTls {
        version: TlsVersion::V1_2,
        keys: TlsKeys::Fresh,
        cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        server_name: Some("a.test".into()),
        alpn: Some("h2".into()),
        certificate: None,
        shown: None,
    });
    asked.gives("ssl_fc_has_sni", "1");
    asked.gives("ssl_fc_alpn", "h2");
    asked.gives("ssl_fc_protocol", "TLSv1.2");
    // HAProxy shows OpenSSL's names.
    asked.gives("ssl_fc_cipher", "ECDHE-RSA-AES128-GCM-SHA256");
    asked.gives("ssl_fc_has_crt", "0");
    asked.gives("ssl_fc_is_resumed", "0");
    asked.gives("ssl_fc_has_early", "0");
    for always in [
        "ssl_c_verify",
        "ssl_c_err",
        "ssl_c_ca_err",
        "ssl_c_ca_err_depth",
    ] {
        asked.gives(always, "0");
    }
    for (cipher, bits) in [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "128"),
        ("TLS13_AES_256_GCM_SHA384", "256"),
        ("TLS13_CHACHA20_POLY1305_SHA256", "256"),
    ] {
        if let Some(tls) = &mut asked.tls {
            tls.cipher = cipher;
        }
        asked.gives("ssl_fc_alg_keysize", bits);
        asked.gives("ssl_fc_use_keysize", bits);
    }
}

#[test]
fn an_address_with_a_port_is_an_address() {
    let asked = Asked::get("/").with("x", "10.1.2.3:80, 2001:db8::1, 10.1.2.3x");
    asked.gives("hdr_ip(x,1)", "10.1.2.3");
    asked.gives("hdr_ip(x,2)", "2001:db8::1");
    asked.gives("hdr_ip(x)", None);
    asked.is(r#"hdr_ip(x) in ["10.0.0.0/8"]"#);
    asked.is_not(r#"hdr_ip(x) in ["192.0.2.0/24"]"#);
}

#[test]
fn chance_is_within_its_range_and_differs() {
    let asked = Asked::get("/");
    let program = Program::compile(&parse::expression("rand(3)"));
    let mut scratch = Scratch::with_chance(Rng::seeded(1));
    let mut seen = [0; 3];
    for _ in 0..100 {
        match program.value(&asked.facts(), &mut scratch) {
            Value::Int(number @ 0..3) => seen[number as usize] += 1,
            other => unreachable!("{other:?}"),
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
    let uuid = asked.value("uuid").expect("a value");
    assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'4', "{uuid}");
    assert_ne!(asked.value("uuid"), Some(uuid));
}

#[test]
fn cookies_are_found_on_every_line() {
    let asked = Asked::get("/")
        .with("cookie", "a=1; b=2")
        .with("cookie", "a=3");
    asked.gives("req.cook(b)", "2");
    asked.gives("req.cook(a)", "3");
    asked.gives("req.cook", "1");
    asked.gives("req.cook(c)", None);
    asked.is(r#"cook(a) == "1""#);
    asked.gives("req.cook_names", "a,b,a");
    asked.gives(r"req.cook_names(;\ )", "a; b; a");
    Asked::get("/").gives("req.cook_names", "");
    asked.gives("res.cook_names", None);
}

#[test]
fn attributes_of_cookies_have_no_names_of_cookies() {
    let asked = Asked::get("/");
    let mut headers = HeaderMap::new();
    for line in ["a=1; path=/; secure", "none", "b=2; max-age=3"] {
        headers.append("set-cookie", line.parse().expect("a value"));
    }
    let mut facts = asked.facts();
    facts.response = Some(ResponseFacts {
        status: 200,
        headers: &headers,
        server: None,
        reason: None,
    });
    let mut scratch = Scratch::default();
    let program = Program::compile(&parse::expression("res.cook_names"));
    let names = program.value(&facts, &mut scratch);
    assert_eq!(scratch.text(names), Some(&b"a,b"[..]));
}

#[test]
fn fields_and_words_are_cut_as_the_manual_says() {
    let asked = Asked::get("/");
    for (expression, wanted) in [
        ("str(f1_f2_f3__f5),field(4,_)", Some("")),
        ("str(f1_f2_f3__f5),field(5,_)", Some("f5")),
        ("str(f1_f2_f3__f5),field(2,_,0)", Some("f2_f3__f5")),
        ("str(f1_f2_f3__f5),field(2,_,2)", Some("f2_f3")),
        ("str(f1_f2_f3__f5),field(-2,_,3)", Some("f2_f3_")),
        ("str(f1_f2_f3__f5),field(-3,_,0)", Some("f1_f2_f3")),
        ("str(f1_f2_f3__f5),field(6,_)", None),
        ("str(f1_f2_f3__f5),word(4,_)", Some("f5")),
        ("str(f1_f2_f3__f5),word(5,_)", None),
        ("str(f1_f2_f3__f5),word(2,_,0)", Some("f2_f3__f5")),
        ("str(f1_f2_f3__f5),word(3,_,2)", Some("f3__f5")),
        ("str(f1_f2_f3__f5),word(-2,_,3)", Some("f1_f2_f3")),
        ("str(f1_f2_f3__f5),word(-3,_,0)", Some("f1_f2")),
        ("str(/f1/f2/f3/f4),word(1,/)", Some("f1")),
        ("str(/f1////f2/f3/f4),word(2,/)", Some("f2")),
    ] {
        asked.gives(expression, wanted);
    }
}

#[test]
fn text_is_converted() {
    let asked = Asked::get("/").with("host", "WWW.Example.com:80");
    asked.gives("req.hdr(host),lower,field(1,:)", "www.example.com");
    asked.gives("req.hdr(host),field(1,:),upper", "WWW.EXAMPLE.COM");
    asked.gives("req.hdr(host),length", "18");
    asked.gives("req.hdr(host),lower,len", "18");
    asked.gives("src,length", "9");
    asked.gives("ssl_fc,length", "1");
    asked.gives("str(abc),reverse", "cba");
    asked.gives("str()", "");
    asked.gives("str(),length", "0");
    asked.gives("req.hdr(host),host_only,reverse_dom", "com.example.www");
    asked.gives("str(localhost),reverse_dom", "localhost");
    asked.gives("str(example.com.),reverse_dom", "com.example");
    for no_name in ["foo..bar", ".example.com", ".", "example.com.."] {
        asked.gives(&format!("str({no_name}),reverse_dom"), None);
    }
    asked.gives("str(\"a=1&b=2\"),param(b,0x26)", "2");
    asked.gives("str(\"a=1;b=2\"),param(b,0x3b)", "2");
    asked.gives("str(abcdefg),le2dec(:,2)", "25185:25699:26213:103");
    asked.gives("str(abc),le2dec(:,2,1)", "25185");
}

#[test]
fn a_parameter_of_a_text_is_found_as_in_a_query() {
    let asked = Asked::get("/?a=1&bb=2&b=&c&a=3&d=x=y");
    for (name, wanted) in [("a", "1"), ("bb", "2"), ("b", ""), ("c", ""), ("d", "x=y")] {
        asked.gives(&format!("query,param({name})"), wanted);
    }
    asked.gives("str(a=1;b=2),param(b,;)", "2");
    for expression in [
        "query,param(e)",
        "query,param(A)",
        "str(),param(a)",
        "str(a=1;b=2),param(b)",
    ] {
        asked.gives(expression, None);
    }
}

#[test]
fn text_is_replaced_by_an_expression() {
    let asked = Asked::get("/old/a/old/b");
    asked.gives(r#"path,regsub("^/old/(.*)","/new/\1")"#, "/new/a/old/b");
    asked.gives(r#"path,regsub(/OLD/,/new/,gi)"#, "/new/a/new/b");
    asked.gives("path,regsub(/old/,/new/)", "/new/a/old/b");
    asked.gives("path,regsub(none,x)", "/old/a/old/b");
    asked.gives(r#"path,regsub("a*","-",g)"#, "-/-o-l-d-/-/-o-l-d-/-b-");
}

/// Values from the standards; `tests/user` compares all converters with HAProxy's.
#[test]
fn hashes_and_encodings_have_the_values_of_their_standards() {
    let asked = Asked::get("/");
    for (expression, wanted) in [
        // RFC 4648 §10.
        ("str(fooba),base64", "Zm9vYmE="),
        ("str(Zm9vYmE=),b64dec", "fooba"),
        ("str(fooba),ub64enc", "Zm9vYmE"),
        ("str(Zm9vYmE),ub64dec", "fooba"),
        ("str(foobar),hex", "666F6F626172"),
        // FIPS 180-4.
        (
            "str(abc),sha1,hex",
            "A9993E364706816ABA3E25717850C26C9CD0D89D",
        ),
        (
            "str(abc),sha2(224),hex",
            "23097D223405D8228642A477BDA255B32AADBCE4BDA0B3F7E36C9DA7",
        ),
        // RFC 2202 §3.
        (
            "str(what do ya want for nothing?),hmac(sha1,SmVmZQ==),hex",
            "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79",
        ),
        // The check values of the catalogue of CRCs.
        ("str(123456789),crc32,hex", "00000000CBF43926"),
        ("str(123456789),crc32c,hex", "00000000E3069283"),
        // The authors' values of an empty text, and of `abc`.
        ("str(abc),xxh32", "852579327"),
        ("str(abc),xxh64,hex", "44BC2CF5AD770999"),
        ("str(abc),xxh3,hex", "78AF5F94892F3950"),
    ] {
        assert_eq!(
            asked.value(expression).as_deref(),
            Some(wanted),
            "{expression}"
        );
    }
}

/// Each as in HAProxy 2.6, but for lists with objects, whole parts of tokens, and numbers of more than
/// six digits: there 2.6 has nothing, nothing, and a rounded number.
#[test]
fn json_is_queried() {
    const JSON: &str = r#"{"a":{"b":[1, 2,{"c":"d"}],"n":-5,"f":1.50,"t":true,"s":"x\"y\u0041"},"e":"","z":null,"big":12345678,"u":"7"}"#;
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiaWF0IjoxNTE2MjM5MDIyfQ.c2ln";
    let asked = Asked::get("/")
        .with("j", JSON)
        .with("t", TOKEN)
        .with("two", "e30.e30");
    for (query, wanted) in [
        ("$.a.b[1]", Some("2")),
        ("$.a.b[2].c", Some("d")),
        ("$.a.b[3]", None),
        ("$.a.b", Some(r#"[1, 2,{"c":"d"}]"#)),
        ("$.a.n", Some("-5")),
        ("$.a.n,int", Some("-5")),
        ("$.a.f", Some("1.5")),
        ("$.a.f,int", Some("1")),
        ("$.a.t", Some("1")),
        ("$.a.t,int", Some("1")),
        ("$.a.s", Some("x\"yA")),
        ("$.e", Some("")),
        ("$.big", Some("12345678")),
        ("$.u,int", Some("7")),
        ("$.a", None),
        ("$.z", None),
        ("$.none", None),
        ("$.e.none", None),
        ("$[0]", None),
    ] {
        asked.gives(&format!("req.fhdr(j),json_query({query})"), wanted);
    }
    asked.gives("req.fhdr(t),json_query($.a)", None);
    asked.gives("req.fhdr(t),jwt_header_query($.alg)", "HS256");
    asked.gives("req.fhdr(t),jwt_payload_query($.sub)", "1234567890");
    asked.gives(
        "req.fhdr(t),jwt_payload_query($.iat,int),add(1)",
        "1516239023",
    );
    asked.gives(
        "req.fhdr(t),jwt_header_query",
        r#"{"alg":"HS256","typ":"JWT"}"#,
    );
    asked.gives("req.fhdr(two),jwt_header_query", None);
    let secret = "0123456789abcdef0123456789abcdef";
    let verify = |token: &str, algorithm: &str| format!("{token},jwt_verify({algorithm},{secret})");
    asked.gives(&verify("req.fhdr(t)", "HS256"), "0");
    asked.gives(&verify("req.fhdr(two)", "HS256"), "-3");
    asked.gives(&verify("str(e30.e30.e30.e30)", "HS256"), "-3");
}

/// Each as in HAProxy 2.6.
#[test]
fn the_language_that_a_client_prefers_is_found() {
    let asked = Asked::get("/");
    for (accepted, converter, wanted) in [
        ("en", "language(en;fr)", Some("en")),
        ("fr-ca", "language(en;fr)", Some("fr")),
        ("fr-ca", "language(en;fr-ca;fr)", Some("fr-ca")),
        ("de", "language(en;fr,xx)", Some("xx")),
        ("de", "language(en;fr)", None),
        ("fr;q=0.5, en;q=0.7, de", "language(en;fr)", Some("en")),
        ("fr;q=0, en;q=0.0", "language(en;fr,x)", Some("x")),
        ("FR", "language(en;fr)", None),
    ] {
        asked.gives(&format!("str('{accepted}'),{converter}"), wanted);
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_says() {
    let asked = Asked::get("/");
    let whole =
        r#"for="[2001:db8::17]:4711";Proto=https; host="a.example:8080";by=_one;ext="a\"b""#;
    for (converter, wanted) in [
        ("rfc7239_is_valid", Some("1")),
        ("rfc7239_field(for)", Some("[2001:db8::17]:4711")),
        ("rfc7239_field(proto)", Some("https")),
        ("rfc7239_field(host)", Some("a.example:8080")),
        ("rfc7239_field(by)", Some("_one")),
        ("rfc7239_field(for),rfc7239_n2nn", Some("2001:db8::17")),
        ("rfc7239_field(for),rfc7239_n2np", Some("4711")),
        ("rfc7239_field(by),rfc7239_n2nn", Some("_one")),
        ("rfc7239_field(by),rfc7239_n2np", None),
    ] {
        asked.gives(&format!("str('{whole}'),{converter}"), wanted);
    }
    for (value, is_valid) in [
        ("for=192.0.2.1, for=unknown,", true),
        ("for=192.0.2.1:80", false),
        ("for=\"192.0.2.1:80\"", true),
        ("for=\"192.0.2.1:65536\"", false),
        ("for=2001:db8::1", false),
        ("for=\"[2001:db8::1]:_port\"", true),
        ("for=_;proto=http", false),
        ("for=_a;FOR=_b", false),
        ("for=a.example", false),
        ("proto=://", false),
        ("host=\"a b\"", false),
        ("for", false),
        ("for=\"_a", false),
        (" ; ", true),
        ("", false),
    ] {
        let wanted = if is_valid { "1" } else { "0" };
        asked.gives(&format!("str('{value}'),rfc7239_is_valid"), Some(wanted));
    }
    for (node, name, port) in [
        ("192.0.2.1", Some("192.0.2.1"), None),
        ("192.0.2.1:80", Some("192.0.2.1"), Some("80")),
        ("[::1]", Some("::1"), None),
        ("Unknown:_p", Some("Unknown"), Some("_p")),
        ("_a.b-c", Some("_a.b-c"), None),
        ("192.0.2.1:", None, None),
        ("[::1", None, None),
        ("::1", None, None),
        ("a", None, None),
        ("é", None, None),
    ] {
        asked.gives(&format!("str('{node}'),rfc7239_n2nn"), name);
        asked.gives(&format!("str('{node}'),rfc7239_n2np"), port);
    }
    // Only the first element of a list is looked at.
    asked.gives("str('proto=a,for=_b'),rfc7239_field(for)", None);
}

/// Each as in HAProxy 2.6, but for times without a date: there it has one of another year.
#[test]
fn a_time_is_a_date() {
    let asked = Asked::get("/");
    for (expression, wanted) in [
        ("int(0),http_date", Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (
            "int(1000000000),http_date(3600)",
            Some("Sun, 09 Sep 2001 02:46:40 GMT"),
        ),
        (
            "int(1000000000123),http_date(0,ms)",
            Some("Sun, 09 Sep 2001 01:46:40.123 GMT"),
        ),
        (
            "int(1000000000123456),http_date(0,us)",
            Some("Sun, 09 Sep 2001 01:46:40.123456 GMT"),
        ),
        ("int(-1),http_date", None),
        ("int(9223372036854775807),http_date", None),
        (
            "int(1000000000),utime(%Y-%m-%dT%H:%M:%SZ)",
            Some("2001-09-09T01:46:40Z"),
        ),
        (
            "int(1000000000),utime('%a %b %j %y %e %F %T %D %R %s %Z %z %p %I %u %w %h')",
            Some(
                "Sun Sep 252 01  9 2001-09-09 01:46:40 09/09/01 01:46 1000000000 GMT +0000 AM 01 7 0 Sep",
            ),
        ),
        ("int(-1),utime(%Y)", None),
        (
            "int(1709210096),utime('%c|%r|%k|%l|%P|%g-%G-%V|%U %W|%-d %_H %3S %^a %#p %Ec %Od|%Q %-E %')",
            Some(
                "Thu Feb 29 12:34:56 2024|12:34:56 PM|12|12|pm|24-2024-09|08 09|29 12 056 THU pm \
                 Thu Feb 29 12:34:56 2024 29|%Q %-E %",
            ),
        ),
        // Weeks of ISO 8601 belong to the year of their Thursday.
        (
            "int(1609459200),utime('%G-%V %U %W')",
            Some("2020-53 00 00"),
        ),
        (
            "int(1735603200),utime('%G-%V %U %W')",
            Some("2025-01 52 53"),
        ),
        (
            "int(1709210096789),ms_utime('%T.%3N %N')",
            Some("12:34:56.789 789000000"),
        ),
        (
            "int(1709210096789),ms_utime('%T.%3N',-789)",
            Some("12:34:56.000"),
        ),
        (
            "int(1709210096789012),us_utime('%T.%6N')",
            Some("12:34:56.789012"),
        ),
        ("int(1709210096),utime('%T.%3N')", Some("12:34:56.%3N")),
        ("int(-1),ms_utime(%Y)", None),
        // Leap years, by the calendar.
        ("int(951782400),utime('%F %j')", Some("2000-02-29 060")),
        ("int(1735689599),utime('%F %j')", Some("2024-12-31 366")),
        ("int(1767225599),utime('%F %j')", Some("2025-12-31 365")),
        ("int(4107542400),utime('%F %j')", Some("2100-03-01 060")),
    ] {
        asked.gives(expression, wanted);
    }
}

#[test]
fn addresses_are_masked() {
    let mut asked = Asked::get("/");
    asked.gives("src,ipmask(24)", "192.0.2.0");
    asked.gives("src,ipmask(255.255.0.0)", "192.0.0.0");
    asked.client = Peer::Ip("[2001:db8::1:2]:1".parse().expect("an address"));
    asked.gives("src,ipmask(24)", None);
    asked.gives("src,ipmask(24,32)", "2001:db8::");
    asked.gives("str(192.0.2.9),ipmask(28)", "192.0.2.0");
    asked.gives("str(no),ipmask(28)", None);
}

#[test]
fn an_absent_value_equals_nothing() {
    let asked = Asked::get("/");
    asked.is_not(r#"req.hdr(x) == "a""#);
    asked.is(r#"req.hdr(x) != "a""#);
    asked.is_not(r#"req.hdr(x) == req.hdr(y)"#);
    asked.is_not("req.hdr(x) > 1");
    asked.is_not("req.hdr(x) < 1");
    asked.is_not(r#"req.hdr(x) matches "^$""#);
    asked.is(r#"req.hdr(x) not in ["a"]"#);
}

#[test]
fn a_bare_expression_is_true_if_it_has_a_value() {
    let asked = Asked::get("/").with("x-empty", "").with("x-zero", "0");
    for truth in ["path", "src", "req.hdr(x-zero)", "int(1)", "bool(true)"] {
        asked.is(truth);
    }
    for untruth in [
        "ssl_fc",
        "req.hdr(x-empty)",
        "req.hdr(x)",
        "int(0)",
        "bool(false)",
    ] {
        asked.is_not(untruth);
    }
}

#[test]
fn values_are_compared() {
    let asked = Asked::get("/v1/items")
        .with("content-length", "120")
        .with("x-a", "same")
        .with("x-b", "same");
    for truth in [
        r#"path == "/v1/items""#,
        r#"path starts_with "/v1/""#,
        r#"path ends_with "items""#,
        r#"path contains "1/i""#,
        r#"path matches "^/v[0-9]+/""#,
        r#"method in ["GET", "HEAD"]"#,
        "req.hdr(content-length) > 100",
        "req.hdr(content-length) <= 120",
        "req.hdr(x-a) == req.hdr(x-b)",
        "dst_port in [80, 8000:8999]",
        "dst_port == 8443",
        "dst_port >= 8443",
        r#"src == "192.0.2.7""#,
        r#"src == "192.0.2.0/24""#,
        r#"src in ["10.0.0.0/8", "192.0.2.0/25"]"#,
        "ssl_fc == false",
        "src == src",
    ] {
        asked.is(truth);
        asked.is_not(&format!("not ({truth})"));
    }
    for untruth in [
        r#"path == "/V1/items""#,
        r#"path starts_with "v1""#,
        "req.hdr(content-length) > 120",
        "dst_port in [80, 8444:8999]",
        r#"src in ["10.0.0.0/8", "192.0.2.8/29"]"#,
        "ssl_fc == true",
        "src == dst",
    ] {
        asked.is_not(untruth);
    }
}

#[test]
fn and_binds_closer_than_or() {
    let asked = Asked::get("/");
    asked.is("bool(1) or bool(0) and bool(0)");
    asked.is_not("(bool(1) or bool(0)) and bool(0)");
    asked.is("not bool(0) and bool(1)");
    asked.is_not("not (bool(0) or bool(1))");
}

#[test]
fn a_long_value_is_still_looked_at() {
    let mut asked = Asked::get("/");
    let long = format!("{}B", "a".repeat(60_000));
    for _ in 0..100 {
        asked.headers.append("x", long.parse().expect("a value"));
    }
    asked.headers.append("x", "LAST".parse().expect("a value"));
    asked.is(r#"req.hdr(x),lower,upper,lower == "last""#);
}

#[test]
fn a_text_that_grows_without_end_is_absent() {
    let mut asked = Asked::get("/");
    asked
        .headers
        .append("x", "a".repeat(60_000).parse().expect("a value"));
    let long = "b".repeat(1_000);
    asked.gives(&format!("req.hdr(x),regsub(a,{long},g)"), None);
}

/// Arguments of each kind, right ones and some that the parser refuses.
fn argument(kind: Kind) -> BoxedStrategy<String> {
    let of = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned);
    match kind {
        Kind::Int => of(&[
            "0",
            "1",
            "-1",
            "7",
            "9223372036854775807",
            "-9223372036854775808",
        ])
        .boxed(),
        Kind::IntIn(..) | Kind::Index => of(&["0", "1", "-1", "8", "9"]).boxed(),
        Kind::Number => of(&[
            "0",
            "3",
            "-1",
            "9223372036854775807",
            "txn.number",
            "txn.none",
        ])
        .boxed(),
        Kind::Bool => of(&["true", "false"]).boxed(),
        Kind::Key => of(&["a2V5", "txn.text"]).boxed(),
        Kind::Algorithm => of(&["HS256", "EdDSA", "txn.text"]).boxed(),
        Kind::SignatureKeys => of(&["0123456789abcdef0123456789abcdef"]).boxed(),
        Kind::OneOf(words) => of(words).boxed(),
        Kind::Field => of(&["host", "x", "cookie", "none"]).boxed(),
        Kind::TlvType => of(&["5", "0xEA", "AUTHORITY"]).boxed(),
        Kind::Mask4 => of(&["0", "24", "255.255.0.0"]).boxed(),
        Kind::Mask6 => of(&["0", "64", "ffff::"]).boxed(),
        Kind::Pattern => of(&["a*", "^/", "[0-9]+$", "\"(a)(b)?\""]).boxed(),
        Kind::CaseFlag => of(&["i"]).boxed(),
        Kind::SubstitutionFlags => of(&["g", "i", "gi"]).boxed(),
        Kind::Hexadecimal => of(&["00", "616263"]).boxed(),
        Kind::Ipv4 | Kind::Ip => of(&["192.0.2.1"]).boxed(),
        Kind::Ipv6 => of(&["2001:db8::1"]).boxed(),
        Kind::Backend | Kind::Frontend => of(&["app", "web"]).boxed(),
        Kind::Server => of(&["app/s1", "app/unix:/a/b", "app"]).boxed(),
        Kind::Variable => of(&["txn.number", "txn.text", "txn.addr", "sess.none"]).boxed(),
        Kind::JsonPath => of(&["$", "$.a", "$.a[0].b", "$[9]"]).boxed(),
        _ => of(&["a", "/", "1", "\"\"", "\" %,\"", "%Y%j%e", "é", ";,"]).boxed(),
    }
}

fn call(name: &'static str, parameters: &'static [Parameter]) -> BoxedStrategy<String> {
    let arguments: Vec<_> = parameters.iter().map(|each| argument(each.kind)).collect();
    (arguments, 0..=parameters.len())
        .prop_map(move |(arguments, count)| {
            // It needs a size beside its other arguments.
            let count = if name == "be2hex" { 0 } else { count };
            format!("{name}({})", arguments[..count].join(","))
        })
        .boxed()
}

/// An expression of the tables' fetches and converters. Most of them have the right types: nearly
/// every type is cast to every other one.
fn any_expression() -> impl Strategy<Value = String> {
    let fetch = prop::sample::select(Fetch::ALL).prop_flat_map(|fetch| {
        let row = fetch.row();
        call(row.name, row.parameters)
    });
    let converter = prop::sample::select(Converter::ALL).prop_flat_map(|converter| {
        let row = converter.row();
        call(row.name, row.parameters)
    });
    (fetch, prop::collection::vec(converter, 0..5))
        .prop_map(|(fetch, converters)| [&[fetch][..], &converters].concat().join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_expression_loads_back_and_has_a_value_or_none(text in any_expression(), x in "[ -~]{0,20}") {
        let Some(expr) = parse::maybe_expression(&text) else {
            return Ok(());
        };
        let written = expr.to_string();
        let again = parse::maybe_expression(&written);
        prop_assert_eq!(again.as_ref(), Some(&expr), "{}", written);

        let mut asked = Asked::get("/a/b;c=1?d=%20e&f")
            .with("host", "A.test:80")
            .with("cookie", "a=1; b");
        asked.headers.append("x", x.trim().parse().expect("a value"));
        let set = |name: &str, value| {
            let variable = parse::expression(&format!("var({name})"));
            let variable = variable.variables().next().expect("one").clone();
            asked.variables.set(&variable, value, &Scratch::default());
        };
        set("txn.number", Value::Int(-7));
        set("txn.text", Value::Text(b"dGV4dA=="));
        set("txn.addr", Value::Ip([192, 0, 2, 1].into()));
        let program = Program::compile(&expr);
        let mut scratch = Scratch::default();
        let value = program.value(&asked.facts(), &mut scratch);
        // Its type is the one that the table says.
        let is_typed = match (expr.yields(), value) {
            (_, Value::Absent) | (Type::Any, _) => true,
            (Type::Bool, value) => matches!(value, Value::Bool(_)),
            (Type::Int, value) => matches!(value, Value::Int(_)),
            (Type::Ip, value) => matches!(value, Value::Ip(_)),
            (Type::Text | Type::Bytes, value) => scratch.text(value).is_some(),
        };
        prop_assert!(is_typed, "{} is {:?}", text, value);
    }
}

proptest! {
    #[test]
    fn numbers_are_found_in_ranges_as_by_looking_at_each(
        ranges in prop::collection::vec((0i64..40, 0i64..8), 1..6),
        number in -2i64..50,
    ) {
        let ranges: Vec<(i64, i64)> = ranges.into_iter().map(|(first, more)| (first, first + more)).collect();
        let is_in = ranges.iter().any(|(first, last)| (first..=last).contains(&&number));
        let written: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}:{last}")).collect();
        let condition = format!("int({number}) in [{}]", written.join(", "));
        prop_assert_eq!(Asked::get("/").holds(&condition), is_in, "{}", condition);
    }

    #[test]
    fn addresses_are_found_in_networks_as_by_looking_at_each(
        networks in prop::collection::vec((0u32..=255, 22u8..=32), 1..6),
        host in 0u32..=1023,
    ) {
        let addr = |bits: u32| std::net::Ipv4Addr::from(0x0a00_0000 | bits);
        let networks: Vec<ipnet::Ipv4Net> = networks
            .into_iter()
            .map(|(bits, length)| ipnet::Ipv4Net::new(addr(bits << 2), length).expect("a network").trunc())
            .collect();
        let is_in = networks.iter().any(|network| network.contains(&addr(host)));
        let written: Vec<String> = networks.iter().map(|network| format!("\"{network}\"")).collect();
        let condition = format!("str({}),ipmask(32) in [{}]", addr(host), written.join(", "));
        prop_assert_eq!(Asked::get("/").holds(&condition), is_in, "{}", condition);
    }
}

/// Each as in HAProxy 2.6.
#[test]
fn a_quote_that_is_not_closed_reaches_to_the_end_of_the_line() {
    for (line, count, last) in [
        ("x, \"a, admin", "2", "\"a, admin"),
        ("\"a, admin", "1", "\"a, admin"),
        ("x, \"a\\\", admin", "2", "\"a\\\", admin"),
        ("a\", admin", "1", "a\", admin"),
        ("\"a\", admin", "2", "admin"),
    ] {
        let asked = Asked::get("/").with("x", line);
        asked.gives("req.hdr_cnt(x)", count);
        asked.gives("req.hdr(x)", last);
        let is_admin = asked.holds("req.hdr(x) == 'admin'");
        assert_eq!(is_admin, last == "admin", "{line}");
    }
}

#[test]
fn the_host_of_a_target_is_the_host() {
    let h2 = Asked::get("https://a.test:8443/b");
    assert_eq!(
        h2.value("req.hdr(host),lower").as_deref(),
        Some("a.test:8443")
    );
    assert_eq!(h2.value("req.hdr_cnt(host)").as_deref(), Some("1"));
    let both = Asked::get("http://a.test/b").with("host", "a.test");
    assert_eq!(both.value("req.hdr_cnt(host)").as_deref(), Some("1"));
    assert_eq!(Asked::get("/").value("req.hdr(host)"), None);
}

#[test]
fn a_template_is_text_with_values() {
    let asked = Asked::get("/a?b").with("x-list", "one, two");
    let render = |text: &str| {
        let template = Template::compile(&parse::template(text));
        let rendered = template.render(&asked.facts(), &mut Scratch::default());
        String::from_utf8(rendered).expect("text")
    };
    assert_eq!(
        render("%[src]:%[dst_port] %% %[path,upper]"),
        "192.0.2.7:8443 % /A"
    );
    // Of several values the last one; for an absent one nothing.
    assert_eq!(render("<%[req.hdr(x-list)]|%[req.hdr(none)]>"), "<two|>");
    assert_eq!(render(""), "");
}

#[test]
fn a_variable_is_compared_as_what_it_is_compared_with() {
    let asked = Asked::get("/");
    let scratch = Scratch::default();
    let named = |name: &str| {
        let expr = parse::expression(&format!("var({name})"));
        match expr.arguments.first() {
            Some(crate::plan::expr::Argument::Variable(variable)) => variable.clone(),
            other => unreachable!("{other:?}"),
        }
    };
    let set = |name: &str, value| {
        let variable = named(name);
        let facts = asked.facts();
        let holder = facts.holder_of(&variable).expect("variables");
        holder.set(&variable, value, &scratch);
    };
    set("txn.number", Value::Int(42));
    set("txn.text", Value::Text(b"42"));
    set("txn.addr", Value::Ip([10, 1, 2, 3].into()));
    set("txn.yes", Value::Bool(true));
    set("sess.text", Value::Text(b"other"));
    let holds = |text: &str| {
        let condition = Condition::compile(&parse::condition(text));
        condition.holds(&asked.facts(), &mut Scratch::default())
    };
    for text in [
        "var(txn.number) == 42",
        "var(txn.number) == \"42\"",
        "var(txn.text) == 42",
        "var(txn.text) > 41",
        "var(txn.text) == var(txn.number)",
        "var(txn.addr) == \"10.1.2.3\"",
        "var(txn.addr),ipmask(8) == \"10.0.0.0/8\"",
        "var(txn.addr) starts_with \"10.\"",
        "var(txn.number) in [\"41\", \"42\"]",
        "var(txn.yes) == true",
        "var(txn.yes)",
        "var(sess.text) != var(txn.text)",
        "not var(txn.none)",
        "var(txn.none,x) == \"x\"",
        "var(txn.number) matches \"^4\"",
        "src,ipmask(24) != var(txn.addr)",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in [
        "var(txn.none) == \"\"",
        "var(txn.text) == 4",
        "var(req.text)",
    ] {
        assert!(!holds(text), "{text}");
    }
    set("txn.text", Value::Absent);
    assert!(!holds("var(txn.text)"));
}

#[test]
fn the_right_side_of_a_comparison_has_one_value() {
    let asked = Asked::get("/").with("x-a", "1, 2, 3").with("x-b", "4, 2");
    asked.gives("req.hdr(x-b)", "2");
    assert!(
        asked.holds("req.hdr(x-a) == req.hdr(x-b)"),
        "2 is one of them"
    );
    assert!(!asked.holds("req.hdr(x-a) == req.hdr(x-b,1)"), "4 is none");
    assert!(!asked.holds("req.hdr(x-a,1) == req.hdr(x-b)"));
}

#[test]
fn a_replacement_that_would_be_too_much_is_absent() {
    let much = |matches: usize| Asked::get(&format!("/{}", "a".repeat(matches)));
    let expression = "path,regsub(a,'',g)";
    assert_eq!(much(4096).value(expression).as_deref(), Some("/"));
    assert_eq!(much(4097).value(expression), None);
    let long = format!("path,regsub(a,\"{}\",g)", "y".repeat(8_000));
    assert_eq!(
        much(500).value(&long).map(|text| text.len()),
        Some(1 + 500 * 8_000)
    );
    assert_eq!(much(600).value(&long), None);
}

/// As HAProxy's `-m dir` and `-m dom`.
#[test]
fn parts_between_slashes_and_dots_are_found() {
    let asked = Asked::get("/a/api/b?x").with("host", "www.example.com:80");
    asked.is(r#"path has_dir "api""#);
    asked.is(r#"path has_dir "/api/b/""#);
    asked.is_not(r#"path has_dir "ap""#);
    asked.is(r#"req.hdr(host) has_domain "example.com""#);
    asked.is(r#"req.hdr(host) has_domain ["a.test", "www"]"#);
    asked.is_not(r#"req.hdr(host) has_domain "xample.com""#);
}

#[test]
fn a_text_is_compared_with_each_of_a_list() {
    let asked = Asked::get("/img/a.png");
    asked.is(r#"path starts_with ["/css/", "/img/"]"#);
    asked.is(r#"path ends_with [".jpg", ".png"]"#);
    asked.is(r#"path contains ["xx", "g/a"]"#);
    asked.is(r#"path matches ["^x", "[a-z][.]png$"]"#);
    // Of an address, its text.
    asked.is(r#"src matches ["^10[.]", "^192[.]0"]"#);
    asked.is_not(r#"src matches ["^10[.]"]"#);
    for none in [
        r#"path starts_with ["/css/", "img/"]"#,
        r#"path ends_with [".jpg", ".pn"]"#,
        r#"path contains ["xx", "yy"]"#,
        r#"path matches ["^x", "png.$"]"#,
    ] {
        asked.is_not(none);
    }
}

#[test]
fn case_is_ignored_where_it_is_said() {
    let asked = Asked::get("/Img/A.PNG").with("host", "WWW.Example.com");
    asked.is(r#"req.hdr(host) == -i "www.example.COM""#);
    asked.is_not(r#"req.hdr(host) != -i "www.example.COM""#);
    asked.is(r#"req.hdr(host) != -i "example.com""#);
    asked.is(r#"req.hdr(host) in -i ["a", "www.EXAMPLE.com"]"#);
    asked.is(r#"req.hdr(host) not in -i ["a", "b"]"#);
    asked.is(r#"path starts_with -i "/iMG""#);
    asked.is(r#"path ends_with -i [".jpg", ".png"]"#);
    asked.is(r#"path contains -i "MG/a""#);
    asked.is(r#"path matches -i "^/img/[a-z][.]png$""#);
    asked.is(r#"path has_dir -i "IMG""#);
    asked.is(r#"req.hdr(host) has_domain -i "EXAMPLE""#);
    asked.is_not(r#"path starts_with "/iMG""#);
    // Other letters are not folded: a text may have any encoding.
    let asked = Asked::get("/").with("x", "Straße");
    asked.is(r#"req.hdr(x) == -i "STRAße""#);
}

#[test]
fn what_is_empty_is_found_and_what_is_absent_is_not() {
    let asked = Asked::get("/").with("x-empty", "");
    asked.is("req.hdr(x-empty) found");
    asked.is_not("req.hdr(x-empty)");
    asked.is_not("req.hdr(x-none) found");
    asked.is("not req.hdr(x-none) found and req.hdr(x-empty) found");
}

#[test]
fn a_range_may_be_open_and_may_overlap_others() {
    let asked = Asked::get("/");
    asked.is("dst_port in [8443:]");
    asked.is("dst_port in [:8443]");
    asked.is_not("dst_port in [:8442, 8444:]");
    asked.is("dst_port in [8000:8100, 8050:9000]");
    asked.is("src_port in [1:5000, 100:200]");
}

#[test]
fn haproxys_predefined_conditions_have_their_names() {
    let asked = Asked::get("/").with("host", "a");
    for holds in [
        "TRUE",
        "HTTP",
        "HTTP_1.1",
        "HTTP_URL_SLASH",
        "METH_GET",
        "METH_GET and not METH_POST",
    ] {
        asked.is(holds);
    }
    for fails in [
        "FALSE",
        "HTTP_1.0",
        "HTTP_2.0",
        "HTTP_CONTENT",
        "HTTP_URL_ABS",
        "HTTP_URL_STAR",
        "LOCALHOST",
        "METH_HEAD",
        "METH_OPTIONS",
        "METH_PUT",
        "METH_DELETE",
        "METH_CONNECT",
        "METH_TRACE",
    ] {
        asked.is_not(fails);
    }
    let mut asked = Asked::get("http://a/").with("content-length", "1");
    asked.client = Peer::Ip(([127, 0, 0, 2], 1).into());
    asked.method = Method::HEAD;
    for holds in [
        "LOCALHOST",
        "HTTP_URL_ABS",
        "HTTP_CONTENT",
        "METH_GET",
        "METH_HEAD",
    ] {
        asked.is(holds);
    }
}

/// The forms are those of OpenSSL, as HAProxy shows them.
#[test]
fn a_certificate_is_shown_as_openssl_shows_it() {
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber, date_time_ymd,
    };

    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "FR");
    name.push(DnType::OrganizationName, "Example, Inc.");
    name.push(DnType::CommonName, "alice");
    name.push(DnType::OrganizationalUnitName, "#1");
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from(vec![0xab, 1]));
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2031, 12, 31);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let der = certificate.der().to_vec();

    let mut asked = Asked::get("/");
    asked.tls = Some(ClientTls {
        version: TlsVersion::V1_3,
        keys: TlsKeys::Fresh,
        cipher: "TLS13_AES_128_GCM_SHA256",
        server_name: None,
        alpn: None,
        certificate: Some(ClientCertificate {
            der: der.as_slice().into(),
            ..ClientCertificate::default()
        }),
        shown: None,
    });
    asked.gives("ssl_c_s_dn", "/C=FR/O=Example, Inc./CN=alice/OU=#1");
    asked.gives(
        "ssl_c_i_dn(,,rfc2253)",
        r"OU=\#1,CN=alice,O=Example\, Inc.,C=FR",
    );
    asked.gives("ssl_c_s_dn(cn)", "alice");
    asked.gives("ssl_c_s_dn(CN,-1)", "alice");
    asked.gives("ssl_c_s_dn(cn,2)", None);
    asked.gives("ssl_c_s_dn(cn,-2)", None);
    asked.gives("ssl_c_s_dn(cn,0)", None);
    asked.gives("ssl_c_s_dn(l)", None);
    asked.gives("ssl_c_serial,hex", "AB01");
    asked.gives("ssl_c_notbefore", "260102000000Z");
    asked.gives("ssl_c_notafter", "311231000000Z");
    asked.gives("ssl_c_version", "3");
    asked.gives("ssl_c_key_alg", "id-ecPublicKey");
    asked.gives("ssl_c_sig_alg", "ecdsa-with-SHA256");
    asked.gives("ssl_f_key_alg", None);
    asked.is("ssl_c_der,hex,length > 200");
    asked.is("ssl_c_sha1,hex,length == 40");
    asked.gives("ssl_f_s_dn", None);
    // What is no certificate has no parts.
    let mut asked = Asked::get("/");
    for absent in ["ssl_c_der", "ssl_c_s_dn", "ssl_f_der", "ssl_c_serial"] {
        asked.gives(absent, None);
    }
    asked.tls = Some(ClientTls {
        version: TlsVersion::V1_3,
        keys: TlsKeys::Fresh,
        cipher: "TLS13_AES_128_GCM_SHA256",
        server_name: None,
        alpn: None,
        certificate: Some(ClientCertificate {
            der: b"abc".as_slice().into(),
            ..ClientCertificate::default()
        }),
        shown: None,
    });
    asked.gives("ssl_c_der", "abc");
    asked.gives("ssl_c_s_dn", None);
}
