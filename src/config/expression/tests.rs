//! Valid and invalid expressions, and the messages.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

struct OneFile(&'static str);

impl Files for OneFile {
    fn read(&mut self, written: &str) -> Result<(PathBuf, String), String> {
        match written {
            "list.txt" => Ok((PathBuf::from("/etc/list.txt"), self.0.to_owned())),
            _ => Err("there is no such file".to_owned()),
        }
    }
}

fn read(text: &str) -> Result<Condition, Mistake> {
    condition(
        text,
        &Position::built_in(),
        Known::Request,
        &mut OneFile("# clients\n10.0.0.0/8\n\n 192.0.2.1 \n"),
    )
}

#[test]
fn written_conditions_load_back_as_themselves() {
    for text in [
        "ssl_fc",
        "not ssl_fc",
        r#"path == "/a \"b\" \\c""#,
        r#"req.hdr(host),lower,field(1,:) != "a""#,
        r#"src in ["10.0.0.0/8", "192.0.2.1"] or dst_port in [80, 8000:8010]"#,
        r#"(method == "GET" or method == "HEAD") and not path starts_with "/a""#,
        r#"src in @file("list.txt")"#,
        r#"path matches "^/(a|b)\.c$""#,
        r#"path,regsub("^/(.*)$","/x/\\1",g) contains "y""#,
        "url_param(a,,i)",
        r#"src,ipmask(255.255.255.0,ffff::) == "10.0.0.0""#,
        "req.hdr(x-age) > req.hdr(x-most)",
        r#"path starts_with ["/a", "/b"] or path ends_with -i ".PNG""#,
        r#"path has_dir "a" and not req.hdr(host) has_domain -i ["b", "c"]"#,
        r#"path matches ["^/a", "b$"] and path matches -i "c""#,
        r#"req.hdr(host) == -i "a" or req.hdr(host) != -i "b""#,
        r#"method in -i ["get"] and method not in -i ["put"]"#,
        r#"path contains @file("list.txt") or path in -i @map("list.txt")"#,
        "dst_port in [:79, 8000:] and req.hdr(x) found",
        "METH_GET and not (LOCALHOST or HTTP_1.1)",
    ] {
        let condition = read(text).unwrap_or_else(|mistake| unreachable!("{text}: {mistake:?}"));
        let written = condition.to_string().replace("/etc/list.txt", "list.txt");
        assert_eq!(
            read(&written).as_ref(),
            Ok(&condition),
            "{text} -> {written}"
        );
    }
}

#[test]
fn a_map_has_keys_and_values_of_its_kind() {
    let mistake = |converter: &str, text: &'static str| {
        let condition = condition(
            &format!("path,{converter}(list.txt) == 'a'"),
            &Position::built_in(),
            Known::Request,
            &mut OneFile(text),
        );
        condition.err().map(|mistake| {
            assert_eq!(mistake.part.start, "path,(".len() + converter.len());
            format!("{}; {}", mistake.message, mistake.help)
        })
    };
    for (converter, text) in [
        ("map", "# comment\n\na b c\n"),
        ("map_reg", "^/(a|b) x\n"),
        ("length,map_int", "1 a\n2:5 b\n:0 c\n9: d\n"),
        ("map_ip", "10.0.0.0/8 a\n2001:db8::1 b\n"),
        // As Windows writes it.
        ("map_ip", "\u{feff}10.0.0.0/8 a\r\n2001:db8::1 b\r\n"),
    ] {
        assert_eq!(mistake(converter, text), None, "{converter}");
    }
    for (converter, text, said) in [
        (
            "map",
            "a b\nc d\0e\n",
            "/etc/list.txt:2: the line has a control character; write each value on a line of its own, as text",
        ),
        (
            "map",
            "a b\rc d\r",
            "/etc/list.txt:1: the line has a control character; write each value on a line of its own, as text",
        ),
        (
            "map",
            "a b\nc\n",
            "/etc/list.txt:2: the line has a key and no value; \
             write the key, a space and its value on each line",
        ),
        (
            "map_reg",
            "(?=a) x\n",
            "/etc/list.txt:1: look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported, because it cannot run \
             in linear time; write two conditions and join them with `and` or `not`; https://docs.rs/regex has the syntax",
        ),
        (
            "length,map_int",
            "5:1 a\n",
            "/etc/list.txt:1: \"5:1\" is neither a number nor a range of numbers; \
             write `80`, `8000:8010`, `:79` or `8000:`",
        ),
        (
            "map_ip",
            "10.0.0.1/8 a\n",
            "/etc/list.txt:1: \"10.0.0.1/8\" has bits set after its first 8; \
             write `\"10.0.0.0/8\"`, or one address without `/`",
        ),
        (
            "map_beg_int",
            "a x\n",
            "/etc/list.txt:1: the value \"x\" is not a number; write digits alone, or use the map without `_int`",
        ),
        (
            "map_end_ip",
            "a x\n",
            "/etc/list.txt:1: the value \"x\" is not an address; write one address, or use the map without `_ip`",
        ),
    ] {
        assert_eq!(mistake(converter, text).as_deref(), Some(said));
    }
}

