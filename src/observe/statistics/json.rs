//! `;json`: for each row the list of its values, each with its column, as HAProxy's `show stat json`.

use serde_json::json;

use super::rows::{COLUMNS, Column, Kind, Row, Value};

pub(crate) fn write(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let columns = COLUMNS.iter().enumerate();
        let values = columns.filter_map(|(position, column)| {
            let value = row.value(column.0)?;
            Some(of_value(row, position, column, value))
        });
        values.collect::<serde_json::Value>()
    });
    let rows: serde_json::Value = rows.collect();
    rows.to_string()
}

fn of_value(row: &Row, position: usize, column: &Column, value: &Value) -> serde_json::Value {
    let Column(name, _, kind) = column;
    let object = match row.kind {
        Kind::Frontend => "Frontend",
        Kind::Backend => "Backend",
        Kind::Server => "Server",
    };
    let value = match value {
        Value::Number(number) => json!({ "type": kind, "value": number }),
        Value::Text(text) => json!({ "type": "str", "value": text }),
    };
    json!({
        "objType": object,
        "proxyId": row.proxy_number,
        "id": row.server_number,
        "field": { "pos": position, "name": name },
        "processNum": 1,
        "tags": tags_of(column.tags(row.kind)),
        "value": value,
    })
}

/// The words for the three letters of the typed form (management guide §9.2).
pub(crate) fn tags_of(letters: &str) -> serde_json::Value {
    let mut letters = letters.chars();
    let origin = match letters.next() {
        Some('M') => "Metric",
        Some('S') => "Status",
        Some('K') => "Key",
        Some('C') => "Config",
        _ => "Product",
    };
    let nature = match letters.next() {
        Some('A') => "Age",
        Some('a') => "Avg",
        Some('C') => "Counter",
        Some('D') => "Duration",
        Some('G') => "Gauge",
        Some('L') => "Limit",
        Some('M') => "Max",
        Some('m') => "Min",
        Some('N') => "Name",
        Some('O') => "Output",
        _ => "Rate",
    };
    let scope = match letters.next() {
        Some('S') => "Service",
        Some('C') => "Cluster",
        Some('s') => "System",
        _ => "Process",
    };
    json!({ "origin": origin, "nature": nature, "scope": scope })
}

#[cfg(test)]
mod tests {
    use super::super::rows::fixture;
    use super::*;

    #[test]
    fn each_value_has_its_column() {
        let text = write(&fixture::rows());
        let rows: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let first = &rows[0][0];
        assert_eq!(first["objType"], "Frontend");
        assert_eq!(first["field"]["name"], "pxname");
        assert_eq!(first["value"]["value"], "web<1>");
        let server = rows[1].as_array().expect("a row");
        let status = server
            .iter()
            .find(|value| value["field"]["name"] == "status");
        assert_eq!(status.expect("a status")["value"]["value"], "UP");
        assert_eq!(status.expect("a status")["field"]["pos"], 17);
    }
}
