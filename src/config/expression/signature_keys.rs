//! Keys for the converter `jwt_verify`.

use std::ops::Range;

use crate::plan::expr::{Argument, SignatureKeys};
use crate::plan::{JwtAlgorithm, JwtKey, KeyKind};

use super::{Files, Mistake};

/// Reads the keys that are written as `written`, for `algorithm`.
///
/// They are a secret only if the algorithm is in the configuration. A client whose token chose it could
/// otherwise sign with the path of the file as the secret.
pub(super) fn read(
    written: &str,
    part: &Range<usize>,
    algorithm: Option<&Argument>,
    files: &mut dyn Files,
) -> Result<Argument, Mistake> {
    let algorithm = match algorithm {
        Some(Argument::Text(name)) => JwtAlgorithm::named(name),
        _ => None,
    };
    let is_secret = algorithm.is_some_and(|algorithm| algorithm.kind() == KeyKind::Secret);
    let mistake = |why: String| {
        let help = match is_secret {
            true => "write a secret of 32 bytes at least",
            false => "write the path of a public key as PEM, or of a JSON Web Key Set",
        };
        Mistake::new(part.clone(), why, help)
    };
    let (written, keys) = match is_secret {
        true => {
            let key = JwtKey::of_secret(written.as_bytes());
            (written.to_owned(), key.map(|key| vec![key]))
        }
        false => {
            let (path, text) = files
                .read(written)
                .map_err(|why| mistake(format!("cannot read the keys: {why}")))?;
            let keys = JwtKey::all_of(text.as_bytes());
            let keys = keys.map_err(|why| format!("{} cannot be used: {why}", path.display()));
            (path.to_string_lossy().into_owned(), keys)
        }
    };
    let keys = keys.map_err(mistake)?;
    if let Some(algorithm) = algorithm
        && !keys.iter().any(|key| key.is_for(algorithm))
    {
        return Err(mistake("no key is for this algorithm".to_owned()));
    }
    Ok(Argument::SignatureKeys(SignatureKeys {
        written,
        keys: keys.into(),
    }))
}
