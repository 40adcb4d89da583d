//! Tokens by another program (OpenSSL), of every algorithm.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Verifier;
use super::jwt::{Refused, claims, text_of};
use crate::base::Position;
use crate::plan::{Jwt, JwtAlgorithm, JwtKey, KeyKind};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const RSA: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4Hw3n2c0qT9g7m3krK9D\n\
3eyRSK5nvko3O8yHyHvXi8AWUNtZxBcSj15WB5T3DECyD3qSvgMFs8Evt2HxDXLK\n\
cIvq3UgG/z4DzUfFSTSZnwxSXERVnWkLHcs4bktfARaX4cuuJN7XhVvWKSVsuvEc\n\
EAaH1Q+SEIGGrowoD5EOU5Z2lqNdg+yNGIVdzjGqxmIKS++3g7yZTglw7JuguSfA\n\
ptvKEYA8131QnRZBPH+vcPtXVttxNPqCNMAfQXPw8v+0NoWyq1PSOvoNhDsL3iP5\n\
zNHziVEQt80Oct9X3Zq/MbvmQiynVL9Q0ZIU2Q7WREdiLe+XiCrMFg4IQT2A1joK\n\
iQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKD5lfFQhygUoqGTu88Itvusrekph\n\
oa6Eb73r9zz8tuuNY83ev4oQ0UIIoTrPwDlEoIhux9evTs7i7Xn9YNmC9g==\n\
-----END PUBLIC KEY-----\n\
";

const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEsvubdsIRxRJbunIXlua2YTmbyGVLcvJ4\n\
sD2l2UkK4re43efnL+tnGwYfDu0G3RP146HbOwXf/7RQG8HGQFjv3JxgpQw6r9HE\n\
RSS3sKZ9027OW49Lf8aLu+hkrZsCWFAa\n\
-----END PUBLIC KEY-----\n\
";

const P521: &str = "-----BEGIN PUBLIC KEY-----\n\
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBYFkSP5KON4jL0qXAgrunKJFqcrRT\n\
+lJUZ75+JeQQD+FH7nNdtq7r0P+B4yKE1t0vkHtvSO75cPnb8NztEtdCkfQAXTKJ\n\
t0PHFZt2im4lxabqL/jnGetegU636PNpX39jTYQLPLugFXfFNmnuXH2fKow2dDX+\n\
y76ngIFgmoYoAEJ9qXk=\n\
-----END PUBLIC KEY-----\n\
";

const ED: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEAOeYkRXuUZfivT1r7UJbFePB0eEHykpQy3vf6G/6jOGw=\n\
-----END PUBLIC KEY-----\n\
";

