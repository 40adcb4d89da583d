//! The access logs of one configuration, compiled: the format of each, and the targets that they
//! share.
//!
//! The reload makes a new set; a worker renews its own when it notices. A target that the next set
//! has too keeps its queue and its writer. When the last worker has left a target that is not wanted
//! any more, its writer writes the rest and ends.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crate::base::clock::Instant;
use crate::expr::Condition;
use crate::observe::access_log::ecs::write_ecs;
use crate::observe::access_log::entry::{Entry, Evaluation};
use crate::observe::access_log::line::{write_fields, write_line};
use crate::observe::access_log::masked;
use crate::observe::access_log::output::Output;
use crate::observe::access_log::queue::Queue;
use crate::observe::access_log::syslog::Head;
use crate::observe::access_log::template::Template;
use crate::observe::access_log::writer::LogWriter;
use crate::observe::calendar::Calendar;
use crate::plan::log::{JsonField, LineFormat, Mask, Sample};
use crate::plan::{AccessLog, LogTarget};

/// The access logs of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) logs: Box<[Log]>,
    /// No two have the same address.
    pub(crate) targets: Box<[Arc<Target>]>,
    /// Whether a line has the load of a backend.
    pub(crate) wants_load: bool,
}

/// One access log.
#[derive(Debug)]
pub(crate) struct Log {
    format: Format,
    /// `None`: each exchange has a line.
    when: Option<Condition>,
    /// `None`: each line is written.
    sample: Option<Sample>,
    /// `None`: lines contain everything.
    mask: Option<Mask>,
    /// What comes before a line, for a syslog.
    head: Option<Head>,
    /// The index of its target.
    pub(crate) target: usize,
}

/// The format of a line, compiled.
#[derive(Debug)]
pub(crate) enum Format {
    Json,
    JsonOf(Box<[JsonField]>),
    Ecs,
    Template(Template),
}

/// Where lines go. Workers and the handle hold it; the writer holds its queue alone.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) to: LogTarget,
    pub(crate) queue: Arc<Queue>,
    /// The last warning about lost lines. Written by the control thread.
    pub(super) warned: Mutex<Warned>,
}

/// The last warning about lost lines.
#[derive(Debug, Default)]
pub(super) struct Warned {
    /// How many were lost by then.
    pub(super) dropped: u64,
    /// When it was; `None`: never.
    pub(super) at: Option<Instant>,
}

/// A log that cannot be opened.
#[derive(Debug)]
pub struct CannotOpen {
    /// The index of the log.
    pub index: usize,
    /// The system's error.
    pub error: io::Error,
}

impl Logs {
    /// The logs of `plan`, and the writers of targets that `before` does not have. Lost lines are also counted in
    /// `dropped`.
    pub(super) fn open(
        plan: &[AccessLog],
        before: &Self,
        dropped: &Arc<AtomicU64>,
    ) -> Result<(Self, Vec<LogWriter>), CannotOpen> {
        let mut targets: Vec<Arc<Target>> = Vec::new();
        let (mut logs, mut writers) = (Vec::new(), Vec::new());
        let is_on = |log: &&AccessLog| log.to != LogTarget::Off;
        for (index, log) in plan.iter().enumerate() {
            if !is_on(&log) {
                continue;
            }
            let is_same = |target: &&Arc<Target>| target.to == log.to;
            let target = match targets.iter().position(|target| target.to == log.to) {
                Some(target) => target,
                None => {
                    let kept = before.targets.iter().find(is_same).map(Arc::clone);
                    targets.push(match kept {
                        Some(kept) => kept,
                        None => {
                            let output = Output::open(&log.to)
                                .map_err(|error| CannotOpen { index, error })?;
                            let target = Target::new(&log.to, dropped);
                            writers.push(LogWriter::new(Arc::clone(&target.queue), output));
                            Arc::new(target)
                        }
                    });
                    targets.len() - 1
                }
            };
            logs.push(Log {
                format: Format::compile(&log.format),
                when: log.when.as_ref().map(Condition::compile),
                sample: log.sample.clone(),
                mask: (!log.mask.is_empty()).then(|| log.mask.clone()),
                head: Head::of(&log.syslog, &log.to),
                target,
            });
        }
        let wants_load = logs.iter().any(|log| log.format.wants_load());
        let logs = Self {
            logs: logs.into(),
            targets: targets.into(),
            wants_load,
        };
        Ok((logs, writers))
    }
}

impl Log {
    /// Whether the exchange has a line; `turn` counts those that have one.
    pub(in crate::observe) fn has_line(
        &self,
        turn: &mut u32,
        evaluation: &mut Evaluation<'_>,
    ) -> bool {
        if let Some(when) = &self.when
            && !when.holds(&evaluation.facts, evaluation.scratch)
        {
            return false;
        }
        let Some(sample) = &self.sample else {
            return true;
        };
        let index = *turn;
        *turn = (index + 1) % sample.of;
        sample.has(index)
    }

    /// Appends the line of `entry`, its end included.
    pub(in crate::observe) fn write(
        &self,
        out: &mut Vec<u8>,
        calendar: &mut Calendar,
        entry: &Entry<'_>,
        evaluation: &mut Evaluation<'_>,
    ) {
        if let Some(head) = &self.head {
            head.write(out, calendar, entry);
        }
        let Some(mask) = &self.mask else {
            return self.format.write(out, calendar, entry, evaluation);
        };
        let request = entry.request.map(|request| masked::request(mask, request));
        let tls = entry.tls.map(|tls| masked::tls(mask, tls));
        let entry = Entry {
            client: masked::client(mask, entry.client),
            request: request.as_ref(),
            tls: tls.as_ref(),
            sni: masked::sni(mask, entry.sni),
            ..*entry
        };
        let mut facts = evaluation.facts;
        facts.connection.client = entry.client;
        facts.connection.tls = entry.tls;
        let mut evaluation = Evaluation {
            facts,
            scratch: evaluation.scratch,
        };
        self.format.write(out, calendar, &entry, &mut evaluation);
    }
}

impl Format {
    fn compile(format: &LineFormat) -> Self {
        match format {
            LineFormat::Json => Self::Json,
            LineFormat::JsonOf(fields) => Self::JsonOf(fields.as_slice().into()),
            LineFormat::Ecs => Self::Ecs,
            LineFormat::Preset(_, template) | LineFormat::Template(template) => {
                Self::Template(Template::compile(template))
            }
        }
    }

    /// Appends the line of `entry`, its end included.
    pub(in crate::observe) fn write(
        &self,
        out: &mut Vec<u8>,
        calendar: &mut Calendar,
        entry: &Entry<'_>,
        evaluation: &mut Evaluation<'_>,
    ) {
        match self {
            Self::Json => write_line(out, calendar, entry),
            Self::JsonOf(fields) => write_fields(out, calendar, entry, fields),
            Self::Ecs => write_ecs(out, calendar, entry),
            Self::Template(template) => template.write(out, calendar, entry, evaluation),
        }
    }

    fn wants_load(&self) -> bool {
        match self {
            Self::Json | Self::JsonOf(_) | Self::Ecs => false,
            Self::Template(template) => template.wants_load(),
        }
    }
}

impl Target {
    fn new(to: &LogTarget, dropped: &Arc<AtomicU64>) -> Self {
        Self {
            to: to.clone(),
            queue: Arc::new(Queue::new(Arc::clone(dropped))),
            warned: Mutex::default(),
        }
    }
}

impl Drop for Target {
    // No worker will push any more: what is queued is written, and the writer ends.
    fn drop(&mut self) {
        self.queue.end_after_this();
    }
}