#[test]
fn templates_load_back() {
    let read = |text: &str| {
        template(
            text,
            &Position::built_in(),
            Known::Request,
            &mut OneFile("/a b\n"),
        )
    };
    for text in [
        "",
        "plain",
        "a%20b 100%% %%[src] %",
        "%%%%[",
        "%[src]:%[src_port]",
        "x%[path,regsub(\"^/[a-z]\",\"]\")]%",
        "%[path,map(list.txt,none)]",
        "%[ var(txn.a,\"b c\") ]",
    ] {
        let read_first = read(text).unwrap_or_else(|mistake| unreachable!("{text}: {mistake:?}"));
        let written = read_first.to_string().replace("/etc/list.txt", "list.txt");
        assert_eq!(read(&written), Ok(read_first), "{text} -> {written}");
    }
    for (text, part, message) in [
        ("a %[src", 2..4, "`%[` has no closing `]`"),
        ("a %[src b]", 8..9, "the expression should have ended here"),
        ("%[scr]", 2..5, "unknown fetch `scr`, did you mean `src`?"),
        ("%[status]", 2..8, "`status` is not known here yet"),
        (
            "%[path,map(missing.txt)]",
            11..22,
            "cannot read the map: there is no such file",
        ),
        ("%[var(a)]", 6..7, "the variable `a` has no scope"),
        (
            "%[var(proc.a)]",
            6..12,
            "`proc` is not the scope of a variable",
        ),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!(
            (mistake.part, mistake.message.as_str()),
            (part, message),
            "{text}"
        );
    }
}

#[test]
fn answers_know_nothing_of_the_request_but_what_was_kept() {
    let read = |text: &str| {
        condition(
            text,
            &Position::built_in(),
            Known::Response,
            &mut OneFile(""),
        )
    };
    for text in [
        "status == 200",
        "src == \"192.0.2.1\"",
        "be_name == \"a\"",
        "var(txn.a) == 1",
    ] {
        assert!(read(text).is_ok(), "{text}");
    }
    let mistake = read("path == \"/\"").expect_err("it is gone");
    assert_eq!(mistake.message, "`path` is not known here any more");
    assert!(mistake.help.contains("set_var"), "{}", mistake.help);
    assert!(read("var(req.a)").is_err());
    assert!(super::variable("res.a", Known::Request).is_err());
    assert!(super::variable("res.a", Known::Response).is_ok());
}

#[test]
fn spelling_that_means_the_same_is_one_condition() {
    for (one, other) in [
        ("src not in [\"10.0.0.0/8\"]", "not src in [\"10.0.0.0/8\"]"),
        ("hdr(Host) == 'a'", "req.hdr(host) == \"a\""),
        ("(ssl_fc)", "ssl_fc"),
        (
            "ssl_fc and (ssl_c_used and path)",
            "ssl_fc and ssl_c_used and path",
        ),
        ("path,regsub(a,b,ig)", "path,regsub(a,b,gi)"),
        ("src,ipmask(24)", "src,ipmask(255.255.255.0)"),
        ("path, lower", "path,lower"),
    ] {
        assert_eq!(read(one), read(other), "{one}");
        assert!(read(one).is_ok(), "{one}");
    }
}