/// Each is for "joe" until 2100.
const TOKENS: [(&str, &str); 13] = [
    (
        "HS256",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.kldLfqAjHlSZm8IJW4kj2GeAinjn\
        P2XtPLLnUxjTCKg",
    ),
    (
        "HS384",
        "eyJhbGciOiJIUzM4NCJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.oAVcqfgtxlVoqnXVvVCOraSYAe7V\
        fJDY0Jn0GAOKZ-Iffj9hHX28NaqyC6KjoTc4",
    ),
    (
        "HS512",
        "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.bdlBqIB5GSuYtlX1JUv_s0N6tf0_\
        WTfxP1tZIDp39HgF0qrewhc_W4xiKBA-XTkJJMAVsD6So8HZ3P6mZtutCg",
    ),
    (
        "RS256",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.0K0uG-J2AHCMH2Rsn7ThR8uCKlIk\
        V9CZBJoFG4c_LRIlbjsavTU66ofKr1SZHDWkxDCt78N74Lbcbgxs0F2EASRbUUWu-okh_RDCRqafjUCiEkCaTFOlsY\
        Km_sMqX0KTAaWGb2Ciz8I98rSFigIulTkKe0rWpffD7RT6HLOYRNQ4X6nDPOuY_YiukL-QnNPG2YaxYX-NUuD__8yP\
        Ry3-XReN6Iz0zEQZ_yevHc_M_VC3YBWsobGsuAf0a20dLtfYVMbKxCV90lRwk--CFqSlqDeY_uEPZHxj10lFYxgA2C\
        P1RC-RCVSBTSTUrTCDhRBE1uoBM-iX4_Y3MH1a6wAFqA",
    ),
    (
        "RS384",
        "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.034iwmlz_4AfgPoHh9DiJVTowpzm\
        PAuv1YH7mVcW3nnO_yjSbD2_gB4Dk-5NPWo8z9gCghOHCjkesQIAxYiwL9a_vpvb3heHua-BOaFLjneOBJ-bq5YvJp\
        ylhOnYybRE2lriwFhKPO2hudmIRavXG7p_y1JI-p1mlXj98B8ybXZKuwFaL0C5361PIBlcBukVcjcvpERE7QcHpfjB\
        AC3OEWNe3MjL1I3SFGfEsFsBU90lGkfy2N5LE9FAEDUBCl2gD55_DgJOHHaQdv-l-cjFsYximxP5nHnmKYsqfE2Uz0\
        gTKU9uug_KWO8UaPmGzPZr1BE7-6yPFIVWR3sCCyZMUg",
    ),
    (
        "RS512",
        "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.CxwWBZcOOLRsuINXKg6nGBplJ4RV\
        FMaApuNJ8bp3UZqM7p95JXQbew4FZphqHtZoiq5X1wSrY0wu8WA0OXVwYKeJBIHkEfEBsz0VD9FeoUPWvxoXbC6ebs\
        NeWslQaIlGEUYrmNb9epd6pE0THYxWuctPumm_d8Mn4R0O2xX7xkYaxdVKxggpku1MacE6Ja00jTJRoFkw1_R4ZyUl\
        f0StNOrCzKD-nas9D2ePz6pCfyz3qeGtClsdyl3HGx_MpzTwoLj1cMYg6ca1CHotGCvlZp5PHVolFTuMdUKP7HssOD\
        k5DqfATOCb6Cr6dnUPhI6onZlpKtiEPzFYsNbqqKhyrA",
    ),
    (
        "PS256",
        "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.s3fVoKimzYVjTPjdzbpI1GJEE9C5\
        q5ZotmOE6GD2zJPZwql-LBGlOCYhzrMyQ_F1QjQOWCQCFXOVQWUYOEJyRx83jJyjsuo1hNxgWI2G6dvW6iqSRCn1N_\
        kYxiM2Vg99cDYGHO3FFlVKesYCTPaI9wxj6oPw3j99YxkaiBuO0I4L6MLoWTM_JGHxZTsVLIDBEGqLQ5Z4YEo_3W3c\
        87DkUQsZUHoXm_95sU8fYI9ZtOWj-eDk0K8nS5k32LIge6h0HO2pTrj14ehAlXm3vx1PU1ow4pbXXt4a3GkZGYhix3\
        _dkBztRdxu3ej4RV3MLDJtghPe_tR4zMAuR6aJ7dUeLQ",
    ),
    (
        "PS384",
        "eyJhbGciOiJQUzM4NCJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.y7TaBSoSNUTNQK8W-UysPoBPgeHI\
        zhSjxzO70jUBgheMvkIy2-xW9cY4TOqHbD6TXW1EmwKx0gT1KGuiJJBIJmW0LtAc9e8k3oGvm4pLYVFkv4hL0MIXjp\
        k6cFoPdd1JnUvt-bWRepO4p-jOmZLrLTgUPWD8RWepfFjBM8YlPaCzMPEl7MLbopaQpqjHZTOJql9-7UZJreiXSTjz\
        mbhaxR9r37BBXE4ra5q7N8CSoIcWOR7-ZsZdyV7Y1Q1CJDrewdsJ2B4G8gWCDlIMIzZF2riHdY0Qmoqbttb8FZcX2k\
        Pxc8U5YV_AdFb-Bl_I48QMnVcmc4nGvlDG2UJFmPGh7A",
    ),
    (
        "PS512",
        "eyJhbGciOiJQUzUxMiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.37C4aFlm7RLrIzj45nwz5fy8Y3I9\
        If2oT8rb2GxU7y9NBUzR0Hyry6xhWZCGgCUOVkVT_Q2-rwggF03lCtY4RW-64ICr3IFA-zJ-JK1Gk72CGHO3s11uP4\
        RR_gyg889tgBZRViLauxpXRCLrAmx519CQTpOYHQ8GNgL8JgIVH-d5SiIV7aN3zP-D1_64BDpfDBiyl7w1GodoCHgh\
        ksf-KZZGZAzc3sK8oIQxk84J2EWPGSm84CGLtuF_-GGuF9JSdQkeu3TUxxWGSMsgvGpRZ772eJmBmf8vzvIJfVbNHN\
        joMUiV73Cb5U_9ibCJ0ONEYmAwQpvCaFeKFojG7UC8ew",
    ),
    (
        "ES256",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.dJQZYWqOfS8H6rKQ4ZKcV4uvaWWd\
        TyAr2WvkASKsJvAlC6VWkLepSxirP5mjUekGtKuSDH0wfaU3nvOTlIklzw",
    ),
    (
        "ES384",
        "eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.lVVZV0jG47ZNvHvTV2SvxpBiH6j1\
        XXTGtxXAMhGzzzFak_J7ljhn87DAJ_CnLtDol4Evidj3Q-4mPoFhyzAa1xYw54W9U3PHhjLeHUd_IZsXZ7Ygh7eHXE\
        LLoRvSK81i",
    ),
    (
        "ES512",
        "eyJhbGciOiJFUzUxMiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.ANcpssV_48DA_3eOmJBx4Tjzs98H\
        XlpYOLYOZOFXCcvXna3p08yd3Leog-Hake0zRXI7KktqBQopPBmi-Wg3X4TyAO6A9x2-Uh34rxJK0-4haDNTkqbiXT\
        PsW7FwDuP-EhqwKXQ5_0uWatMtdtXwjHkaqMIPy7XTDBVNw1Fg8g0HCHHW",
    ),
    (
        "EdDSA",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.2614cMJOAAofsUgGtyhperm9OpeQ\
        APVm_8Zs4uUSQraxf_f0Ir9qVl9AEgbahDGU0JQcIEFQEuWpVl2YC2FCBQ",
    ),
];

