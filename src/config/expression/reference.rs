//! Writes the reference page `conf/reference/expressions.md` from the tables of fetches and
//! converters; a test compares them.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::plan::expr::{Converter, Fetch, Parameter, Phase, Type};

use super::arguments::signature;
use super::expr::noun;
use super::predefined::PREDEFINED;

const HEAD: &str = r#"# Expressions and conditions

Written from the tables in `src/plan/expr` and held to them by a test.

An **expression** is a fetch, and converters that its value passes through, in order: `req.hdr(host),lower,field(1,:)`.
Names, types and meaning are HAProxy's. A **condition** compares expressions and joins comparisons:

```text
when = 'src in ["10.0.0.0/8"] and not (path starts_with "/public/" or req.cook(beta))'
```

| written | holds when |
|---|---|
| `path == "/login"`, `dst_port == 443`, `src == "10.0.0.0/8"` | the value is that; an address is in that network |
| `method != "GET"` | the opposite of `==` |
| `dst_port < 1024`, `<=`, `>`, `>=` | the number is smaller, ...; a text is the number that it begins with |
| `path starts_with "/a"`, `ends_with`, `contains` | the text has that part |
| `path has_dir "api"` | the text has that part between `/` and `?`, or its ends: `/x/api/y` |
| `req.hdr(host) has_domain "example.com"` | the same between `/`, `?`, `.` and `:`: `www.example.com:80` |
| `path matches "^/item/[0-9]+$"` | the regular expression matches somewhere |
| `method in ["GET", "HEAD"]`, `src in ["10.0.0.0/8"]` | the value is one of the list |
| `dst_port in [80, 8000:8999, 49152:]` | the number is one of the list or in a range, of which one end may be open |
| `src in @file("blocked.txt")` | the value is on a line of the file; `#` begins a comment line |
| `req.hdr(host) in @map("hosts.map")` | the value is a key of the map in the file |
| `path starts_with ["/a", "/b"]`, `has_domain @file("hosts.txt")`, ... | the text has one of the parts; all words of this table that compare texts take lists |
| `req.hdr(host) == -i "a.example"`, `path starts_with -i "/A"`, `in -i [...]` | the same, and the letters A to Z equal a to z |
| `src not in [...]` | the opposite of `in` |
| `req.hdr(x) found` | there is a value, even an empty one |
| `ssl_fc`, `req.cook(beta)` | there is a value, and it is not `false`, 0 or empty |
| `not`, `and`, `or`, `( )` | as usual; `not` binds closest, then `and`, then `or` |

- Case counts. Write `-i` after the comparison where it shall not.
- A length is a number: `path,length > 100`. Names are never looked up in DNS.
- A search in a list of any length takes hardly longer than in a short one, in files too.
- What is **absent** equals nothing: each comparison with it is false, but for `!=` and `not in`, which are true.
- An expression with several values (a field on several lines, or with a list) compares as true when one of them does, unless
  one occurrence is asked for. `req.hdr(x) != "a"` is true when none of them is `a`. An expression on the right side has one
  value: of several, the last.
- Texts are written in double or single quotes; `\"` and `\\` are a quote and a backslash, any other backslash is itself.
- Arguments end at a comma or at `)`; in quotes and after a backslash these are plain characters, and spaces are kept:
  `field(1,\ )`. Regular expressions with parentheses need quotes.
- Regular expressions run in linear time ([syntax](https://docs.rs/regex/latest/regex/#syntax)): no look-around and no
  back-references. They see bytes: `.` is one byte.
- A file in `@file` is read when the configuration is loaded, and again when it changes. A relative path begins at the
  directory of the file that it is written in. It is UTF-8; a byte order mark and CR at the end of a line are left out, other control
  characters are mistakes. The same holds for the files of maps.

"#;

fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str(
        "## Conditions with a name\n\nThe predefined ACLs of HAProxy; a name stands for its condition.\n\n\
         | name | condition |\n|---|---|\n",
    );
    for (name, condition) in PREDEFINED {
        writeln!(page, "| `{name}` | `{condition}` |").expect("text");
    }
    page.push('\n');
    page.push_str("## Fetches\n\n| fetch | yields | known | what |\n|---|---|---|---|\n");
    for fetch in Fetch::ALL {
        let row = fetch.row();
        writeln!(
            page,
            "| {} | {} | {} |{} |",
            names(row.name, row.aliases, row.parameters),
            yields(row.yields),
            match row.since {
                Phase::Connection => "always",
                Phase::Handshake => "after the TLS handshake",
                Phase::Request => "with the request",
                Phase::Backend => "with the backend",
                Phase::Response => "with the response",
                Phase::Content => "with the first bytes",
            },
            row.meaning
        )
        .expect("text");
    }
    page.push_str(
        "\nA condition of a route can use what is known with the request; of a route of connections (`mode = \"tcp\"`,\n\
         `passthrough`), only what is known always,\n\
         and in TCP mode the first bytes. Rules for content ([content-rules.md](content-rules.md)) know those too.\n\n\
         ## Converters\n\n| converter | takes | yields | what |\n|---|---|---|---|\n",
    );
    for converter in Converter::ALL {
        let row = converter.row();
        writeln!(
            page,
            "| {} | {} | {} |{} |",
            names(row.name, row.aliases, row.parameters),
            yields(row.takes),
            yields(row.yields),
            row.meaning
        )
        .expect("text");
    }
    page.push_str(
        "\nA value of another type is cast where that has a meaning: addresses, numbers and booleans (`1`, `0`) to texts, texts\n\
         to the number that they begin with or to the address that they are.\n",
    );
    page
}

fn names(name: &str, aliases: &[&str], parameters: &[Parameter]) -> String {
    let mut names = format!("`{}`", signature(name, parameters));
    for alias in aliases {
        write!(names, ", `{alias}`").expect("text");
    }
    names
}

fn yields(of: Type) -> &'static str {
    let noun = noun(of);
    noun.strip_prefix("a ")
        .or_else(|| noun.strip_prefix("an "))
        .unwrap_or(noun)
}

#[test]
fn the_page_of_expressions_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/expressions.md");
    if env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        page(),
        "run EVENKEEL_BLESS=1 cargo test to write the page anew"
    );
}
