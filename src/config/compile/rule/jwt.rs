//! `jwt = { file = "…" }`.

use std::time::Duration;

use http::{HeaderName, header};

use crate::config::compile::files;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::{Jwt, JwtAlgorithm, JwtKey};

/// Clocks that are set by the network differ by less.
const LEEWAY: Duration = Duration::from_secs(30);

pub(super) fn jwt(rule: &Section<'_>, report: &mut Report<'_>) -> Option<Jwt> {
    let section = rule.section("jwt", &keys::JWT, report)?;
    let keys = keys_of(&section, report);
    let algorithms = match section.setting("algorithms") {
        Some(setting) => algorithms(setting, report),
        None => Some(Vec::new()),
    };
    let text = |key: &'static str, report: &mut Report<'_>| match section.setting(key) {
        Some(setting) => setting.text(report).map(|text| Some(text.value.clone())),
        None => Some(None),
    };
    let issuer = text("issuer", report);
    let audience = match section.setting("audience") {
        Some(setting) if setting.list().is_empty() => {
            let message = "the list `audience` is empty: tokens for anyone would pass";
            report.error(
                setting.span(),
                message,
                "name the audience, or leave the key out",
            );
            None
        }
        Some(setting) => {
            let all = setting.list().into_iter();
            let all: Vec<_> = all.map(|one| one.text(report)).collect();
            all.into_iter()
                .map(|text| Some(text?.value.clone()))
                .collect::<Option<Vec<String>>>()
        }
        None => Some(Vec::new()),
    };
    let claims = match section.setting("claims") {
        Some(setting) => claims(setting, report),
        None => Some(Vec::new()),
    };
    let (keys, mut algorithms) = (keys?, algorithms?);
    let can = |algorithm: JwtAlgorithm| keys.iter().any(|key| key.is_for(algorithm));
    if let Some((name, _)) = JwtAlgorithm::ALL
        .iter()
        .find(|(_, one)| algorithms.contains(one) && !can(*one))
    {
        let setting = section.setting("algorithms")?;
        let message = format!("no key is for {name}");
        let help = "leave it out, or add a key of its kind: RS and PS need RSA, ES256 a key on P-256, HS256 a secret of 32 bytes, HS384 of 48, HS512 of 64";
        report.error(setting.span(), message, help);
        return None;
    }
    if algorithms.is_empty() {
        let all = JwtAlgorithm::ALL.iter().map(|(_, one)| *one);
        algorithms = all.filter(|one| can(*one)).collect();
    }
    let file = section.setting("file").and_then(|file| file.text(report));
    let secret = section.setting("secret");
    let secret = secret.and_then(|secret| secret.text(report));
    let mut jwt = Jwt {
        is_secret: secret.is_some_and(|secret| secret.is_secret),
        file: file.map(|file| file.value.clone()),
        keys,
        algorithms,
        issuer: issuer?,
        audience: audience?,
        leeway: LEEWAY,
        claims: claims?,
        at: report.position(section.span),
    };
    keys::JWT.whole().read(&section, &mut jwt, report);
    Some(jwt)
}

fn keys_of(section: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<JwtKey>> {
    let (setting, keys) = match (section.setting("file"), section.setting("secret")) {
        (None, None) => {
            if section.lacks("file") && section.lacks("secret") {
                let help = "write `jwt = { file = \"keys.pem\" }`, or `{ secret = \"${file:/run/secrets/jwt}\" }`";
                report.error(section.span, "this `jwt` has no key", help);
            }
            return None;
        }
        (Some(_), Some(secret)) => {
            let message = "`file` and `secret` exclude each other";
            report.error(secret.span(), message, "leave one of them out");
            return None;
        }
        (Some(file), None) => {
            let path = &file.text(report)?.value;
            let content = files::content(file, path, report)?;
            (file, JwtKey::all_of(&content))
        }
        (None, Some(secret)) => {
            let text = secret.text(report)?;
            (
                secret,
                JwtKey::of_secret(text.value.as_bytes()).map(|key| vec![key]),
            )
        }
    };
    let refused = |why| {
        let message = format!("`{}` cannot be used: {why}", setting.key);
        let help =
            "write a public key as PEM, a JSON Web Key Set, or a secret of 32 bytes at least";
        report.error(setting.span(), message, help);
    };
    keys.map_err(refused).ok()
}

fn algorithms(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<JwtAlgorithm>> {
    let mut all = Vec::new();
    let mut is_right = true;
    let items = setting.list();
    if items.is_empty() {
        let message = "the list `algorithms` is empty: no token would pass";
        report.error(
            setting.span(),
            message,
            "leave it out: then all that a key is for pass",
        );
        return None;
    }
    for item in items {
        let text = item.text(report);
        match text.and_then(|text| JwtAlgorithm::named(&text.value)) {
            Some(one) => all.push(one),
            None => {
                is_right = false;
                if let Some(text) = text {
                    let names = JwtAlgorithm::ALL.iter().map(|(name, _)| *name);
                    let help = match suggest::nearest(&text.value, names.clone()) {
                        _ if text.value.eq_ignore_ascii_case("none") => {
                            "a token without a signature can be made by everyone; leave it out"
                                .to_owned()
                        }
                        Some(nearest) => format!("did you mean {nearest:?}?"),
                        None => format!("known are {}", suggest::list(names)),
                    };
                    let message = format!("{:?} is no algorithm for tokens", text.shown());
                    report.error(item.span(), message, help);
                }
            }
        }
    }
    // Their order means nothing.
    let known = JwtAlgorithm::ALL.iter().map(|(_, one)| *one);
    is_right.then(|| known.filter(|one| all.contains(one)).collect())
}

fn claims(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<(HeaderName, String)>> {
    let mut claims: Vec<(HeaderName, String)> = Vec::new();
    let mut is_right = true;
    for entry in &setting.table(report)?.entries {
        let value = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        let name = HeaderName::from_bytes(entry.key.as_bytes()).ok();
        let is_there = |name: &HeaderName| claims.iter().any(|(known, _)| known == name);
        let name = name.filter(|name| !is_there(name) && !RESERVED.contains(name));
        match (name, value.text(report)) {
            (Some(name), Some(claim)) => claims.push((name, claim.value.clone())),
            (None, _) => {
                let message = format!("`{}` cannot be the field of a claim", entry.key);
                let help = "write a name of letters, digits and `-`, once; not `authorization`, `host` or a field of the connection";
                report.error(entry.key_span, message, help);
                is_right = false;
            }
            (_, None) => is_right = false,
        }
    }
    claims.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    is_right.then_some(claims)
}

/// Fields of the connection or of the framing, and those that the token or the route is in.
const RESERVED: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
