//! The keys of the tables that are actions.

use crate::base::units::show_duration;
use crate::config::keys::kind::Shape;
use crate::config::keys::words::{Word, Words};
use crate::config::keys::{Keys, key};
use crate::config::page::{duration, fields, string, strings, template};
use crate::plan::{
    CookieAttributes, Element, LAST_COUNTER, MOST_ELEMENTS, Monitor, NamePart, OnExceed, RateLimit,
    Redirect, RedirectCookie, RedirectTo, Replace, ReplaceField, Reply, ReplyBody, SetTag, Tarpit,
    Track,
};

use super::{FIELDS, STATUS};

/// The table of `return`, and of `deny` with other bounds of the status.
pub(in crate::config) static REPLY: Keys<Reply> = Keys {
    keys: &[
        key("status")
            .means("The status: of `return` from 200 to 599, of `deny` from 400 to 599.")
            .compiled(STATUS, |reply| Some(reply.status.as_u16().to_string())),
        key("content_type")
            .means("The field `content-type`.")
            .not_shown(Shape::Text),
        key("headers")
            .means("Other fields.")
            .compiled(FIELDS, |reply| {
                (!reply.headers.is_empty()).then(|| fields(&reply.headers))
            }),
        key("body")
            .means("The body.")
            .also("string lf_string text")
            .compiled(Shape::Text, |reply| match &reply.body {
                ReplyBody::Template(body) => Some(template(body)),
                _ => None,
            }),
        key("file")
            .means("A file with the body, which is sent as it is.")
            .compiled(Shape::Text, |reply| match &reply.body {
                ReplyBody::File { path, .. } => Some(string(path)),
                _ => None,
            }),
        key("errorfile")
            .means("A file with a whole answer, head and body, as HAProxy reads it.")
            .also("http_file")
            .compiled(Shape::Text, |reply| match &reply.body {
                ReplyBody::ErrorFile { path, .. } => Some(string(path)),
                _ => None,
            }),
    ],
    hints: r#"
        hdr header: write `headers = { x-name = "value" }`
        lf_file: write `body = "…"`, a template, or `file = "…"`, which is sent as it is
    "#,
    ..Keys::EMPTY
};

pub(in crate::config) static TARPIT: Keys<Tarpit> = Keys {
    keys: &[
        key("time")
            .means("How long the client waits.")
            .also("timeout delay")
            .compiled(Shape::Duration, |tarpit| Some(duration(tarpit.time))),
        key("status")
            .means("The status of the answer, from 400 to 599.")
            .also("deny_status")
            .compiled(Shape::Number(400, 599), |tarpit| {
                Some(tarpit.reply.status.as_u16().to_string())
            }),
        key("content_type")
            .means("The field `content-type`.")
            .not_shown(Shape::Text),
        key("headers")
            .means("Other fields.")
            .compiled(FIELDS, |tarpit| {
                let headers = &tarpit.reply.headers;
                (!headers.is_empty()).then(|| fields(headers))
            }),
        key("body")
            .means("The body.")
            .also("string lf_string text")
            .compiled(Shape::Text, |tarpit| match &tarpit.reply.body {
                ReplyBody::Template(body) => Some(template(body)),
                _ => None,
            }),
        key("file")
            .means("A file with the body, which is sent as it is.")
            .compiled(Shape::Text, |tarpit| match &tarpit.reply.body {
                ReplyBody::File { path, .. } => Some(string(path)),
                _ => None,
            }),
        key("errorfile")
            .means("A file with a whole answer, head and body, as HAProxy reads it.")
            .compiled(Shape::Text, |tarpit| match &tarpit.reply.body {
                ReplyBody::ErrorFile { path, .. } => Some(string(path)),
                _ => None,
            }),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static MONITOR: Keys<Monitor> = Keys {
    keys: &[
        key("path")
            .means("The path that is answered.")
            .also("uri")
            .compiled(Shape::Text, |monitor| Some(string(&monitor.path))),
        key("fail")
            .means("A condition: while it holds, the answer is 503.")
            .also("fail_if when")
            .compiled(Shape::Text, |monitor| {
                monitor.fail.as_ref().map(|fail| string(&fail.to_string()))
            }),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static REDIRECT: Keys<Redirect> = Keys {
    keys: &[
        key("status")
            .means("301, 302, 303, 307 or 308.")
            .also("code")
            .compiled(Shape::Number(301, 308), |redirect| {
                Some(redirect.status.as_u16().to_string())
            }),
        key("location")
            .means("Where to.")
            .also("to url")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Location(to) => Some(template(to)),
                _ => None,
            }),
        key("prefix")
            .means("Where to; the path and the query of the request follow.")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Prefix(to) => Some(template(to)),
                _ => None,
            }),
        key("scheme")
            .means("The same URL with another scheme.")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Scheme(to) => Some(template(to)),
                _ => None,
            }),
        key("drop_query")
            .means("With a prefix or a scheme: leave the query out.")
            .switch(|redirect| &mut redirect.drop_query),
        key("append_slash")
            .means("With `drop_query`: the path ends with `/`.")
            .switch(|redirect| &mut redirect.append_slash),
        key("keep_query")
            .means("With a location: the query of the request follows it.")
            .switch(|redirect| &mut redirect.keep_query),
        key("ignore_empty")
            .means("Whether a value that is empty redirects nobody: the rule has no effect then.")
            .switch(|redirect| &mut redirect.ignore_empty),
        key("set_cookie")
            .means("A cookie that the client sets: \"name=value\".")
            .compiled(Shape::Text, |redirect| match &redirect.cookie {
                Some(RedirectCookie::Set(cookie)) => Some(string(cookie)),
                _ => None,
            }),
        key("clear_cookie")
            .means("The name of a cookie that the client removes.")
            .compiled(Shape::Text, |redirect| match &redirect.cookie {
                Some(RedirectCookie::Clear(name)) => Some(string(name)),
                _ => None,
            }),
    ],
    ..Keys::EMPTY
};

