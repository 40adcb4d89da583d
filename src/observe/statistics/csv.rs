//! `;csv`: a line with the names of HAProxy's columns, and one for each row.

use super::rows::{COLUMNS, Column, Row};

pub(crate) fn write(rows: &[Row]) -> String {
    let mut text = String::from("# ");
    for Column(column, ..) in COLUMNS {
        text.push_str(column);
        text.push(',');
    }
    text.push('\n');
    for row in rows {
        for Column(column, ..) in COLUMNS {
            push(&row.shown(column), &mut text);
            text.push(',');
        }
        text.push('\n');
    }
    text
}

/// In quotes where a comma or a quote would end the value (RFC 4180 §2).
fn push(value: &str, text: &mut String) {
    match value.contains([',', '"', '\n']) {
        true => {
            text.push('"');
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
        }
        false => text.push_str(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::fixture;
    use super::*;

    #[test]
    fn columns_are_in_haproxys_order_and_values_are_quoted() {
        let text = write(&fixture::rows());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,"));
        assert!(lines[1].starts_with("web<1>,FRONTEND,,,3,,0,7,0,0,0,,0,,,,,OPEN,"));
        assert!(lines[2].starts_with("app,\"a,\"\"b\"\"\",0,,0,,,5,,,,,,0,0,,,UP,2,1,0,"));
        assert!(lines[3].starts_with("app,c,0,,0,,,2,,,,,,2,0,,,DOWN,0,1,0,"));
        assert!(lines[4].starts_with("app,BACKEND,1,,0,,,7,,,,,,2,0,,,UP,2,1,0,"));
        assert_eq!(lines.len(), 5);
    }
}
