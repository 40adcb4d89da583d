//! Runs a cell under DHAT and reads its output: the bytes that `memcpy` and `memmove` were called
//! for.
//!
//! DHAT cannot be switched on and off. So the counts include the warm-up, whose requests are like
//! the others, and the start of the proxy, which is less than one percent. Moves of clients and the
//! origin are recognised by the function in their call stacks.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use serde_json::Value;

use crate::cell::Cell;

/// A function in the call stack of everything that is not counted.
const UNCOUNTED: &str = "Uncounted";

/// How many callers of a move are shown.
const SHOWN: usize = 4;

/// A point in the program that moves memory.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
    /// The functions above it, the nearest first.
    pub(crate) callers: Vec<String>,
}

/// Runs `cell` of this program under DHAT, and returns all moves of the proxy, the largest first.
pub(crate) fn moves(cell: Cell, dir: &Path) -> io::Result<Vec<Move>> {
    let out = dir.join("dhat.out");
    let run = Command::new("valgrind")
        .args(["--tool=dhat", "--mode=copy", "--num-callers=40"])
        .arg(format!("--dhat-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["cell", cell.name()])
        .stdout(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("valgrind: {error}")))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        return Err(io::Error::other(said));
    }
    let profile: Value = serde_json::from_str(&fs::read_to_string(&out)?)?;
    parse(&profile).ok_or_else(|| io::Error::other("not what DHAT writes"))
}

/// `ftbl` is the table of frames; each of `pps` has its stack, bytes and calls.
fn parse(profile: &Value) -> Option<Vec<Move>> {
    let frames = profile.get("ftbl")?.as_array()?;
    let frame = |index: &Value| frames.get(index.as_u64()? as usize)?.as_str();
    let mut moves = Vec::new();
    for point in profile.get("pps")?.as_array()? {
        let stack = point.get("fs")?.as_array()?.iter().map(frame);
        let stack: Vec<&str> = stack.collect::<Option<_>>()?;
        if stack.iter().any(|frame| frame.contains(UNCOUNTED)) {
            continue;
        }
        moves.push(Move {
            bytes: point.get("tb")?.as_u64()?,
            calls: point.get("tbk")?.as_u64()?,
            callers: stack
                .iter()
                .skip(1)
                .take(SHOWN)
                .map(|f| name_of(f))
                .collect(),
        });
    }
    moves.sort_by_key(|one| std::cmp::Reverse(one.bytes));
    Some(moves)
}

/// `0x4A5B: name (file:line)` without the address.
fn name_of(frame: &str) -> String {
    frame
        .split_once(": ")
        .map_or(frame, |(_, name)| name)
        .to_owned()
}