/// The key `match` of the tables with a replacement.
const MATCH: &str = "The regular expression.";
/// Their key `with`.
const WITH: &str = "The new value; `\\0` to `\\9` are the match and its groups.";
/// Words of other programs for them.
const ALSO_MATCH: &str = "regex pattern from";
const ALSO_WITH: &str = "to value replacement fmt";

pub(in crate::config) static REPLACE: Keys<Replace> = Keys {
    keys: &[
        key("match")
            .means(MATCH)
            .also(ALSO_MATCH)
            .compiled(Shape::Text, |replace| {
                Some(string(&replace.pattern.to_string()))
            }),
        key("with")
            .means(WITH)
            .also(ALSO_WITH)
            .compiled(Shape::Text, |replace| Some(template(&replace.with))),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static REPLACE_FIELD: Keys<ReplaceField> = Keys {
    keys: &[
        key("name")
            .means("The field.")
            .also("field header")
            .compiled(Shape::Text, |replace| {
                Some(string(replace.field.name.as_str()))
            }),
        key("match")
            .means(MATCH)
            .also(ALSO_MATCH)
            .compiled(Shape::Text, |replace| {
                Some(string(&replace.replace.pattern.to_string()))
            }),
        key("with")
            .means(WITH)
            .also(ALSO_WITH)
            .compiled(Shape::Text, |replace| Some(template(&replace.replace.with))),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static NAME_PART: Keys<NamePart> = Keys {
    keys: &[
        key("starts_with")
            .means("The beginning of the names.")
            .also("prefix beg")
            .compiled(Shape::Text, |part| match part {
                NamePart::StartsWith(text) => Some(string(text)),
                _ => None,
            }),
        key("ends_with")
            .means("The end of the names.")
            .also("suffix end")
            .compiled(Shape::Text, |part| match part {
                NamePart::EndsWith(text) => Some(string(text)),
                _ => None,
            }),
        key("contains")
            .means("A part of the names.")
            .also("substring sub")
            .compiled(Shape::Text, |part| match part {
                NamePart::Contains(text) => Some(string(text)),
                _ => None,
            }),
        key("matches")
            .means("A regular expression for the names, in lower case.")
            .also("regex reg match pattern")
            .compiled(Shape::Text, |part| match part {
                NamePart::Matches(pattern) => Some(string(&pattern.to_string())),
                _ => None,
            }),
    ],
    hints: "name: write the name as a string: `del_header = \"x-name\"`",
    ..Keys::EMPTY
};

pub(in crate::config) static COOKIE_ATTRIBUTES: Keys<CookieAttributes> = Keys {
    keys: &[
        key("names")
            .means("The cookies; all if it is not written.")
            .also("name cookies")
            .compiled(Shape::List(&Shape::Text), |attributes| {
                let names = &attributes.names;
                (!names.is_empty()).then(|| strings(names))
            }),
        key("secure")
            .means("Add `Secure`.")
            .switch(|attributes| &mut attributes.secure),
        key("http_only")
            .means("Add `HttpOnly`.")
            .also("httponly")
            .switch(|attributes| &mut attributes.http_only),
        key("same_site")
            .means("The value of `SameSite`.")
            .also("samesite")
            .compiled(Shape::Words(SAME_SITE), |attributes| {
                let same_site = attributes.same_site.as_ref()?;
                Some(string(same_site.word()))
            }),
    ],
    ..Keys::EMPTY
};

const SAME_SITE: &[&str] = &["strict", "lax", "none"];

pub(in crate::config) static TRACK: Keys<Track> = Keys {
    keys: &[
        key("table")
            .means("The NAME of a `[table.NAME]`.")
            .compiled(Shape::Text, |track| Some(string(&track.table.name))),
        key("key")
            .means("The expression whose value is the key.")
            .also("on by")
            .compiled(Shape::Text, |track| Some(string(&track.key.to_string()))),
        key("counter")
            .means("The number by which `sc_…` reads it; else its position among the rules of its list with `track`.")
            .also("sc")
            .compiled(Shape::Number(0, LAST_COUNTER as i64), |track| {
                Some(track.counter.to_string())
            }),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static SC_INC_GPC: Keys<Element> = Keys {
    keys: &[
        key("counter")
            .means("The number by which the entry is tracked.")
            .also("sc")
            .number(0, LAST_COUNTER as i64, |element| &mut element.counter),
        key("index").means("Which counter of `gpc`.").number(
            0,
            MOST_ELEMENTS as i64 - 1,
            |element| &mut element.index,
        ),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static SC_SET_GPT: Keys<SetTag> = Keys {
    keys: &[
        key("counter")
            .means("The number by which the entry is tracked.")
            .also("sc")
            .number(0, LAST_COUNTER as i64, |tag| &mut tag.element.counter),
        key("index")
            .means("Which tag of `gpt`.")
            .number(0, MOST_ELEMENTS as i64 - 1, |tag| &mut tag.element.index),
        key("value").means("A number, or an expression.").compiled(
            Shape::AnyOf(&[Shape::Number(0, u32::MAX as i64), Shape::Text]),
            |tag| Some(string(&tag.value.to_string())),
        ),
    ],
    ..Keys::EMPTY
};

/// The most keys of a rate limit.
const MOST_KEYS: i64 = 100_000_000;

pub(in crate::config) static RATE_LIMIT: Keys<RateLimit> = Keys {
    keys: &[
        key("name")
            .means("The name in metrics and `/status`; else `frontend.NAME.1`, by its position.")
            .compiled(Shape::Text, |limit| Some(string(&limit.name))),
        key("key")
            .means("The expression by whose value requests are counted.")
            .also("by")
            .compiled(Shape::Text, |limit| Some(string(&limit.key.to_string()))),
        key("rate")
            .means("Requests in a period: \"3/10s\".")
            .compiled(Shape::Text, |limit| {
                let period = show_duration(limit.rate.period);
                Some(string(&format!("{}/{period}", limit.rate.requests)))
            }),
        key("burst")
            .means("Requests that may come at once; else those of one period.")
            .number(1, u32::MAX as i64, |limit| &mut limit.burst),
        key("on_exceed")
            .means("\"deny\", \"delay\", or \"dry_run\": only count and log.")
            .word(OnExceed::words, |limit| &mut limit.on_exceed),
        key("status")
            .means("The status of a refusal.")
            .also("deny_status")
            .compiled(Shape::Number(400, 599), |limit| {
                Some(limit.status.as_u16().to_string())
            }),
        key("retry_after")
            .means("Whether a refusal has the field `Retry-After`.")
            .switch(|limit| &mut limit.retry_after),
        key("headers")
            .means("Whether answers have `RateLimit-Limit`, `-Remaining`, `-Reset` and `-Policy`.")
            .also("fields ratelimit_headers x_ratelimit_headers")
            .switch(|limit| &mut limit.headers),
        key("size")
            .means("The most keys.")
            .number(1, MOST_KEYS, |limit| &mut limit.size),
        key("ipv6_mask")
            .means("The bits of an IPv6 address that count.")
            .number(1, 128, |limit| &mut limit.ipv6_mask),
    ],
    hints: "nodelay: leave it out: requests within the `burst` pass at once\n\
        period window interval: write it with the rate: `rate = \"3/10s\"`",
    ..Keys::EMPTY
};
