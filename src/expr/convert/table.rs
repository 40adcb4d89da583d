//! The entry of a table with a key: `src,table_http_req_rate(clients)`.

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, Converter};
use crate::plan::{Reading, TableReference};

use super::Convert;
use super::arguments::Arguments;

#[derive(Debug)]
pub(super) struct LookUp {
    /// `None`: the type checker allows it in no configuration.
    table: Option<TableReference>,
    reading: Reading,
    element: usize,
}

impl LookUp {
    pub(super) fn of(converter: Converter, arguments: Arguments<'_>) -> Self {
        let has_element = converter.has_element();
        let element = arguments.int(0).filter(|_| has_element).unwrap_or_default();
        Self {
            table: match arguments.get(usize::from(has_element)) {
                Some(Argument::Table(table)) => Some(table.clone()),
                _ => None,
            },
            reading: converter.reading().unwrap_or(Reading::Exists),
            element: usize::try_from(element).unwrap_or(usize::MAX),
        }
    }
}

impl Convert for LookUp {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let (Some(tables), Some(table)) = (facts.connection.tables, &self.table) else {
            return Value::Absent;
        };
        let found = tables.read(&table.name, value, scratch, self.reading, self.element);
        match (self.reading, found) {
            (_, None) => Value::Absent,
            (Reading::Exists, Some(found)) => Value::Bool(found > 0),
            (_, Some(found)) => Value::Int(i64::try_from(found).unwrap_or(i64::MAX)),
        }
    }
}
