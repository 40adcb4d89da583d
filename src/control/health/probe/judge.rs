//! Judges the answer to a check.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use crate::plan::HttpCheck;

use super::BODY_BOUND;
use super::progress::{Progress, Step};
use super::words::{Finding, failed, passed, quoted};

/// Judges an answer with this `status` and `body`. `of_body` says why a body was not read to its end.
pub(super) async fn judge<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    status: u16,
    of_body: impl FnOnce(&B::Error) -> String,
    check: &HttpCheck,
    progress: &Progress,
) {
    let finding = match &check.body {
        _ if !check.status.contains(status) => failed(format!("status {status}")),
        None => passed(format!("status {status}")),
        Some(text) => {
            progress.step.set(Step::Body);
            judge_body(body, text, status, of_body).await
        }
    };
    progress.decide(finding);
}

async fn judge_body<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    text: &str,
    status: u16,
    of_body: impl FnOnce(&B::Error) -> String,
) -> Finding {
    match contains(body, text.as_bytes()).await {
        Ok(true) => passed(format!("status {status}")),
        Ok(false) => failed(format!("body does not contain {}", quoted(text))),
        Err(error) => failed(of_body(&error)),
    }
}

/// Whether the body has `text` in its first [`BODY_BOUND`] bytes; true as soon as that is known.
async fn contains<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    text: &[u8],
) -> Result<bool, B::Error> {
    let mut seen = Vec::new();
    if text.is_empty() {
        return Ok(true);
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        // Only the new bytes, and the end of those before: a body that comes byte by byte is not
        // searched from its beginning for each of them.
        let from = seen.len().saturating_sub(text.len() - 1);
        let taken = data.len().min(BODY_BOUND - seen.len());
        seen.extend_from_slice(&data[..taken]);
        if seen[from..].windows(text.len()).any(|part| part == text) {
            return Ok(true);
        }
        if seen.len() == BODY_BOUND {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Reads the remaining bytes, up to the bound.
pub(super) async fn drain<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut left = BODY_BOUND;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}
