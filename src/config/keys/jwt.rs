//! `jwt` of a rule.

use crate::config::page::{key as quoted_key, list, string, strings, table};
use crate::plan::{Jwt, JwtAlgorithm, JwtKey};

use super::kind::Shape;
use super::{Keys, key};

pub(in crate::config) static JWT: Keys<Jwt> = Keys {
    keys: &[
        key("file")
            .means("A file with the keys: PEM, or a JSON Web Key Set.")
            .also("public_key jwks key_file keys certificate")
            .compiled(Shape::Text, |jwt| jwt.file.as_deref().map(string)),
        key("secret")
            .means("The shared secret of HS256, HS384 and HS512, 32 bytes at least.")
            .also("key hmac_secret")
            .compiled(Shape::Text, |jwt| {
                let [JwtKey { bytes, .. }] = &jwt.keys[..] else {
                    return None;
                };
                // The content of a secret file is not shown; this is long enough to load.
                let secret = match jwt.is_secret {
                    true => "*".repeat(64),
                    false => String::from_utf8_lossy(bytes).into_owned(),
                };
                jwt.file.is_none().then(|| string(&secret))
            }),
        key("algorithms")
            .means("The algorithms that a token may have; unless written, all that a key is for.")
            .also("algorithm alg algs")
            .compiled(Shape::List(&Shape::Text), |jwt| {
                let all = JwtAlgorithm::ALL.iter();
                let names = all.filter(|(_, one)| jwt.algorithms.contains(one));
                Some(list(names.map(|(name, _)| string(name))))
            }),
        key("issuer")
            .means("The claim `iss` that a token must have.")
            .also("iss")
            .compiled(Shape::Text, |jwt| jwt.issuer.as_deref().map(string)),
        key("audience")
            .means("The claim `aud` must have one of these.")
            .also("aud audiences")
            .compiled(Shape::List(&Shape::Text), |jwt| {
                (!jwt.audience.is_empty()).then(|| strings(&jwt.audience))
            }),
        key("leeway")
            .means("How much the clock of the issuer may differ.")
            .also("clock_skew")
            .duration_from_0(|jwt| &mut jwt.leeway),
        key("claims")
            .means("Request fields, each with the claim that becomes its value.")
            .also("claim_to_headers claims_to_headers forward_claims")
            .compiled(Shape::Named(&Shape::Text), |jwt| {
                (!jwt.claims.is_empty()).then(|| {
                    let claims = jwt.claims.iter();
                    table(claims.map(|(name, claim)| (quoted_key(name.as_str()), string(claim))))
                })
            }),
    ],
    hints: r#"
        jwks_url jwks_uri remote_jwks url: write `file`: addresses are not asked yet; a file that another program renews is read again by itself
    "#,
    ..Keys::EMPTY
};