/// The key of `RSA` in a JSON Web Key Set.
const RSA_SET: &str = r#"{"keys":[{"kty":"RSA","n":"4Hw3n2c0qT9g7m3krK9D3eyRSK5nvko3O8yHyHvXi8AWUNtZxBcSj15WB5T3DECyD3qSvgMFs8Evt2HxDXLKcIvq3UgG_z4DzUfFSTSZnwxSXERVnWkLHcs4bktfARaX4cuuJN7XhVvWKSVsuvEcEAaH1Q-SEIGGrowoD5EOU5Z2lqNdg-yNGIVdzjGqxmIKS--3g7yZTglw7JuguSfAptvKEYA8131QnRZBPH-vcPtXVttxNPqCNMAfQXPw8v-0NoWyq1PSOvoNhDsL3iP5zNHziVEQt80Oct9X3Zq_MbvmQiynVL9Q0ZIU2Q7WREdiLe-XiCrMFg4IQT2A1joKiQ","e":"AQAB"}]}"#;

fn key_of(algorithm: JwtAlgorithm) -> JwtKey {
    let pem = match algorithm.kind() {
        KeyKind::Secret => return JwtKey::of_secret(SECRET).expect("long enough"),
        KeyKind::Rsa => RSA,
        KeyKind::P256 => P256,
        KeyKind::P384 => P384,
        KeyKind::P521 => P521,
        KeyKind::Ed25519 => ED,
    };
    JwtKey::all_of(pem.as_bytes()).expect("a key").remove(0)
}

