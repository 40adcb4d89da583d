//! One client's session: its level, whether it is interactive, and which command its words are.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::control::State;
use crate::plan::CommandLevel;

use super::{Asked, COMMANDS, Command};

/// The session of a client.
pub(super) struct Session {
    level: CommandLevel,
    is_interactive: bool,
}

/// What follows an answer.
pub(super) enum Next {
    Command,
    Close,
}

/// The commands that change or show the session itself: their words, usage and meaning.
const OF_SESSION: &[(&[&str], &str, &str)] = &[
    (
        &["show", "cli", "level"],
        "show cli level",
        "display the level of the current CLI session",
    ),
    (
        &["operator"],
        "operator",
        "lower the level of the current CLI session to operator",
    ),
    (
        &["user"],
        "user",
        "lower the level of the current CLI session to user",
    ),
    (
        &["help"],
        "help [<command>]",
        "list matching or all commands",
    ),
    (&["prompt"], "prompt", "toggle interactive mode with prompt"),
    (&["quit"], "quit", "disconnect"),
];

impl Session {
    pub(super) fn of(level: CommandLevel) -> Self {
        Self {
            level,
            is_interactive: false,
        }
    }

    pub(super) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// The answer to the command `words`, with what stands behind it: an empty line, or a prompt.
    pub(super) async fn answer(&mut self, words: &[String], state: &Rc<State>) -> (String, Next) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut text = match *words {
            ["quit"] => return (String::new(), Next::Close),
            // An empty line in a prompt asks for nothing.
            [] if self.is_interactive => String::new(),
            ["prompt", ..] => {
                self.is_interactive = !self.is_interactive;
                String::new()
            }
            ["help", ref asked @ ..] => help(asked),
            ["operator"] => self.lower_to(CommandLevel::Operator),
            ["user"] => self.lower_to(CommandLevel::User),
            ["show", "cli", "level"] => format!("{}\n", self.level.word()),
            _ => self.run(&words, state).await,
        };
        text.push('\n');
        if self.is_interactive {
            text.push_str("> ");
        }
        (text, Next::Command)
    }

    fn lower_to(&mut self, level: CommandLevel) -> String {
        if self.level < level {
            return "Permission denied\n".to_owned();
        }
        self.level = level;
        String::new()
    }

    async fn run(&self, words: &[&str], state: &Rc<State>) -> String {
        let Some(command) = found(words) else {
            return unknown(words);
        };
        if self.level < command.level {
            return "Permission denied\n".to_owned();
        }
        let arguments = words[command.words.len()..].iter();
        let arguments: Vec<String> = arguments.map(|word| (*word).to_owned()).collect();
        let asked = Asked {
            state,
            arguments: &arguments,
        };
        let answer = (command.run)(&asked);
        let mut text = answer.made(state).await;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// The command that `words` begin with.
fn found(words: &[&str]) -> Option<&'static Command> {
    let mut commands = COMMANDS.iter();
    commands.find(|command| words.starts_with(command.words))
}

/// Usage and meaning of all commands.
fn all() -> impl Iterator<Item = (&'static [&'static str], &'static str, &'static str)> {
    let commands = COMMANDS.iter();
    let commands = commands.map(|command| (command.words, command.usage, command.means));
    commands.chain(OF_SESSION.iter().copied())
}

/// The commands that begin with `asked`, or all.
fn help(asked: &[&str]) -> String {
    let mut text = "The following commands are valid at this level:\n".to_owned();
    for (_, usage, means) in all().filter(|(words, ..)| words.starts_with(asked)) {
        describe(usage, means, &mut text);
    }
    text
}

fn describe(usage: &str, means: &str, text: &mut String) {
    let _ = writeln!(text, "  {usage:<40}: {means}");
}

/// The answer to words that are no command.
fn unknown(words: &[&str]) -> String {
    // Those with the longest common beginning come first.
    let common = |other: &[&str]| {
        let pairs = words.iter().zip(other);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let mut near: Vec<_> = all()
        .map(|command| (common(command.0), command))
        .filter(|(common, _)| *common > 0)
        .collect();
    let most = near.iter().map(|(common, _)| *common).max();
    near.retain(|(common, _)| Some(*common) == most);
    let mut text = match near.is_empty() {
        true => "Unknown command. Please enter one of the following commands only:\n",
        false => "Unknown command, but maybe one of the following ones is a better match:\n",
    }
    .to_owned();
    if near.is_empty() {
        for (_, usage, means) in all() {
            describe(usage, means, &mut text);
        }
        return text;
    }
    for (_, (_, usage, means)) in near {
        describe(usage, means, &mut text);
    }
    for (_, usage, means) in &OF_SESSION[OF_SESSION.len() - 3..] {
        describe(usage, means, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    #[test]
    fn the_page_has_all_commands() {
        const BEGIN: &str = "<!-- From here on, the table is written from src/control/commands: EVENKEEL_BLESS=1 cargo test -->\n";
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/commands.md");
        let text = fs::read_to_string(&page).expect("the page");
        let (prose, _) = text.split_once(BEGIN).expect("the line before the table");
        let mut written = format!("{prose}{BEGIN}\n| command | level | |\n|---|---|---|\n");
        let levels = COMMANDS.iter().map(|command| command.level.word());
        let levels = levels.chain(std::iter::repeat("user"));
        for ((_, usage, means), level) in all().zip(levels) {
            let usage = usage.replace('|', "\\|");
            let _ = writeln!(written, "| `{usage}` | {level} | {means} |");
        }
        if env::var_os("EVENKEEL_BLESS").is_some() {
            fs::write(&page, &written).expect("it is written");
        }
        let text = fs::read_to_string(&page).expect("the page");
        assert_eq!(
            text, written,
            "run EVENKEEL_BLESS=1 cargo test to write the page anew"
        );
    }

    #[test]
    fn a_command_is_found_by_its_words_and_no_other_begins_with_them() {
        for command in COMMANDS {
            let found = found(command.words).expect("it is in the table");
            assert_eq!(found.usage, command.usage);
            assert!(command.usage.starts_with(&command.words.join(" ")));
        }
        assert!(found(&["show", "sta"]).is_none());
        assert!(found(&["show"]).is_none());
    }
}