/// Checks the message; `»` and `«` mark the range of the mistake in the text.
#[track_caller]
fn says(text: &str, marked: &str, said: &str) {
    let mistake = read(text).expect_err(text);
    let Range { start, end } = mistake.part.clone();
    let shown = format!("{}»{}«{}", &text[..start], &text[start..end], &text[end..]);
    assert_eq!(shown, marked, "{mistake:?}");
    assert_eq!(format!("{}; {}", mistake.message, mistake.help), said);
}

#[test]
fn mistakes_are_pointed_at() {
    says(
        r#"req.hdrr(host) == "a""#,
        r#"»req.hdrr«(host) == "a""#,
        "unknown fetch `req.hdrr`, did you mean `req.hdr`?; known are `req.hdr`, `req.fhdr`, `req.fhdr_cnt`, \
         `req.hdr_ip`, `req.hdr_val`, `req.hdr_names`, `req.hdrs`, `req.ver`, `req_ver`, `req.proto_http`, \
         `req_proto_http`, `req.cook_cnt`, `req.cook_val`, `req.cook_names`, `req.hdr_cnt`, `req.cook`, `req.len`, \
         `req_len`, `req.payload`, `req.payload_lv` and 13 more; \
         conf/reference/expressions.md has them all",
    );
    says(
        "status == 200",
        "»status« == 200",
        "`status` is not known here yet; there is no response yet",
    );
    says(
        "path = \"/\"",
        "path »=« \"/\"",
        "`=` is not known here; write `==`",
    );
    says(
        "ssl_fc && path",
        "ssl_fc »&&« path",
        "`&&` is not known here; write `and`",
    );
    says("!ssl_fc", "»!«ssl_fc", "`!` is not known here; write `not`");
    says(
        "path == /login",
        "path == »/login«",
        "`/login` is not in quotes; write a text in quotes: `\"/login\"`",
    );
    says(
        "method == GET",
        "method == »GET«",
        "unknown fetch `GET`; write a text in quotes: `\"GET\"`",
    );
    says(
        "dst_port == \"80\"",
        "dst_port == »\"80\"«",
        "`dst_port ==` needs a number on its right side; write a number without quotes",
    );
    says(
        "req.hdr(x) == 5",
        "req.hdr(x) == »5«",
        "`req.hdr(x) ==` needs a text on its right side; write it in quotes: `\"5\"`",
    );
    says(
        "ssl_fc == 1",
        "ssl_fc == »1«",
        "`ssl_fc ==` needs true or false on its right side; write `ssl_fc` or `not ssl_fc`",
    );
    says(
        "src > \"10.0.0.1\"",
        "src »>« \"10.0.0.1\"",
        "`>` does not work with an address, which `src` yields; write `==` or `in` for addresses and networks",
    );
    says(
        "src == \"10.0.0.1/8\"",
        "src == »\"10.0.0.1/8\"«",
        "\"10.0.0.1/8\" has bits set after its first 8; write `\"10.0.0.0/8\"`, or one address without `/`",
    );
    says(
        "src in [10.0.0.1]",
        "src in [»10.0.0.1«]",
        "`src` yields an address, so each value of the list must be an address; write addresses and networks in quotes: `[\"10.0.0.0/8\"]`",
    );
    says(
        "src in @file(\"none.txt\")",
        "src in @file(»\"none.txt\"«)",
        "cannot read the list: there is no such file; a relative path begins at the directory of the file that it is written in",
    );
    says(
        "dst_port in @file(\"list.txt\")",
        "dst_port in @file(»\"list.txt\"«)",
        "/etc/list.txt:2: \"10.0.0.0/8\" is neither a number nor a range of numbers; write `80`, `8000:8010`, `:79` or `8000:`",
    );
    says(
        "path == [\"a\"]",
        "path == »[«\"a\"]",
        "`==` compares with one value, and this is a list; write `in` instead",
    );
    says(
        "path startswith \"a\"",
        "path »startswith« \"a\"",
        "there is no comparison `startswith`; did you mean `starts_with`?",
    );
    says(
        "path matches \"(a\"",
        "path matches »\"(a\"«",
        "not a regular expression: unclosed group; https://docs.rs/regex has the syntax",
    );
    says(
        "path matches \"a(?=b)\"",
        "path matches »\"a(?=b)\"«",
        "look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported, because it cannot run in linear time; \
         write two conditions and join them with `and` or `not`; https://docs.rs/regex has the syntax",
    );
    says(
        "lower(path)",
        "»lower«(path)",
        "`lower` is a converter, and there is no value before it; write `path,lower` for example",
    );
    says(
        "path,field(1)",
        "path,»field«(1)",
        "`field` needs its argument `delimiters`; write `field(index,delimiters[,count])`",
    );
    says(
        "path,field(x,/)",
        "path,field(»x«,/)",
        "`index` must be a whole number other than 0, and is `x`; write `1` for the first part, `-1` for the last",
    );
    says(
        "path(1)",
        "path(»1«)",
        "`path` takes no arguments; write `path`",
    );
    says(
        "path,regsub((a),b)",
        "path,regsub(»(«a),b)",
        "a parenthesis within an argument; write the argument in quotes, within which parentheses and commas are plain characters",
    );
    says(
        "path,ipmask(24",
        "path,ipmask»(«24",
        "the parenthesis is not closed; write `)` after the last argument",
    );
    says(
        "(ssl_fc or path",
        "»(«ssl_fc or path",
        "the parenthesis is not closed; write `)` where the group ends",
    );
    says(
        "ssl_fc)",
        "ssl_fc»)«",
        "a parenthesis that was not opened; leave it out, or write `(` where the group begins",
    );
    says(
        "ssl_fc,ipmask(24)",
        "ssl_fc,»ipmask«(24)",
        "`ipmask` takes an address, and `ssl_fc` yields true or false; leave it out, or use another fetch",
    );
    says(
        "path,digest(md5)",
        "path,digest(»md5«)",
        "`algorithm` must be one of `sha1`, `sha224`, `sha256`, `sha384`, `sha512`, and is `md5`; \
         write one of `sha1`, `sha224`, `sha256`, `sha384`, `sha512`",
    );
    says(
        "path,bytes(-1)",
        "path,bytes(»-1«)",
        "`offset` must be a whole number from 0 on, and is `-1`; write a whole number from 0 on, as digits",
    );
    says(
        "path,bytes(0,0)",
        "path,bytes(0,»0«)",
        "`length` must be a whole number from 1 on, and is `0`; write a whole number from 1 on, as digits",
    );
    says(
        "int(1),add(x)",
        "int(1),add(»x«)",
        "`number` must be a whole number or a variable, and is `x`; \
         write digits alone (`1`, `-1`), or a variable such as `txn.number`",
    );
    says(
        "path,hmac(sha256,key!)",
        "path,hmac(sha256,»key!«)",
        "`key` must be a key in base64 or a variable, and is `key!`; \
         write the key in base64, or a variable such as `txn.key`",
    );
    says(
        "\"a\" == path",
        "»\"a\"« == path",
        "a comparison begins with an expression, and this is a value; write the expression first: `path == \"/login\"`",
    );
    says(
        "path == \"a",
        "path == »\"a«",
        "the closing quote is missing; write `\"` where it ends",
    );
}