fn plan(keys: Vec<JwtKey>) -> Jwt {
    Jwt {
        file: None,
        is_secret: false,
        keys,
        algorithms: JwtAlgorithm::ALL.iter().map(|(_, one)| *one).collect(),
        issuer: None,
        audience: Vec::new(),
        leeway: Duration::from_secs(30),
        claims: Vec::new(),
        at: Position::built_in(),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn verified(token: &str, plan: &Jwt) -> Result<String, Refused> {
    let claims = claims(
        token.as_bytes(),
        plan,
        &Verifier::default(),
        at(1_800_000_000),
    )?;
    Ok(text_of(&claims, "sub").unwrap_or_default())
}

/// A token of HS256 with these parts of JSON.
fn signed(head: &str, payload: &str) -> String {
    let text = [head, payload]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const HEAD: &str = r#"{"alg":"HS256"}"#;

#[test]
fn tokens_of_every_algorithm_pass_with_their_key_alone() {
    for (name, token) in TOKENS {
        let algorithm = JwtAlgorithm::named(name).expect(name);
        let plan = plan(vec![key_of(algorithm)]);
        assert_eq!(verified(token, &plan), Ok("joe".to_owned()), "{name}");
        for (other, _) in JwtAlgorithm::ALL {
            let other = JwtAlgorithm::named(other).expect(other);
            if other.kind() != algorithm.kind() {
                let plan = self::plan(vec![key_of(other)]);
                assert_eq!(
                    verified(token, &plan),
                    Err(Refused::Key),
                    "{name} with {other:?}"
                );
            }
        }
        let only = Jwt {
            algorithms: vec![match algorithm {
                JwtAlgorithm::Hs256 => JwtAlgorithm::Hs384,
                _ => JwtAlgorithm::Hs256,
            }],
            ..plan.clone()
        };
        assert_eq!(verified(token, &only), Err(Refused::Algorithm), "{name}");
        // Another payload under the same signature.
        let parts: Vec<&str> = token.split('.').collect();
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"root","exp":4102444800}"#);
        let forged = format!("{}.{payload}.{}", parts[0], parts[2]);
        assert_eq!(verified(&forged, &plan), Err(Refused::Signature), "{name}");
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    // Signed with the text of the public key as the secret of HS256.
    let text = [HEAD, r#"{"sub":"root","exp":4102444800}"#];
    let text = text.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, RSA.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()));
    let plan = plan(vec![key_of(JwtAlgorithm::Rs256)]);
    assert_eq!(
        verified(&format!("{text}.{signature}"), &plan),
        Err(Refused::Key)
    );
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let plan = plan(vec![key_of(JwtAlgorithm::Hs256)]);
    let payload = r#"{"sub":"root","exp":4102444800}"#;
    for name in ["none", "None", "NONE", ""] {
        let head = format!("{{\"alg\":\"{name}\"}}");
        let parts = [head.as_str(), payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = format!("{}.", parts.join("."));
        assert_eq!(verified(&token, &plan), Err(Refused::Algorithm), "{name}");
    }
    let token = signed(HEAD, payload);
    let unsigned = &token[..=token.rfind('.').expect("three parts")];
    assert_eq!(verified(unsigned, &plan), Err(Refused::Signature));
}

#[test]
fn keys_of_a_set_are_found_by_their_names() {
    let keys = JwtKey::all_of(RSA_SET.as_bytes()).expect("a key");
    let token = TOKENS
        .iter()
        .find(|(name, _)| *name == "RS256")
        .expect("it is there")
        .1;
    assert_eq!(verified(token, &plan(keys)), Ok("joe".to_owned()));
    let named = |id: &str, secret: &[u8]| JwtKey {
        id: Some(id.to_owned()),
        ..JwtKey::of_secret(secret).expect("long enough")
    };
    let plan = plan(vec![named("old", &[b'x'; 32]), named("new", SECRET)]);
    let payload = r#"{"sub":"joe","exp":4102444800}"#;
    let by = |head: &str| verified(&signed(head, payload), &plan);
    assert_eq!(by(r#"{"alg":"HS256","kid":"new"}"#), Ok("joe".to_owned()));
    assert_eq!(
        by(r#"{"alg":"HS256","kid":"old"}"#),
        Err(Refused::Signature)
    );
    assert_eq!(by(r#"{"alg":"HS256","kid":"other"}"#), Err(Refused::Key));
    // Without a name each is tried.
    assert_eq!(by(HEAD), Ok("joe".to_owned()));
    // An address in the token is not asked.
    let head = r#"{"alg":"HS256","kid":"other","jku":"https://evil.example/keys"}"#;
    assert_eq!(by(head), Err(Refused::Key));
    assert_eq!(
        by(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#),
        Err(Refused::Extension)
    );
}

#[test]
fn claims_say_when_and_for_whom_a_token_is() {
    let plan = Jwt {
        issuer: Some("https://issuer.example".to_owned()),
        audience: vec!["app".to_owned(), "shop".to_owned()],
        ..plan(vec![key_of(JwtAlgorithm::Hs256)])
    };
    let rest = r#""iss":"https://issuer.example","aud":"app""#;
    let with = |times: &str| verified(&signed(HEAD, &format!("{{{rest}{times}}}")), &plan);
    // It is 1800000000, and clocks may differ by 30 seconds.
    for (times, expected) in [
        (r#","exp":1800000001"#, Ok(())),
        (r#","exp":1799999971"#, Ok(())),
        (r#","exp":1799999970"#, Err(Refused::Expired)),
        (r#","exp":1800000001.5,"nbf":1800000030"#, Ok(())),
        (r#","exp":1800000001,"nbf":1800000031"#, Err(Refused::Early)),
        ("", Err(Refused::Endless)),
        (r#","exp":"never""#, Err(Refused::Malformed)),
    ] {
        assert_eq!(with(times).map(drop), expected, "{times}");
    }
    for (rest, expected) in [
        (
            r#""iss":"https://issuer.example","aud":["x","shop"]"#,
            Ok(()),
        ),
        (
            r#""iss":"https://issuer.example","aud":["x"]"#,
            Err(Refused::Audience),
        ),
        (r#""iss":"https://issuer.example""#, Err(Refused::Audience)),
        (
            r#""iss":"https://other.example","aud":"app""#,
            Err(Refused::Issuer),
        ),
        (r#""aud":"app""#, Err(Refused::Issuer)),
    ] {
        let token = signed(HEAD, &format!("{{\"exp\":4102444800,{rest}}}"));
        assert_eq!(verified(&token, &plan).map(drop), expected, "{rest}");
    }
}

#[test]
fn a_text_that_is_no_token_is_refused() {
    let plan = plan(vec![key_of(JwtAlgorithm::Hs256)]);
    let good = signed(HEAD, r#"{"exp":4102444800}"#);
    let long = signed(
        HEAD,
        &format!("{{\"exp\":4102444800,\"x\":\"{}\"}}", "x".repeat(16 << 10)),
    );
    let list = signed(HEAD, "[]");
    let texts = [
        "",
        ".",
        "..",
        "a.b.c",
        "\u{e9}.x.y",
        &good[1..],
        &format!("{good}.x"),
        &long,
        &list,
    ];
    for text in texts {
        assert_eq!(verified(text, &plan), Err(Refused::Malformed), "{text}");
    }
    assert_eq!(verified(&good, &plan), Ok(String::new()));
}

#[test]
fn a_token_that_was_good_is_refused_once_it_has_expired() {
    let (plan, verifier) = (plan(vec![key_of(JwtAlgorithm::Hs256)]), Verifier::default());
    let token = signed(HEAD, r#"{"exp":1000}"#);
    let result = |seconds| claims(token.as_bytes(), &plan, &verifier, at(seconds)).map(drop);
    assert_eq!(result(900), Ok(()));
    assert_eq!(result(900), Ok(()));
    assert_eq!(result(1030), Err(Refused::Expired));
}

#[test]
fn a_claim_becomes_one_text() {
    let json =
        r#"{"a":"x","n":7,"b":true,"l":["x",1],"o":{"r":["p","q"]},"d.e":"dot","z":null,"m":[{}]}"#;
    let claims = serde_json::from_str(json).expect("JSON");
    for (name, expected) in [
        ("a", Some("x")),
        ("n", Some("7")),
        ("b", Some("true")),
        ("l", Some("x,1")),
        ("o.r", Some("p,q")),
        ("d.e", Some("dot")),
        ("o", None),
        ("z", None),
        ("m", None),
        ("a.b", None),
        ("none", None),
        ("", None),
    ] {
        assert_eq!(text_of(&claims, name).as_deref(), expected, "{name}");
    }
}
