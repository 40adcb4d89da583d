//! `show stat typed`: one line for each value, with its column, type and tags (management guide §9.2).

use std::fmt::Write as _;

use super::rows::{COLUMNS, Column, Kind, Row, Value};

/// The lines of `rows`.
pub(crate) fn write(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let object = match row.kind {
            Kind::Frontend => 'F',
            Kind::Backend => 'B',
            Kind::Server => 'S',
        };
        let (proxy, server) = (row.proxy_number, row.server_number);
        for (position, column) in COLUMNS.iter().enumerate() {
            let (Column(name, _, kind), tags) = (column, column.tags(row.kind));
            let _ = match row.value(name) {
                Some(Value::Number(number)) => writeln!(
                    text,
                    "{object}.{proxy}.{server}.{position}.{name}.1:{tags}:{kind}:{number}"
                ),
                Some(Value::Text(value)) => writeln!(
                    text,
                    "{object}.{proxy}.{server}.{position}.{name}.1:{tags}:str:{value}"
                ),
                None => Ok(()),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::rows::fixture;
    use super::*;

    #[test]
    fn each_value_has_a_line_with_its_place_and_type() {
        let text = write(&fixture::rows());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "F.1.0.0.pxname.1:KNS:str:web<1>");
        assert_eq!(lines[2], "F.1.0.4.scur.1:MGP:u32:3");
        assert!(
            lines.contains(&"S.2.1.73.addr.1:CGS:str:10.0.0.1:80"),
            "{text}"
        );
    }
}
