//! One expression: a fetch, and the converters that its value passes through.

use std::ops::Range;

use crate::config::suggest;
use crate::plan::expr::{
    Argument, Conversion, Converter, Expr, Fetch, Known, Phase, Scope, StateReading, Type,
};

use super::arguments::arguments;
use super::cursor::Cursor;
use super::head::Head;
use super::{Files, Mistake, elsewhere};

/// How many converters one expression may have.
const MOST_CONVERTERS: usize = 32;

/// Parses the expression at the cursor. Returns it and its range.
pub(super) fn expression(
    cursor: &mut Cursor<'_>,
    known: Known,
    files: &mut dyn Files,
) -> Result<(Expr, Range<usize>), Mistake> {
    let start = cursor.at();
    if let Some(mistake) = elsewhere::mistake(cursor) {
        return Err(mistake);
    }
    let (name, part) = name(cursor);
    let Some(head) = Head::named(name) else {
        let is_of_requests = elsewhere::looks_at_requests(name);
        return Err(match known {
            Known::Connection if is_of_requests => not_in_tcp(name, part, cursor),
            Known::Accept if is_of_requests => not_accepted(name, part),
            Known::Content if is_of_requests => not_in_content(name, part, cursor),
            Known::Decrypted if is_of_requests => not_in_content(name, part, cursor),
            _ => unknown_fetch(name, part),
        });
    };
    let row = head.fetch().row();
    if !known.has_fetch(head.fetch()) {
        return Err(match known {
            Known::Connection => not_in_tcp(name, part, cursor),
            Known::Accept => not_accepted(name, part),
            Known::Content | Known::Decrypted => not_in_content(name, part, cursor),
            _ => not_known(name, row.since, part),
        });
    }
    if known == Known::Log {
        check_in_log(head.fetch(), name, &part)?;
    }
    let given = arguments(cursor, name, &part, head.parameters(), files)?;
    check_state(head.fetch(), name, &given, known, &part)?;
    check_variables(&given, known, part)?;
    let mut expr = head.expr(given, cursor.written_at().clone());
    while cursor.take(",") {
        cursor.skip_space();
        conversion(cursor, &mut expr, known, files)?;
    }
    Ok((expr, start..cursor.at()))
}

fn name<'t>(cursor: &mut Cursor<'t>) -> (&'t str, Range<usize>) {
    let part = cursor.next_part();
    let name = cursor.word();
    cursor.skip(name.len());
    (name, part)
}

/// The mistake of `name`, which looks at requests or at TLS, in a route of connections; `cursor` is after it.
fn not_in_tcp(name: &str, part: Range<usize>, cursor: &Cursor<'_>) -> Mistake {
    let help = elsewhere::key_of_route(name, cursor.clone()).unwrap_or_else(|| {
        "write `sni` or `alpn` for what the client's first TLS message says, or look at `src`, `src_port`, \
         `dst` and `dst_port`"
            .to_owned()
    });
    let message = format!("`{name}` is not known here: the connection is passed on as it is");
    Mistake::new(part, message, help)
}

/// The mistake of `name`, which looks at TLS or at requests, in a rule for connections.
fn not_accepted(name: &str, part: Range<usize>) -> Mistake {
    let message = format!(
        "`{name}` is not known here: rules for connections run before TLS and before the first request"
    );
    let help = "look at `src`, `src_port`, `dst`, `dst_port` and tables, or write a `[[frontend.NAME.rule]]`";
    Mistake::new(part, message, help)
}

/// The mistake of `name`, which looks at requests or at TLS, where the first bytes of a connection are known;
/// `cursor` is after it.
fn not_in_content(name: &str, part: Range<usize>, cursor: &Cursor<'_>) -> Mistake {
    let help = elsewhere::key_of_route(name, cursor.clone()).unwrap_or_else(|| {
        "look at `req.ssl_sni`, `req.ssl_alpn`, `req.payload(0,4)`, `req.proto_http`, `src`, `dst_port` and tables"
            .to_owned()
    });
    let message = format!(
        "`{name}` is not known here: there is no request, only the first bytes of a connection"
    );
    Mistake::new(part, message, help)
}