#[test]
fn a_space_in_quotes_or_after_a_backslash_is_kept_and_others_are_not() {
    for (written, delimiters) in [
        (r"path,field(1,\ ) == 'a'", "\" \""),
        (r"path,field( 1 , \  ) == 'a'", "\" \""),
        (r"path,field(1,\,\ \)) == 'a'", "\", )\""),
        ("path,field(1, \",\" ) == 'a'", "\",\""),
        ("path,field(1,\" , \") == 'a'", "\" , \""),
        ("path,field(1, a\" \"b ) == 'a'", "\"a b\""),
        ("path,field(1, ab ) == 'a'", "ab"),
    ] {
        let condition = read(written).unwrap_or_else(|mistake| unreachable!("{mistake:?}"));
        let expected = format!("path,field(1,{delimiters}) == \"a\"");
        assert_eq!(condition.to_string(), expected, "{written}");
    }
}

#[test]
fn of_a_long_line_of_a_list_only_the_beginning_is_quoted() {
    let line = "é".repeat(1 << 20);
    for condition in [
        "src in @file(\"list.txt\")",
        "dst_port in @file(\"list.txt\")",
    ] {
        let text = Box::leak(line.clone().into_boxed_str());
        let mistake = super::condition(
            condition,
            &Position::built_in(),
            Known::Request,
            &mut OneFile(text),
        );
        let message = mistake.expect_err("neither a network nor a number").message;
        assert!(message.contains("/etc/list.txt:1: \"éé"), "{condition}");
        assert!(message.contains("é…\" is neither"), "{condition}");
        assert!(message.len() < 400, "{condition}: {}", message.len());
    }
}

