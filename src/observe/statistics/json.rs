//! `;json`: for each row the list of its values, each with its column, as HAProxy's `show stat json`.

use serde_json::json;

use super::rows::{COLUMNS, Kind, Row, Value};

pub(crate) fn write(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let columns = COLUMNS.iter().enumerate();
        let values = columns.filter_map(|(position, column)| {
            let value = row.value(column)?;
            Some(of_value(row, position, column, value))
        });
        values.collect::<serde_json::Value>()
    });
    let rows: serde_json::Value = rows.collect();
    rows.to_string()
}

fn of_value(row: &Row, position: usize, column: &str, value: &Value) -> serde_json::Value {
    let kind = match row.kind {
        Kind::Frontend => "Frontend",
        Kind::Backend => "Backend",
        Kind::Server => "Server",
    };
    let (origin, nature) = match column {
        "pxname" | "svname" | "pid" | "iid" | "sid" => ("Key", "Name"),
        "weight" | "slim" | "mode" | "addr" | "type" => ("Config", "Limit"),
        "status" | "last_chk" => ("Status", "Output"),
        "qcur" | "scur" | "act" | "bck" | "req_rate" | "uweight" => ("Metric", "Gauge"),
        "lastchg" => ("Metric", "Age"),
        _ => ("Metric", "Counter"),
    };
    let value = match value {
        Value::Number(number) => json!({ "type": "u64", "value": number }),
        Value::Text(text) => json!({ "type": "str", "value": text }),
    };
    json!({
        "objType": kind,
        "proxyId": row.proxy_number,
        "id": row.value("sid").map(|_| row.shown("sid").parse().unwrap_or(0_u64)),
        "field": { "pos": position, "name": column },
        "processNum": 1,
        "tags": { "origin": origin, "nature": nature, "scope": "Service" },
        "value": value,
    })
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