fn not_known(name: &str, since: Phase, part: Range<usize>) -> Mistake {
    let (when, help) = match since {
        Phase::Connection | Phase::Handshake | Phase::Request => (
            "any more",
            "the request is not kept: keep what you need of it with `set_var` in a rule for requests, \
             and read it as `var(txn.NAME)`",
        ),
        Phase::Backend => ("yet", "the backend is chosen later"),
        Phase::Response => ("yet", "there is no response yet"),
        Phase::Content => (
            "any more",
            "rules for content look at the first bytes: keep what you need of them with `set_var` in a \
             `[[frontend.NAME.content_rule]]`, and read it as `var(sess.NAME)`",
        ),
    };
    Mistake::new(part, format!("`{name}` is not known here {when}"), help)
}

/// Checks that `fetch` has a value when an exchange is logged.
fn check_in_log(fetch: Fetch, name: &str, part: &Range<usize>) -> Result<(), Mistake> {
    let (what, help) = if fetch.reads_response_fields() {
        (
            "fields are not kept until an exchange is logged",
            "set a variable in a rule with `on = \"response\"`, and read it as `var(txn.NAME)`",
        )
    } else if fetch.reads_proxy_header() {
        (
            "the PROXY header is not kept until an exchange is logged",
            "set a variable in a rule, and read it as `var(txn.NAME)`",
        )
    } else {
        return Ok(());
    };
    let message = format!("`{name}` is not known here: {what}");
    Err(Mistake::new(part.clone(), message, help))
}

/// Checks that the present state of what `fetch` reads is known where `known` is.
fn check_state(
    fetch: Fetch,
    name: &str,
    given: &[Argument],
    known: Known,
    part: &Range<usize>,
) -> Result<(), Mistake> {
    let is_of_exchange = given.is_empty();
    match fetch.state_reading() {
        Some(_) if known == Known::Log => Err(Mistake::new(
            part.clone(),
            format!("`{name}` is not known here: it is not read when an exchange is logged"),
            "set a variable in a rule, and read it as `var(txn.NAME)`",
        )),
        Some(StateReading::Backend(_)) if is_of_exchange && !known.has(Phase::Backend) => {
            let message = format!("`{name}` needs the name of a backend: it is chosen later");
            let help = format!("write the name: `{name}(app)`");
            Err(Mistake::new(part.clone(), message, help))
        }
        _ => Ok(()),
    }
}

/// Checks that a variable of `scope` can have a value where `known` is known.
pub(super) fn check_scope(scope: Scope, known: Known, part: Range<usize>) -> Result<(), Mistake> {
    let why = match (scope, known) {
        (Scope::Request, Known::Response | Known::Log) => {
            "a variable of `req` is gone when there is a response"
        }
        (Scope::Response, Known::Request | Known::Backend) => "there is no response yet",
        (
            Scope::Request | Scope::Response,
            Known::Connection | Known::Accept | Known::Content | Known::Decrypted,
        )
        | (Scope::Transaction, Known::Accept | Known::Decrypted) => {
            let help = "variables of `sess` live as long as the connection";
            return Err(Mistake::new(part, "there is no request yet", help));
        }
        _ => return Ok(()),
    };
    let help = "variables of `txn` live as long as the exchange";
    Err(Mistake::new(part, why, help))
}

fn check_variables(
    arguments: &[Argument],
    known: Known,
    part: Range<usize>,
) -> Result<(), Mistake> {
    arguments.iter().try_for_each(|argument| match argument {
        Argument::Variable(variable) => check_scope(variable.scope, known, part.clone()),
        _ => Ok(()),
    })
}