#[test]
fn a_condition_that_is_accepted_is_accepted_as_it_is_written_back() {
    let nested = |levels: usize| {
        let open = "ssl_fc and (path == 'a' or not (".repeat(levels / 2);
        let close = "))".repeat(levels / 2);
        format!("{open}src not in [\"10.0.0.0/8\"]{close}")
    };
    let mixed = |levels: usize| {
        let open = "ssl_fc or ssl_c_used and (".repeat(levels);
        format!("{open}ssl_fc{}", ")".repeat(levels))
    };
    let negated = |levels: usize| format!("{}src not in ['::1']", "not ".repeat(levels));
    for make in [&nested as &dyn Fn(usize) -> String, &mixed, &negated] {
        let mut deepest = 0;
        for levels in 0..70 {
            let Ok(condition) = read(&make(levels)) else {
                continue;
            };
            deepest = levels;
            assert_eq!(read(&condition.to_string()), Ok(condition), "{levels}");
        }
        assert!((30..65).contains(&deepest), "{deepest}: there is a bound");
    }
    // Each quote needs a backslash in quotes of its own kind.
    let quotes = |number: usize| format!("path == '{}'", "\"".repeat(number));
    let longest = (LONGEST - "path == \"\"".len()) / 2;
    let condition = read(&quotes(longest)).expect("it has room");
    assert_eq!(condition.to_string().len(), LONGEST);
    assert_eq!(read(&condition.to_string()), Ok(condition));
    assert!(read(&quotes(longest + 1)).is_err());
    // The bound lies within a character.
    assert!(read(&format!("path == '{}'", "é".repeat(LONGEST))).is_err());
    assert!(read(&format!("path ==  '{}'", "é".repeat(LONGEST))).is_err());
}

#[test]
fn nesting_has_a_bound() {
    let deep = |levels: usize| format!("{}ssl_fc{}", "(".repeat(levels), ")".repeat(levels));
    assert!(read(&deep(63)).is_ok());
    assert!(read(&deep(64)).is_err());
    assert!(read(&format!("{}ssl_fc", "not ".repeat(100_000))).is_err());
}

fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "ssl_fc",
        "path == 'a\"b\\\\'",
        "src not in['10.0.0.0/8']",
        r"path,field(1,\ ) != 'x'",
        "req.hdr(\"x'y\") matches '\\d'",
        "dst_port in[80:80,90]",
        "src,ipmask(24)=='10.0.0.0'",
        "path != -i 'A'",
        "path has_dir['a','b']",
        "req.hdr(x) found",
        "METH_GET",
    ]);
    let wraps = prop::collection::vec((0..6, leaf.clone()), 40..66);
    (leaf, wraps).prop_map(|(leaf, wraps)| {
        let wrap = |inner: String, (kind, leaf): &(i32, &str)| match kind {
            0 => format!("not ({inner})"),
            1 => format!("({inner})"),
            2 => format!("not {inner}"),
            3 => format!("{leaf} and ({inner})"),
            4 => format!("({inner}) or {leaf} and {leaf}"),
            _ => format!("{leaf} and {leaf} or {inner}"),
        };
        wraps.iter().fold(leaf.to_owned(), wrap)
    })
}