fn conversion(
    cursor: &mut Cursor<'_>,
    expr: &mut Expr,
    known: Known,
    files: &mut dyn Files,
) -> Result<(), Mistake> {
    let (name, part) = name(cursor);
    if name.is_empty() {
        return Err(Mistake::new(
            part,
            "no converter follows the comma",
            "write a converter, as in `path,lower`, or leave the comma out",
        ));
    }
    let Some(converter) = Converter::named(name) else {
        return Err(unknown_converter(name, part));
    };
    if expr.converters.len() == MOST_CONVERTERS {
        return Err(Mistake::new(
            part,
            format!("an expression has more than {MOST_CONVERTERS} converters"),
            "leave some of them out",
        ));
    }
    let row = converter.row();
    let from = expr.yields();
    if !from.is_cast_to(row.takes) {
        return Err(Mistake::new(
            part,
            format!(
                "`{name}` takes {}, and `{expr}` yields {}",
                noun(row.takes),
                noun(from)
            ),
            "leave it out, or use another fetch",
        ));
    }
    let given = arguments(cursor, name, &part, row.parameters, files)?;
    check_variables(&given, known, part)?;
    expr.converters.push(Conversion {
        converter,
        arguments: given,
    });
    Ok(())
}

/// Whether values of the types `from` and `to` can be compared. Fewer than the casts: `src == dst_port`
/// is a mistake.
pub(super) fn casts(from: Type, to: Type) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (Type::Any, _)
        | (_, Type::Text)
        | (Type::Text, Type::Ip | Type::Int)
        | (Type::Bool, Type::Int) => true,
        _ => false,
    }
}

pub(in crate::config) fn noun(of: Type) -> &'static str {
    match of {
        Type::Bool => "true or false",
        Type::Int => "a number",
        Type::Ip => "an address",
        Type::Text => "a text",
        Type::Bytes => "bytes",
        Type::Any => "any value",
    }
}

fn unknown_fetch(name: &str, part: Range<usize>) -> Mistake {
    if name.is_empty() {
        return Mistake::new(
            part,
            "an expression is missing here",
            "write what to look at, such as `path`, `method`, `src` or `req.hdr(host)`",
        );
    }
    if let Some(help) = elsewhere::fetch(name) {
        return Mistake::new(part, format!("unknown fetch `{name}`"), help);
    }
    if let Some(converter) = Converter::named(name) {
        return Mistake::new(
            part,
            format!("`{name}` is a converter, and there is no value before it"),
            format!("write `path,{}` for example", converter.row().name),
        );
    }
    let rows = Fetch::ALL.iter().map(|fetch| fetch.row());
    let known = rows.flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().copied()));
    unknown("fetch", name, part, known)
}

fn unknown_converter(name: &str, part: Range<usize>) -> Mistake {
    if let Some(ours) = elsewhere::converter(name) {
        let message = format!("unknown converter `{name}`, did you mean `{ours}`?");
        let help = "conf/reference/expressions.md has them all";
        return Mistake::new(part, message, help);
    }
    let rows = Converter::ALL.iter().map(|converter| converter.row());
    let known = rows.flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().copied()));
    unknown("converter", name, part, known)
}

fn unknown(
    kind: &str,
    name: &str,
    part: Range<usize>,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Mistake {
    // There are too many to show: those that begin alike.
    let family = name.split(['.', '_']).next().unwrap_or_default();
    let is_alike =
        |known: &&str| !family.is_empty() && known.split(['.', '_']).next() == Some(family);
    let alike: Vec<&str> = known.clone().filter(is_alike).collect();
    let all = "conf/reference/expressions.md has them all";
    let list = match alike.is_empty() {
        true => all.to_owned(),
        false => format!("known are {}; {all}", suggest::list(alike)),
    };
    match suggest::nearest(name, known) {
        Some(word) => Mistake::new(
            part,
            format!("unknown {kind} `{name}`, did you mean `{word}`?"),
            list,
        ),
        None => Mistake::new(part, format!("unknown {kind} `{name}`"), list),
    }
}