proptest! {
    #[test]
    fn an_accepted_condition_is_accepted_as_it_is_written_back(text in conditions()) {
        if let Ok(condition) = read(&text) {
            prop_assert_eq!(read(&condition.to_string()), Ok(condition));
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[a-z.,()\"'\\\\ =<>!0-9\\[\\]@:é-]{0,60}") {
        if let Err(mistake) = read(&text) {
            prop_assert!(text.get(mistake.part).is_some());
        }
    }
}

#[test]
fn conditions_of_haproxy_and_nginx_are_answered_with_ours() {
    for (text, help) in [
        ("path_beg /api", "write `path starts_with \"/api/\"`"),
        ("path_end .php", "write `path ends_with \".php\"`"),
        ("path_reg ^/a", "write `path matches \"^/item/[0-9]+$\"`"),
        (
            "hdr_beg(host) -i www.",
            "write `req.hdr(host) starts_with \"www.\"`",
        ),
        (
            "not hdr_dom(host) example.com",
            "write `req.hdr(host) has_domain \"example.com\"`",
        ),
        ("src -f blocked.txt", "write `in @file(\"list.txt\")`"),
        ("$remote_addr == \"192.0.2.1\"", "write `src`"),
        ("$http_x_tenant == \"a\"", "write `req.hdr(x-tenant)`"),
        ("ssl_fc and $cookie_beta", "write `req.cook(beta)`"),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!(mistake.help, help, "{text}");
    }
    let mistake = template(
        "%[$host]",
        &Position::built_in(),
        Known::Request,
        &mut OneFile(""),
    )
    .expect_err("of nginx");
    assert_eq!(mistake.help, "write `req.hdr(host)`");
}

#[test]
fn a_list_after_a_comparison_with_one_value_is_answered_with_in() {
    for (text, help) in [
        ("path != ['/a']", "write `not in` instead"),
        ("path == -i ['/a']", "write `in` instead"),
        ("dst_port < [80]", "write one number"),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!(mistake.help, help, "{text}");
        let list = text.find('[').expect("a list");
        assert_eq!(mistake.part, list..list + 1, "{text}");
    }
}

#[test]
fn mistakes_in_comparisons_with_lists_and_flags_are_said() {
    for (text, marked, said) in [
        (
            "src in -i ['::1']",
            "src in »-i« ['::1']",
            "`-i` is for texts, and `src` yields an address; leave `-i` out",
        ),
        (
            "path -i == '/a'",
            "path »-i« == '/a'",
            "`-i` is a flag of HAProxy's ACLs; write `== -i \"value\"` or `in -i [\"a\", \"b\"]`",
        ),
        (
            "req.hdr(x) < -i '1'",
            "req.hdr(x) »<« -i '1'",
            "`<` compares numbers, which have no case; leave `-i` out",
        ),
        (
            "dst_port has_dir 'a'",
            "dst_port »has_dir« 'a'",
            "`has_dir` does not work with a number, which `dst_port` yields; write `==`, `<`, `>` or `in` for numbers",
        ),
        (
            "path has_dir api",
            "path has_dir »api«",
            "no text in quotes follows `has_dir`; write `has_dir \"a\"`, or a list: `[\"a\", \"b\"]`",
        ),
        (
            "path matches ['a', '(']",
            "path matches ['a', »'('«]",
            "not a regular expression: unclosed group; https://docs.rs/regex has the syntax",
        ),
        (
            "path contains ['a', b]",
            "path contains ['a', »b«]",
            "`path` yields a text, so each value of the list must be a text; write texts in quotes: `[\"a\", \"b\"]`",
        ),
        (
            "path foudn",
            "path »foudn«",
            "there is no comparison `foudn`; did you mean `found`?",
        ),
        (
            "path dom 'a'",
            "path »dom« 'a'",
            "there is no comparison `dom`; write `has_domain`",
        ),
        (
            "dst_port in [8:1]",
            "dst_port in [»8:1«]",
            "the range 8:1 is empty; write `1:8`",
        ),
        (
            "dst_port in [:]",
            "dst_port in [:»]«",
            "`dst_port` yields a number, so each value of the list must be a number; write numbers without quotes: `[80, 8000:8010]`",
        ),
    ] {
        says(text, marked, said);
    }
}

#[test]
fn a_word_that_is_no_comparison_is_answered_with_ours() {
    for (text, marked, said) in [
        (
            r#"path beg "/a""#,
            r#"path »beg« "/a""#,
            "there is no comparison `beg`; write `starts_with`",
        ),
        (
            r#"path starts with "/a""#,
            r#"path »starts with« "/a""#,
            "there is no comparison `starts with`; write `starts_with`",
        ),
        (
            r#"method is "GET""#,
            r#"method »is« "GET""#,
            "there is no comparison `is`; write `==`",
        ),
        (
            r#"path ~ "x""#,
            r#"path »~« "x""#,
            "`~` is not known here; write `matches`",
        ),
        (
            r#"path ~* "x""#,
            r#"path »~*« "x""#,
            "`~*` is not known here; write `matches \"(?i)…\"`",
        ),
        (
            "src 10.0.0.0/8",
            "src »10.0.0.0/8«",
            "no comparison is between `src` and this value; write `src in [\"10.0.0.0/8\"]`",
        ),
        (
            "src 10.0.0.0/8 192.0.2.1 and ssl_fc",
            "src »10.0.0.0/8« 192.0.2.1 and ssl_fc",
            "no comparison is between `src` and this value; write `src in [\"10.0.0.0/8\", \"192.0.2.1\"]`",
        ),
        (
            "(method GET)",
            "(method »GET«)",
            "no comparison is between `method` and this value; write `method == \"GET\"`",
        ),
        (
            "dst_port 443",
            "dst_port »443«",
            "no comparison is between `dst_port` and this value; write `dst_port == 443`",
        ),
        (
            "ssl_fc 1",
            "ssl_fc »1«",
            "no comparison is between `ssl_fc` and this value; write `ssl_fc` or `not ssl_fc`",
        ),
        (
            "ssl_fc path == '/a'",
            "ssl_fc »path« == '/a'",
            "the condition should have ended here; write `and` or `or` between two conditions",
        ),
        (
            "ssl_fc adn path == '/a'",
            "ssl_fc »adn« path == '/a'",
            "the condition should have ended here; did you mean `and`?",
        ),
        (
            "{ path_beg /admin }",
            "»{« path_beg /admin }",
            "a condition has no braces; leave `{ }` out, and write `path starts_with \"/api/\"`",
        ),
        (
            "ssl_fc { path == \"/a\" }",
            "ssl_fc »{« path == \"/a\" }",
            "a condition has no braces; leave `{ }` out",
        ),
    ] {
        says(text, marked, said);
    }
}

#[test]
fn a_value_without_quotes_is_shown_with_them() {
    for (text, marked, said) in [
        (
            "path starts_with /admin",
            "path starts_with »/admin«",
            "`/admin` is not in quotes; write a text in quotes: `\"/admin\"`",
        ),
        (
            "(req.hdr(host) == www.example.com:80)",
            "(req.hdr(host) == »www.example.com:80«)",
            "`www.example.com:80` is not in quotes; write a text in quotes: `\"www.example.com:80\"`",
        ),
        (
            "path matches ^/admin",
            "path matches »^/admin«",
            "no regular expression in quotes follows `matches`; write `matches \"^/admin\"`",
        ),
        (
            "src == 10.0.0.0/8",
            "src == »10.0.0.0«/8",
            "`10.0.0.0` is not a whole number of 64 bits; write addresses in quotes: `\"10.0.0.0/8\"`",
        ),
        (
            "src == fd00::/8",
            "src == »fd00::/8«",
            "`fd00::/8` is not in quotes; write an address in quotes: `\"fd00::/8\"`",
        ),
    ] {
        says(text, marked, said);
    }
}

#[test]
fn the_help_for_foreign_fetches_is_a_condition() {
    for (name, instead) in elsewhere::FETCHES {
        assert!(
            crate::plan::expr::Fetch::named(name).is_none(),
            "{name} is known"
        );
        let read = condition(
            instead,
            &Position::built_in(),
            Known::Request,
            &mut OneFile(""),
        );
        assert!(read.is_ok(), "{name}: {instead}: {read:?}");
    }
}

#[test]
fn the_key_of_a_signature_fits_its_algorithm_and_is_no_secret_that_a_client_could_know() {
    for (text, said) in [
        ("jwt_verify(none,x)", "an algorithm of signatures"),
        (
            "jwt_verify(HS256,hunter2)",
            "a secret has 32 bytes at least",
        ),
        (
            "jwt_verify(HS384,0123456789abcdef0123456789abcdef)",
            "no key is for this algorithm",
        ),
        ("jwt_verify(RS256,none.pem)", "cannot read the keys"),
        ("jwt_verify(RS256,list.txt)", "/etc/list.txt cannot be used"),
        // The client writes the algorithm: what looks like a secret is the name of a file.
        (
            "jwt_verify(txn.alg,0123456789abcdef0123456789abcdef)",
            "cannot read the keys",
        ),
    ] {
        let refused = read(&format!("http_auth_bearer,{text} == 1")).expect_err(text);
        assert!(
            refused.message.contains(said),
            "{text}: {}",
            refused.message
        );
    }
}
